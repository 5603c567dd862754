//! Avro as Kafka Connect's Avro converter writes it: the Avro schema of a Connect schema, and values in binary.
//!
//! | Connect | Avro schema | binary |
//! |---|---|---|
//! | `int8`, `int16`, `int32` | `int`, with `connect.type` for the two short ones | zigzag varint |
//! | `int64` | `long` | zigzag varint |
//! | `float`, `double` | `float`, `double` | 4 or 8 bytes, little-endian |
//! | `boolean` | `boolean` | one byte |
//! | `string`, `bytes` | `string`, `bytes` | length as a varint, then the bytes |
//! | `array` | `array` | one block: count, elements; then a zero |
//! | `map` with required string keys | `map` | one block: count, keys and values; then a zero |
//! | any other `map` | an array of records of `key` and `value` | as an array |
//! | `struct` | `record` | its fields one after the other |
//! | optional | a union with `null` | the branch's number as a varint, then the value |
//!
//! In a union null comes first, except for a field with a default, whose default must be of the first branch.
//!
//! The facts come from `AvroData`, the class that Confluent's and Apicurio's converters share: `tests/avro-referee` asks it,
//! `tests/golden-avro` has its answers, and `tests/avro.rs` holds ours against them. The binary forms are those of the Avro
//! specification, "Binary encoding".
//!
//! [`read_schema`] reads a [`Schema`] from Connect's JSON form, [`AvroSchema`] renders it in Avro's, and [`Converter`] turns
//! JSON payloads into Avro. Rare records go that way. Rows of tables are written without JSON in between, by
//! `types::AvroCodec` and `envelope::avro`.

mod binary;
mod convert;
mod names;
mod read;
mod schema;

pub(crate) use binary::{long_length, put_bytes, put_long};
pub use convert::Converter;
pub(crate) use convert::convert_json;
pub use read::read_schema;
pub use schema::AvroSchema;

use crate::schema::Schema;

/// The properties of the Avro converter that change schemas or values. The default is the converter's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AvroOptions {
    /// `connect.meta.data`: Avro schemas carry the names, versions and parameters of Connect's schemas (`connect.name`, …),
    /// so that a reader can restore them.
    pub meta_data: bool,
    /// `scrub.invalid.names`: characters that Avro does not allow in a name become `_`. Without it such a name is an error.
    pub scrub_names: bool,
    /// The opposite of `ignore.default.for.nullables`: null in a field with a default is written as that default.
    pub replace_null_with_default: bool,
}

impl Default for AvroOptions {
    fn default() -> Self {
        Self { meta_data: true, scrub_names: false, replace_null_with_default: true }
    }
}

/// Why a schema or a value has no form in Avro.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AvroError {
    /// A name that Avro does not allow, and that was not to be scrubbed.
    #[error("Avro does not allow the name {name:?} ({reason})")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// One name for two schemas that differ. Avro refers to a record's second use by its name alone.
    #[error("two different schemas have the name {0}")]
    Redefined(String),
    /// A schema that does not have Connect's form.
    #[error("not a schema of Kafka Connect: {0}")]
    Schema(&'static str),
    /// A value that its schema does not allow.
    #[error("a value does not fit its schema ({0})")]
    Value(&'static str),
}
