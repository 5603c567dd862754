use std::sync::Arc;

use bytes::Bytes;
use pgcdc_event::{ChangeEvent, Column, Datum, Lsn, Operation, RecordBatch, Row, SourceInfo};
use pgcdc_format::copy::split_line;
use pgcdc_format::envelope::{Change, Context, RelationEncoder, RowRef};

use super::lock::lock;
use super::marker::{Markers, Place};
use super::parallel::Parallel;
use crate::clock::{Clock, now_ns};
use crate::config::Settings;
use crate::metrics::Metrics;
use crate::outbox::Outbox;
use crate::postgres::{CapturedTable, Piece, RowReader, quote_identifier, quote_literal};
use crate::tables::{Tables, included};
use crate::tolerance::Tolerance;
use crate::{Error, Result};

/// Rows between two looks at the output's deliveries.
const POLL_EVERY: u32 = 512;

/// The memory of a row that is larger goes once its records are made.
const KEPT: usize = 1 << 20;

/// Reads all captured tables under one exported snapshot.
pub(crate) struct Snapshotter<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) tables: &'a mut Tables,
    pub(crate) outbox: &'a mut Outbox,
    pub(crate) metrics: &'a Arc<Metrics>,
}

/// A row that waits for the next one, which tells its marker.
#[derive(Debug, Default)]
pub(super) struct Line {
    pub(super) bytes: Vec<u8>,
    pub(super) columns: Vec<Option<(usize, usize)>>,
    pub(super) place: Option<Place>,
}

impl Line {
    /// Becomes the row that is there.
    #[inline]
    pub(super) fn take(&mut self, reader: &mut RowReader) {
        reader.take(&mut self.bytes);
        split_line(&mut self.bytes, &mut self.columns);
    }

    /// Whether it is of those that are in memory alone.
    pub(super) fn is_large(&self) -> bool {
        self.bytes.len() > RowReader::LARGE
    }

    /// Appends its records; it is of no use then.
    pub(super) fn encode(
        &mut self,
        encoder: &mut RelationEncoder,
        context: &Context<'_>,
        batch: &mut RecordBatch,
        tolerance: &Tolerance,
    ) -> Result<()> {
        let new = RowRef::Copied { line: &self.bytes, columns: &self.columns };
        let mark = batch.mark();
        if let Err(error) = encoder.encode(Change::Insert { new }, context, batch) {
            batch.rewind(mark);
            if !error.is_of_values() || !tolerance.leaves_out(&error.to_string(), "the row has no record") {
                return Err(tolerance.refusal("snapshot", error));
            }
        }
        if self.bytes.capacity() > KEPT {
            self.bytes = Vec::new();
        }
        Ok(())
    }
}

/// Buffers of one snapshot.
pub(super) struct Run {
    context: Context<'static>,
    pub(super) markers: Markers,
    pub(super) pending: Line,
    pub(super) batch: RecordBatch,
    since_poll: u32,
    clock: Clock,
}

