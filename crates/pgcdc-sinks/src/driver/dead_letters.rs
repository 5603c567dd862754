//! `<topic>.dlq`: records that can never be written, unchanged, with headers that say why.

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use pgcdc_kafka::consumer::{Message, Partition};
use pgcdc_kafka::topics::{TopicSpec, describe, ensure};
use pgcdc_kafka::{ClientProperties, Logging};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use tokio::sync::Mutex;

use super::Rejections;
use crate::Error;

/// Writes dead letters with acks=all.
///
/// Key, value, time and headers are those of the record; the key decides the partition, as Java's
/// default partitioner would. Added headers: `__pgcdc.error.message`, `.topic`, `.partition`,
/// `.offset`, `.sink`, and the names under which Kafka Connect's own error handler writes the same:
/// `__connect.errors.topic`, `.partition`, `.offset`, `.connector.name`, `.exception.message`.
pub struct DeadLetters {
    sink: String,
    client: ClientProperties,
    producer: FutureProducer<Logging>,
    /// Topics that are known to exist.
    ensured: Mutex<HashSet<String>>,
}

impl fmt::Debug for DeadLetters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadLetters").field("sink", &self.sink).finish_non_exhaustive()
    }
}

impl DeadLetters {
    /// For one sink.
    ///
    /// # Errors
    /// When librdkafka does not accept the properties.
    pub fn new(sink: &str, client: &ClientProperties) -> Result<Self, Error> {
        let client = client.connection();
        let mut properties = client.clone();
        properties
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("message.max.bytes", "104857600") // whatever was read must be writable; the broker decides
            .set("partitioner", "murmur2_random")
            .set("linger.ms", "0");
        let producer = properties
            .config()
            .create_with_context(Logging)
            .map_err(|e| pgcdc_kafka::Error::client("make a producer for dead letters", e))?;
        Ok(Self { sink: sink.to_owned(), client, producer, ensured: Mutex::default() })
    }

    /// Makes the topic with as many partitions as its source, if it is missing.
    async fn ensure(&self, source: &str, topic: &str) -> Result<(), Error> {
        let mut ensured = self.ensured.lock().await;
        if ensured.contains(topic) {
            return Ok(());
        }
        let mut spec = TopicSpec::new(topic);
        if let Some(found) = describe(&self.client, source).await? {
            spec.partitions = found.partitions;
            spec.replication_factor = found.replication_factor;
        }
        ensure(&self.client, &spec).await?;
        ensured.insert(topic.to_owned());
        Ok(())
    }
}

#[async_trait]
impl Rejections for DeadLetters {
    async fn send(&self, partition: &Partition, message: &Message, reason: &str) -> Result<(), Error> {
        let topic = format!("{}.dlq", partition.topic);
        self.ensure(&partition.topic, &topic).await?;
        let mut headers = OwnedHeaders::new();
        for (name, value) in &message.headers {
            headers = headers.insert(Header { key: name, value: value.as_deref() });
        }
        let (id, offset) = (partition.id.to_string(), message.offset.to_string());
        let added: [(&str, &str); 10] = [
            ("__pgcdc.error.message", reason),
            ("__pgcdc.error.topic", &partition.topic),
            ("__pgcdc.error.partition", &id),
            ("__pgcdc.error.offset", &offset),
            ("__pgcdc.error.sink", &self.sink),
            ("__connect.errors.topic", &partition.topic),
            ("__connect.errors.partition", &id),
            ("__connect.errors.offset", &offset),
            ("__connect.errors.connector.name", &self.sink),
            ("__connect.errors.exception.message", reason),
        ];
        for (name, value) in added {
            headers = headers.insert(Header { key: name, value: Some(value) });
        }
        let mut record: FutureRecord<'_, [u8], [u8]> = FutureRecord::to(&topic).headers(headers);
        if let Some(key) = &message.key {
            record = record.key(key);
        }
        if let Some(value) = &message.value {
            record = record.payload(value);
        }
        if let Some(timestamp) = message.timestamp_ms {
            record = record.timestamp(timestamp);
        }
        match self.producer.send(record, Duration::from_secs(30)).await {
            Ok(_) => Ok(()),
            Err((error, _)) => {
                let error = pgcdc_kafka::Error::client(format!("write a dead letter to {topic:?}"), error);
                Err(Error::because(
                    format!("sink {:?}: no dead letter for {partition} at {}", self.sink, message.offset),
                    error,
                ))
            }
        }
    }
}

impl Drop for DeadLetters {
    fn drop(&mut self) {
        // Nothing is in flight: every send was awaited, or its record comes again.
        self.producer.purge(rdkafka::producer::PurgeConfig::default().queue().inflight());
    }
}
