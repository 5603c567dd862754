//! What must outlive a restart beside the slot itself: whether the snapshot is complete, how far records reach, and of
//! which database, timeline and slot that is true.
//!
//! Kept in Kafka Connect's own form, so that a Debezium connector's offsets are understood: in a compacted topic the key
//! `["name",{"server":"prefix"}]`, the value Debezium's offset map. The stream goes on from the slot's own position. The
//! offset is written before the server is told of a position ([`Bound`]), so that a slot beyond it was not moved by us;
//! with exactly-once it also says what of the stream is skipped. With `lsn.flush.mode=manual`, where the slot does not
//! move, the stream goes on from the offset.

mod bound;
mod file;
mod form;
mod taken_over;

use std::path::PathBuf;

use serde_json::{Value, json};

use self::file::{read_file, write_file};
use crate::kafka::{OffsetTopic, OffsetTopicWriter};
use crate::{Error, Result};

pub(crate) use bound::{Bound, Pauses};
pub(crate) use form::{Home, Offset};
pub(crate) use taken_over::{TakenOver, Takeover};

/// Where offsets are kept.
#[derive(Clone, Debug)]
pub(crate) struct OffsetStore {
    key: String,
    place: Place,
    /// Nobody configured it: a slot that is gone then means a new beginning.
    implicit: bool,
}

#[derive(Clone, Debug)]
enum Place {
    Topic(OffsetTopic),
    File(PathBuf),
    Nowhere,
}

impl OffsetStore {
    /// In a compacted topic, which is made when it is missing. `name` is the connector's, `server` its topic prefix.
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

    /// Reads the connector's offset.
    pub(crate) async fn load(&self) -> Result<Option<Offset>> {
        Ok(self.read(&self.key).await?.as_ref().and_then(Offset::from_json))
    }

    /// Reads the connector's last committed offset, which another writer's open transaction may hide for a while.
    pub(crate) async fn load_committed(&self) -> Result<Option<Offset>> {
        let Place::Topic(topic) = &self.place else { return self.load().await };
        Ok(topic.read_settled(&self.key).await?.as_ref().and_then(Offset::from_json))
    }

    /// Reads what [`KnownKeys`](crate::known_keys::KnownKeys) keeps beside the offset, under a key of its own.
    pub(crate) async fn load_keys(&self) -> Result<Option<Value>> {
        self.read(&self.keys_key()).await
    }

    /// Writes what [`load_keys`](Self::load_keys) reads; durable when this returns.
    pub(crate) async fn store_keys(&self, value: Value) -> Result<()> {
        self.writer().put(self.keys_key(), value).await
    }

    async fn read(&self, key: &str) -> Result<Option<Value>> {
        match &self.place {
            Place::Nowhere => Ok(None),
            Place::File(path) => Ok(read_file(path)?.remove(key)),
            Place::Topic(topic) => topic.read(key).await,
        }
    }

    /// The key of [`load_keys`](Self::load_keys). It has Connect's form too, `["name",{"server":…,"pgcdc":"keys"}]`, so
    /// that a reader of offsets passes it by.
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

    /// The record that holds an offset, to be part of a Kafka transaction; `None` where offsets are not kept in a topic.
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

fn key(name: &str, server: &str) -> String {
    json!([name, { "server": server }]).to_string()
}

/// Writes one connector's offset again and again, over one connection.
#[derive(Debug)]
pub(crate) struct OffsetWriter {
    store: OffsetStore,
    topic: Option<Box<OffsetTopicWriter>>,
}

impl OffsetWriter {
    /// Writes an offset; durable when this returns. After a failure the next call connects anew.
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
            Place::Topic(topic) => {
                let writer = self.topic.get_or_insert_with(|| Box::new(topic.writer()));
                writer.put(&key, &value.to_string()).await
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
