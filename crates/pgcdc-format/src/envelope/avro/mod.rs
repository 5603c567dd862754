//! A table's records in Avro, in Confluent's wire format: a zero, the schema's number in four bytes, the value in binary.
//!
//! The schemas are made from the schemas of the JSON form, so that one place knows them. A plain envelope and its key are
//! then written straight from the row. Any other form, such as the flattened one, is written as JSON first and converted.

mod direct;
mod half;
mod table;

pub(super) use half::AvroHalf;
pub use half::{AvroHalves, Half};
pub(super) use table::{AvroTable, Heads};
