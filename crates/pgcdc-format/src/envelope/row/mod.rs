//! A table's rows as JSON objects, or as Avro structs, together with the key columns that are gathered on the way.
//!
//! `source` is a row as the server sent it; `plan` the compiled columns; `encoder` writes JSON, `avro` binary.

mod avro;
mod encoder;
mod key;
mod labels;
mod plan;
mod source;

pub(super) use avro::AvroRow;
pub(super) use encoder::RowEncoder;
pub(super) use key::KeyParts;
pub use source::RowRef;
