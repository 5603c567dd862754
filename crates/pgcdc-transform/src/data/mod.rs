//! Connect's data model: a record, its schemas and its values.
//!
//! Everything that is large is behind an `Arc`: a transform copies what it keeps and shares the rest.

mod build;
mod decimal;
mod record;
mod schema;
mod structs;
mod validate;
mod value;

pub use build::SchemaBuilder;
pub use decimal::Decimal;
pub use pgcdc_format::schema::{Logical, Type as Kind};
pub use record::{Header, Headers, Record, Side};
pub use schema::{Field, Parameters, Schema};
pub use structs::Struct;
pub use validate::validate;
pub use value::Value;
