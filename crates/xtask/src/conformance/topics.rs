//! Reads topics from their beginning to their end.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Headers as _, Message as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use serde_json::Value;

use super::compare::Record;

const LIMIT: Duration = Duration::from_secs(20);

/// A consumer without a group.
pub(super) struct Topics(BaseConsumer);

impl Topics {
    /// Connects to a broker on 127.0.0.1.
    pub(super) fn connect(port: u16) -> Result<Self> {
        let consumer = ClientConfig::new()
            .set("bootstrap.servers", format!("127.0.0.1:{port}"))
            .set("group.id", "conformance")
            .set("enable.auto.commit", "false")
            .set("allow.auto.create.topics", "false")
            .set("fetch.wait.max.ms", "50")
            .create()
            .context("cannot make a Kafka consumer")?;
        Ok(Self(consumer))
    }

    /// The partitions of a topic with the offsets of their ends.
    pub(super) fn ends(&self, topic: &str) -> Result<Vec<(i32, i64)>> {
        let metadata = self.0.fetch_metadata(Some(topic), LIMIT).context("cannot read Kafka's metadata")?;
        let partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
        let end = |partition: i32| {
            let (_, high) = self.0.fetch_watermarks(topic, partition, LIMIT)?;
            Ok((partition, high))
        };
        partitions.map(|partition| end(partition.id())).collect()
    }

    /// Reads all records of the topics.
    pub(super) fn read(&self, topics: &[String]) -> Result<Vec<Record>> {
        let mut records = Vec::new();
        for topic in topics {
            for (partition, end) in self.ends(topic)?.into_iter().filter(|(_, end)| *end > 0) {
                self.read_partition(topic, partition, end, &mut records)?;
            }
        }
        Ok(records)
    }

    fn read_partition(&self, topic: &str, partition: i32, end: i64, records: &mut Vec<Record>) -> Result<()> {
        let mut from = TopicPartitionList::new();
        from.add_partition_offset(topic, partition, Offset::Beginning)?;
        self.0.assign(&from)?;
        let deadline = Instant::now() + LIMIT;
        loop {
            match self.0.poll(Duration::from_millis(100)) {
                Some(message) => {
                    let message = message.with_context(|| format!("cannot read {topic}"))?;
                    let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
                    records.push(Record {
                        topic: topic.to_owned(),
                        partition: i64::from(partition),
                        key: message.key().map(text),
                        value: message.payload().map(text),
                        headers: headers.map(|h| (h.key.to_owned(), header(h.value))).collect(),
                    });
                    if message.offset() >= end - 1 {
                        return Ok(());
                    }
                }
                None if Instant::now() > deadline => {
                    bail!("{topic} has {end} records, of which not all can be read")
                }
                None => {}
            }
        }
    }
}

fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().fold("hex:".to_owned(), |text, byte| format!("{text}{byte:02x}")),
    }
}

fn header(bytes: Option<&[u8]>) -> Value {
    bytes.map_or(Value::Null, |bytes| text(bytes).into())
}
