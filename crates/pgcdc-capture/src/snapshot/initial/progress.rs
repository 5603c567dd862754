//! How far a snapshot is: the metrics `pgcdc_snapshot_…`, and the rows that it adds to
//! `pgcdc_rows_total`.

use pgcdc_metrics::{CaptureMetrics, Counter};

/// Rows between two updates of the counters.
const STEP: u64 = 512;

/// Sets `pgcdc_snapshot_running` until it is dropped, also when the snapshot fails.
#[derive(Debug)]
pub(super) struct Progress<'a>(&'a CaptureMetrics);

impl<'a> Progress<'a> {
    /// A snapshot of this many tables begins. `expected` is how many rows the planner expects in
    /// all.
    pub(super) fn begin(metrics: &'a CaptureMetrics, tables: usize, expected: u64) -> Self {
        metrics.snapshot_estimate.set(expected);
        metrics.snapshot_tables.set(tables as u64);
        metrics.snapshot_tables_remaining.set(tables as u64);
        metrics.snapshot_running.set(1);
        Self(metrics)
    }

    /// A table was read to its end.
    pub(super) fn table_done(&self) {
        self.0.snapshot_tables_remaining.dec();
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        self.0.snapshot_running.set(0);
    }
}

/// Counts the rows of one table. The metrics follow in steps of [`STEP`], and at the end.
#[derive(Debug)]
pub(super) struct RowsRead {
    /// The table's `read` counter.
    of_table: Counter,
    /// The counter of all snapshots' rows.
    of_snapshots: Counter,
    /// Rows so far.
    read: u64,
    /// Rows that the counters have.
    told: u64,
}

impl RowsRead {
    /// No rows of this table yet.
    pub(super) fn new(metrics: &CaptureMetrics, table: &str) -> Self {
        let (of_table, of_snapshots) = (metrics.rows.table(table).read, metrics.snapshot_rows.clone());
        Self { of_table, of_snapshots, read: 0, told: 0 }
    }

    /// Counts rows.
    #[inline]
    pub(super) fn add(&mut self, rows: u64) {
        self.read += rows;
        if self.read - self.told >= STEP {
            self.tell();
        }
    }

    /// How many rows were counted.
    pub(super) fn count(&self) -> u64 {
        self.read
    }

    /// Brings the counters up to date.
    fn tell(&mut self) {
        let rows = self.read - self.told;
        self.told = self.read;
        self.of_table.inc_by(rows);
        self.of_snapshots.inc_by(rows);
    }
}

impl Drop for RowsRead {
    fn drop(&mut self) {
        self.tell();
    }
}
