//! A connector's stored offsets, for somebody who looks at them or changes them while the connector is stopped.

use serde_json::Value;

use super::file::{change_file, read_file};
use super::{OffsetStore, Place};
use crate::config::Settings;
use crate::{Error, Result};

/// The offsets that a connector keeps beside Kafka's records, in the form of Kafka Connect's REST interface: pairs of a
/// partition, `{"server":"prefix"}`, and an offset, such as `{"lsn":123,"snapshot_completed":true}`.
///
/// They are the same offsets that [`CaptureBuilder::to_kafka`](crate::CaptureBuilder::to_kafka) reads and writes. Change them
/// only while no capture runs.
#[derive(Clone, Debug)]
pub struct StoredOffsets {
    name: String,
    store: OffsetStore,
}

impl StoredOffsets {
    /// The offsets of the connector with these settings.
    ///
    /// # Errors
    /// When the Kafka properties are wrong.
    pub fn of(settings: &Settings) -> Result<Self> {
        Ok(Self { name: settings.name.clone(), store: OffsetStore::beside_kafka(settings)? })
    }

    /// Reads all partitions that have an offset.
    ///
    /// # Errors
    /// When the file or the topic cannot be read.
    pub async fn read(&self) -> Result<Vec<(Value, Value)>> {
        let mut pairs: Vec<_> = self.all().await?.into_iter().filter(|entry| !entry.is_ours()).collect();
        pairs.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(pairs.into_iter().map(|entry| (entry.partition, entry.offset)).collect())
    }

    /// Sets the offsets of partitions; takes away the offset of a partition without one. Durable when this returns.
    ///
    /// # Errors
    /// When the file or the topic cannot be written.
    pub async fn write(&self, changes: Vec<(Value, Option<Value>)>) -> Result<()> {
        let known = self.all().await?;
        let keyed = changes.into_iter().map(|(partition, offset)| {
            // A key that is there already keeps its bytes, since compaction goes by bytes.
            let key = known.iter().find(|entry| entry.partition == partition).map(|entry| entry.key.clone());
            (
                key.unwrap_or_else(|| Value::from(vec![self.name.clone().into(), partition]).to_string()),
                offset,
            )
        });
        self.change(keyed.collect()).await
    }

    /// Takes all offsets away, and all that pgcdc keeps beside them: the next start is a first start.
    ///
    /// # Errors
    /// When the file or the topic cannot be read or written.
    pub async fn delete(&self) -> Result<()> {
        let known = self.all().await?;
        self.change(known.into_iter().map(|entry| (entry.key, None)).collect()).await
    }

    async fn all(&self) -> Result<Vec<Entry>> {
        let pairs = match &self.store.place {
            Place::Topic(topic) => topic.read_all().await?,
            Place::File(path) => read_file(path)?.into_iter().collect(),
            Place::Nowhere => Vec::new(),
        };
        Ok(pairs.into_iter().filter_map(|(key, offset)| Entry::of(&self.name, key, offset)).collect())
    }

    async fn change(&self, changes: Vec<(String, Option<Value>)>) -> Result<()> {
        match &self.store.place {
            Place::Topic(topic) => {
                let mut writer = topic.writer();
                for (key, offset) in changes {
                    writer.put(&key, offset.map(|offset| offset.to_string()).as_deref()).await?;
                }
                Ok(())
            }
            Place::File(path) => {
                let path = path.clone();
                let changed = tokio::task::spawn_blocking(move || change_file(&path, changes)).await;
                changed.map_err(|error| {
                    Error::transient("the thread that writes offsets has ended").with_source(error)
                })?
            }
            Place::Nowhere => Ok(()),
        }
    }
}

/// One record of the store.
struct Entry {
    /// `["name",partition]`, as it is written.
    key: String,
    partition: Value,
    offset: Value,
}

impl Entry {
    /// `None` for another connector's.
    fn of(name: &str, key: String, offset: Value) -> Option<Self> {
        let Ok(Value::Array(parts)) = serde_json::from_str(&key) else { return None };
        let [of, partition] = <[Value; 2]>::try_from(parts).ok()?;
        (of == *name && !offset.is_null()).then_some(Self { key, partition, offset })
    }

    /// Whether it is what pgcdc keeps beside the offset.
    fn is_ours(&self) -> bool {
        self.partition.get("pgcdc").is_some()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn offsets_are_shown_changed_and_deleted() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("offsets.json");
        let of = |name: &str| StoredOffsets {
            name: name.to_owned(),
            store: OffsetStore::file(name, "p", path.clone()),
        };
        let (mine, other) = (of("mine"), of("other"));
        mine.store.store_keys(json!({"a": 1})).await.expect("written");
        let (server, lsn) = (json!({"server": "p"}), |n: u64| json!({"lsn": n}));
        other.write(vec![(server.clone(), Some(lsn(1)))]).await.expect("written");
        mine.write(vec![(server.clone(), Some(lsn(5))), (json!({"x": 1}), Some(lsn(6)))])
            .await
            .expect("written");
        mine.write(vec![(json!({"x": 1}), None)]).await.expect("written");
        assert_eq!(mine.read().await.expect("read"), [(server.clone(), lsn(5))]);
        assert_eq!(mine.store.load().await.expect("read").map(|o| o.lsn.as_u64()), Some(5));
        mine.delete().await.expect("deleted");
        assert_eq!(mine.read().await.expect("read"), []);
        assert_eq!(mine.store.load_keys().await.expect("read"), None);
        assert_eq!(other.read().await.expect("read"), [(server, lsn(1))]);
    }
}
