//! Reads large tables by several connections: decides which tables, and gives rows that come in any
//! order their markers.

use std::collections::HashMap;

use pgcdc_format::envelope::{Context, RelationEncoder};

use super::job::{Job, Large, Part, Shared};
use super::lock;
use super::pool::{Parts, Pool};
use super::progress::RowsRead;
use super::ranges::{self, Ranges};
use super::snapshotter::{Run, Snapshotter};
use super::statements::{copy_error, select};
use crate::postgres::{CapturedTable, Piece, RowReader};
use crate::{Error, Result};

/// The threads of a snapshot, and the tables that they read.
#[derive(Debug)]
pub(super) struct Parallel {
    /// The threads.
    pool: Pool,
    /// How many pages each of the large tables has, by the table's oid.
    pages: HashMap<u32, u64>,
}

impl Parallel {
    /// Starts `snapshot.max.threads` threads. `None` when that is one thread, when no table is
    /// large enough, or when the lane cannot take batches of several threads: it takes typed
    /// events, or one change at a time.
    pub(super) async fn start(
        snapshotter: &Snapshotter<'_>,
        reader: &mut RowReader,
        snapshot: &str,
        captured: &[&CapturedTable],
        context: Context<'static>,
    ) -> Result<Option<Self>> {
        let settings = snapshotter.settings;
        let threads = settings.snapshot.max_threads;
        if threads < 2 || !snapshotter.lane.takes_batches() {
            return Ok(None);
        }
        let overrides = &settings.snapshot.select_overrides;
        let plain: Vec<&CapturedTable> = captured
            .iter()
            .copied()
            // A role without the privilege on the whole table cannot `LOCK TABLE … NOWAIT` it, and
            // a thread must not wait for a lock.
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
        let shared =
            Shared::new(settings.connection.clone(), snapshot.to_owned(), lock, context, tolerance, count);
        let Some(pool) = Pool::start(shared, count).await else { return Ok(None) };
        tracing::info!(threads = pool.count(), tables = large.len(), "large tables are read in parallel");
        Ok(Some(Self { pool, pages }))
    }

    /// Begins to read a table; `None` when the table is too small to be cut into ranges.
    pub(super) fn read(
        &self,
        table: &CapturedTable,
        columns: &str,
        encoder: &RelationEncoder,
    ) -> Option<Parts<'_>> {
        let ranges = Ranges::of(*self.pages.get(&table.oid)?, self.pool.count())?;
        let job = Job::new(format!("read table {}", table.name), select(table, columns), ranges);
        Some(self.pool.read(job, encoder))
    }

    /// Waits until the threads' sessions have ended in order.
    pub(super) async fn finish(self) {
        self.pool.finish().await;
    }
}

impl Snapshotter<'_> {
    /// Sends the rows that the threads read of one table, and leaves its last row pending. `before`
    /// encodes the row that is pending at the start, which belongs to the table before.
    ///
    /// The table's first row goes out before all others, since it carries the *first* marker. After
    /// that one unencoded row is kept back while batches go out, so that a row remains to carry the
    /// table's *last* marker.
    pub(super) async fn in_parallel(
        &mut self,
        mut parts: Parts<'_>,
        number: usize,
        encoder: &mut RelationEncoder,
        mut before: Option<&mut RelationEncoder>,
        mut read: RowsRead,
        run: &mut Run,
    ) -> Result<u64> {
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
                    read.add(1);
                }
                Part::Large(large) => {
                    self.large(large, number, run).await?;
                    read.add(1);
                }
                Part::Batch(mut batch, rows) => {
                    self.lane.send(&mut batch).await?;
                    parts.give_back(batch);
                    read.add(rows);
                    self.lane.poll()?;
                    tokio::task::yield_now().await;
                }
            }
            drop(room);
        }
        Ok(read.count())
    }

    /// Reads the large row before which a thread's session stands, and leaves it pending. Then
    /// gives the session back.
    async fn large(&mut self, large: Large, number: usize, run: &mut Run) -> Result<()> {
        let Large { mut reader, what, back } = large;
        self.admit(&mut reader).await?;
        loop {
            match reader.next(&what).await.map_err(copy_error)? {
                Piece::Row => break,
                Piece::Large => reader.admit(),
                Piece::End => return Err(Error::fatal(format!("{what}: a row is missing"))),
            }
        }
        run.pending.take(&mut reader);
        run.pending.place = Some(run.markers.row(number));
        // Sending fails when the thread was stopped. The session is closed then.
        let _ = back.send(reader);
        Ok(())
    }
}
