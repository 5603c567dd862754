//! Offsets in a file: one JSON object, with a member for each connector that shares the file.
//!
//! A member's name is the key that the record in Kafka's offsets topic would have, and its value is
//! that record's value. Kafka Connect's own standalone file is a serialized Java map, which is not
//! read.

use std::collections::BTreeMap;
use std::fs::TryLockError;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::{Error, Result};

/// How long to wait for another process that writes into the same file.
const LOCK_LIMIT: Duration = Duration::from_secs(10);

/// Reads the members of the file; none when it does not exist.
///
/// # Errors
/// A configuration error when the file cannot be read or is not such an object.
pub(super) fn read_file(path: &Path) -> Result<BTreeMap<String, Value>> {
    let bad = |what: &str, error: String| {
        Error::configuration(format!("offset.storage.file.filename: {} {what}: {error}", path.display()))
    };
    match std::fs::read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(bad("cannot be read", error.to_string())),
        Ok(bytes) => {
            serde_json::from_slice(&bytes).map_err(|error| bad("is not a file of offsets", error.to_string()))
        }
    }
}

/// Sets members of the file, or takes away members without a value. The file is replaced as a whole, so that a crash leaves the old one
/// or the new one. Processes that share the file take turns by a lock on `<file>.lock`, and each
/// keeps what the others wrote. Blocks: call it on a thread for that.
///
/// # Errors
/// Transient when the lock is not to be had within ten seconds; fatal when the file cannot be
/// written.
pub(super) fn change_file(path: &Path, changes: Vec<(String, Option<Value>)>) -> Result<()> {
    let failed = |error: std::io::Error| {
        Error::fatal(format!("offset.storage.file.filename: {} cannot be written: {error}", path.display()))
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(failed)?;
    let lock = std::fs::File::create(beside(path, ".lock")).map_err(failed)?;
    let begun = std::time::Instant::now();
    while let Err(error) = lock.try_lock() {
        match error {
            // Some network file systems have no locks. Only connectors that share the file need them.
            TryLockError::Error(_) => break,
            TryLockError::WouldBlock if begun.elapsed() >= LOCK_LIMIT => {
                return Err(Error::transient(format!(
                    "offset.storage.file.filename: another process holds the lock of {} for longer than {} s",
                    path.display(),
                    LOCK_LIMIT.as_secs()
                )));
            }
            TryLockError::WouldBlock => std::thread::sleep(Duration::from_millis(2)),
        }
    }
    let mut all = read_file(path)?;
    for (key, value) in changes {
        match value {
            Some(value) => all.insert(key, value),
            None => all.remove(&key),
        };
    }
    let write = || -> std::io::Result<()> {
        let temporary = beside(path, &format!(".tmp{}", std::process::id()));
        let mut file = std::fs::File::create(&temporary)?;
        file.write_all(&serde_json::to_vec_pretty(&all)?)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)?;
        // Without this the old file may be back after a power failure, and the slot would stand
        // beyond its offset. Some file systems cannot do it, or need not.
        let _ = std::fs::File::open(folder).and_then(|folder| folder.sync_all());
        Ok(())
    };
    write().map_err(failed)
}

/// A file in the same folder whose name is the name of `path` with `more` at its end: never `path`
/// itself.
fn beside(path: &Path, more: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(more);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use pgcdc_event::Lsn;

    use super::super::{Home, Offset, key};
    use super::*;

    /// Many processes share the default file of `--stdout`; here threads do.
    #[test]
    fn a_file_holds_many_connectors_that_write_at_the_same_time() {
        let folder = tempfile::tempdir().expect("a folder");
        // The name of its lock must not be its own.
        let path = folder.path().join("deep/offsets.lock");
        let offset = |n| Offset {
            snapshot_completed: true,
            lsn: Lsn::new(n),
            written: Lsn::new(n),
            home: Some(Home { database: "7/5".into(), slot: None, timeline: None }),
            reached: None,
            taken_over: None,
        };
        std::thread::scope(|scope| {
            for connector in 0..4 {
                let path = &path;
                scope.spawn(move || {
                    for n in 0..20 {
                        let key = key(&format!("c{connector}"), "p");
                        change_file(path, vec![(key, Some(offset(n).to_json(0)))]).expect("written");
                    }
                });
            }
        });
        let all = read_file(&path).expect("read");
        for connector in 0..4 {
            let found = all.get(&key(&format!("c{connector}"), "p")).and_then(Offset::from_json);
            assert_eq!(found, Some(offset(19)), "connector {connector}");
        }
    }
}
