//! What must outlive a restart beside the slot itself: whether the snapshot is complete, how far records reach, and of
//! which database, timeline and slot that is true.
//!
//! Kept in Kafka Connect's own form, so that a Debezium connector's offsets are understood: in a compacted topic the key
//! `["name",{"server":"prefix"}]`, the value Debezium's offset map. The stream goes on from the slot's own position. The
//! offset is written before the server is told of a position ([`Bound`]), so that a slot beyond it was not moved by us;
//! with exactly-once it also says what of the stream is skipped. With `lsn.flush.mode=manual`, where the slot does not
//! move, the stream goes on from the offset.

mod bound;
mod form;

use std::collections::{BTreeMap, HashMap};
use std::fs::TryLockError;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pgcdc_kafka::topics::{TopicSpec, Topics};
use pgcdc_kafka::{ClientProperties, CompactedWriter, read_compacted, read_compacted_settled};
use serde_json::{Value, json};

use crate::output::{OffsetRecord, kafka_error};
use crate::{Error, Result};

pub(crate) use bound::{Bound, Pauses};
pub(crate) use form::{Home, Offset};

/// How long another writer's transaction in the offsets topic is waited for.
const PATIENCE: Duration = Duration::from_secs(90);

/// How long another process that writes into the same file is waited for.
const LOCK_LIMIT: Duration = Duration::from_secs(10);

/// Where offsets are kept.
#[derive(Clone, Debug)]
pub(crate) struct OffsetStore {
    key: String,
    place: Place,
    /// Nobody asked for it: a slot that is gone then means a new beginning.
    implicit: bool,
}

#[derive(Clone, Debug)]
enum Place {
    Topic { properties: ClientProperties, topic: String },
    File(PathBuf),
    Nowhere,
}

impl OffsetStore {
    /// In a compacted topic, which is made when it is missing.
    pub(crate) fn topic(name: &str, server: &str, properties: ClientProperties, topic: String) -> Self {
        Self { key: key(name, server), place: Place::Topic { properties, topic }, implicit: false }
    }

    /// In a file: one JSON object of all connectors that share it.
    pub(crate) fn file(name: &str, server: &str, path: PathBuf) -> Self {
        Self { key: key(name, server), place: Place::File(path), implicit: false }
    }

    /// Nowhere: the slot alone says whether there was a start before.
    pub(crate) fn nowhere() -> Self {
        Self { key: String::new(), place: Place::Nowhere, implicit: true }
    }

    /// The same, where nobody asked for it.
    pub(crate) fn implicit(mut self) -> Self {
        self.implicit = true;
        self
    }

    /// Whether nobody asked for this store.
    pub(crate) fn is_implicit(&self) -> bool {
        self.implicit
    }

    /// Reads the connector's offset.
    pub(crate) async fn load(&self) -> Result<Option<Offset>> {
        let value = match &self.place {
            Place::Nowhere => None,
            Place::File(path) => read_file(path)?.get(&self.key).cloned(),
            Place::Topic { properties, topic } => {
                self.find(&read_compacted(properties, topic).await.map_err(kafka_error)?)
            }
        };
        Ok(value.as_ref().and_then(Offset::from_json))
    }

    /// Reads the last committed one, which another writer's open transaction may hide for a while.
    pub(crate) async fn load_committed(&self) -> Result<Option<Offset>> {
        let Place::Topic { properties, topic } = &self.place else { return self.load().await };
        let map = read_compacted_settled(properties, topic, PATIENCE).await.map_err(kafka_error)?;
        Ok(self.find(&map).as_ref().and_then(Offset::from_json))
    }

    /// Reads what [`KnownKeys`](crate::known_keys::KnownKeys) keeps beside the offset, under a key of its own.
    pub(crate) async fn load_keys(&self) -> Result<Option<Value>> {
        match &self.place {
            Place::Nowhere => Ok(None),
            Place::File(path) => Ok(read_file(path)?.get(&self.keys_key()).cloned()),
            Place::Topic { properties, topic } => {
                let map = read_compacted(properties, topic).await.map_err(kafka_error)?;
                let bytes = map.get(self.keys_key().as_bytes()).and_then(Option::as_ref);
                Ok(bytes.and_then(|bytes| serde_json::from_slice(bytes).ok()))
            }
        }
    }

    /// Writes it.
    pub(crate) async fn store_keys(&self, value: Value) -> Result<()> {
        self.writer().put(self.keys_key(), value).await
    }

    /// In Connect's form too, `["name",{"server":…,"pgcdc":"keys"}]`: what reads offsets passes it by.
    fn keys_key(&self) -> String {
        match self.key.rsplit_once("{\"server\"") {
            Some((name, server)) => format!("{name}{{\"pgcdc\":\"keys\",\"server\"{server}"),
            None => String::new(),
        }
    }

    fn find(&self, map: &HashMap<Vec<u8>, Option<Vec<u8>>>) -> Option<Value> {
        let bytes = map.get(self.key.as_bytes())?.as_ref()?;
        serde_json::from_slice(bytes).ok()
    }

