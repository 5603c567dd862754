//! Offsets in a compacted topic, as Kafka Connect keeps them.

use std::time::Duration;

use pgcdc_kafka::topics::{TopicSpec, Topics};
use pgcdc_kafka::{ClientProperties, CompactedWriter, read_compacted, read_compacted_settled};
use serde_json::Value;

use super::error::kafka_error;
use super::properties::client_properties;
use crate::Result;
use crate::config::Settings;

/// How long another writer's open transaction in the topic is waited for.
const PATIENCE: Duration = Duration::from_secs(90);

/// A topic of offsets, and the brokers that have it.
#[derive(Clone, Debug)]
pub(crate) struct OffsetTopic {
    properties: ClientProperties,
    name: String,
}

impl OffsetTopic {
    /// The topic `name` on the producer's brokers.
    ///
    /// # Errors
    /// When the producer's properties are wrong.
    pub(crate) fn new(settings: &Settings, name: String) -> Result<Self> {
        Ok(Self { properties: client_properties(settings)?, name })
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The last value of a key; `None` when there is none, or it is no JSON.
    pub(crate) async fn read(&self, key: &str) -> Result<Option<Value>> {
        let map = read_compacted(&self.properties, &self.name).await.map_err(kafka_error)?;
        Ok(map.get(key.as_bytes()).and_then(Option::as_ref).and_then(|value| json(value)))
    }

    /// The same, once every transaction that another writer has open in the topic has ended.
    pub(crate) async fn read_settled(&self, key: &str) -> Result<Option<Value>> {
        let map =
            read_compacted_settled(&self.properties, &self.name, PATIENCE).await.map_err(kafka_error)?;
        Ok(map.get(key.as_bytes()).and_then(Option::as_ref).and_then(|value| json(value)))
    }

    /// All keys that have a value, with their last values; those that are no JSON are left out.
    pub(crate) async fn read_all(&self) -> Result<Vec<(String, Value)>> {
        let map = read_compacted(&self.properties, &self.name).await.map_err(kafka_error)?;
        let pairs =
            map.into_iter().filter_map(|(key, value)| Some((String::from_utf8(key).ok()?, json(&value?)?)));
        Ok(pairs.collect())
    }

    /// Makes the topic if it is missing: one partition, compacted.
    pub(crate) async fn make(&self) -> Result<()> {
        let mut spec = TopicSpec::new(&self.name);
        spec.partitions = 1;
        spec.config.insert("cleanup.policy".into(), "compact".into());
        let made = Topics::new(&self.properties).map_err(kafka_error)?.ensure_all(vec![spec]).await;
        made.map(|_| ()).map_err(kafka_error)
    }

    /// A writer of its own, which connects with its first value.
    pub(crate) fn writer(&self) -> OffsetTopicWriter {
        OffsetTopicWriter { topic: self.clone(), open: None }
    }
}

fn json(bytes: &[u8]) -> Option<Value> {
    serde_json::from_slice(bytes).ok()
}

/// Writes into the topic again and again, over one connection.
#[derive(Debug)]
pub(crate) struct OffsetTopicWriter {
    topic: OffsetTopic,
    open: Option<CompactedWriter>,
}

impl OffsetTopicWriter {
    /// Writes a value, or a tombstone for none; durable when this returns. After a failure the next call connects anew.
    pub(crate) async fn put(&mut self, key: &str, value: Option<&str>) -> Result<()> {
        let mut writer = match self.open.take() {
            Some(writer) => writer,
            None => {
                self.topic.make().await?;
                CompactedWriter::new(&self.topic.properties, &self.topic.name).map_err(kafka_error)?
            }
        };
        let written = match value {
            Some(value) => writer.write(key.as_bytes(), value.as_bytes()).await,
            None => writer.delete(key.as_bytes()).await,
        };
        written.map_err(kafka_error)?;
        self.open = Some(writer);
        Ok(())
    }
}
