//! What the client of an output has done, for metrics.

/// What a destination's client has done since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    /// Records that the client took.
    pub(crate) handed: u64,
    /// Records that brokers acknowledged.
    pub(crate) delivered: u64,
    /// Bytes of records that wait in the client.
    pub(crate) queued_bytes: u64,
    /// Produce requests sent.
    pub(crate) requests: u64,
    /// Batches that brokers acknowledged, and their compressed bytes.
    pub(crate) batches: u64,
    pub(crate) bytes: u64,
    /// Batches that had to be sent again.
    pub(crate) retries: u64,
}
