//! Java's own ways that show in records: how it writes floating point numbers, in which order it lists a map, how it makes a
//! UUID of a name.
//!
//! Debezium and Connect leave these to Java's library, so records that must be the same byte for byte follow its source.

mod digits;
mod float;
mod order;
mod uuid;

pub(crate) use digits::Digits;
pub use float::{append_f32, append_f64};
pub(crate) use order::{java_hash, java_order};
pub(crate) use uuid::name_uuid;