impl Snapshotter<'_> {
    /// Reads every row and waits until all of them are durable; returns how many there were.
    ///
    /// `reader` must be a session that imported `snapshot`, the name that the server exported at `lsn`, and `captured` be
    /// the tables as of it. All is asked there: what looks at a table from another session waits behind an `ALTER TABLE`
    /// that waits for this one.
    pub(crate) async fn run(
        &mut self,
        mut reader: RowReader,
        snapshot: &str,
        lsn: Lsn,
        captured: &[CapturedTable],
    ) -> Result<u64> {
        let xid = reader
            .value(
                "read the snapshot's transaction",
                "SELECT txid_snapshot_xmax(txid_current_snapshot()) & 4294967295",
            )
            .await?;
        let captured: Vec<&CapturedTable> = captured.iter().filter(|table| self.wanted(table)).collect();
        let captured = lock(&mut reader, captured, self.settings).await?;
        let estimate: i64 = captured.iter().map(|table| table.estimated_rows.max(0)).sum();
        Metrics::set(&self.metrics.snapshot_estimate, u64::try_from(estimate).unwrap_or(0));
        let mut run = Run {
            context: Context {
                lsn,
                xid: xid.and_then(|xid| xid.parse().ok()),
                timestamp_us: now_ns() / 1000,
                ..Context::default()
            },
            markers: Markers::default(),
            pending: Line::default(),
            batch: RecordBatch::new(),
            since_poll: 0,
            clock: Clock::default(),
        };
        let parallel = Parallel::start(self, &mut reader, snapshot, &captured, run.context).await?;
        let mut rows = 0;
        let mut before: Option<RelationEncoder> = None;
        for (number, table) in captured.into_iter().enumerate() {
            let mut encoder = self.tables.for_snapshot(table, &mut reader, &mut self.outbox.output).await?;
            let columns = self.columns(&encoder);
            let parts = parallel.as_ref().and_then(|parallel| parallel.read(table, &columns, &encoder));
            let count = match parts {
                Some(parts) => {
                    self.in_parallel(parts, number, &mut encoder, before.as_mut(), &mut run).await?
                }
                None => {
                    self.table(&mut reader, table, number, &mut encoder, before.as_mut(), &mut run).await?
                }
            };
            tracing::info!(table = %table.name, rows = count, "snapshot of a table read");
            rows += count;
            if count > 0 {
                before = Some(encoder);
            }
        }
        if let Some(encoder) = &mut before {
            self.emit_pending(encoder, None, &mut run).await?;
        }
        self.outbox.flush(&mut run.batch).await?;
        if let Some(parallel) = parallel {
            parallel.finish().await;
        }
        reader.execute("end the snapshot's transaction", "COMMIT").await?;
        reader.close().await;
        self.outbox.settle().await?;
        self.tables.tolerance.tell();
        Ok(rows)
    }

    /// The relation's columns for a `SELECT`. NULL stands for those that the column filters leave out, which the role may
    /// not even be allowed to read; when they leave out all, all are read, as with Debezium. Typed events have every
    /// column, in a snapshot as in the stream.
    fn columns(&self, encoder: &RelationEncoder) -> String {
        let relation = encoder.relation();
        let included = included(self.settings, relation);
        let all = self.outbox.output.wants_events() || !included.contains(&true);
        let column = |(column, included): (&Column, &bool)| {
            if all || *included { quote_identifier(&column.name) } else { "NULL".to_owned() }
        };
        let columns: Vec<String> = relation.columns.iter().zip(&included).map(column).collect();
        columns.join(", ")
    }

    fn wanted(&self, table: &CapturedTable) -> bool {
        self.settings.snapshot.include.as_ref().is_none_or(|list| list.matches(&table.name.to_string()))
    }

    /// Reads one table; its last row stays pending. `before` encodes the row that is pending now.
    async fn table(
        &mut self,
        reader: &mut RowReader,
        table: &CapturedTable,
        number: usize,
        encoder: &mut RelationEncoder,
        mut before: Option<&mut RelationEncoder>,
        run: &mut Run,
    ) -> Result<u64> {
        let sql = copy_statement(
            table,
            &self.columns(encoder),
            self.settings.snapshot.select_overrides.get(&table.name.to_string()),
        );
        let what = format!("read table {}", table.name);
        reader.copy(&what, &sql).await?;
        let mut count = 0;
        loop {
            let piece = reader.next(&what).await.map_err(copy_error)?;
            if piece == Piece::End {
                return Ok(count);
            }
            // A row of this table is there, or certain.
            let encoder_of_pending = if count == 0 { before.as_deref_mut() } else { Some(&mut *encoder) };
            if let Some(encoder) = encoder_of_pending {
                self.emit_pending(encoder, Some(number), run).await?;
            }
            if piece == Piece::Large {
                self.admit(reader, run).await?;
                continue;
            }
            run.pending.take(reader);
            run.pending.place = Some(run.markers.row(number));
            count += 1;
        }
    }

    /// Waits until nothing is in flight, so that the large row that is next is in memory alone.
    pub(super) async fn admit(&mut self, reader: &mut RowReader, run: &mut Run) -> Result<()> {
        self.outbox.flush(&mut run.batch).await?;
        self.outbox.settle().await?;
        reader.admit();
        Ok(())
    }

    /// Sends the row that is pending; `next` is the table of the row after it.
    pub(super) async fn emit_pending(
        &mut self,
        encoder: &mut RelationEncoder,
        next: Option<usize>,
        run: &mut Run,
    ) -> Result<()> {
        let Some(place) = run.pending.place.take() else { return Ok(()) };
        run.context.snapshot = place.marker(next);
        run.context.now_ns = run.clock.tick();
        if self.outbox.output.wants_events() {
            let event = typed(encoder, &run.pending, &run.context);
            run.pending.bytes.clear();
            run.pending.bytes.shrink_to(KEPT);
            self.outbox.event(event).await?;
        } else {
            if run.pending.is_large() {
                self.outbox.flush(&mut run.batch).await?;
            }
            run.pending.encode(encoder, &run.context, &mut run.batch, &self.tables.tolerance)?;
            if self.outbox.is_due(&run.batch) {
                self.outbox.send(&mut run.batch).await?;
            }
        }
        run.since_poll += 1;
        if run.since_poll >= POLL_EVERY {
            Metrics::add(&self.metrics.snapshot_rows, u64::from(run.since_poll));
            run.since_poll = 0;
            self.tables.tolerance.tell();
            self.outbox.flush(&mut run.batch).await?;
            self.outbox.poll()?;
            tokio::task::yield_now().await;
        } else if next.is_none() {
            Metrics::add(&self.metrics.snapshot_rows, u64::from(run.since_poll));
        }
        Ok(())
    }
}

