//! A directory for one run, removed when the run ends.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};

use crate::watchdog::Watchdog;

/// A fresh directory below `$PGCDC_SCRATCH` (default: `/var/tmp`), removed on drop unless `PGCDC_KEEP` is set.
///
/// It lies outside the user's home because PostgreSQL, which refuses to run as root, must be able to reach it.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    /// Removes the directory when this value is never dropped; none when the directory is to be kept.
    watchdog: Option<Watchdog>,
}

impl Scratch {
    /// Creates the directory; `name` is part of its name.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn new(name: &str) -> Result<Self> {
        Self::below("/var/tmp".into(), name)
    }

    /// As [`Scratch::new`], but in memory where the machine has that much to spare: for tests that make and remove thousands of
    /// files. (For a new file ext4 tries the inodes of recently removed files one by one.)
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn in_memory(name: &str, megabytes: u64) -> Result<Self> {
        let base = if memory_has(megabytes) { MEMORY } else { "/var/tmp" };
        Self::below(base.into(), name)
    }

    fn below(base: PathBuf, name: &str) -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let base = std::env::var_os("PGCDC_SCRATCH").map_or(base, PathBuf::from);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = base.join(format!("pgcdc-{name}-{}-{number}", std::process::id()));
        if path.exists() {
            std::fs::remove_dir_all(&path).with_context(|| format!("cannot clear {}", path.display()))?;
        }
        std::fs::create_dir_all(&path).with_context(|| {
            format!("cannot create {}; set PGCDC_SCRATCH to a writable directory", path.display())
        })?;
        let keep = std::env::var_os("PGCDC_KEEP").is_some();
        let watchdog = if keep { None } else { Some(Watchdog::remove(&path)?) };
        Ok(Self { path, watchdog })
    }
}

/// Where Linux has a file system in memory; a container's is often too small.
const MEMORY: &str = "/dev/shm";

/// Whether the file system in memory, and memory itself, have room for this much.
fn memory_has(megabytes: u64) -> bool {
    // One line of headings, then: file system, type, size, used, available, ….
    let df = Command::new("df").args(["-P", "-T", "-k", MEMORY]).output();
    let df = df.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let mount: Vec<&str> = df.lines().nth(1).unwrap_or_default().split_whitespace().collect();
    let room = mount.get(4).and_then(|kilobytes| kilobytes.parse::<u64>().ok()).unwrap_or_default();
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let free = memory.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let free = free.and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default();
    mount.get(1) == Some(&"tmpfs") && room.min(free) / 1024 >= megabytes
}

impl Deref for Scratch {
    type Target = Path;
    fn deref(&self) -> &Path {
        &self.path
    }
}

impl AsRef<Path> for Scratch {
    fn as_ref(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Some(watchdog) = self.watchdog.take() {
            let _ = std::fs::remove_dir_all(&self.path);
            watchdog.dismiss();
        }
    }
}
