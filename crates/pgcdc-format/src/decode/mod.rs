//! The bytes of a Kafka record turned into a change: the way back from Debezium's JSON, for sinks.
//!
//! | form of the value | how it is recognised | operation |
//! |---|---|---|
//! | envelope | an object with a text `op` and an object `source` | `op` |
//! | row alone, as `ExtractNewRecordState` leaves it | any other object | `__op` or `__deleted` where they are added, else *update* |
//! | tombstone | no value, or the JSON `null` | *delete* |
//!
//! Each form may stand in Connect's `{"schema":…,"payload":…}` or alone. Values are borrowed from the record; a schema is parsed
//! once and recognised by its bytes from then on. Avro and Protobuf are refused with an error that says so.
//!
//! ```
//! use pgcdc_format::decode::{Decoder, Json};
//! let mut decoder = Decoder::default();
//! let change = decoder.decode(Some(br#"{"id":1}"#), Some(br#"{"id":1,"v":"one"}"#))?;
//! let row = change.after.as_ref().expect("a row");
//! assert_eq!(row.get("v"), Some(&Json::String("one".into())));
//! # Ok::<(), pgcdc_format::decode::Error>(())
//! ```
//!
//! Reading order: `change` is the result and `decoder` the entry, which tells an `envelope` from a row alone. `scan` reads
//! JSON text, `json` and `parse` borrowed values, `row` rows, `semantic` the meaning that a schema gives them; `memory`
//! recognises a schema by its bytes; `instant` reads times and decimals, and `sequence` the order of transactions.
//!
//! Source: Debezium's documentation of the PostgreSQL connector, "Data change events", and "New Record State Extraction";
//! recordings of Debezium 3.7 (`decode/golden.jsonl`).

mod change;
mod decoder;
mod envelope;
mod error;
mod instant;
mod json;
mod memory;
mod parse;
mod row;
mod scan;
mod semantic;
mod sequence;
#[cfg(test)]
mod tests;

pub use change::{Change, Form, Source};
pub use decoder::Decoder;
pub use error::Error;
pub use instant::{Decimal, date_days, instant_us, iso_instant_us, time_of_day_ns};
pub use json::Json;
pub use row::{Field, Placeholder, Row};
pub use semantic::{FieldSchema, RowSchema, Semantic, Unit};
pub use sequence::Sequence;