    /// Makes the topic, where there is to be one.
    pub(crate) async fn prepare(&self) -> Result<()> {
        match &self.place {
            Place::Topic { properties, topic } => make_topic(properties, topic).await,
            _ => Ok(()),
        }
    }

    /// The record that holds an offset, to be part of a Kafka transaction; nothing where there is no topic.
    pub(crate) fn record(&self, offset: &Offset, now_us: i64) -> Option<OffsetRecord> {
        let Place::Topic { topic, .. } = &self.place else { return None };
        let value = offset.to_json(now_us).to_string();
        Some(OffsetRecord { topic: topic.clone(), key: self.key.clone(), value })
    }

    /// Writes it once; durable when this returns.
    pub(crate) async fn store(&self, offset: &Offset, now_us: i64) -> Result<()> {
        self.writer().write(offset, now_us).await
    }

    /// Writes it many times.
    pub(crate) fn writer(&self) -> OffsetWriter {
        OffsetWriter { store: self.clone(), topic: None }
    }

    /// Whether there is no store.
    pub(crate) fn is_nowhere(&self) -> bool {
        matches!(self.place, Place::Nowhere)
    }
}

fn key(name: &str, server: &str) -> String {
    json!([name, { "server": server }]).to_string()
}

fn read_file(path: &Path) -> Result<BTreeMap<String, Value>> {
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

/// Replaces the file as a whole, so that a crash leaves the old one or the new one. Processes that share the file take
/// turns: each keeps what the others wrote.
fn write_file(path: &Path, key: &str, value: Value) -> Result<()> {
    let failed = |error: std::io::Error| {
        Error::fatal(format!("offset.storage.file.filename: {} cannot be written: {error}", path.display()))
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(failed)?;
    let lock = std::fs::File::create(beside(path, ".lock")).map_err(failed)?;
    let begun = std::time::Instant::now();
    while let Err(error) = lock.try_lock() {
        match error {
            // Some network file systems have no locks: only those that share the file need them.
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
    all.insert(key.to_owned(), value);
    let write = || -> std::io::Result<()> {
        let temporary = beside(path, &format!(".tmp{}", std::process::id()));
        let mut file = std::fs::File::create(&temporary)?;
        file.write_all(&serde_json::to_vec_pretty(&all)?)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)?;
        // Else the old file may be back after a power failure, and the slot would stand beyond what it says. Some file
        // systems cannot do it, or need not.
        let _ = std::fs::File::open(folder).and_then(|folder| folder.sync_all());
        Ok(())
    };
    write().map_err(failed)
}

/// A file in the same folder, whose name is the whole name of `path` and `more`: never `path` itself.
fn beside(path: &Path, more: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(more);
    PathBuf::from(name)
}

async fn make_topic(properties: &ClientProperties, topic: &str) -> Result<()> {
    let mut spec = TopicSpec::new(topic);
    spec.partitions = 1;
    spec.config.insert("cleanup.policy".into(), "compact".into());
    let made = Topics::new(properties).map_err(kafka_error)?.ensure_all(vec![spec]).await;
    made.map(|_| ()).map_err(kafka_error)
}

/// Writes one connector's offset again and again, over one connection.
#[derive(Debug)]
pub(crate) struct OffsetWriter {
    store: OffsetStore,
    topic: Option<CompactedWriter>,
}

impl OffsetWriter {
    /// Writes it; durable when this returns. After a failure the next call connects anew.
    pub(crate) async fn write(&mut self, offset: &Offset, now_us: i64) -> Result<()> {
        self.put(self.store.key.clone(), offset.to_json(now_us)).await
    }

    async fn put(&mut self, key: String, value: Value) -> Result<()> {
        match &self.store.place {
            Place::Nowhere => Ok(()),
            Place::File(path) => {
                let path = path.clone();
                let written = tokio::task::spawn_blocking(move || write_file(&path, &key, value)).await;
                written.map_err(|error| {
                    Error::transient("the thread that writes offsets has ended").with_source(error)
                })?
            }
            Place::Topic { properties, topic } => {
                let mut writer = match self.topic.take() {
                    Some(writer) => writer,
                    None => {
                        make_topic(properties, topic).await?;
                        CompactedWriter::new(properties, topic).map_err(kafka_error)?
                    }
                };
                let value = value.to_string();
                writer.write(key.as_bytes(), value.as_bytes()).await.map_err(kafka_error)?;
                self.topic = Some(writer);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use pgcdc_event::Lsn;

    use super::*;

    #[test]
    fn keys_have_a_place_of_their_own() {
        let store = OffsetStore::file("server", "{\"server\"", PathBuf::new());
        let key: Value = serde_json::from_str(&store.keys_key()).expect("JSON");
        assert_eq!(key, json!(["server", {"server": "{\"server\"", "pgcdc": "keys"}]));
    }

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
            home: None,
            reached: None,
        };
        std::thread::scope(|scope| {
            for connector in 0..4 {
                let path = &path;
                scope.spawn(move || {
                    for n in 0..20 {
                        let key = key(&format!("c{connector}"), "p");
                        write_file(path, &key, offset(n).to_json(0)).expect("written");
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
