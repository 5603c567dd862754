//! A small compacted topic, read and written as a map from key to last value. Kafka Connect keeps offsets and configuration so.
//!
//! A compacted topic keeps at least the last record of each key, so a map that is read from its beginning is complete. Older
//! records of a key may still be there; the last one counts, and one without a value deletes the key.
//!
//! Reading assigns the partitions by hand and joins no consumer group: nothing is committed, and any number of readers may
//! read.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};

use crate::producer::direct::probe::check;
use crate::topics::{blocking, describe_with};
use crate::{ClientProperties, Error, Logging, Producer, Result, Sent, Topic};

/// How long a broker may take to answer.
const LIMIT: Duration = Duration::from_secs(30);

/// Reads `topic` from its beginning to where it ended when the call was made. Returns the last value of each key, `None` for a
/// tombstone. A topic that does not exist is empty.
///
/// Records of aborted or open transactions are left out.
///
/// # Errors
/// When the brokers cannot be reached, or deliver nothing for half a minute.
pub async fn read_compacted(
    client: &ClientProperties,
    topic: &str,
) -> Result<HashMap<Vec<u8>, Option<Vec<u8>>>> {
    check(client).await?;
    let mut properties = client.connection();
    properties
        .set("group.id", "pgcdc-reader") // required by the client, never joined: partitions are assigned by hand
        .set("enable.auto.commit", "false")
        .set("allow.auto.create.topics", "false")
        .set("isolation.level", "read_committed")
        .set("auto.offset.reset", "earliest")
        .set("enable.partition.eof", "true");
    let topic = topic.to_owned();
    blocking(move || read(&properties, &topic)).await
}

/// As [`read_compacted`], but waits until every transaction that was open when the call was made has ended.
///
/// An open transaction of another writer hides records that were committed after it began, until it ends or its timeout is over.
/// A caller that must know the last committed value has to wait for that.
///
/// # Errors
/// As [`read_compacted`], and when a transaction stays open for longer than `patience`.
pub async fn read_compacted_settled(
    client: &ClientProperties,
    topic: &str,
    patience: Duration,
) -> Result<HashMap<Vec<u8>, Option<Vec<u8>>>> {
    check(client).await?;
    let (base, name) = (client.connection(), topic.to_owned());
    blocking(move || settle(base, &name, patience)).await?;
    read_compacted(client, topic).await
}

/// Writes records into a compacted topic, one after the other, over one connection.
#[derive(Debug)]
pub struct CompactedWriter {
    /// Ours or librdkafka's, set up for one record at a time.
    producer: Box<Producer>,
    /// The topic, as the producer knows it.
    topic: Topic,
    /// The topic's name, for errors.
    name: String,
}

impl CompactedWriter {
    /// A writer of `topic`, which must exist. Connects with the first record.
    ///
    /// # Errors
    /// When the properties make no producer.
    pub fn new(client: &ClientProperties, topic: &str) -> Result<Self> {
        let mut producer = Box::new(Producer::of_single_records(&client.connection())?);
        Ok(Self { topic: producer.topic(topic)?, producer, name: topic.to_owned() })
    }

    /// Writes a record; durable when this returns.
    ///
    /// # Errors
    /// When the brokers cannot be reached for a minute, or refuse it. The writer must not be used again then.
    pub async fn write(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.send(key, Some(value)).await
    }

