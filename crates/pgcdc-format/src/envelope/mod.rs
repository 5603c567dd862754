//! Debezium's records: a row's change as `before`/`after`/`source`/`op`, or flattened, as JSON.
//!
//! A [`RelationEncoder`] is compiled once, when a table's `Relation` message arrives: field names
//! are escaped, schemas and the constant parts of `source` rendered. A row then only appends its
//! values between them. Source: Debezium's documentation of the PostgreSQL connector, "Data change
//! events", and recordings of Debezium 3.7.0.Final (`tests/conformance`).

mod avro;
mod encoder;
mod flat;
mod header;
mod message;
mod row;
mod source;
mod transaction;

pub use avro::{AvroHalves, Half};
pub use encoder::{Change, RelationEncoder, TablePlan};
pub use flat::{AddField, DeleteHandling, FieldSection, Unwrap};
pub use message::{MessageEncoder, MessageKind};
pub use row::RowRef;
pub use source::SourceTemplate;
pub use transaction::Ordinal;

use pgcdc_event::{Lsn, Snapshot};

use crate::names::NameAdjustment;
use crate::pgoutput::DecodeError;
use crate::types::{Failures, TypeOptions, ValueError};

/// What all tables of a connector have in common.
#[derive(Clone, Debug)]
pub struct EnvelopeOptions {
    /// `topic.prefix`: `source.name`, and the first part of schema names.
    pub topic_prefix: String,
    /// `database.dbname`: `source.db`.
    pub database: String,
    /// `key.converter.schemas.enable`.
    pub key_schemas: bool,
    /// `value.converter.schemas.enable`.
    pub value_schemas: bool,
    /// `tombstones.on.delete`.
    pub tombstones: bool,
    /// `extended.headers.enabled`.
    pub context_headers: bool,
    /// Which operations are left out (`skipped.operations`): letters of `c`, `u`, `d`, `t`.
    pub skipped: String,
    /// `skip.messages.without.change`: no record for an update that changes no included column, as
    /// far as the replica identity tells.
    pub skip_unchanged: bool,
    /// How values are written.
    pub types: TypeOptions,
    /// How keys are written.
    pub key_types: TypeOptions,
    /// `schema.name.adjustment.mode`.
    pub schema_names: NameAdjustment,
    /// `field.name.adjustment.mode`.
    pub field_names: NameAdjustment,
    /// Where values that cannot be converted are counted.
    pub failures: Failures,
    /// Whether a column that is NOT NULL may be null in a value: it may where values carry no schema.
    pub null_where_required: bool,
    /// The flattened form, where `ExtractNewRecordState` is configured.
    pub unwrap: Option<Unwrap>,
}

/// Where and when a change happened, and when it is encoded.
#[derive(Clone, Copy, Debug, Default)]
pub struct Context<'a> {
    /// Position of the change.
    pub lsn: Lsn,
    /// End of the last transaction that was complete before this one.
    pub last_commit: Option<Lsn>,
    /// The transaction.
    pub xid: Option<u32>,
    /// The slot's oldest transaction, where `xmin.fetch.interval.ms` asks for it.
    pub xmin: Option<u32>,
    /// Commit time, microseconds since 1970.
    pub timestamp_us: i64,
    /// Snapshot marker.
    pub snapshot: Snapshot,
    /// Where the transaction was first written, when it was replicated here.
    pub origin: Option<(&'a str, Lsn)>,
    /// Now, nanoseconds since 1970: the envelope's own `ts_ns`.
    pub now_ns: i64,
    /// Where the change stands in its transaction, for the `transaction` block; without, that is null.
    pub ordinal: Option<Ordinal>,
}

impl Context<'_> {
    /// The context of the record after one that counts, where a change makes two.
    fn following(&self) -> Self {
        let next = |ordinal: Ordinal| Ordinal { total: ordinal.total + 1, of_table: ordinal.of_table + 1 };
        Self { ordinal: self.ordinal.map(next), ..*self }
    }
}

/// A row that cannot be encoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The row's bytes are not a row.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A value is not of its type's output format.
    #[error("column {column} of {table}: {source}")]
    Value {
        /// `schema.table`.
        table: String,
        /// The column.
        column: String,
        /// What is wrong with it.
        source: ValueError,
    },
    /// A record has no form in Avro.
    #[error("a record of {table} in Avro: {source}")]
    Avro {
        /// `schema.table`.
        table: String,
        /// Why.
        source: crate::avro::AvroError,
    },
    /// The row has another number of columns than its relation.
    #[error("a row of {table} has {found} columns, its relation {expected}")]
    ColumnCount {
        /// `schema.table`.
        table: String,
        /// Columns of the relation.
        expected: usize,
        /// Columns of the row.
        found: usize,
    },
    /// The server sent a value in binary, which was not asked for.
    #[error("column {column} of {table} came in binary form")]
    Binary {
        /// `schema.table`.
        table: String,
        /// The column.
        column: String,
    },
}

impl EncodeError {
    /// Whether the row is one, and only a value in it has no form in the record.
    #[must_use]
    pub const fn is_of_values(&self) -> bool {
        matches!(self, Self::Value { .. } | Self::Avro { .. })
    }
}

#[cfg(test)]
mod tests;
