//! Which producer carries records to Kafka: our own, or librdkafka's where the properties ask for what only that one has.

use std::time::{Duration, Instant};

use pgcdc_event::Record;
use pgcdc_kafka::{
    ClientProperties, Direct, HeaderBytes, Headers, Place, Producer, Topic, Transactions, direct,
};

use super::Sent;
use super::kafka::kafka_error;
use super::linger::{self, Linger, Look};
use crate::ledger::Sequence;
use crate::{Error, Result};

/// How long to wait for an answer to what was just sent.
const ANSWER: Duration = Duration::from_millis(1);

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Carrier {
    producer: Kind,
    /// Records that were taken, and that are durable.
    handed: u64,
    delivered: u64,
    /// When what waits for more goes; `None` where the producer decides.
    linger: Option<Linger>,
    /// What became durable while somebody waited for it.
    arrived: Vec<usize>,
}

#[derive(Debug)]
enum Kind {
    Own { producer: Box<Direct>, headers: Own },
    Librdkafka { producer: Producer, headers: Theirs, transactions: Option<Transactions> },
}

/// A topic of either.
#[derive(Debug)]
pub(super) enum Target {
    Own(usize),
    Librdkafka(Topic),
}

impl Carrier {
    /// `context` are the headers that all records of the stream have.
    pub(super) fn new(
        properties: &ClientProperties,
        context: &[(String, String)],
        transactional: bool,
    ) -> Result<Self> {
        let lingers = properties.get("linger.ms").is_none() && !transactional;
        let producer = match direct::why_not(properties) {
            None => {
                let producer = Direct::new(properties).map_err(kafka_error)?;
                Kind::Own { producer: Box::new(producer), headers: Own::new(context) }
            }
            Some(why) => {
                tracing::debug!(why, "librdkafka sends the records");
                let limit = if transactional { linger::TRANSACTIONAL_MS } else { linger::LIMIT_MS };
                let mut properties = properties.clone();
                properties.set_default("linger.ms", limit);
                let producer = Producer::new(&properties).map_err(kafka_error)?;
                Kind::Librdkafka { producer, headers: Theirs::new(context), transactions: None }
            }
        };
        let linger = lingers.then(|| Linger::new(Instant::now()));
        Ok(Self { producer, handed: 0, delivered: 0, linger, arrived: Vec::new() })
    }

    /// Fences whoever has the transactional id, and begins the first transaction. `limit` is how long one may last.
    pub(super) async fn begin_transactions(&mut self, limit: Duration) -> Result<()> {
        match &mut self.producer {
            Kind::Own { producer, .. } => producer.take_over().await.map_err(kafka_error),
            Kind::Librdkafka { producer, transactions, .. } => {
                *transactions = Some(Transactions::open(producer.clone(), limit).await.map_err(kafka_error)?);
                Ok(())
            }
        }
    }

    /// Commits the transaction and begins the next one.
    pub(super) fn commit(&mut self) {
        match &mut self.producer {
            Kind::Own { producer, .. } => producer.commit(),
            Kind::Librdkafka { transactions, .. } => {
                if let Some(transactions) = transactions {
                    transactions.end();
                }
            }
        }
    }

    /// Whether the transaction that was to be committed is, and the next one has begun. True once.
    pub(super) fn has_committed(&mut self) -> Result<bool> {
        match &mut self.producer {
            Kind::Own { producer, .. } => producer.has_ended(),
            Kind::Librdkafka { transactions: Some(transactions), .. } => transactions.has_ended(),
            Kind::Librdkafka { transactions: None, .. } => Ok(false),
        }
        .map_err(kafka_error)
    }

    /// Whether records for the next transaction are taken while one is committed.
    pub(super) fn runs_ahead(&self) -> bool {
        matches!(self.producer, Kind::Own { .. })
    }

