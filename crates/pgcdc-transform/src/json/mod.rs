//! Kafka Connect's `JsonConverter`, both ways.
//!
//! Reading: `scan` is the text, `tree` JSON without types, `typed` values from trees, `schema` schemas, `read` the whole.
//! Writing: `payload` is values, `schema` schemas, `write` the whole.

mod payload;
mod read;
mod scan;
mod schema;
mod tree;
mod typed;
mod write;

pub use payload::DecimalFormat;
pub use read::JsonReader;
pub use tree::Json;
pub(crate) use tree::number_kind;
pub(crate) use typed::tree_to_value;
pub use write::JsonWriter;
