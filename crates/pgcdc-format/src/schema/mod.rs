//! Kafka Connect's schemas: the `"schema"` beside a `"payload"` in Connect's JSON.
//!
//! | key | when | holds |
//! |---|---|---|
//! | `type` | always | `int8` … `int64`, `float`, `double`, `boolean`, `string`, `bytes`, `array`, `map`, `struct` |
//! | `items` | array | the schema of an element |
//! | `keys`, `values` | map | the schemas of an entry's two halves |
//! | `fields` | struct | a list of schemas, each with its `field` |
//! | `optional` | always | whether null is allowed |
//! | `name`, `version` | where set | the logical type, or the name of a row, key or envelope |
//! | `doc`, `parameters` | where set | documentation; texts by name, such as a decimal's `scale` |
//! | `default` | where set | a value in the payload's form |
//! | `field` | in a struct | the field's name |
//!
//! Connect writes the keys in this order, and so does this module.
//!
//! `model` is a schema that is built once for a table and rendered. `pgcdc-transform` has a model of its own for schemas of
//! records under way, which are shared, hashed and compared for each record. Both have their types and logical types from
//! `types`, and their JSON from `json`.
//!
//! Source: the `JsonConverter` of Apache Kafka Connect, `asJsonSchema`.

mod json;
mod model;
mod types;

pub use json::{Attributes, append_type};
pub use model::{Kind, Schema};
pub use types::{Logical, Type};
