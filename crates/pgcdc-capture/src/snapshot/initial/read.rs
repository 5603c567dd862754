//! Reads a snapshot: one table after the other, large ones by several threads.
//!
//! Rows go through the same lane and encoders as the stream's, with operation `r` and the
//! snapshot's position. One row is always kept back ([`Run::pending`]): the last row of each table
//! and of the snapshot has a marker, and only the next row tells that this one was not the last.

use std::sync::Arc;

use pgcdc_event::Lsn;
use pgcdc_format::envelope::{Context, RelationEncoder};

use super::lock::lock;
use super::parallel::Parallel;
use super::progress::{Progress, RowsRead};
use super::snapshotter::{Run, Snapshotter};
use super::statements::{copy, copy_error};
use crate::Result;
use crate::clock::now_ns;
use crate::postgres::{CapturedTable, Piece, RowReader};

impl Snapshotter<'_> {
    /// Reads every row; returns how many rows there were. Records are durable when it returns;
    /// events may still wait for the program's acknowledgement.
    ///
    /// `reader` must be a session that imported `snapshot`, the name that the server exported at
    /// `lsn`. `captured` must be the tables that this snapshot has. Everything is asked on that
    /// session: a query about a table from another session would wait behind an `ALTER TABLE` that
    /// waits for this session.
    ///
    /// # Errors
    /// Whatever ends the snapshot: it is then taken again as a whole.
    pub(crate) async fn run(
        &mut self,
        mut reader: RowReader,
        snapshot: &str,
        lsn: Lsn,
        captured: &[CapturedTable],
    ) -> Result<u64> {
        let mut run = Run::new(context(&mut reader, lsn).await?);
        let captured: Vec<&CapturedTable> = captured.iter().filter(|table| self.wanted(table)).collect();
        let captured = lock(&mut reader, captured, self.settings).await?;
        let estimate: i64 = captured.iter().map(|table| table.estimated_rows.max(0)).sum();
        let metrics = Arc::clone(self.metrics);
        let expected = u64::try_from(estimate).unwrap_or(0);
        let progress = Progress::begin(&metrics.capture, captured.len(), expected);
        let parallel = Parallel::start(self, &mut reader, snapshot, &captured, run.context).await?;
        let rows = self.all(&mut reader, parallel.as_ref(), &captured, &progress, &mut run).await?;
        self.lane.flush().await?;
        if let Some(parallel) = parallel {
            parallel.finish().await;
        }
        reader.execute("end the snapshot's transaction", "COMMIT").await?;
        reader.close().await;
        if self.lane.delivers_by_itself() {
            self.lane.settle().await?;
        }
        self.tables.tolerance.tell();
        Ok(rows)
    }

    /// Reads the tables in their order and gives all their rows to the lane; returns how many rows
    /// there were.
    async fn all(
        &mut self,
        reader: &mut RowReader,
        parallel: Option<&Parallel>,
        captured: &[&CapturedTable],
        progress: &Progress<'_>,
        run: &mut Run,
    ) -> Result<u64> {
        let mut rows = 0;
        // Encodes the row that is pending when the next table begins.
        let mut before: Option<RelationEncoder> = None;
        for (number, table) in captured.iter().enumerate() {
            let mut encoder = self.tables.for_snapshot(table, reader, self.lane).await?;
            let columns = self.columns(&encoder);
            let parts = parallel.and_then(|parallel| parallel.read(table, &columns, &encoder));
            let count = match parts {
                Some(parts) => {
                    let read = RowsRead::new(&self.metrics.capture, &table.name.to_string());
                    self.in_parallel(parts, number, &mut encoder, before.as_mut(), read, run).await?
                }
                None => self.whole(reader, table, number, &mut encoder, before.as_mut(), run).await?,
            };
            tracing::info!(table = %table.name, rows = count, "snapshot of a table read");
            progress.table_done();
            rows += count;
            if count > 0 {
                before = Some(encoder);
            }
        }
        if let Some(encoder) = &mut before {
            self.emit_pending(encoder, None, run).await?;
        }
        Ok(rows)
    }

    /// Reads one table and leaves its last row pending; returns how many rows it has. `before`
    /// encodes the row that is pending at the start, which belongs to the table before.
    async fn whole(
        &mut self,
        reader: &mut RowReader,
        table: &CapturedTable,
        number: usize,
        encoder: &mut RelationEncoder,
        mut before: Option<&mut RelationEncoder>,
        run: &mut Run,
    ) -> Result<u64> {
        let statement = self.settings.snapshot.select_overrides.get(&table.name.to_string());
        let sql = copy(table, &self.columns(encoder), statement);
        let what = format!("read table {}", table.name);
        reader.copy(&what, &sql).await?;
        let mut read = RowsRead::new(&self.metrics.capture, &table.name.to_string());
        loop {
            let piece = reader.next(&what).await.map_err(copy_error)?;
            if piece == Piece::End {
                return Ok(read.count());
            }
            // This table has one more row, so the pending row is not the last one.
            let encoder_of_pending =
                if read.count() == 0 { before.as_deref_mut() } else { Some(&mut *encoder) };
            if let Some(encoder) = encoder_of_pending {
                self.emit_pending(encoder, Some(number), run).await?;
            }
            if piece == Piece::Large {
                self.admit(reader).await?;
                continue;
            }
            run.pending.take(reader);
            run.pending.place = Some(run.markers.row(number));
            read.add(1);
        }
    }
}

/// What all records of the snapshot say of their source. The transaction number is the first one
/// that the snapshot does not see.
async fn context(reader: &mut RowReader, lsn: Lsn) -> Result<Context<'static>> {
    let xid = reader
        .value(
            "read the snapshot's transaction",
            "SELECT txid_snapshot_xmax(txid_current_snapshot()) & 4294967295",
        )
        .await?;
    Ok(Context {
        lsn,
        xid: xid.and_then(|xid| xid.parse().ok()),
        timestamp_us: now_ns() / 1000,
        ..Context::default()
    })
}
