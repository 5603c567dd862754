use std::borrow::Cow;

use pgcdc_event::{Lsn, Operation};

use super::row::Row;
use super::sequence::Sequence;

/// The form of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Debezium's envelope.
    Envelope,
    /// The row alone. Without an `__op` field it does not say whether it was inserted or updated, and
    /// [`Operation::Update`] stands for both.
    Flattened,
    /// A null value: the row of this key is gone. After the delete in an envelope it brings no news.
    Tombstone,
}

/// Where and when a change happened, as far as the record says so.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Source<'a> {
    /// Position of the change in the WAL.
    pub lsn: Option<Lsn>,
    /// Commit time in microseconds since 1970-01-01 UTC.
    pub ts_us: Option<i64>,
    /// The positions by which transactions are ordered.
    pub sequence: Option<Sequence>,
    /// The transaction.
    pub tx_id: Option<u64>,
    /// `topic.prefix` of the connector that wrote the record.
    pub name: Option<Cow<'a, str>>,
    /// The database.
    pub database: Option<Cow<'a, str>>,
    /// The table's schema.
    pub schema: Option<Cow<'a, str>>,
    /// The table.
    pub table: Option<Cow<'a, str>>,
    /// Whether a snapshot read the row, incremental or not.
    pub snapshot: bool,
    /// Whether an incremental snapshot read the row, between two transactions of the stream.
    pub incremental: bool,
}

/// One change, borrowed from the bytes of its record.
#[derive(Clone, Debug, PartialEq)]
pub struct Change<'a> {
    /// What happened.
    pub operation: Operation,
    /// The record's form.
    pub form: Form,
    /// The record's key; `None` for a table without one.
    pub key: Option<Row<'a>>,
    /// The old row, as far as the replica identity sends it.
    pub before: Option<Row<'a>>,
    /// The new row.
    pub after: Option<Row<'a>>,
    /// Where and when.
    pub source: Source<'a>,
    /// Whether a flattened record has the field `__deleted`, true or false. Deletes are then records with a
    /// row (`delete.tombstone.handling.mode=rewrite`), and a tombstone only follows such a record.
    pub rewritten: bool,
    /// The value as JSON text, without the schema around it; `None` for a tombstone.
    pub payload: Option<&'a str>,
}

impl Change<'_> {
    /// The change of a null value; its key is set later.
    pub(super) fn tombstone() -> Self {
        Self {
            operation: Operation::Delete,
            form: Form::Tombstone,
            key: None,
            before: None,
            after: None,
            source: Source::default(),
            rewritten: false,
            payload: None,
        }
    }
}
