//! Figures of a producer, for metrics.
//!
//! They only grow, but for `queued_bytes`, and begin at zero with each producer: a connector that makes a new one adds them up.

/// What a producer has done since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Records that the client took.
    pub handed: u64,
    /// Records that [`poll`](super::Producer::poll) reported as durable.
    pub delivered: u64,
    /// Bytes of records that are in memory and not durable yet; compressed where they are compressed already.
    pub queued_bytes: u64,
    /// Produce requests sent to brokers. This and the following are 0 with librdkafka, which does not count them by itself.
    pub requests: u64,
    /// Batches that brokers acknowledged.
    pub batches: u64,
    /// Compressed bytes of these batches.
    pub bytes: u64,
    /// Batches that had to be sent again.
    pub retries: u64,
}
