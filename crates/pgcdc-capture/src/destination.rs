//! Where records and events are handed over, as the [`Outbox`](crate::outbox::Outbox) sees it.

use pgcdc_event::TopicId;

use crate::Result;
use crate::figures::Figures;
use crate::kafka::ExactlyOnceOutput;
use crate::ledger::Sequence;

/// Something that takes what a capture produces. No call waits: what is durable is reported by [`poll`](Self::poll).
pub(crate) trait Destination {
    /// Appends the sequence of each record that became durable since the last call.
    fn poll(&mut self, delivered: &mut Vec<Sequence>) -> Result<()>;

    /// Sends records that wait for more, if it is time. Called when there is nothing more to hand over for now, or no room
    /// for it (`full`). True when that took about a millisecond.
    fn send_now(&mut self, full: bool) -> Result<bool> {
        let _ = full;
        Ok(false)
    }

    /// Whether nobody takes anything any more, so that there is nothing to wait for.
    fn is_gone(&self) -> bool {
        false
    }

    /// The figures of its client; `None` for a destination without one.
    fn figures(&self) -> Option<Figures> {
        None
    }

    /// The position and the transactions of exactly-once, where the destination writes so.
    fn exactly_once(&mut self) -> Option<&mut ExactlyOnceOutput> {
        None
    }
}

/// Gives topics a number, by which records name them.
pub(crate) trait TopicIds {
    /// The number of a topic, always the same for the same name. A topic that is missing is made when the first record
    /// goes to it.
    fn topic(&mut self, name: &str) -> TopicId;
}