    /// Gives up what is in the open transaction; takes no longer than `limit`.
    pub(super) async fn abort(self, limit: Duration) {
        match self.producer {
            Kind::Own { producer, .. } => producer.abort(limit).await,
            Kind::Librdkafka { transactions: Some(transactions), .. } => transactions.abort(limit).await,
            Kind::Librdkafka { transactions: None, .. } => {}
        }
    }

    /// Why no record can be sent any more, if the producer knows that by itself.
    pub(super) fn fatal_error(&self) -> Option<Error> {
        match &self.producer {
            Kind::Own { .. } => None,
            Kind::Librdkafka { producer, .. } => producer.fatal_error().map(kafka_error),
        }
    }

    /// A topic to send to, which is there.
    pub(super) fn topic(&mut self, name: &str) -> Result<Target> {
        match &mut self.producer {
            Kind::Own { producer, .. } => Ok(Target::Own(producer.topic(name))),
            Kind::Librdkafka { producer, .. } => {
                producer.topic(name).map(Target::Librdkafka).map_err(kafka_error)
            }
        }
    }

    /// Tells how large a topic's batches may be. librdkafka's are cut by its own properties.
    pub(super) fn limit_batches(&mut self, target: &Target, most: Option<usize>) {
        if let (Kind::Own { producer, .. }, Target::Own(topic), Some(most)) =
            (&mut self.producer, target, most)
        {
            producer.limit_batches(*topic, most);
        }
    }

    /// Whether records can be sent there yet.
    pub(super) fn is_known(&self, target: &Target) -> bool {
        match (&self.producer, target) {
            (Kind::Own { producer, .. }, Target::Own(topic)) => producer.is_known(*topic),
            _ => true,
        }
    }

    #[inline]
    pub(super) fn send(&mut self, target: &Target, record: &Record<'_>, sequence: Sequence) -> Result<Sent> {
        let handle =
            usize::try_from(sequence.0).map_err(|_| Error::fatal("more transactions than can be counted"))?;
        let place = Place { partition: record.partition, timestamp_ms: record.timestamp_ms };
        let sent = match (&mut self.producer, target) {
            (Kind::Own { producer, headers }, Target::Own(topic)) => {
                producer.send(*topic, place, record.key, record.value, headers.of(record), handle)
            }
            (Kind::Librdkafka { producer, headers, .. }, Target::Librdkafka(topic)) => {
                producer.send_to(topic, place, record.key, record.value, headers.of(record), handle)
            }
            _ => return Err(Error::fatal("a topic of another producer")),
        };
        let sent = outcome(sent)?;
        if sent == Sent::Queued {
            self.handed += 1;
        }
        Ok(sent)
    }

    /// Takes what is no record of the stream, with a handle of zero.
    pub(super) fn send_beside(&mut self, target: &Target, key: &[u8], value: &[u8]) -> Result<Sent> {
        let (place, key, value) = (Place::default(), Some(key), Some(value));
        let sent = match (&mut self.producer, target) {
            (Kind::Own { producer, headers }, Target::Own(topic)) => {
                producer.send(*topic, place, key, value, &headers.none, 0)
            }
            (Kind::Librdkafka { producer, .. }, Target::Librdkafka(topic)) => {
                producer.send_to(topic, place, key, value, None, 0)
            }
            _ => return Err(Error::fatal("a topic of another producer")),
        };
        outcome(sent)
    }

    /// Appends the handles of records that are durable now.
    pub(super) fn poll(&mut self, handles: &mut Vec<usize>) -> Result<()> {
        let before = handles.len();
        handles.append(&mut self.arrived);
        match &mut self.producer {
            Kind::Own { producer, .. } => producer.poll(handles),
            Kind::Librdkafka { producer, transactions: None, .. } => producer.poll(handles),
            Kind::Librdkafka { producer, transactions: Some(_), .. } => producer.poll_transaction(handles),
        }
        .map_err(kafka_error)?;
        self.delivered += (handles.len() - before) as u64;
        Ok(())
    }

