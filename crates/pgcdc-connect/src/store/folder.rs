//! Connectors in a directory of this machine: a JSON file for each.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::{Store, StoreError, Stored};

/// A directory that keeps connectors. One worker holds it at a time.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// Locked as long as this worker lives; the system gives the lock back when the process ends.
    _lock: File,
}

impl Folder {
    /// Opens a directory, which is made when it is missing, and locks it.
    ///
    /// # Errors
    /// When it cannot be made or written, or another worker holds it.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let failed = |error: std::io::Error| {
            StoreError(format!("the worker's directory {} cannot be used: {error}", path.display()))
        };
        fs::create_dir_all(path).map_err(failed)?;
        let lock = File::create(path.join("lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) | Err(fs::TryLockError::Error(_)) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(fs::TryLockError::WouldBlock) => Err(StoreError(format!(
                "another worker holds the directory {} (hint: stop it, or give this one a directory of its own with --dir)",
                path.display()
            ))),
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path.join(file_name(name))
    }
}

/// A file name for a connector of any name. Letters other than ASCII letters, digits, `-` and `_` are written as `%` and their
/// bytes, so that different names never share a file, even where the file system takes upper and lower case for the same.
fn file_name(name: &str) -> String {
    let mut file = String::new();
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => file.push(char::from(byte)),
            _ => file.push_str(&format!("%{byte:02x}")),
        }
    }
    if file.len() > 200 {
        // A file's name has 255 bytes at most.
        let digest = ring::digest::digest(&ring::digest::SHA256, name.as_bytes());
        file.truncate(100);
        file.push('%');
        file.extend(digest.as_ref().iter().map(|byte| format!("{byte:02x}")));
    }
    file.push_str(".json");
    file
}

#[async_trait]
impl Store for Folder {
    async fn load(&self) -> Result<Vec<Stored>, StoreError> {
        let failed = |path: &Path, what: String| StoreError(format!("{} {what}", path.display()));
        let mut connectors = Vec::new();
        let entries =
            fs::read_dir(&self.path).map_err(|e| failed(&self.path, format!("cannot be read: {e}")))?;
        for entry in entries {
            let path = entry.map_err(|e| failed(&self.path, format!("cannot be read: {e}")))?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let bytes = fs::read(&path).map_err(|e| failed(&path, format!("cannot be read: {e}")))?;
            let value = serde_json::from_slice(&bytes).ok();
            let stored = value.as_ref().and_then(Stored::from_json).ok_or_else(|| {
                failed(&path, "is not the file of a connector (hint: restore it, or move it away)".to_owned())
            })?;
            connectors.push(stored);
        }
        Ok(connectors)
    }

    async fn put(&self, connector: &Stored) -> Result<(), StoreError> {
        let path = self.file(&connector.name);
        let mut bytes = connector.to_json().to_string().into_bytes();
        bytes.push(b'\n');
        let write = || -> std::io::Result<()> {
            let temporary = path.with_extension("tmp");
            let mut file = private(&temporary)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(&temporary, &path)?;
            sync(&self.path);
            Ok(())
        };
        write().map_err(|error| StoreError(format!("{} cannot be written: {error}", path.display())))
    }

    async fn delete(&self, name: &str) -> Result<(), StoreError> {
        let path = self.file(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(StoreError(format!("{} cannot be removed: {error}", path.display())))
            }
            _ => {
                sync(&self.path);
                Ok(())
            }
        }
    }
}

/// A new file that only this user can read: a configuration may have a password in it.
fn private(path: &Path) -> std::io::Result<File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Makes a rename or removal durable. Some file systems cannot do it, or need not.
fn sync(folder: &Path) {
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, Target};

    fn connector(name: &str, target: Target) -> Stored {
        let mut config = Config::default();
        config.set("name", name);
        Stored { name: name.to_owned(), config, target, has_task: target == Target::Running }
    }

    #[tokio::test]
    async fn connectors_outlive_the_worker() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Folder::open(folder.path()).expect("opened");
        assert!(Folder::open(folder.path()).is_err(), "one worker at a time");
        let long = "x".repeat(1000);
        for name in ["a", "A", "a/b", "..", "ä", long.as_str()] {
            store.put(&connector(name, Target::Running)).await.expect("written");
        }
        store.put(&connector("a", Target::Stopped)).await.expect("written");
        store.delete("A").await.expect("removed");
        store.delete("none").await.expect("nothing to remove");
        drop(store);
        let mut found = Folder::open(folder.path()).expect("opened").load().await.expect("read");
        found.sort_by(|x, y| x.name.cmp(&y.name));
        let names: Vec<&str> = found.iter().map(|stored| stored.name.as_str()).collect();
        assert_eq!(names, ["..", "a", "a/b", long.as_str(), "ä"]);
        assert_eq!(found[1], connector("a", Target::Stopped));
    }

    #[tokio::test]
    async fn a_damaged_file_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("a.json"), "{").expect("written");
        let error = Folder::open(folder.path()).expect("opened").load().await.expect_err("damaged");
        assert!(error.to_string().contains("a.json"), "{error}");
    }
}
