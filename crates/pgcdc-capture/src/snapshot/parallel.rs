//! Large tables by several connections: who reads what, and the markers of rows that come in any order.

use std::collections::HashMap;

use pgcdc_format::envelope::{Context, RelationEncoder};

use super::copy::{Run, Snapshotter, copy_error, select};
use super::lock;
use super::ranges::{self, Ranges};
use super::workers::{Job, Large, Part, Parts, Workers};
use crate::metrics::Metrics;
use crate::postgres::{CapturedTable, Piece, RowReader};
use crate::{Error, Result};

/// The workers of a snapshot, and what they read.
#[derive(Debug)]
pub(super) struct Parallel {
    workers: Workers,
    /// Pages of the tables that are large enough, by oid.
    pages: HashMap<u32, u64>,
}

impl Parallel {
    /// Starts `snapshot.max.threads` workers where that is more than one, there is a table for them, and the output takes
    /// records that several threads make: neither typed events nor one change at a time.
    pub(super) async fn start(
        snapshotter: &Snapshotter<'_>,
        reader: &mut RowReader,
        snapshot: &str,
        captured: &[&CapturedTable],
        context: Context<'static>,
    ) -> Result<Option<Self>> {
        let Snapshotter { settings, outbox, .. } = snapshotter;
        let threads = settings.snapshot.max_threads;
        if threads < 2 || outbox.output.wants_events() || outbox.counts_changes() {
            return Ok(None);
        }
        let overrides = &settings.snapshot.select_overrides;
        let plain: Vec<&CapturedTable> = captured
            .iter()
            .copied()
            // Without the privilege to lock them, workers could not hold them without waiting.
            .filter(|table| table.readable && !overrides.contains_key(&table.name.to_string()))
            .collect();
        let mut pages = ranges::pages(reader, &plain).await?;
        pages.retain(|_, pages| Ranges::of(*pages, threads).is_some());
        let large: Vec<&CapturedTable> =
            plain.into_iter().filter(|table| pages.contains_key(&table.oid)).collect();
        let most = pages.values().filter_map(|pages| Some(Ranges::of(*pages, threads)?.count())).max();
        let Some(most) = most else { return Ok(None) };
        let count = usize::try_from(most).unwrap_or(usize::MAX).min(threads);
        let lock = format!("{} NOWAIT", lock::statement(&large));
        let tolerance = snapshotter.tables.tolerance.clone();
        let workers = Workers::start(&settings.connection, snapshot, lock, context, tolerance, count).await;
        let Some(workers) = workers else { return Ok(None) };
        tracing::info!(threads = workers.count(), tables = large.len(), "large tables are read in parallel");
        Ok(Some(Self { workers, pages }))
    }

    /// Begins to read a table; `None` when it is one to be read whole.
    pub(super) fn read(
        &self,
        table: &CapturedTable,
        columns: &str,
        encoder: &RelationEncoder,
    ) -> Option<Parts<'_>> {
        let ranges = Ranges::of(*self.pages.get(&table.oid)?, self.workers.count())?;
        let job = Job::new(format!("read table {}", table.name), select(table, columns), ranges);
        Some(self.workers.read(job, encoder))
    }

    /// Waits until the workers' sessions have ended.
    pub(super) async fn finish(self) {
        self.workers.finish().await;
    }
}

impl Snapshotter<'_> {
    /// Sends the rows that the workers read of one table, and leaves its last row pending. `before` encodes the row that
    /// is pending at the start, which belongs to the table before.
    ///
    /// The table's first row goes out before all others, since it carries the *first* marker. After that one unencoded row
    /// is kept back while batches go out, so that a row remains to carry the table's *last* marker.
    pub(super) async fn in_parallel(
        &mut self,
        mut parts: Parts<'_>,
        number: usize,
        encoder: &mut RelationEncoder,
        mut before: Option<&mut RelationEncoder>,
        run: &mut Run,
    ) -> Result<u64> {
        let mut count = 0;
        while let Some((part, room)) = parts.next().await? {
            let of_before = run.pending.place.is_some_and(|place| place.table != number);
            let opens = run.pending.place.is_some_and(|place| place.opens());
            if of_before || opens || !matches!(part, Part::Batch(..)) {
                let encoder = if of_before { before.as_deref_mut() } else { Some(&mut *encoder) };
                if let Some(encoder) = encoder {
                    self.emit_pending(encoder, Some(number), run).await?;
                }
            }
            match part {
                Part::Line(mut line) => {
                    line.place = Some(run.markers.row(number));
                    run.pending = line;
                    count += 1;
                }
                Part::Large(Large { mut reader, what, back }) => {
                    self.admit(&mut reader, run).await?;
                    loop {
                        match reader.next(&what).await.map_err(copy_error)? {
                            Piece::Row => break,
                            Piece::Large => reader.admit(),
                            Piece::End => return Err(Error::fatal(format!("{what}: a row is missing"))),
                        }
                    }
                    run.pending.take(&mut reader);
                    run.pending.place = Some(run.markers.row(number));
                    count += 1;
                    // It is awaited, unless the worker was stopped.
                    let _ = back.send(reader);
                }
                Part::Batch(mut batch, rows) => {
                    self.outbox.flush(&mut run.batch).await?;
                    self.outbox.send(&mut batch).await?;
                    parts.give_back(batch);
                    count += rows;
                    Metrics::add(&self.metrics.snapshot_rows, rows);
                    self.outbox.poll()?;
                    tokio::task::yield_now().await;
                }
            }
            drop(room);
        }
        Ok(count)
    }
}
