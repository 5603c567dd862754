//! A small compacted topic read as a map, as Connect's stores of offsets and configuration are.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};

use crate::topics::{blocking, describe_with};
use crate::{ClientProperties, Error, Logging, Result};

const LIMIT: Duration = Duration::from_secs(30);

/// Reads `topic` from its beginning to where it ended when the call was made: the last value of each
/// key, `None` for a tombstone. A topic that does not exist is empty.
///
/// Records of aborted or open transactions are not seen.
///
/// # Errors
/// When the brokers cannot be reached, or stop delivering for half a minute.
pub async fn read_compacted(
    client: &ClientProperties,
    topic: &str,
) -> Result<HashMap<Vec<u8>, Option<Vec<u8>>>> {
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

fn read(properties: &ClientProperties, topic: &str) -> Result<HashMap<Vec<u8>, Option<Vec<u8>>>> {
    let failed = |e: KafkaError| Error::client(format!("read topic {topic:?}"), e);
    let consumer: BaseConsumer<Logging> = properties.config().create_with_context(Logging).map_err(failed)?;
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
            // The end of the stable part: transaction markers and compaction leave holes below the watermark.
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
