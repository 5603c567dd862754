//! The flattened form: `io.debezium.transforms.ExtractNewRecordState`, compiled into the encoder.
//!
//! | change | value |
//! |---|---|
//! | create, update, read | the new row, with `add.fields` behind it |
//! | delete | what `delete.tombstone.handling.mode` says: see [`DeleteHandling`] |
//! | truncate | no record |
//!
//! The transform runs on every record in most installations. Compiled, it costs nothing: the row is written once, in its final
//! form. A configuration that goes beyond this module (a whole block as a field, a column as a header, a predicate) is done by
//! `pgcdc-transform` on finished records.
//!
//! Source: Debezium's documentation, "New Record State Extraction".

mod added;
mod options;
mod origin;
mod plan;

pub use options::{AddField, DeleteHandling, FieldSection, Unwrap};
pub(super) use plan::FlatPlan;
