//! Free TCP ports on 127.0.0.1.

use std::collections::HashSet;
use std::net::TcpListener;
use std::sync::Mutex;

use anyhow::{Result, bail};

static GIVEN: Mutex<Option<HashSet<u16>>> = Mutex::new(None);

/// Finds a port that nobody listens on and that this process has not been given before.
///
/// The range lies below Linux's ephemeral ports, so an outgoing connection of another process cannot take it in the time
/// between this call and the service's own bind; the start depends on the process id, so parallel test runs rarely meet.
///
/// # Errors
/// When no port in 20000–31999 is free.
pub fn free() -> Result<u16> {
    const FIRST: u32 = 20_000;
    const COUNT: u32 = 12_000;
    let mut guard = GIVEN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let given = guard.get_or_insert_with(HashSet::new);
    let start = std::process::id().wrapping_mul(61) % COUNT;
    for step in 0..COUNT {
        let port = (FIRST + (start + step) % COUNT) as u16;
        if !given.contains(&port) && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            given.insert(port);
            return Ok(port);
        }
    }
    bail!(
        "no free TCP port between 20000 and 31999 on 127.0.0.1; stop services that are no longer needed (`cargo xtask down`)"
    )
}

/// Returns `port`, or a free one when it is zero.
///
/// # Errors
/// When a free port is asked for and there is none.
pub fn or_free(port: u16) -> Result<u16> {
    if port == 0 { free() } else { Ok(port) }
}

#[cfg(test)]
mod tests {
    #[test]
    fn never_the_same_port_twice() {
        let ports: std::collections::HashSet<u16> =
            (0..50).map(|_| super::free().expect("a free port")).collect();
        assert_eq!(ports.len(), 50);
    }
}
