//! What must outlive a restart beside the slot itself: whether the snapshot is complete, how far
//! records reach, and for which database, timeline and slot that is true.
//!
//! Offsets are kept in Kafka Connect's own form, so that a Debezium connector's offsets are
//! understood: in a compacted topic the key is `["name",{"server":"prefix"}]` and the value
//! Debezium's offset map. A file holds the same as one JSON object.
//!
//! The stream goes on from the slot's own position. The offset is written before the server is told
//! of a position ([`Bound`]), so that a slot beyond it was not moved by us. With exactly-once the
//! offset also says which part of the stream is skipped. With `lsn.flush.mode=manual`, where the
//! slot does not move, the stream goes on from the offset.

mod bound;
mod file;
mod form;
mod stored;
mod taken_over;

use std::path::PathBuf;

use serde_json::{Value, json};

use self::file::{change_file, read_file};
use crate::config::Settings;
use crate::kafka::{OffsetTopic, OffsetTopicWriter};
use crate::{Error, Result};

pub(crate) use bound::{Bound, Pauses};
pub(crate) use form::{Home, Offset};
pub use stored::StoredOffsets;
pub(crate) use taken_over::{TakenOver, Takeover};

/// The topic for offsets when neither `offset.storage.topic` nor a file is configured. It is the
/// name in the `connect-distributed.properties` that Kafka ships, so that a connector which moves
/// over from Kafka Connect finds its offsets.
const DEFAULT_OFFSET_TOPIC: &str = "connect-offsets";

/// Where one connector's offsets are kept. Cheap to clone; nothing is connected to before the first
/// read or write.
#[derive(Clone, Debug)]
pub(crate) struct OffsetStore {
    /// The record's key, or the member's name in a file.
    key: String,
    /// Topic, file, or nowhere.
    place: Place,
    /// Nobody configured the store. When the slot is gone then, it is a new beginning and not an
    /// error.
    implicit: bool,
}

/// The three places.
#[derive(Clone, Debug)]
enum Place {
    Topic(OffsetTopic),
    File(PathBuf),
    /// Offsets are not kept.
    Nowhere,
}

impl OffsetStore {
    /// The store when records go to Kafka: the configured file, else a topic.
    pub(crate) fn beside_kafka(settings: &Settings) -> Result<Self> {
        let Settings { name, topic, offsets, .. } = settings;
        if let Some(file) = &offsets.file {
            return Ok(Self::file(name, &topic.prefix, file.clone()));
        }
        let place = offsets.topic.clone().unwrap_or_else(|| DEFAULT_OFFSET_TOPIC.to_owned());
        Ok(Self::topic(name, &topic.prefix, OffsetTopic::new(settings, place)?))
    }

    /// In a compacted topic, which is made when it is missing. `name` is the connector's, `server`
    /// its topic prefix.
    pub(crate) fn topic(name: &str, server: &str, topic: OffsetTopic) -> Self {
        Self { key: key(name, server), place: Place::Topic(topic), implicit: false }
    }

    /// In a file, which holds one JSON object for all connectors that share it.
    pub(crate) fn file(name: &str, server: &str, path: PathBuf) -> Self {
        Self { key: key(name, server), place: Place::File(path), implicit: false }
    }

    /// Nowhere: the slot alone says whether there was a start before.
    pub(crate) fn nowhere() -> Self {
        Self { key: String::new(), place: Place::Nowhere, implicit: true }
    }

    /// The same, chosen by default rather than configured.
    pub(crate) fn implicit(mut self) -> Self {
        self.implicit = true;
        self
    }

    /// Whether nobody configured this store.
    pub(crate) fn is_implicit(&self) -> bool {
        self.implicit
    }

    /// Reads the connector's offset; `None` when it never wrote one.
    pub(crate) async fn load(&self) -> Result<Option<Offset>> {
        Ok(self.read(&self.key).await?.as_ref().and_then(Offset::from_json))
    }

    /// Reads the connector's last committed offset, and waits while another writer's open
    /// transaction hides it. For exactly-once, once the older instance is fenced.
    pub(crate) async fn load_committed(&self) -> Result<Option<Offset>> {
        let Place::Topic(topic) = &self.place else { return self.load().await };
        Ok(topic.read_settled(&self.key).await?.as_ref().and_then(Offset::from_json))
    }

