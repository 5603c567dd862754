//! The client: it takes records, and returns the handles of those that are durable.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, Producer as _};
use rdkafka::types::RDKafkaErrorCode;

use super::super::record::{Placement, Sent};
use super::reports::Reports;
use crate::native::{self, Headers, TopicHandle};
use crate::{ClientProperties, Error, Result};

/// Bytes of keys and values that may be in the queue at once, unless `buffer.memory` is set.
const QUEUE: usize = 16 << 20;

/// An idempotent producer with acks=all. A clone is the same producer.
#[derive(Clone)]
pub(crate) struct Librdkafka {
    /// librdkafka's producer. A commit that runs on a thread of its own holds it, too.
    client: Arc<BaseProducer<Reports>>,
    /// Bytes of keys and values that were handed over and are not reported yet.
    queued: Arc<AtomicUsize>,
    /// The most bytes that may be queued.
    most_queued: usize,
}

impl std::fmt::Debug for Librdkafka {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Librdkafka").field("queued", &self.client.in_flight_count()).finish()
    }
}

impl Librdkafka {
    /// Makes the client, which connects when there is something to ask. An unreachable broker shows by records that are not
    /// delivered.
    ///
    /// Idempotence and acks=all cannot be weakened. Defaults: lz4, Java's partitioner, and a queue of at most 16 MiB. A record
    /// that is larger is sent alone.
    ///
    /// # Errors
    /// When the properties contradict each other.
    pub(crate) fn new(properties: &ClientProperties) -> Result<Self> {
        let mut properties = properties.clone();
        properties
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set_default("compression.type", "lz4")
            .set_default("partitioner", "murmur2_random")
            .set_default("linger.ms", "5")
            .set_default("queue.buffering.max.messages", "200000");
        let number = |name: &str| properties.get(name).and_then(|value| value.parse::<usize>().ok());
        let most_queued =
            number("queue.buffering.max.kbytes").map_or(QUEUE, |kbytes| kbytes.saturating_mul(1024));
        // Bytes are counted here. librdkafka's own limit must exceed the largest record, or it would refuse that for ever.
        let largest = number("message.max.bytes").unwrap_or(0);
        let queue = most_queued.max(largest.saturating_add(1 << 20)) / 1024;
        properties.set("queue.buffering.max.kbytes", &queue.to_string());
        let reports = Reports { logging: properties.logging(), ..Reports::default() };
        let client = BaseProducer::from_config_and_context(&properties.config(), reports)
            .map_err(|error| Error::client("create the Kafka producer", error))?;
        Ok(Self { client: Arc::new(client), queued: Arc::default(), most_queued })
    }

    /// A topic to send to, whether it exists or not.
    ///
    /// # Errors
    /// When no topic can have this name.
    pub(crate) fn topic(&self, name: &str) -> Result<TopicHandle> {
        TopicHandle::new(&self.client, name).ok_or_else(|| {
            Error::client(
                format!("{name:?} is no topic's name"),
                KafkaError::MessageProduction(RDKafkaErrorCode::InvalidTopic),
            )
        })
    }

    /// Hands a record over; its bytes are copied. `handle` comes back from [`poll`](Self::poll).
    ///
    /// # Errors
    /// When the record can never be sent (too large, no such topic), or the producer is broken.
    #[inline]
    pub(crate) fn send(
        &self,
        topic: &TopicHandle,
        placement: Placement,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: Option<Headers>,
        handle: usize,
    ) -> Result<Sent> {
        debug_assert!(topic.is_of(&self.client), "a topic of another producer");
        let bytes = key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len);
        let queued = self.queued.load(Ordering::Relaxed);
        if queued > 0 && queued + bytes > self.most_queued {
            return Ok(Sent::Full);
        }
        match topic.produce(placement, key, value, headers, handle) {
            Ok(()) => {
                self.queued.fetch_add(bytes, Ordering::Relaxed);
                Ok(Sent::Queued)
            }
            Err(RDKafkaErrorCode::QueueFull) if self.in_flight() > 0 => Ok(Sent::Full),
            Err(code) => Err(Error::client(
                format!("send a record of {bytes} bytes to topic {:?}", topic.name()),
                KafkaError::MessageProduction(code),
            )),
        }
    }

    /// Sends unfinished batches, whatever `linger.ms` says. Waits for a millisecond.
    pub(crate) fn send_now(&self) {
        native::send_now(&self.client);
    }

    /// Bytes of keys and values that were handed over and are not reported yet.
    #[must_use]
    pub(crate) fn queued_bytes(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    /// Appends the handles of records that are durable now. Does not wait.
    ///
    /// # Errors
    /// When a record cannot be delivered: drop the producer then, and send the records that it has not reported by another.
    pub(crate) fn poll(&self, delivered: &mut Vec<usize>) -> Result<()> {
        loop {
            let before = self.client.in_flight_count();
            self.client.poll(std::time::Duration::ZERO);
            let mut collected = self.client.context().lock();
            if let Some(failure) = collected.failure.take() {
                return Err(failure);
            }
            if collected.delivered.is_empty() && self.client.in_flight_count() >= before {
                return Ok(());
            }
            self.queued.fetch_sub(mem::take(&mut collected.bytes), Ordering::Relaxed);
            delivered.append(&mut collected.delivered);
        }
    }

    /// The client itself, for its transactional calls.
    pub(crate) fn client(&self) -> &BaseProducer<Reports> {
        &self.client
    }

    /// Records that were handed over and are not reported yet.
    #[must_use]
    pub(crate) fn in_flight(&self) -> usize {
        usize::try_from(self.client.in_flight_count()).unwrap_or(0)
    }
}
