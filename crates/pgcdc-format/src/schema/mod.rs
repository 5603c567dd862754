//! Kafka Connect's schemas: the `"schema"` beside a `"payload"` in Connect's JSON.
//!
//! `model` is a schema that is built once for a table and rendered. `pgcdc-transform` has a model of its own for schemas of
//! records under way, which are shared, hashed and compared for each record. Both have their types and logical types from
//! `types`, and their JSON from `json`. Source: the `JsonConverter` of Apache Kafka Connect, `asJsonSchema`.

mod json;
mod model;
mod types;

pub use json::{Attributes, append_type};
pub use model::{Kind, Schema};
pub use types::{Logical, Type};
