//! What both clients are given of a record beside its bytes, and what they say when it is handed over.

use std::time::Duration;

/// How long the brokers may take to find a transaction coordinator and to end the transaction that was open before.
pub(super) const TAKE_OVER_LIMIT: Duration = Duration::from_secs(60);

/// Whether a record that was handed over was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The record is on its way; its handle comes back once it is durable.
    Queued,
    /// The queue is full (`buffer.memory`): poll, wait, and hand the record over again.
    Full,
}

/// The partition that a record goes to, and its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Placement {
    /// The partition; `None` lets the key's hash choose.
    pub(crate) partition: Option<i32>,
    /// Milliseconds since 1970; `None` is now.
    pub(crate) timestamp_ms: Option<i64>,
}