    /// Sends what waits for more, if it is time; called when there is nothing more for now, or no room for it (`full`).
    /// True when that took about a millisecond.
    pub(super) fn send_now(&mut self, full: bool) -> Result<bool> {
        let Some(linger) = &mut self.linger else { return Ok(false) };
        let bytes = match &self.producer {
            Kind::Own { producer, .. } => producer.queued_bytes(),
            Kind::Librdkafka { producer, .. } => producer.queued_bytes(),
        };
        let (handed, delivered) = (self.handed, self.delivered + self.arrived.len() as u64);
        if !linger.is_due(Look { handed, delivered, bytes, full }, Instant::now()) {
            return Ok(false);
        }
        match &mut self.producer {
            Kind::Own { producer, .. } => {
                producer.send_now();
                producer.wait(ANSWER, &mut self.arrived).map_err(kafka_error)?;
            }
            Kind::Librdkafka { producer, .. } => producer.send_now(),
        }
        Ok(true)
    }
}

/// What a producer said, as an output says it.
#[inline]
fn outcome(sent: pgcdc_kafka::Result<pgcdc_kafka::Sent>) -> Result<Sent> {
    Ok(match sent.map_err(kafka_error)? {
        pgcdc_kafka::Sent::Queued => Sent::Queued,
        pgcdc_kafka::Sent::Full => Sent::Full,
    })
}

/// The stream's constant headers for our own producer.
#[derive(Debug)]
struct Own {
    none: HeaderBytes,
    constant: HeaderBytes,
    /// Those of a record that has others, too.
    mixed: HeaderBytes,
}

impl Own {
    fn new(context: &[(String, String)]) -> Self {
        let mut constant = HeaderBytes::new();
        for (name, value) in context {
            constant.add(name, Some(value.as_bytes()));
        }
        Self { none: HeaderBytes::new(), constant, mixed: HeaderBytes::new() }
    }

    /// A record's headers: its own around the constant ones.
    #[inline]
    fn of(&mut self, record: &Record<'_>) -> &HeaderBytes {
        match record.context_at {
            Some(_) if !record.has_headers() => &self.constant,
            None if !record.has_headers() => &self.none,
            _ => {
                let Self { constant, mixed, .. } = self;
                mixed.clear();
                in_order(record, mixed, |all, name, value| all.add(name, value), |all| all.extend(constant));
                mixed
            }
        }
    }
}

/// The same for librdkafka.
#[derive(Debug)]
struct Theirs {
    context: Vec<(String, String)>,
    /// Copied for each record that has no others.
    constant: Headers,
}

impl Theirs {
    fn new(context: &[(String, String)]) -> Self {
        let mut constant = Headers::with_capacity(context.len());
        for (name, value) in context {
            constant.add(name, Some(value.as_bytes()));
        }
        Self { context: context.to_vec(), constant }
    }

    #[inline]
    fn of(&self, record: &Record<'_>) -> Option<Headers> {
        match record.context_at {
            Some(_) if !record.has_headers() => Some(self.constant.clone()),
            None if !record.has_headers() => None,
            _ => {
                let mut all = Headers::with_capacity(self.context.len() + 4);
                let context = |all: &mut Headers| {
                    for (name, value) in &self.context {
                        all.add(name, Some(value.as_bytes()));
                    }
                };
                in_order(record, &mut all, |all, name, value| all.add(name, value), context);
                Some(all)
            }
        }
    }
}

/// Goes through a record's own headers, and calls `context` where the constant ones stand.
fn in_order<T>(
    record: &Record<'_>,
    all: &mut T,
    add: impl Fn(&mut T, &str, Option<&[u8]>),
    context: impl Fn(&mut T),
) {
    let mut count = 0;
    for (name, value) in record.headers() {
        if record.context_at == Some(count) {
            context(all);
        }
        add(all, name, value);
        count += 1;
    }
    if record.context_at == Some(count) {
        context(all);
    }
}
