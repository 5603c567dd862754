//! The producer of records to Kafka: one face, with one of two clients behind it.
//!
//! ```text
//!               ┌▶ direct      our own: fast with many tables; TLS and SASL, but not every seldom used property
//!  Producer ────┤
//!               └▶ librdkafka  knows every property
//! ```
//! The properties decide which ([`Producer::new`]), and the log says at INFO which client it is and why. Everything that differs
//! between the two stays in this folder: headers, topics, transactions, how long a batch lingers.

pub(crate) mod direct;
mod headers;
pub(crate) mod librdkafka;
mod linger;
mod record;
mod statistics;

use std::time::{Duration, Instant};

use pgcdc_event::Record;

use self::direct::{Direct, HeaderBytes};
use self::headers::{DirectHeaders, LibrdkafkaHeaders};
use self::librdkafka::{Librdkafka, Transactions};
use self::linger::{Linger, Look};
pub(crate) use self::record::Placement;
pub use self::record::Sent;
pub use self::statistics::Statistics;
use crate::{ClientProperties, Error, Result};

/// How long [`Producer::send_now`] waits for the broker's answer to the batches that it sent.
const ANSWER: Duration = Duration::from_millis(1);

/// A topic that records can be sent to. It belongs to the [`Producer`] that made it.
#[derive(Debug)]
pub struct Topic(Target);

/// A topic, as its client knows it.
#[derive(Debug)]
enum Target {
    /// Its number.
    Direct(usize),
    Librdkafka(librdkafka::TopicHandle),
}

/// An idempotent producer with acks=all that never blocks: its owner's loop polls it.
///
/// The owner gives each record a number, its handle. [`poll`](Self::poll) returns the handle once the record is durable.
///
/// ```
/// use pgcdc_kafka::{ClientProperties, Producer};
/// let properties = ClientProperties::parse([("bootstrap.servers", "127.0.0.1:9092")])?;
/// let mut producer = Producer::new(&properties, &[])?;
/// let topic = producer.topic("shop.public.orders")?;
/// // No broker has said yet which partitions the topic has.
/// assert!(!producer.is_known(&topic));
/// # Ok::<(), pgcdc_kafka::Error>(())
/// ```
#[derive(Debug)]
pub struct Producer {
    /// Which of the two it is.
    client: Client,
    /// Records that the client took, since the start.
    handed: u64,
    /// Records that are durable, since the start.
    delivered: u64,
    /// Decides when unfinished batches are sent; `None` where the client decides.
    linger: Option<Linger>,
    /// Handles that arrived during [`send_now`](Self::send_now); the next poll returns them.
    arrived: Vec<usize>,
}

/// The two producers. A match costs nothing beside a record, where a trait object could not be inlined.
#[derive(Debug)]
enum Client {
    Direct { producer: Box<Direct>, headers: DirectHeaders },
    Librdkafka { producer: Librdkafka, headers: LibrdkafkaHeaders, transactions: Option<Transactions> },
}

impl Producer {
    /// Chooses the client that the properties need. No broker is asked yet.
    ///
    /// `context` are the headers that every record of the stream has. A `transactional.id` among the properties makes a
    /// producer with transactions: call [`begin_transactions`](Self::begin_transactions) before the first record.
    ///
    /// # Errors
    /// When the properties contradict each other, or no server is named.
    pub fn new(properties: &ClientProperties, context: &[(String, String)]) -> Result<Self> {
        let transactional = properties.get("transactional.id").is_some();
        let lingers = properties.get("linger.ms").is_none() && !transactional;
        let client = match direct::why_not(properties) {
            None => {
                tracing::info!(
                    client = "pgcdc",
                    "pgcdc's own Kafka producer sends the records: it knows all properties that are set"
                );
                Client::direct(properties, context)
            }
            Some(property) => {
                tracing::info!(
                    client = "librdkafka",
                    property,
                    "librdkafka sends the records: pgcdc's own Kafka producer does not know this property, or its value"
                );
                let mut properties = properties.clone();
                let limit = if transactional { linger::TRANSACTIONAL_MS } else { linger::LIMIT_MS };
                properties.set_default("linger.ms", limit);
                Client::librdkafka(&properties, context)
            }
        }?;
        let linger = lingers.then(|| Linger::new(Instant::now()));
        Ok(Self { linger, ..Self::with(client) })
    }

