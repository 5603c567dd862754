//! Sends one record at a time and waits until it is durable. Dead letters come so seldom that their producer is made only for
//! the first one.
//!
//! The producer is librdkafka's and idempotent: a repetition inside of it is not seen in the topic. Records go to the partition
//! of their key, by Java's formula, so the dead letters of a row stay in order.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer as _, PurgeConfig};

use crate::{ClientProperties, Error, Logging, Result};

/// How long a record may wait for room in the producer's queue.
const ROOM_LIMIT: Duration = Duration::from_secs(30);

/// One record for a [`DeadLetterSender`].
#[derive(Debug)]
pub struct DeadLetter<'a> {
    /// The dead letter topic.
    topic: &'a str,
    /// The key of the record that was refused; null where it had none.
    key: Option<&'a [u8]>,
    /// Its value; null for a tombstone.
    value: Option<&'a [u8]>,
    /// Its time, in milliseconds since 1970; now when it is `None`.
    timestamp_ms: Option<i64>,
    /// Its headers, and behind them those that say why it is here.
    headers: OwnedHeaders,
}

impl<'a> DeadLetter<'a> {
    /// A record for `topic` with neither key, value nor headers. Its time is now.
    #[must_use]
    pub fn new(topic: &'a str) -> Self {
        Self { topic, key: None, value: None, timestamp_ms: None, headers: OwnedHeaders::new() }
    }

    /// Sets the key; its hash decides the partition, as Java's default partitioner would.
    #[must_use]
    pub fn key(mut self, key: Option<&'a [u8]>) -> Self {
        self.key = key;
        self
    }

    /// Sets the value; `None` is a null value.
    #[must_use]
    pub fn value(mut self, value: Option<&'a [u8]>) -> Self {
        self.value = value;
        self
    }

    /// Sets the record's time, in milliseconds since 1970; `None` is now.
    #[must_use]
    pub fn timestamp_ms(mut self, timestamp_ms: Option<i64>) -> Self {
        self.timestamp_ms = timestamp_ms;
        self
    }

    /// Appends a header; `None` is a null value.
    #[must_use]
    pub fn header(mut self, name: &str, value: Option<&[u8]>) -> Self {
        self.headers = self.headers.insert(Header { key: name, value });
        self
    }
}

/// Sends [`DeadLetter`]s with acks=all. A record is durable when its call returns.
///
/// ```no_run
/// # async fn run() -> Result<(), pgcdc_kafka::Error> {
/// use pgcdc_kafka::{ClientProperties, DeadLetter, DeadLetterSender};
/// let sender = DeadLetterSender::new(&ClientProperties::parse([("bootstrap.servers", "127.0.0.1:9092")])?);
/// let letter = DeadLetter::new("orders.dlq").key(Some(b"17")).header("reason", Some(b"no such column"));
/// sender.send(letter).await?;
/// # Ok(())
/// # }
/// ```
pub struct DeadLetterSender {
    /// What the producer is made with.
    configuration: ClientConfig,
    /// Logs, and gets tokens.
    logging: Logging,
    /// Made with the first record, since an idle producer keeps a thread busy. Made anew when it reports that it cannot go on.
    producer: Mutex<Option<FutureProducer<Logging>>>,
}

impl fmt::Debug for DeadLetterSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadLetterSender").finish_non_exhaustive()
    }
}

impl DeadLetterSender {
    /// Uses only those of the properties that say where the brokers are and how to log in. Nothing is connected yet.
    #[must_use]
    pub fn new(client: &ClientProperties) -> Self {
        let mut properties = client.connection();
        properties
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("message.max.bytes", "104857600") // a record that was read must be writable: let the broker decide
            .set("partitioner", "murmur2_random")
            .set("linger.ms", "0");
        let logging = properties.logging();
        Self { configuration: properties.config(), logging, producer: Mutex::default() }
    }

    /// Sends a record and waits until it is durable.
    ///
    /// # Errors
    /// When the producer cannot be made, its queue is full for half a minute, or the record is not delivered. Call
    /// [`renew_if_broken`](Self::renew_if_broken) then.
    ///
    /// # Cancel safety A record whose future is dropped may be written all the same: a dead letter may come twice, and is never
    /// lost.
    pub async fn send(&self, letter: DeadLetter<'_>) -> Result<()> {
        let DeadLetter { topic, key, value, timestamp_ms, headers } = letter;
        let mut record: FutureRecord<'_, [u8], [u8]> = FutureRecord::to(topic).headers(headers);
        record.key = key;
        record.payload = value;
        record.timestamp = timestamp_ms;
        let failed = |error: KafkaError| Error::client(format!("write a dead letter to {topic:?}"), error);
        let producer = self.producer().map_err(failed)?;
        producer.send(record, ROOM_LIMIT).await.map(drop).map_err(|(error, _)| failed(error))
    }

    /// Drops the producer if it cannot send any more, so that the next record gets a new one.
    pub fn renew_if_broken(&self) {
        let mut producer = self.lock();
        if producer.as_ref().is_some_and(|producer| producer.client().fatal_error().is_some()) {
            *producer = None;
        }
    }

    /// The producer, made if there is none.
    fn producer(&self) -> Result<FutureProducer<Logging>, KafkaError> {
        let mut producer = self.lock();
        if let Some(producer) = &*producer {
            return Ok(producer.clone());
        }
        let made: FutureProducer<Logging> = self.configuration.create_with_context(self.logging.clone())?;
        *producer = Some(made.clone());
        Ok(made)
    }

    /// The producer, once one was needed.
    fn lock(&self) -> MutexGuard<'_, Option<FutureProducer<Logging>>> {
        self.producer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for DeadLetterSender {
    fn drop(&mut self) {
        // Every send was awaited, or given up by a caller that reads the record again: nothing that is in flight is needed.
        if let Some(producer) = &*self.lock() {
            producer.purge(PurgeConfig::default().queue().inflight());
        }
    }
}
