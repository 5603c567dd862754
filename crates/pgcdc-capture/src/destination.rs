//! Where records and events are handed over, as the [`Outbox`](crate::outbox::Outbox) sees it.
//!
//! There are four: Kafka, Kafka with exactly-once, standard output, and the channel to a program
//! that embeds capture.

use pgcdc_event::TopicId;

use crate::Result;
use crate::figures::Figures;
use crate::kafka::ExactlyOnceOutput;
use crate::ledger::Sequence;

/// Something that takes what a capture produces. No call waits for the outside world:
/// [`poll`](Self::poll) reports what has become durable.
///
/// How a record is handed over is not part of it, since outputs take bytes and the channel takes
/// events. The caller numbers each record from the ledger before it hands it over, and the
/// destination gives the number back once the record is safe.
pub(crate) trait Destination {
    /// Appends the sequence of each record that has become durable since the last call, in any
    /// order, each once. Called after every read of the socket.
    ///
    /// # Errors
    /// When a record cannot be delivered for good, or the reader is gone. The attempt ends then.
    fn poll(&mut self, delivered: &mut Vec<Sequence>) -> Result<()>;

    /// Sends records that wait to fill a batch, if it is time. Called when there is nothing more to
    /// hand over for now, or no room for it (`full`). True when the call took about a millisecond,
    /// so that the caller need not sleep.
    fn send_now(&mut self, full: bool) -> Result<bool> {
        let _ = full;
        Ok(false)
    }

    /// Whether nobody takes anything any more. Then the end of a session does not wait for
    /// acknowledgements.
    fn is_gone(&self) -> bool {
        false
    }

    /// The figures of its client; `None` for a destination without one.
    fn figures(&self) -> Option<Figures> {
        None
    }

    /// The part that keeps the position inside Kafka transactions; `None` for a destination that
    /// delivers at least once.
    fn exactly_once(&mut self) -> Option<&mut ExactlyOnceOutput> {
        None
    }
}

/// Gives topics a number. Records carry the number in place of the name, so that no text is copied
/// or compared for each record.
pub(crate) trait TopicIds {
    /// The number of a topic, always the same for the same name. A topic that is missing is made
    /// when the first record goes to it.
    fn topic(&mut self, name: &str) -> TopicId;
}
