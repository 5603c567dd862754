//! A small disk of a broker's own, which a test fills.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// A file system in memory, mounted at a directory until it is dropped. Only root may mount one.
#[derive(Debug)]
pub struct SmallDisk {
    place: PathBuf,
}

impl SmallDisk {
    /// Mounts a disk of so many MiB at `place`, which is created. It takes memory only for what is on it.
    ///
    /// # Errors
    /// When it cannot be mounted, for instance since the user is not root.
    pub fn mount(place: impl AsRef<Path>, mib: u32) -> Result<Self> {
        let place = place.as_ref().to_owned();
        fs::create_dir_all(&place).with_context(|| format!("cannot create {}", place.display()))?;
        let size = format!("size={mib}m");
        run(Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&place))?;
        Ok(Self { place })
    }

    /// Fills it: whoever writes to it now is told that no space is left.
    ///
    /// # Errors
    /// When it cannot be written to for another reason.
    pub fn fill(&self) -> Result<()> {
        let mut file = OpenOptions::new().create(true).append(true).open(self.ballast())?;
        // Large pieces first, then what is left.
        for size in [1 << 20, 4 << 10, 1] {
            let piece = vec![0; size];
            loop {
                match file.write_all(&piece) {
                    Ok(()) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => return Err(error).context("cannot fill a disk"),
                }
            }
        }
        Ok(())
    }

    /// Takes away what [`SmallDisk::fill`] put on it.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub fn empty(&self) -> Result<()> {
        fs::remove_file(self.ballast()).context("cannot empty a disk")
    }

    fn ballast(&self) -> PathBuf {
        self.place.join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // A process that still has a file open must not keep it mounted.
        let _ = run(Command::new("umount").arg("--lazy").arg(&self.place));
    }
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
