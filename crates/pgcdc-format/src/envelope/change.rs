//! A change on its way into records: whole, as the caller has it, and cut into the parts of one record.

use pgcdc_event::Operation;

use super::context::Context;
use super::row::RowRef;

/// One change of one table, borrowed from the bytes that the server sent. The caller knows the table: it gives the change to that
/// table's [`RelationEncoder`](super::RelationEncoder).
#[derive(Clone, Copy, Debug)]
pub enum Change<'a> {
    /// A new row, or a row that a snapshot read: [`Context::snapshot`] says which of the two.
    Insert {
        /// The new row.
        new: RowRef<'a>,
    },
    /// A changed row.
    Update {
        /// The old row, where the server sent one, and whether it holds every column (`REPLICA IDENTITY FULL`). Of a row that
        /// is not whole only the columns of the replica identity are set; the others are NULL.
        old: Option<(RowRef<'a>, bool)>,
        /// The new row.
        new: RowRef<'a>,
    },
    /// A deleted row.
    Delete {
        /// The old row, as far as the replica identity sends it.
        old: RowRef<'a>,
    },
    /// The table was emptied by `TRUNCATE`: a record without key and rows.
    Truncate,
}

/// The parts of one record's value. A changed key makes two of these from one [`Change`]: a delete and a create.
///
/// All borrowed, so that an encoder passes one reference down to the form that is configured (JSON, flattened, Avro).
#[derive(Clone, Copy, Debug)]
pub(super) struct ChangeParts<'a> {
    /// The envelope's `op`.
    pub(super) operation: Operation,
    /// The envelope's `before`.
    pub(super) before: Option<RowRef<'a>>,
    /// The envelope's `after`.
    pub(super) after: Option<RowRef<'a>>,
    /// The old row, when the server sent all of it: `after` takes its unchanged TOAST values from here.
    pub(super) fallback: Option<RowRef<'a>>,
    /// Position, time and transaction of the change.
    pub(super) context: &'a Context<'a>,
}

impl<'a> ChangeParts<'a> {
    /// The parts of a record with no row at all, as for a truncate.
    pub(super) const fn new(operation: Operation, context: &'a Context<'a>) -> Self {
        Self { operation, before: None, after: None, fallback: None, context }
    }
}
