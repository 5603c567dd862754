//! Where records go: Kafka, standard output, or a channel to an embedding program.

mod channel;
mod held;
mod kafka;
mod making;
mod stdout;
mod transaction;
mod transaction_pace;

use pgcdc_event::{ChangeEvent, Record, TopicId};

use crate::Result;
use crate::ledger::Sequence;

pub(crate) use channel::{ChannelOutput, EventReader, channel};
pub(crate) use kafka::{KafkaOutput, client_properties, kafka_error};
pub(crate) use making::topic_spec;
pub(crate) use stdout::StdoutOutput;
pub(crate) use transaction::{OffsetRecord, TransactionalOutput};

/// What became of a record that was handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// It is on its way; [`Output::poll`] reports it.
    Queued,
    /// There is no room: poll, wait, and hand it over again.
    Full,
}

/// An output. Every call returns at once; what is durable comes from [`poll`](Self::poll).
#[derive(Debug)]
pub(crate) enum Output {
    Kafka(Box<KafkaOutput>),
    Transactional(Box<TransactionalOutput>),
    Stdout(StdoutOutput),
    Channel(ChannelOutput),
}

impl Output {
    /// Makes a topic known; it is created, where it is missing, when the first record goes to it.
    pub(crate) fn topic(&mut self, name: &str) -> TopicId {
        match self {
            Self::Kafka(output) => output.topic(name),
            Self::Transactional(output) => output.kafka.topic(name),
            Self::Stdout(output) => output.topic(name),
            Self::Channel(output) => output.topic(name),
        }
    }

    /// The name of a topic that was made known; none where records are not encoded.
    pub(crate) fn name(&self, id: TopicId) -> Option<&str> {
        match self {
            Self::Kafka(output) => output.name(id),
            Self::Transactional(output) => output.kafka.name(id),
            Self::Stdout(output) => output.name(id),
            Self::Channel(_) => None,
        }
    }

    /// Hands a record over.
    #[inline]
    pub(crate) fn send(&mut self, record: &Record<'_>, sequence: Sequence) -> Result<Sent> {
        match self {
            Self::Kafka(output) => output.send(record, sequence),
            Self::Transactional(output) => output.send(record, sequence),
            Self::Stdout(output) => output.send(record, sequence),
            Self::Channel(_) => Ok(Sent::Queued),
        }
    }

    /// Hands a typed event over; only a channel takes them.
    pub(crate) fn event(&mut self, event: ChangeEvent, sequence: Sequence) -> Result<Option<ChangeEvent>> {
        match self {
            Self::Channel(output) => output.send(event, sequence),
            _ => Ok(None),
        }
    }

    /// Whether this output takes typed events rather than encoded records.
    pub(crate) fn wants_events(&self) -> bool {
        matches!(self, Self::Channel(_))
    }

    /// Sends what waits for more, if it is time; called when there is nothing more for now, or no room for it (`full`).
    /// True when that took about a millisecond.
    pub(crate) fn send_now(&mut self, full: bool) -> Result<bool> {
        match self {
            Self::Kafka(output) => output.send_now(full),
            Self::Transactional(_) | Self::Stdout(_) | Self::Channel(_) => Ok(false),
        }
    }

    /// Appends what is durable since the last call.
    pub(crate) fn poll(&mut self, delivered: &mut Vec<Sequence>) -> Result<()> {
        match self {
            Self::Kafka(output) => output.poll(delivered),
            Self::Transactional(output) => output.poll(delivered),
            Self::Stdout(output) => output.poll(delivered),
            Self::Channel(output) => output.poll(delivered),
        }
    }
}
