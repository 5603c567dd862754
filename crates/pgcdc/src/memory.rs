//! glibc's allocator, told where large pieces go.
#![expect(unsafe_code, reason = "a call of the C library, with what it relies on")]

/// A row of more bytes than this is in memory alone: capture reads no other one meanwhile.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const LARGE: i32 = 4 << 20;

/// Makes glibc give pieces of more than 4 MiB back to the system when they are freed.
///
/// By default glibc raises that limit, up to 32 MiB, each time such a piece is freed. Each thread then keeps pieces as large as
/// its largest row, so one large row would leave the process large for good.
pub(crate) fn give_large_pieces_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it has no preconditions; no other thread runs yet.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
        // Free memory at the top of the heap goes back beyond this. glibc would raise it together with the limit above, but
        // not once that limit is set.
        libc::mallopt(libc::M_TRIM_THRESHOLD, 2 * LARGE);
    }
}
