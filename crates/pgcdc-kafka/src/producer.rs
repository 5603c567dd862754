//! A producer that never blocks and allocates nothing per record: polled by its owner's own loop,
//! with a plain number as each record's handle.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::KafkaError;
use rdkafka::message::{Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext};
use rdkafka::types::RDKafkaErrorCode;

use crate::{ClientProperties, Error, Logging, Result};

/// What became of a record that was handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It is on its way; a report follows.
    Queued,
    /// The queue is full (`queue.buffering.max.*`): poll, wait, and hand it over again.
    Full,
}

/// An idempotent producer with acks=all. A clone is the same producer.
#[derive(Clone)]
pub struct Producer {
    client: Arc<BaseProducer<Reports>>,
}

impl std::fmt::Debug for Producer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Producer").field("queued", &self.client.in_flight_count()).finish()
    }
}

/// Collects delivery reports inside of `poll`, on the thread that polls.
#[derive(Default)]
pub(crate) struct Reports {
    collected: Mutex<Collected>,
}

#[derive(Default)]
struct Collected {
    delivered: Vec<usize>,
    failure: Option<Error>,
}

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        Logging.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let fatal = error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal);
        Logging.error(error.clone(), reason);
        if fatal {
            self.lock()
                .failure
                .get_or_insert_with(|| Error::client(format!("Kafka producer: {reason}"), error));
        }
    }
}

impl Reports {
    fn lock(&self) -> std::sync::MutexGuard<'_, Collected> {
        self.collected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, handle: usize) {
        let mut collected = self.lock();
        match result {
            Ok(_) => collected.delivered.push(handle),
            Err((error, message)) => {
                let topic = message.topic();
                collected.failure.get_or_insert_with(|| {
                    Error::client(format!("a record for topic {topic:?} was not delivered"), error.clone())
                });
            }
        }
    }
}

impl Producer {
    /// Connects lazily: an unreachable broker shows when records are not delivered.
    ///
    /// Defaults where the properties are silent: idempotence and acks=all (which cannot be weakened),
    /// lz4, Java's partitioner, and a queue of at most 16 MiB (twice `message.max.bytes` if that is more).
    ///
    /// # Errors
    /// When the properties do not go together.
    pub fn new(properties: &ClientProperties) -> Result<Self> {
        let mut properties = properties.clone();
        properties
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set_default("compression.type", "lz4")
            .set_default("partitioner", "murmur2_random")
            .set_default("linger.ms", "5")
            .set_default("queue.buffering.max.messages", "200000");
        // A record that is larger than the whole queue would wait for room for ever.
        let largest: u64 =
            properties.get("message.max.bytes").and_then(|bytes| bytes.parse().ok()).unwrap_or(0);
        let queue = (2 * largest / 1024).max(16 * 1024);
        properties.set_default("queue.buffering.max.kbytes", &queue.to_string());
        let client = BaseProducer::from_config_and_context(&properties.config(), Reports::default())
            .map_err(|error| Error::client("create the Kafka producer", error))?;
        Ok(Self { client: Arc::new(client) })
    }

    /// Hands a record over; its bytes are copied. `handle` comes back from [`poll`](Self::poll).
    ///
    /// # Errors
    /// When the record can never be sent (too large, no such topic), or the producer is broken.
    pub fn send(
        &self,
        topic: &str,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: Option<OwnedHeaders>,
        handle: usize,
    ) -> Result<Sent> {
        self.send_to(topic, (None, None), key, value, headers, handle)
    }

    /// As [`send`](Self::send), to a partition and with a time (milliseconds since 1970) where they are given.
    ///
    /// # Errors
    /// As there.
    pub fn send_to(
        &self,
        topic: &str,
        (partition, timestamp): (Option<i32>, Option<i64>),
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: Option<OwnedHeaders>,
        handle: usize,
    ) -> Result<Sent> {
        let record =
            BaseRecord { topic, partition, payload: value, key, timestamp, headers, delivery_opaque: handle };
        match self.client.send(record) {
            Ok(()) => Ok(Sent::Queued),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) if self.in_flight() > 0 => {
                Ok(Sent::Full)
            }
            Err((error, _)) => {
                let bytes = key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len);
                Err(Error::client(
                    format!("a record of {bytes} bytes for topic {topic:?} was refused"),
                    error,
                ))
            }
        }
    }

    /// Appends the handles of records that are durable now. Does not wait.
    ///
    /// # Errors
    /// When a record was not delivered for good: the producer must then be dropped, and what it
    /// had not reported be sent again by another.
    pub fn poll(&self, delivered: &mut Vec<usize>) -> Result<()> {
        loop {
            let before = self.client.in_flight_count();
            self.client.poll(std::time::Duration::ZERO);
            let mut collected = self.client.context().lock();
            if let Some(failure) = mem::take(&mut collected.failure) {
                return Err(failure);
            }
            if collected.delivered.is_empty() && self.client.in_flight_count() >= before {
                return Ok(());
            }
            delivered.append(&mut collected.delivered);
        }
    }

    /// The client itself, for its transactional calls.
    pub(crate) fn client(&self) -> &BaseProducer<Reports> {
        &self.client
    }

    /// Records that were handed over and not yet reported.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        usize::try_from(self.client.in_flight_count()).unwrap_or(0)
    }
}
