//! A table's records in Avro, in the wire format of Confluent's schema registry:
//!
//! | bytes | what |
//! |---|---|
//! | 1 | zero, the format's mark |
//! | 4 | the schema's number in the registry, big-endian |
//! | the rest | the value in Avro's binary form |
//!
//! The Avro schemas are made from the schemas of the JSON form, so that one place knows them. A plain envelope and its key are
//! then written straight from the row. Any other form, such as the flattened one, is written as JSON first and converted.
//!
//! Source: Confluent's documentation, "Wire format" of the schema registry's serializers.

mod direct;
mod half;
mod table;

pub(super) use half::AvroHalf;
pub use half::{AvroHalves, Half};
pub(super) use table::{AvroTable, Heads};

#[cfg(test)]
mod tests;
