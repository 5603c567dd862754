//! Avro as Kafka Connect's Avro converter writes it: the schema of a Connect schema, and values in binary.
//!
//! The facts come from `AvroData`, the class that Confluent's and Apicurio's converters share: `tests/avro-referee` asks it,
//! `tests/golden-avro` has its answers, and `tests/avro.rs` holds ours against them.
//!
//! [`Schema`] is read back from the JSON form of a Connect schema ([`read_schema`]), [`AvroSchema`] renders it,
//! [`Converter`] turns payloads that are JSON into Avro. That is the way of what is rare. Rows of tables are written
//! without JSON in between, by `types::AvroCodec` and `envelope::avro`.

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

/// What the converter's properties decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AvroOptions {
    /// `connect.meta.data`: names, versions and parameters of Connect's schemas go along.
    pub meta_data: bool,
    /// `scrub.invalid.names`: what Avro does not allow in a name becomes `_`.
    pub scrub_names: bool,
    /// The opposite of `ignore.default.for.nullables`: null in a field with a default is written as that default.
    pub replace_null_with_default: bool,
}

impl Default for AvroOptions {
    fn default() -> Self {
        Self { meta_data: true, scrub_names: false, replace_null_with_default: true }
    }
}

/// What cannot be written as Avro.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AvroError {
    /// A name that Avro does not allow.
    #[error("{name:?} is no name that Avro allows ({reason})")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// One name for two schemas that differ.
    #[error("two schemas that differ have the name {0}")]
    Redefined(String),
    /// A schema that is not of Connect's form.
    #[error("not a schema of Kafka Connect: {0}")]
    Schema(&'static str),
    /// A value that is not of its schema.
    #[error("a value that is not of its schema ({0})")]
    Value(&'static str),
}
