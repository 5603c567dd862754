//! What must outlive a restart beside the slot itself: whether the snapshot is complete, and with exactly-once how far
//! committed records reach.
//!
//! Kept in Kafka Connect's own form, so that a Debezium connector's offsets are understood: in a
//! compacted topic the key `["name",{"server":"prefix"}]`, the value Debezium's offset map. The
//! position to resume from is the slot's; with exactly-once this one says what of it is skipped. Only with
//! `lsn.flush.mode=manual`, where the slot does not move, it is this one's.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pgcdc_event::Lsn;
use pgcdc_kafka::topics::{TopicSpec, Topics};
use pgcdc_kafka::{ClientProperties, read_compacted, read_compacted_settled, write_compacted};
use serde_json::{Map, Value, json};

use crate::output::{OffsetRecord, kafka_error};
use crate::position::{Open, Point, Reached};
use crate::{Error, Result};

/// Position of the last transaction or message of which everything is written, and which of the two it was.
const DONE: &str = "pgcdc_done";
const DONE_KIND: &str = "pgcdc_done_kind";
/// The two kinds: the start of a commit record, or the end of a message.
const COMMIT: &str = "commit";
const MESSAGE: &str = "message";
/// Position of the commit record of a transaction that is written in part, and so many of its changes are.
const OPEN: &str = "pgcdc_open";
const CHANGES: &str = "pgcdc_open_changes";

/// How long another writer's transaction in the offsets topic is waited for.
const PATIENCE: Duration = Duration::from_secs(90);

/// A connector's offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offset {
    /// Whether the snapshot that it began with is complete.
    pub(crate) snapshot_completed: bool,
    /// Last confirmed position.
    pub(crate) lsn: Lsn,
    /// Which database it belongs to: `system identifier/database oid`; `None` in Debezium's own.
    pub(crate) database: Option<String>,
    /// How far committed records reach; only with exactly-once.
    pub(crate) reached: Option<Reached>,
}

impl Offset {
    /// Whether the stream may begin at its position, which is beyond the slot's. With exactly-once it begins at the
    /// slot's, and what was committed is skipped.
    pub(crate) fn is_ahead_of(&self, slot: Lsn) -> bool {
        self.snapshot_completed && self.reached.is_none() && self.lsn > slot
    }

    pub(crate) fn to_json(&self, now_us: i64) -> Value {
        let mut map = Map::new();
        map.insert("lsn".into(), json!(self.lsn.as_u64()));
        map.insert("lsn_proc".into(), json!(self.lsn.as_u64()));
        map.insert("lsn_commit".into(), json!(self.lsn.as_u64()));
        map.insert("ts_usec".into(), json!(now_us));
        if !self.snapshot_completed {
            map.insert("snapshot".into(), json!("INITIAL"));
            map.insert("last_snapshot_record".into(), json!(false));
        }
        map.insert("snapshot_completed".into(), json!(self.snapshot_completed));
        if let Some(database) = &self.database {
            map.insert("pgcdc_database".into(), json!(database));
        }
        if let Some(reached) = &self.reached {
            map.insert(DONE.into(), json!(reached.done.lsn().as_u64()));
            map.insert(DONE_KIND.into(), json!(if reached.done.is_commit() { COMMIT } else { MESSAGE }));
            if let Some(open) = &reached.open {
                map.insert(OPEN.into(), json!(open.commit.as_u64()));
                map.insert(CHANGES.into(), json!(open.changes));
            }
        }
        Value::Object(map)
    }

    pub(crate) fn from_json(value: &Value) -> Option<Self> {
        let map = value.as_object()?;
        let snapshot = map
            .get("snapshot")
            .is_some_and(|s| !matches!(s.as_str(), Some("false")) && !s.is_null() && *s != json!(false));
        let completed = map
            .get("snapshot_completed")
            .and_then(Value::as_bool)
            .or_else(|| map.get("last_snapshot_record").and_then(Value::as_bool))
            .unwrap_or(!snapshot);
        let number = |name: &str| map.get(name).and_then(Value::as_u64);
        let lsn = Lsn::new(number("lsn").unwrap_or(0));
        let open = number(OPEN).zip(number(CHANGES));
        let reached = number(DONE).map(|done| Reached {
            done: done_point(Lsn::new(done), lsn, map.get(DONE_KIND).and_then(Value::as_str)),
            end: lsn,
            open: open.map(|(commit, changes)| Open { commit: Lsn::new(commit), changes }),
        });
        Some(Self {
            snapshot_completed: completed,
            lsn,
            reached,
            database: map.get("pgcdc_database").and_then(Value::as_str).map(str::to_owned),
        })
    }
}