    /// A producer for single records, each of which is sent when [`push`](Self::push) is called.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub(crate) fn of_single_records(properties: &ClientProperties) -> Result<Self> {
        let client = match direct::why_not(properties) {
            None => Client::direct(properties, &[]),
            Some(_) => Client::librdkafka(properties, &[]),
        };
        client.map(Self::with)
    }

    /// A producer without `linger`.
    fn with(client: Client) -> Self {
        Self { client, handed: 0, delivered: 0, linger: None, arrived: Vec::new() }
    }

    /// Takes the transactional id over and begins the first transaction. A producer that had the id before is fenced, and its
    /// open transaction aborted. `limit` is how long a transaction may last.
    ///
    /// # Errors
    /// When no coordinator answers within a minute, or the brokers refuse the id or its timeout.
    pub async fn begin_transactions(&mut self, limit: Duration) -> Result<()> {
        match &mut self.client {
            Client::Direct { producer, .. } => producer.take_over().await,
            Client::Librdkafka { producer, transactions, .. } => {
                *transactions = Some(Transactions::open(producer.clone(), limit).await?);
                Ok(())
            }
        }
    }

    /// Begins to commit the open transaction and to begin the next. [`has_committed`](Self::has_committed) says when that is
    /// done.
    pub fn commit(&mut self) {
        match &mut self.client {
            Client::Direct { producer, .. } => producer.commit(),
            Client::Librdkafka { transactions, .. } => {
                if let Some(transactions) = transactions {
                    transactions.end();
                }
            }
        }
    }

    /// Whether a [`commit`](Self::commit) is done and the next transaction has begun. True once for each commit.
    ///
    /// # Errors
    /// When the transaction will never be committed: drop the producer then.
    pub fn has_committed(&mut self) -> Result<bool> {
        match &mut self.client {
            Client::Direct { producer, .. } => producer.has_ended(),
            Client::Librdkafka { transactions: Some(transactions), .. } => transactions.has_ended(),
            Client::Librdkafka { transactions: None, .. } => Ok(false),
        }
    }

    /// Whether the producer takes records for the next transaction while it commits one.
    #[must_use]
    pub fn runs_ahead(&self) -> bool {
        matches!(self.client, Client::Direct { .. })
    }

    /// Aborts the open transaction. Takes no longer than `limit`.
    pub async fn abort(self, limit: Duration) {
        match self.client {
            Client::Direct { producer, .. } => producer.abort(limit).await,
            Client::Librdkafka { transactions: Some(transactions), .. } => transactions.abort(limit).await,
            Client::Librdkafka { transactions: None, .. } => {}
        }
    }

    /// Why no record can be sent any more, if the client knows before one is sent.
    #[must_use]
    pub fn fatal_error(&self) -> Option<Error> {
        match &self.client {
            Client::Direct { .. } => None,
            Client::Librdkafka { producer, .. } => producer.fatal_error(),
        }
    }

    /// A topic to send to. It must exist: the producer asks brokers about it, and a broker that creates missing topics would
    /// create it with its defaults.
    ///
    /// # Errors
    /// When no topic can have this name.
    pub fn topic(&mut self, name: &str) -> Result<Topic> {
        Ok(Topic(match &mut self.client {
            Client::Direct { producer, .. } => Target::Direct(producer.topic(name)),
            Client::Librdkafka { producer, .. } => Target::Librdkafka(producer.topic(name)?),
        }))
    }

    /// Limits the batches of a topic to `most` bytes (its `max.message.bytes`), where that is known. Has no effect on librdkafka,
    /// which cuts batches by its own properties.
    pub fn limit_batches(&mut self, topic: &Topic, most: Option<usize>) {
        if let (Client::Direct { producer, .. }, Target::Direct(topic), Some(most)) =
            (&mut self.client, &topic.0, most)
        {
            producer.limit_batches(*topic, most);
        }
    }

    /// Whether records can be sent to a topic yet: brokers have named its partitions.
    #[must_use]
    pub fn is_known(&self, topic: &Topic) -> bool {
        match (&self.client, &topic.0) {
            (Client::Direct { producer, .. }, Target::Direct(topic)) => producer.is_known(*topic),
            _ => true,
        }
    }

    /// Hands a record over; its bytes are copied. `handle` comes back from [`poll`](Self::poll).
    ///
    /// # Errors
    /// When the record can never be sent (it is too large, or its topic has no such partition), or the producer is broken.
    #[inline]
    pub fn send(&mut self, topic: &Topic, record: &Record<'_>, handle: usize) -> Result<Sent> {
        let placement = Placement { partition: record.partition, timestamp_ms: record.timestamp_ms };
        let sent = match (&mut self.client, &topic.0) {
            (Client::Direct { producer, headers }, Target::Direct(topic)) => {
                producer.send(*topic, placement, record.key, record.value, headers.of(record), handle)
            }
            (Client::Librdkafka { producer, headers, .. }, Target::Librdkafka(topic)) => {
                producer.send(topic, placement, record.key, record.value, headers.of(record), handle)
            }
            _ => Err(of_another_producer()),
        }?;
        if sent == Sent::Queued {
            self.handed += 1;
        }
        Ok(sent)
    }

    /// Hands over a record without headers that is not part of the stream, such as an offset. Its handle is zero.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_beside(&mut self, topic: &Topic, key: &[u8], value: Option<&[u8]>) -> Result<Sent> {
        let (placement, key) = (Placement::default(), Some(key));
        match (&mut self.client, &topic.0) {
            (Client::Direct { producer, .. }, Target::Direct(topic)) => {
                producer.send(*topic, placement, key, value, &HeaderBytes::new(), 0)
            }
            (Client::Librdkafka { producer, .. }, Target::Librdkafka(topic)) => {
                producer.send(topic, placement, key, value, None, 0)
            }
            _ => Err(of_another_producer()),
        }
    }

    /// Appends the handles of records that are durable now. Does not wait.
    ///
    /// # Errors
    /// When a record cannot be delivered: drop the producer then, and send the records that it has not reported by another.
    pub fn poll(&mut self, handles: &mut Vec<usize>) -> Result<()> {
        let before = handles.len();
        handles.append(&mut self.arrived);
        match &mut self.client {
            Client::Direct { producer, .. } => producer.poll(handles),
            Client::Librdkafka { producer, transactions: None, .. } => producer.poll(handles),
            Client::Librdkafka { producer, transactions: Some(_), .. } => producer.poll_transaction(handles),
        }?;
        self.delivered += (handles.len() - before) as u64;
        Ok(())
    }

    /// What the producer has done since it was made. Costs some reads of memory, so that it may be asked often.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let mut statistics =
            Statistics { handed: self.handed, delivered: self.delivered, ..Statistics::default() };
        match &self.client {
            Client::Direct { producer, .. } => producer.count(&mut statistics),
            Client::Librdkafka { producer, .. } => {
                statistics.queued_bytes = producer.queued_bytes() as u64;
            }
        }
        statistics
    }

    /// Sends unfinished batches, if it is time. Call it when there are no more records for now, or when there is no room for more
    /// (`full`). True when batches were sent, which takes about a millisecond.
    ///
    /// # Errors
    /// As [`poll`](Self::poll).
    pub fn send_now(&mut self, full: bool) -> Result<bool> {
        let Some(linger) = &mut self.linger else { return Ok(false) };
        let bytes = match &self.client {
            Client::Direct { producer, .. } => producer.queued_bytes(),
            Client::Librdkafka { producer, .. } => producer.queued_bytes(),
        };
        let (handed, delivered) = (self.handed, self.delivered + self.arrived.len() as u64);
        if !linger.is_due(Look { handed, delivered, bytes, full }, Instant::now()) {
            return Ok(false);
        }
        match &mut self.client {
            Client::Direct { producer, .. } => {
                producer.send_now();
                producer.wait(ANSWER, &mut self.arrived)?;
            }
            Client::Librdkafka { producer, .. } => producer.send_now(),
        }
        Ok(true)
    }

    /// Sends unfinished batches now. librdkafka does so by itself after `linger.ms`.
    pub(crate) fn push(&mut self) {
        match &mut self.client {
            Client::Direct { producer, .. } => producer.send_now(),
            Client::Librdkafka { .. } => {}
        }
    }
}

impl Client {
    /// Our own producer.
    fn direct(properties: &ClientProperties, context: &[(String, String)]) -> Result<Self> {
        let producer = Box::new(Direct::new(properties)?);
        Ok(Self::Direct { producer, headers: DirectHeaders::new(context) })
    }

    /// librdkafka's.
    fn librdkafka(properties: &ClientProperties, context: &[(String, String)]) -> Result<Self> {
        let producer = Librdkafka::new(properties)?;
        Ok(Self::Librdkafka { producer, headers: LibrdkafkaHeaders::new(context), transactions: None })
    }
}

#[cold]
fn of_another_producer() -> Error {
    Error::other("a topic of another producer", false)
}
