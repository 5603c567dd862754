//! The flattened form: `io.debezium.transforms.ExtractNewRecordState`, compiled into the encoder.
//!
//! The transform runs on every record in most installations. Compiled, it costs nothing: the row is written once, in its
//! final form. Source: Debezium's documentation, "New Record State Extraction".

mod added;
mod options;
mod origin;
mod plan;

pub use options::{AddField, DeleteHandling, FieldSection, Unwrap};
pub(super) use plan::FlatPlan;
