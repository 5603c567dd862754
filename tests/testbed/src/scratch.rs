//! A directory for one run, removed when the run ends.

use std::ops::Deref;
use std::path::{Path, PathBuf};
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
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let base = std::env::var_os("PGCDC_SCRATCH").map_or_else(|| PathBuf::from("/var/tmp"), PathBuf::from);
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
