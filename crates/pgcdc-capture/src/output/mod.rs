//! Where encoded records go: Kafka or standard output.
//!
//! An enum and not a trait object, since [`Output::send`] is called once a record. The two Kafka
//! outputs are in `kafka/`.

mod sent;
mod stdout;

use pgcdc_event::{Record, TopicId};

use crate::config::Settings;
use crate::destination::{Destination, TopicIds};
use crate::figures::Figures;
use crate::kafka::{ExactlyOnceOutput, KafkaOutput};
use crate::ledger::Sequence;
use crate::{Error, Result};

pub(crate) use sent::Sent;
pub use stdout::{Lines, StdoutFormat};
pub(crate) use stdout::{Renderer, StdoutOutput};

/// An output for records. Every call returns at once; what is durable comes from
/// [`poll`](Destination::poll).
#[derive(Debug)]
pub(crate) enum Output {
    /// At least once.
    Kafka(Box<KafkaOutput>),
    /// Exactly once for `read_committed` readers: records and offset in one Kafka transaction.
    ExactlyOnce(Box<ExactlyOnceOutput>),
    /// JSON lines.
    Stdout(Box<StdoutOutput>),
}

impl Output {
    /// The output that gives the guarantee which the settings ask for. With exactly-once it fences
    /// an older instance of this connector, so it is called at the begin of each attempt, before
    /// the offset is read.
    ///
    /// # Errors
    /// When exactly-once is asked for and this is not Kafka, or Kafka refuses it.
    pub(crate) async fn guaranteed(self, settings: &Settings) -> Result<Self> {
        match (&settings.exactly_once, self) {
            (None, output) => Ok(output),
            (Some(on), Self::Kafka(kafka)) => {
                Ok(Self::ExactlyOnce(Box::new(ExactlyOnceOutput::open(*kafka, on).await?)))
            }
            (Some(_), _) => Err(only_kafka()),
        }
    }

    /// The name of a topic that has a number.
    pub(crate) fn name(&self, id: TopicId) -> Option<&str> {
        match self {
            Self::Kafka(output) => output.name(id),
            Self::ExactlyOnce(output) => output.name(id),
            Self::Stdout(output) => output.name(id),
        }
    }

    /// Hands a record over, to be reported under `sequence`. It copies the record's bytes.
    ///
    /// # Errors
    /// When the record can never be sent, or the output has failed for good.
    #[inline]
    pub(crate) fn send(&mut self, record: &Record<'_>, sequence: Sequence) -> Result<Sent> {
        match self {
            Self::Kafka(output) => output.send(record, sequence),
            Self::ExactlyOnce(output) => output.send(record, sequence),
            Self::Stdout(output) => output.send(record, sequence),
        }
    }
}

impl TopicIds for Output {
    fn topic(&mut self, name: &str) -> TopicId {
        match self {
            Self::Kafka(output) => output.topic(name),
            Self::ExactlyOnce(output) => output.topic(name),
            Self::Stdout(output) => output.topic(name),
        }
    }
}

impl Destination for Output {
    fn poll(&mut self, delivered: &mut Vec<Sequence>) -> Result<()> {
        match self {
            Self::Kafka(output) => output.poll(delivered),
            Self::ExactlyOnce(output) => output.poll(delivered),
            Self::Stdout(output) => output.poll(delivered),
        }
    }

    fn send_now(&mut self, full: bool) -> Result<bool> {
        match self {
            Self::Kafka(output) => output.send_now(full),
            Self::ExactlyOnce(_) | Self::Stdout(_) => Ok(false),
        }
    }

    fn figures(&self) -> Option<Figures> {
        match self {
            Self::Kafka(output) => Some(output.figures()),
            Self::ExactlyOnce(output) => Some(output.figures()),
            Self::Stdout(_) => None,
        }
    }

    #[inline]
    fn exactly_once(&mut self) -> Option<&mut ExactlyOnceOutput> {
        match self {
            Self::ExactlyOnce(output) => Some(output),
            Self::Kafka(_) | Self::Stdout(_) => None,
        }
    }
}

/// The error when exactly-once is asked of something other than Kafka.
pub(crate) fn only_kafka() -> Error {
    Error::configuration("exactly.once.support=required: only Kafka has transactions")
        .with_hint("set exactly.once.support=requested for an output other than Kafka")
}
