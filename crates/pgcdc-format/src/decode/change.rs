use std::borrow::Cow;

use pgcdc_event::{Lsn, Operation};

use super::row::Row;
use super::sequence::Sequence;

/// The form of a record's value, by which a sink knows how much the change says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Debezium's envelope.
    Envelope,
    /// The row alone. Without an `__op` field it does not say whether the row was inserted or updated:
    /// [`Operation::Update`] stands for both, so a sink must write it as an upsert.
    Flattened,
    /// A null value: the row of this key is gone. Behind the delete in an envelope it says nothing new; without one (a compacted
    /// topic, `drop` of deletes) it is the only news of the delete.
    Tombstone,
}

/// Where and when a change happened, as far as the record says so. Every field may be absent: a row alone has only the
/// fields that `add.fields` names, and other connectors than Postgres' write other blocks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Source<'a> {
    /// Position of the change in the WAL. Several changes may share it, as the rows of one `COPY` do.
    pub lsn: Option<Lsn>,
    /// Commit time in microseconds since 1970-01-01 UTC: `ts_us`, or `ts_ms` times 1,000 where the record has only that.
    pub ts_us: Option<i64>,
    /// The positions by which transactions are ordered.
    pub sequence: Option<Sequence>,
    /// The transaction's id (`txId`), which repeats after 2³² transactions.
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
///
/// | operation | `before` | `after` |
/// |---|---|---|
/// | create, read | none | the row |
/// | update | as far as the replica identity sends it | the row |
/// | delete in an envelope | as far as the replica identity sends it | none |
/// | delete of a row alone | the row with `__deleted` | none |
/// | truncate, message, tombstone | none | none |
#[derive(Clone, Debug, PartialEq)]
pub struct Change<'a> {
    /// What happened to the row, as far as the [form](Self::form) tells.
    pub operation: Operation,
    /// The form of the record's value.
    pub form: Form,
    /// The record's key; `None` for a table without one.
    pub key: Option<Row<'a>>,
    /// The old row. Columns that the server did not send are null in it, which cannot be told from a real NULL.
    pub before: Option<Row<'a>>,
    /// The new row. A TOASTed column that did not change may hold the [placeholder](super::Placeholder).
    pub after: Option<Row<'a>>,
    /// Where and when it happened.
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
