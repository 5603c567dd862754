//! What a lane takes, as the stream decoded it. These types borrow from the message, so that no row
//! is copied on its way to the encoder.

use pgcdc_event::{Lsn, Operation};
use pgcdc_format::pgoutput::{RelationIdentity, Tuple};

use crate::Error;

/// A change of one row, or the truncation of one table. It borrows from the message that brought it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowChange<'a> {
    /// Insert, update, delete or truncate.
    pub(crate) operation: Operation,
    /// The row before the change, or as much of it as the replica identity sends.
    pub(crate) before: Option<(RelationIdentity, Tuple<'a>)>,
    /// The row after the change.
    pub(crate) after: Option<Tuple<'a>>,
    /// The whole message, of which the rows are parts. Only a row whose columns were read again is
    /// not a part of it.
    pub(crate) data: &'a [u8],
}

/// A message of `pg_logical_emit_message`. Source: PostgreSQL documentation, "Logical Replication
/// Message Formats", `Message`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogicalMessage<'a> {
    /// Whether it belongs to a transaction, and was only sent because that committed.
    pub(crate) transactional: bool,
    /// The end of its WAL record.
    pub(crate) lsn: Lsn,
    /// The name that the sender gave, by which messages are filtered.
    pub(crate) prefix: &'a str,
    /// Any bytes.
    pub(crate) content: &'a [u8],
}

/// An error about the change at `lsn`: the stream cannot go on, and somebody has to act.
pub(crate) fn at(lsn: Lsn, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::fatal(format!("replication stream at {lsn}: {error}")).with_source(error)
}
