//! A Postgres value's text form turned into the JSON that Debezium writes for its type.
//!
//! [`Codec::compile`] looks at a column once, when its table's `Relation` message arrives, and
//! settles everything that does not depend on the row: family, precision, schema, default. Rows
//! then call [`Codec::append`], which only reads text and appends bytes. One file per family.

mod options;

pub use options::{
    BinaryMode, DecimalFormat, DecimalMode, HstoreMode, IntervalMode, TimePrecision, TypeOptions,
};

use pgcdc_event::Column;

use crate::schema::Schema;

/// A text that is not of its type's output format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} (type {pg_type})")]
pub struct ValueError {
    /// The Postgres type's name.
    pub pg_type: Box<str>,
    /// What is wrong; never the value itself, which may be private.
    pub reason: &'static str,
}

/// How one column's values become JSON.
#[derive(Debug)]
pub struct Codec {
    schema: Schema,
}

impl Codec {
    /// Compiles a column; `None` when Debezium leaves its type out (an unknown type without
    /// `include.unknown.datatypes`).
    #[must_use]
    pub fn compile(_column: &Column, _options: &TypeOptions) -> Option<Self> {
        None
    }

    /// The field's schema, with `optional`, default and parameters.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Appends the JSON of a value that is not null.
    ///
    /// # Errors
    /// When the text is not of the type's output format; `out` may then hold a part of the value.
    pub fn append(&self, _text: &[u8], _out: &mut Vec<u8>) -> Result<(), ValueError> {
        Ok(())
    }

    /// Appends what stands for SQL NULL: `null`, except where Debezium writes something else.
    pub fn append_null(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"null");
    }

    /// Appends what stands for an unchanged TOAST value: `unavailable.value.placeholder` in the
    /// form of the column's type.
    pub fn append_unavailable(&self, _out: &mut Vec<u8>) {}
}
