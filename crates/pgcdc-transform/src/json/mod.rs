//! Kafka Connect's `JsonConverter`, both ways.

mod read;
mod scan;
mod schema;
mod tree;
mod write;

pub use read::JsonReader;
pub use tree::Json;
pub use write::{DecimalFormat, JsonWriter};
