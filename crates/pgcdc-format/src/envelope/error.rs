use crate::avro::AvroError;
use crate::pgoutput::DecodeError;
use crate::types::ValueError;

/// Why a row could not become a record. Names the table and the column; never quotes a value, which may be private.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The row's bytes are malformed.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A value is not in its type's output format.
    #[error("column {column} of {table}: {source}")]
    Value {
        /// `schema.table`.
        table: String,
        /// The column.
        column: String,
        /// What is wrong with the value.
        source: ValueError,
    },
    /// A record has no form in Avro, for instance because a NOT NULL column's value cannot be converted.
    #[error("a record of {table} has no form in Avro: {source}")]
    Avro {
        /// `schema.table`.
        table: String,
        /// Why it has no form.
        source: AvroError,
    },
    /// The row and its relation differ in their number of columns: the relation is not the one that the row was written with.
    #[error("a row of {table} has {found} columns, but its relation has {expected}")]
    ColumnCount {
        /// `schema.table`.
        table: String,
        /// Columns of the relation.
        expected: usize,
        /// Columns of the row.
        found: usize,
    },
    /// The server sent a value in binary, although the stream asked for text.
    #[error("the server sent column {column} of {table} in binary form, and not as text")]
    Binary {
        /// `schema.table`.
        table: String,
        /// The column.
        column: String,
    },
}

impl EncodeError {
    /// Whether the row itself was read and only one of its values cannot be written. Such a record may be left out
    /// (`errors.tolerance`); any other error means that the stream is misread.
    #[must_use]
    pub const fn is_of_values(&self) -> bool {
        matches!(self, Self::Value { .. } | Self::Avro { .. })
    }
}
