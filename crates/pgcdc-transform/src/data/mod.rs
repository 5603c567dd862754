//! Connect's data model: a record, its schemas and its values.
//!
//! Everything that is large is behind an `Arc`: a transform copies what it keeps and shares the rest. A value knows its
//! type, and a [`Struct`] its schema; all other values take their schema from the field or the record that holds them.
//!
//! ```
//! use pgcdc_transform::data::{Kind, Schema, SchemaBuilder, Struct, Value};
//!
//! let schema = SchemaBuilder::new(Kind::Struct)
//!     .field("id", Schema::plain(Kind::Int32, false))?
//!     .field("note", SchemaBuilder::new(Kind::String).optional().default_value(Value::text("none"))?.build())?
//!     .build();
//! let mut row = Struct::new(schema)?;
//! row.put("id", Value::Int32(7))?;
//! assert_eq!(row.raw("note")?, &Value::Null);
//! assert_eq!(row.get("note")?, &Value::text("none"), "null is read as the default");
//! assert!(row.put("id", Value::Int64(7)).is_err(), "the field has 32 bits");
//! # Ok::<(), pgcdc_transform::Fault>(())
//! ```

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