/// What `pgcdc_done` is the position of. Versions that did not write the kind moved `lsn` behind each commit record and
/// left it where it was at a message, so that there `lsn` is above a commit's start, and not above a message's end.
fn done_point(done: Lsn, lsn: Lsn, kind: Option<&str>) -> Point {
    let commit = kind.map_or(lsn > done, |kind| kind == COMMIT);
    if commit { Point::commit(done) } else { Point::ended(done) }
}

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
        match &self.place {
            Place::Nowhere => Ok(()),
            Place::File(path) => write_file(path, &self.keys_key(), value),
            Place::Topic { properties, topic } => {
                store_in_topic(properties, topic, &self.keys_key(), &value).await
            }
        }
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

    /// Writes it; durable when this returns.
    pub(crate) async fn store(&self, offset: &Offset, now_us: i64) -> Result<()> {
        let value = offset.to_json(now_us);
        match &self.place {
            Place::Nowhere => Ok(()),
            Place::File(path) => write_file(path, &self.key, value),
            Place::Topic { properties, topic } => store_in_topic(properties, topic, &self.key, &value).await,
        }
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

/// Replaces the file as a whole, so that a crash leaves the old one or the new one.
fn write_file(path: &Path, key: &str, value: Value) -> Result<()> {
    let mut all = read_file(path)?;
    all.insert(key.to_owned(), value);
    let write = || -> std::io::Result<()> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let temporary = path.with_extension(format!("tmp{}", std::process::id()));
        let mut file = std::fs::File::create(&temporary)?;
        file.write_all(&serde_json::to_vec_pretty(&all)?)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)
    };
    write().map_err(|error| {
        Error::fatal(format!("offset.storage.file.filename: {} cannot be written: {error}", path.display()))
    })
}

async fn make_topic(properties: &ClientProperties, topic: &str) -> Result<()> {
    let mut spec = TopicSpec::new(topic);
    spec.partitions = 1;
    spec.config.insert("cleanup.policy".into(), "compact".into());
    let made = Topics::new(properties).map_err(kafka_error)?.ensure_all(vec![spec]).await;
    made.map(|_| ()).map_err(kafka_error)
}

async fn store_in_topic(properties: &ClientProperties, topic: &str, key: &str, value: &Value) -> Result<()> {
    make_topic(properties, topic).await?;
    let value = value.to_string();
    write_compacted(properties, topic, key.as_bytes(), value.as_bytes()).await.map_err(kafka_error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debeziums_own_offsets_are_understood() {
        let check = |text: &str, completed| {
            let value: Value = serde_json::from_str(text).expect("JSON");
            assert_eq!(Offset::from_json(&value).map(|o| o.snapshot_completed), Some(completed), "{text}");
        };
        check(
            r#"{"last_snapshot_record":true,"lsn":1,"snapshot":"INITIAL","snapshot_completed":true}"#,
            true,
        );
        check(
            r#"{"last_snapshot_record":false,"lsn":1,"snapshot":"INITIAL","snapshot_completed":false}"#,
            false,
        );
        check(r#"{"last_snapshot_record":false,"lsn":1,"snapshot":true}"#, false);
        check(r#"{"transaction_id":null,"lsn_proc":9,"lsn_commit":8,"lsn":9,"txId":5,"ts_usec":1}"#, true);
    }

    #[test]
    fn keys_have_a_place_of_their_own() {
        let store = OffsetStore::file("server", "{\"server\"", PathBuf::new());
        let key: Value = serde_json::from_str(&store.keys_key()).expect("JSON");
        assert_eq!(key, json!(["server", {"server": "{\"server\"", "pgcdc": "keys"}]));
    }

    #[test]
    fn a_file_holds_many_connectors() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deep/offsets.json");
        let reached = |n| Reached {
            done: if n > 1 { Point::commit(Lsn::new(n - 1)) } else { Point::ended(Lsn::new(n)) },
            end: Lsn::new(n),
            open: (n > 1).then_some(Open { commit: Lsn::new(n + 1), changes: 7 }),
        };
        let offset = |n| Offset {
            snapshot_completed: n > 1,
            lsn: Lsn::new(n),
            database: Some("s/5".into()),
            reached: Some(reached(n)),
        };
        for n in [1, 2] {
            write_file(&path, &key(&format!("c{n}"), "p"), offset(n).to_json(0)).expect("written");
        }
        let all = read_file(&path).expect("read");
        for n in [1, 2] {
            assert_eq!(all.get(&key(&format!("c{n}"), "p")).and_then(Offset::from_json), Some(offset(n)));
        }
    }
}
