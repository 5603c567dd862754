//! One row of a snapshot, between `COPY` and its records. Source of the format: PostgreSQL
//! documentation, `COPY`, section "Text Format".

use std::sync::Arc;

use bytes::Bytes;
use pgcdc_event::{ChangeEvent, Datum, Operation, RecordBatch, Row, SourceInfo};
use pgcdc_format::copy::split_line;
use pgcdc_format::envelope::{Change, Context, RelationEncoder, RowRef};

use super::marker::Place;
use crate::Result;
use crate::postgres::RowReader;
use crate::tolerance::Tolerance;

/// Bytes of memory that a row keeps for the next one. More is freed once the row's records are
/// made.
const KEPT: usize = 1 << 20;

/// A row that waits for the row after it. Only that one tells which marker this one gets.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// The row in COPY's text format, with its escapes undone.
    pub(super) bytes: Vec<u8>,
    /// Where each column lies in `bytes`; `None` is NULL.
    columns: Vec<Option<(usize, usize)>>,
    /// Where the row stands in the snapshot; `None` when no row waits here.
    pub(super) place: Option<Place>,
}

impl Line {
    /// Takes over the row that `reader` has just read, and finds its columns.
    #[inline]
    pub(super) fn take(&mut self, reader: &mut RowReader) {
        reader.take(&mut self.bytes);
        split_line(&mut self.bytes, &mut self.columns);
    }

    /// Whether the row is so large that no other row may be in memory beside it.
    pub(super) fn is_large(&self) -> bool {
        self.bytes.len() > RowReader::LARGE
    }

    /// Appends the row's records to `batch`. The row itself is used up.
    ///
    /// # Errors
    /// When a value has no record, and `errors.tolerance` does not leave such rows out.
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

    /// Turns the row into a typed event. The row itself is used up, and its values share one copy
    /// of it.
    pub(super) fn event(&mut self, encoder: &RelationEncoder, context: &Context<'_>) -> ChangeEvent {
        let copy = Bytes::copy_from_slice(&self.bytes);
        let datum = |column: &Option<(usize, usize)>| match column {
            None => Datum::Null,
            Some((from, to)) => Datum::Text(copy.slice(*from..*to)),
        };
        let event = ChangeEvent {
            operation: Operation::Read,
            relation: Arc::clone(encoder.relation()),
            before: None,
            after: Some(Row(self.columns.iter().map(datum).collect())),
            source: SourceInfo {
                lsn: context.lsn,
                last_commit: None,
                xid: context.xid,
                timestamp_us: context.timestamp_us,
                snapshot: context.snapshot,
            },
        };
        self.bytes.clear();
        self.bytes.shrink_to(KEPT);
        event
    }
}
