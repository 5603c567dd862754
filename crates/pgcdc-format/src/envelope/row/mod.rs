//! A table's rows as JSON objects, or as Avro structs, together with the key columns that are gathered on the way.
//!
//! `source` is a row as the server sent it; `plan` the compiled columns; `encoder` writes JSON, `avro` writes Avro. `key` holds
//! the key's values between the row that has them and the key that needs them. `labels` notices labels that were added to an
//! enum.
//!
//! A column's value is encoded once even when the key has it, too: its bytes are copied from the value.

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
