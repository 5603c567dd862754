//! What a lane takes, as the stream decoded it.

use pgcdc_event::{Lsn, Operation};
use pgcdc_format::pgoutput::{RelationIdentity, Tuple};

use crate::Error;

/// A change of one row, or the truncation of one table. It borrows from the message that brought it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowChange<'a> {
    pub(crate) operation: Operation,
    /// The row before the change, or as much of it as the replica identity has.
    pub(crate) before: Option<(RelationIdentity, Tuple<'a>)>,
    /// The row after the change.
    pub(crate) after: Option<Tuple<'a>>,
    /// The whole message, of which the rows are parts. A row whose columns were read again is not.
    pub(crate) data: &'a [u8],
}

/// A message of `pg_logical_emit_message`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogicalMessage<'a> {
    /// Whether it belongs to a transaction, and is only sent if that commits.
    pub(crate) transactional: bool,
    /// The end of its WAL record.
    pub(crate) lsn: Lsn,
    pub(crate) prefix: &'a str,
    pub(crate) content: &'a [u8],
}

/// An error about the change at `lsn`.
pub(crate) fn at(lsn: Lsn, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::fatal(format!("replication stream at {lsn}: {error}")).with_source(error)
}