    /// Reads what [`KnownKeys`](crate::known_keys::KnownKeys) keeps beside the offset, under a key
    /// of its own.
    pub(crate) async fn load_keys(&self) -> Result<Option<Value>> {
        self.read(&self.keys_key()).await
    }

    /// Writes what [`load_keys`](Self::load_keys) reads; durable when this returns.
    pub(crate) async fn store_keys(&self, value: Value) -> Result<()> {
        self.writer().put(self.keys_key(), value).await
    }

    /// The value under a key; `None` when there is none.
    async fn read(&self, key: &str) -> Result<Option<Value>> {
        match &self.place {
            Place::Nowhere => Ok(None),
            Place::File(path) => Ok(read_file(path)?.remove(key)),
            Place::Topic(topic) => topic.read(key).await,
        }
    }

    /// The key under which [`load_keys`](Self::load_keys) reads. It has Connect's form too,
    /// `["name",{"pgcdc":"keys","server":"prefix"}]`, so that a reader of offsets passes it by.
    fn keys_key(&self) -> String {
        match self.key.rsplit_once("{\"server\"") {
            Some((name, server)) => format!("{name}{{\"pgcdc\":\"keys\",\"server\"{server}"),
            None => String::new(),
        }
    }

    /// Makes the topic, if offsets are kept in one and it is missing.
    pub(crate) async fn prepare(&self) -> Result<()> {
        match &self.place {
            Place::Topic(topic) => topic.make().await,
            _ => Ok(()),
        }
    }

    /// The record that holds an offset, to be part of a Kafka transaction; `None` where offsets are
    /// not kept in a topic.
    pub(crate) fn record(&self, offset: &Offset, now_us: i64) -> Option<OffsetRecord> {
        let Place::Topic(topic) = &self.place else { return None };
        let value = offset.to_json(now_us).to_string();
        Some(OffsetRecord { topic: topic.name().to_owned(), key: self.key.clone(), value })
    }

    /// Writes an offset once; durable when this returns.
    pub(crate) async fn store(&self, offset: &Offset, now_us: i64) -> Result<()> {
        self.writer().write(offset, now_us).await
    }

    /// A writer for many offsets.
    pub(crate) fn writer(&self) -> OffsetWriter {
        OffsetWriter { store: self.clone(), topic: None }
    }

    /// Whether there is no store.
    pub(crate) fn is_nowhere(&self) -> bool {
        matches!(self.place, Place::Nowhere)
    }
}

/// The key that Kafka Connect gives an offset: the connector's name, and Debezium's source
/// partition.
fn key(name: &str, server: &str) -> String {
    json!([name, { "server": server }]).to_string()
}

/// Writes one connector's offset again and again, over one connection.
#[derive(Debug)]
pub(crate) struct OffsetWriter {
    /// Where to.
    store: OffsetStore,
    /// The connection to the topic, made at the first write.
    topic: Option<Box<OffsetTopicWriter>>,
}

impl OffsetWriter {
    /// Writes an offset; durable when this returns. After a failure the next call connects anew.
    pub(crate) async fn write(&mut self, offset: &Offset, now_us: i64) -> Result<()> {
        self.put(self.store.key.clone(), offset.to_json(now_us)).await
    }

    /// Writes one value; durable when this returns.
    async fn put(&mut self, key: String, value: Value) -> Result<()> {
        match &self.store.place {
            Place::Nowhere => Ok(()),
            Place::File(path) => {
                let path = path.clone();
                let written =
                    tokio::task::spawn_blocking(move || change_file(&path, vec![(key, Some(value))])).await;
                written.map_err(|error| {
                    Error::transient("the thread that writes offsets has ended").with_source(error)
                })?
            }
            Place::Topic(topic) => {
                let writer = self.topic.get_or_insert_with(|| Box::new(topic.writer()));
                writer.put(&key, Some(&value.to_string())).await
            }
        }
    }
}

/// A record that keeps an offset in the offsets topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OffsetRecord {
    /// The topic of offsets.
    pub(crate) topic: String,
    /// `["name",{"server":"prefix"}]`
    pub(crate) key: String,
    /// Debezium's offset map, as JSON.
    pub(crate) value: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_a_place_of_their_own() {
        let store = OffsetStore::file("server", "{\"server\"", PathBuf::new());
        let key: Value = serde_json::from_str(&store.keys_key()).expect("JSON");
        assert_eq!(key, json!(["server", {"server": "{\"server\"", "pgcdc": "keys"}]));
    }
}