/// Begins a transaction that sees an exported snapshot.
pub(super) fn import(snapshot: &str) -> String {
    format!(
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT {}",
        quote_literal(snapshot)
    )
}

/// A column that was dropped since the snapshot was exported: a new one knows.
#[cold]
pub(super) fn copy_error(error: Error) -> Error {
    match error.to_string() {
        text if text.ends_with("(SQLSTATE 42703)") => Error::transient(text),
        _ => error,
    }
}

/// `COPY` of a table's columns, of the table alone or of the user's own statement.
fn copy_statement(table: &CapturedTable, columns: &str, statement: Option<&String>) -> String {
    match statement {
        Some(statement) => {
            let statement = statement.trim().trim_end_matches(';');
            format!("COPY (SELECT {columns} FROM ({statement}) AS pgcdc_override) TO STDOUT")
        }
        None => format!("COPY ({}) TO STDOUT", select(table, columns)),
    }
}

/// All rows of a table, with those of inheriting tables, which come once more under their own names: as Debezium reads
/// them.
pub(super) fn select(table: &CapturedTable, columns: &str) -> String {
    format!("SELECT {columns} FROM {}", table.name.quoted())
}

fn typed(encoder: &RelationEncoder, line: &Line, context: &Context<'_>) -> ChangeEvent {
    let datum = |column: &Option<(usize, usize)>| match column {
        None => Datum::Null,
        Some((from, to)) => Datum::Text(Bytes::copy_from_slice(&line.bytes[*from..*to])),
    };
    ChangeEvent {
        operation: Operation::Read,
        relation: Arc::clone(encoder.relation()),
        before: None,
        after: Some(Row(line.columns.iter().map(datum).collect())),
        source: SourceInfo {
            lsn: context.lsn,
            last_commit: None,
            xid: context.xid,
            timestamp_us: context.timestamp_us,
            snapshot: context.snapshot,
        },
    }
}
