//! What an output answers.

/// What became of a record that was handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// It is on its way; [`poll`](crate::destination::Destination::poll) reports it once it is durable.
    Queued,
    /// There is no room: poll, wait, and hand it over again.
    Full,
}
