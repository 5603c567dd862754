//! What is in Kafka, read from the beginning.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use pgcdc_testbed::Kafka;
use pgcdc_testbed::load::Told;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Headers as _, Message as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use serde_json::Value;

/// A record of a topic.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) key: Option<String>,
    /// None for a tombstone.
    pub(crate) value: Option<String>,
    /// Both as they are.
    pub(crate) raw_key: Option<Vec<u8>>,
    pub(crate) raw_value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Record {
    /// The value as JSON; null for a tombstone.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        self.value
            .as_deref()
            .map_or(Value::Null, |text| serde_json::from_str(text).expect("the value is JSON"))
    }

    /// The record as the comparison with a history takes it.
    #[track_caller]
    pub(crate) fn told(&self) -> Told {
        let key: Value =
            self.key.as_deref().and_then(|key| serde_json::from_str(key).ok()).unwrap_or_default();
        let id = key["id"].as_i64().expect("the key holds the id");
        Told { partition: self.partition, id, value: self.json() }
    }

    /// The value's `op`; empty for a tombstone.
    pub(crate) fn op(&self) -> String {
        self.json()["op"].as_str().unwrap_or_default().to_owned()
    }
}

/// Reads topics from their beginning, all partitions, in no consumer group. Topics that are not there yet, and
/// partitions added later, are taken up when they appear.
pub(crate) struct Reader {
    consumer: BaseConsumer,
    topics: Vec<String>,
    assigned: HashSet<(String, i32)>,
    /// Everything read so far, in the order of each partition.
    pub(crate) records: Vec<Record>,
}

impl Reader {
    /// A reader of `topics`.
    pub(crate) fn new(kafka: &Kafka, topics: &[&str]) -> Self {
        Self::at(&kafka.bootstrap(), topics)
    }

    /// A reader of `topics` at brokers of this address.
    pub(crate) fn at(bootstrap: &str, topics: &[&str]) -> Self {
        let consumer = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set("group.id", "unused")
            .set("enable.auto.commit", "false")
            .set("isolation.level", "read_committed")
            .set("fetch.wait.max.ms", "50")
            .set("fetch.message.max.bytes", "33554432")
            .set("reconnect.backoff.max.ms", "500")
            .set("allow.auto.create.topics", "false")
            .create()
            .expect("a consumer can be made");
        let topics = topics.iter().map(|&topic| topic.to_owned()).collect();
        Self { consumer, topics, assigned: HashSet::new(), records: Vec::new() }
    }

    /// Reads until `enough` says so of everything read; fails the test after `limit`.
    #[track_caller]
    pub(crate) fn read_until(
        &mut self,
        limit: Duration,
        mut enough: impl FnMut(&[Record]) -> bool,
    ) -> &[Record] {
        let deadline = Instant::now() + limit;
        let mut looked = None::<Instant>;
        while !enough(&self.records) {
            assert!(
                Instant::now() < deadline,
                "not within {limit:?}: {} records in {:?}; the last: {:?}",
                self.records.len(),
                self.topics,
                self.records.last()
            );
            if looked.is_none_or(|at| at.elapsed() > Duration::from_millis(500)) {
                self.assign();
                looked = Some(Instant::now());
            }
            self.poll();
        }
        &self.records
    }

    /// Reads `count` records in all; fails the test after `limit`, not when more than `count` are there.
    #[track_caller]
    pub(crate) fn read(&mut self, count: usize, limit: Duration) -> &[Record] {
        self.read_until(limit, |records| records.len() >= count)
    }

    /// Reads everything that is in the topics now, and returns all that was read so far.
    #[track_caller]
    pub(crate) fn read_all(&mut self) -> &[Record] {
        self.assign();
        let mut ends = Vec::new();
        for (topic, partition) in &self.assigned {
            let (low, high) = self
                .consumer
                .fetch_watermarks(topic, *partition, Duration::from_secs(20))
                .expect("the broker answers");
            if high > low {
                ends.push((topic.clone(), *partition, high));
            }
        }
        self.read_until(Duration::from_secs(60), |records| {
            ends.iter().all(|(topic, partition, high)| {
                records.iter().rev().any(|record| {
                    record.topic == *topic && record.partition == *partition && record.offset + 1 >= *high
                })
            })
        })
    }

    /// One poll: a batch of what is there.
    fn poll(&mut self) {
        let mut wait = Duration::from_millis(100);
        while let Some(message) = self.consumer.poll(wait) {
            wait = Duration::ZERO;
            let Ok(message) = message else { continue };
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let headers = message.headers().map_or_else(Vec::new, |headers| {
                headers.iter().map(|h| (h.key.to_owned(), h.value.map(<[u8]>::to_vec))).collect()
            });
            self.records.push(Record {
                topic: message.topic().to_owned(),
                partition: message.partition(),
                offset: message.offset(),
                key: message.key().map(text),
                value: message.payload().map(text),
                raw_key: message.key().map(<[u8]>::to_vec),
                raw_value: message.payload().map(<[u8]>::to_vec),
                headers,
            });
        }
    }

    /// Takes up partitions that were not there before; the others go on where they are.
    fn assign(&mut self) {
        let mut fresh = TopicPartitionList::new();
        for topic in &self.topics {
            let Ok(metadata) = self.consumer.fetch_metadata(Some(topic), Duration::from_secs(5)) else {
                continue;
            };
            let partitions = metadata.topics().iter().filter(|found| found.error().is_none());
            for partition in partitions.flat_map(|found| found.partitions()) {
                if self.assigned.insert((topic.clone(), partition.id())) {
                    fresh
                        .add_partition_offset(topic, partition.id(), Offset::Beginning)
                        .expect("a partition can be listed");
                }
            }
        }
        if fresh.count() > 0 {
            self.consumer.incremental_assign(&fresh).expect("partitions can be assigned");
        }
    }
}
