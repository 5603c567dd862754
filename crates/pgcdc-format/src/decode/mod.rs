//! Bytes of a Kafka record to a change: the way back from Debezium's JSON, for sinks.
//!
//! The known forms are the envelope (`before`, `after`, `source`, `op`) and the row alone, as
//! `io.debezium.transforms.ExtractNewRecordState` leaves it, each with and without Connect's
//! `{"schema":…,"payload":…}` around it, and tombstones. Values are borrowed from the record; a
//! schema is parsed once and recognised by its bytes from then on.
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
//! Reading order: `change` is the result and `decoder` the entry. `scan` reads JSON text, `json` and `parse` borrowed values, `row` rows,
//! `semantic` the meaning that a schema gives them; `memory` recognises a schema by its bytes.

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
