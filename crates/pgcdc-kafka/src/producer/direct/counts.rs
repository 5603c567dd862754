//! What the sending thread has done, for the caller's half.
//!
//! The numbers are read for metrics now and then, so they need no order among each other (`Relaxed`).

use std::sync::atomic::{AtomicU64, Ordering};

use super::super::statistics::Statistics;

/// Counts since the producer was made. The sending thread writes them.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// `Produce` requests.
    requests: AtomicU64,
    /// Batches that are durable.
    batches: AtomicU64,
    /// Their bytes, compressed.
    bytes: AtomicU64,
    /// Batches that were sent once more, each time counted.
    retries: AtomicU64,
}

impl Counts {
    /// A produce request was sent.
    pub(super) fn request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// A batch of so many compressed bytes is durable.
    pub(super) fn durable(&self, bytes: usize) {
        self.batches.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// A batch is sent again.
    pub(super) fn retry(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    /// Adds the counts to `statistics`.
    pub(super) fn read(&self, statistics: &mut Statistics) {
        statistics.requests = self.requests.load(Ordering::Relaxed);
        statistics.batches = self.batches.load(Ordering::Relaxed);
        statistics.bytes = self.bytes.load(Ordering::Relaxed);
        statistics.retries = self.retries.load(Ordering::Relaxed);
    }
}
