//! What an output answers to a record.

/// What became of a record that was handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// It is on its way. [`poll`](crate::destination::Destination::poll) reports it once it is
    /// durable.
    Queued,
    /// There is no room. Poll, wait a moment, and hand it over again.
    Full,
}