    /// Takes a key away: writes a tombstone, which is durable when this returns.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub async fn delete(&mut self, key: &[u8]) -> Result<()> {
        self.send(key, None).await
    }

    async fn send(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<()> {
        const LIMIT: Duration = Duration::from_secs(60);
        let end = Instant::now() + LIMIT;
        let (mut delivered, mut sent) = (Vec::new(), false);
        while delivered.is_empty() {
            if !sent {
                sent = self.producer.send_beside(&self.topic, key, value)? == Sent::Queued;
            }
            self.producer.push();
            self.producer.poll(&mut delivered)?;
            if Instant::now() >= end {
                return Err(Error::other(
                    format!("nothing could be written to topic {:?} within 60 s", self.name),
                    true,
                ));
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }
}

/// Waits until all transactions have ended that are open below where the topic ends now.
fn settle(base: ClientProperties, topic: &str, patience: Duration) -> Result<()> {
    let failed = |e: KafkaError| Error::client(format!("read the ends of topic {topic:?}"), e);
    let consumer = |isolation: &str| -> Result<BaseConsumer<Logging>> {
        let mut properties = base.clone();
        // The end that a broker names depends on the reader's isolation: before an open transaction, or behind it.
        properties.set("isolation.level", isolation).set("allow.auto.create.topics", "false");
        let consumer = properties.config().create_with_context(properties.logging()).map_err(failed)?;
        log_in(&consumer);
        Ok(consumer)
    };
    let (written, stable) = (consumer("read_uncommitted")?, consumer("read_committed")?);
    let Some(description) = describe_with(&written, topic)? else { return Ok(()) };
    let end = Instant::now() + patience;
    for partition in 0..description.partitions {
        let (_, high) = written.fetch_watermarks(topic, partition, LIMIT).map_err(failed)?;
        let mut said = false;
        while high > 0 && stable.fetch_watermarks(topic, partition, LIMIT).map_err(failed)?.1 < high {
            if Instant::now() >= end {
                let what = format!(
                    "partition {partition} of topic {topic:?} has a transaction that has been open for {} s",
                    patience.as_secs()
                );
                return Err(Error::other(what, true));
            }
            if !std::mem::replace(&mut said, true) {
                tracing::info!(topic, partition, "waiting for a transaction of another writer to end");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    Ok(())
}

/// Lets a consumer get its token, where it needs one: it does so when it is polled.
fn log_in(consumer: &BaseConsumer<Logging>) {
    // Nothing is assigned yet, so that no record comes.
    let _ = consumer.poll(Duration::ZERO);
}

/// Reads all partitions from the beginning to their ends.
fn read(properties: &ClientProperties, topic: &str) -> Result<HashMap<Vec<u8>, Option<Vec<u8>>>> {
    let failed = |e: KafkaError| Error::client(format!("read topic {topic:?}"), e);
    let consumer: BaseConsumer<Logging> =
        properties.config().create_with_context(properties.logging()).map_err(failed)?;
    log_in(&consumer);
    let mut map = HashMap::new();
    let Some(description) = describe_with(&consumer, topic)? else { return Ok(map) };

    let mut assignment = TopicPartitionList::new();
    let mut open = HashMap::new();
    for partition in 0..description.partitions {
        let (low, high) = consumer.fetch_watermarks(topic, partition, LIMIT).map_err(failed)?;
        if low < high {
            assignment.add_partition_offset(topic, partition, Offset::Beginning).map_err(failed)?;
            open.insert(partition, high);
        }
    }
    consumer.assign(&assignment).map_err(failed)?;

    let mut last_progress = Instant::now();
    while !open.is_empty() {
        match consumer.poll(Duration::from_millis(200)) {
            None if last_progress.elapsed() > LIMIT => {
                return Err(Error::other(
                    format!("could not read topic {topic:?}: nothing arrived for {} s", LIMIT.as_secs()),
                    true,
                ));
            }
            None => {}
            // Transaction markers and compaction leave holes below the end, so the last record may never come.
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                open.remove(&partition);
            }
            Some(Err(error)) => {
                let error = failed(error);
                if !error.is_transient() || last_progress.elapsed() > LIMIT {
                    return Err(error);
                }
            }
            Some(Ok(message)) => {
                last_progress = Instant::now();
                if let Some(key) = message.key() {
                    map.insert(key.to_vec(), message.payload().map(<[u8]>::to_vec));
                }
                if open.get(&message.partition()).is_some_and(|high| message.offset() + 1 >= *high) {
                    open.remove(&message.partition());
                }
            }
        }
    }
    Ok(map)
}
