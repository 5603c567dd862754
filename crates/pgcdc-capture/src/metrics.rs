//! Counters of a running capture, readable from any thread at any time.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a connector has done so far. All counts are since its start.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Rows read by snapshots.
    pub snapshot_rows: AtomicU64,
    /// Rows that the snapshot is expected to have, by the planner's estimate; 0 when unknown.
    pub snapshot_estimate: AtomicU64,
    /// Changes read from the stream.
    pub changes: AtomicU64,
    /// Records handed to the output.
    pub records: AtomicU64,
    /// Transactions read to their end.
    pub transactions: AtomicU64,
    /// Records sent and not yet delivered.
    pub in_flight: AtomicU64,
    /// Last position confirmed to the server.
    pub confirmed_lsn: AtomicU64,
    /// Last position heard from the server.
    pub server_lsn: AtomicU64,
    /// Values that could not be converted and are null in their records.
    pub values_not_converted: AtomicU64,
    /// Records that were left out because of `errors.tolerance=all`.
    pub records_left_out: AtomicU64,
    /// How often the connector had to start again.
    pub restarts: AtomicU64,
}

impl Metrics {
    pub(crate) fn add(counter: &AtomicU64, n: u64) {
        counter.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn set(gauge: &AtomicU64, value: u64) {
        gauge.store(value, Ordering::Relaxed);
    }

    /// Reads a counter.
    #[must_use]
    pub fn get(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }
}
