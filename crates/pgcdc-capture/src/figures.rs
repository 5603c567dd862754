//! What the client of an output has done, for metrics.
//!
//! The Kafka output fills it in, [`Outbox`](crate::outbox::Outbox) compares it with the last one
//! and adds the difference to the metrics. So the outputs know no metrics, and the outbox knows no
//! Kafka client.

/// What a destination's client has done since it was made. All but `queued_bytes` only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    /// Records that the client took.
    pub(crate) handed: u64,
    /// Records that brokers acknowledged.
    pub(crate) delivered: u64,
    /// Bytes of records that wait in the client at this moment.
    pub(crate) queued_bytes: u64,
    /// Produce requests sent.
    pub(crate) requests: u64,
    /// Batches that brokers acknowledged.
    pub(crate) batches: u64,
    /// The bytes of these batches, compressed.
    pub(crate) bytes: u64,
    /// Batches that had to be sent again.
    pub(crate) retries: u64,
}
