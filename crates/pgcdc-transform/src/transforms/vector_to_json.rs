//! Debezium's `VectorToJsonConverter`: columns of pgvector as JSON texts.
//!
//! Class: `io.debezium.transforms.VectorToJsonConverter`. It has no options.
//!
//! | schema | column | text |
//! |---|---|---|
//! | `io.debezium.data.DoubleVector` | `vector` | `{ "values": [1.0, 2.0] }` |
//! | `io.debezium.data.FloatVector` | `halfvec` | `{ "values": [1.0, 2.0] }` |
//! | `io.debezium.data.SparseDoubleVector` | `sparsevec` | `{ "dimensions": 3, "vector": { "1": 1.0 } }` |
//!
//! The new field has the schema `io.debezium.data.Json`. Nested structs are searched, so change events and rows both work.
//! Null and tombstones pass. A value that is no struct is an error.
//!
//! The entries of a sparse vector are in the order of their dimensions.
//!
//! ```
//! use pgcdc_transform::try_on;
//!
//! let before = r#"{
//!     "value": {"id":7,"embedding":[1.0,0.5]},
//!     "types": {"embedding":"io.debezium.data.DoubleVector"}
//! }"#;
//! assert_eq!(
//!     try_on("type=io.debezium.transforms.VectorToJsonConverter", before),
//!     r#"{"value":{"id":7,"embedding":"{ \"values\": [1.0, 0.5] }"}}"#
//! );
//! ```

use super::transform::{Built, Outcome, Transform, require_struct};
use crate::cache::Recent;
use crate::data::{Kind, Record, Schema, SchemaBuilder, Side, Struct, Value};
use crate::{Fault, java};

/// The new schemas by the old ones.
#[derive(Debug)]
struct VectorToJson {
    schemas: Recent<Schema, Schema>,
}

pub(super) fn build() -> Built {
    Some(Box::new(VectorToJson { schemas: Recent::new(64) }))
}

impl Transform for VectorToJson {
    fn keeps_headers(&self) -> bool {
        true
    }

    fn apply(&mut self, record: Record, _: i64) -> Outcome {
        if record.value.is_null() {
            return Ok(Some(record));
        }
        let value = require_struct(&record.value, "Value should be a struct")?;
        let schema = self.schemas.get_or(value.schema(), || schema_of(value.schema()))?;
        let updated = converted(value, &schema)?;
        Ok(Some(record.with(Side::Value, Some(schema), Value::Struct(updated.into()))))
    }
}

/// True for a dense vector, false for a sparse one, `None` for any other schema.
fn is_dense(schema: &Schema) -> Option<bool> {
    match schema.name()? {
        "io.debezium.data.DoubleVector" | "io.debezium.data.FloatVector" => Some(true),
        "io.debezium.data.SparseDoubleVector" => Some(false),
        _ => None,
    }
}

/// The schema with each vector's field as JSON text.
fn schema_of(old: &Schema) -> Result<Schema, Fault> {
    let mut builder = SchemaBuilder::same_kind(old).optional_if(old.is_optional());
    for field in old.fields() {
        let schema = match is_dense(&field.schema) {
            Some(_) => SchemaBuilder::new(Kind::String)
                .named("io.debezium.data.Json")
                .version(1)
                .optional_if(field.schema.is_optional())
                .build(),
            None if field.schema.kind() == Kind::Struct => schema_of(&field.schema)?,
            None => field.schema.clone(),
        };
        builder.add_field(field.name.clone(), schema)?;
    }
    Ok(builder.build())
}

fn converted(old: &Struct, schema: &Schema) -> Result<Struct, Fault> {
    let mut new = Struct::new(schema.clone())?;
    for (at, field) in old.schema().fields().iter().enumerate() {
        let value = match (is_dense(&field.schema), old.at(at)) {
            (Some(true), Value::Array(items)) => {
                let items: Vec<String> = items.iter().map(java::show).collect();
                Value::text(&format!("{{ \"values\": [{}] }}", items.join(", ")))
            }
            (Some(false), Value::Struct(sparse)) => Value::text(&sparse_text(sparse)?),
            (None, Value::Struct(inner)) => {
                Value::Struct(converted(inner, &schema.fields()[at].schema)?.into())
            }
            (_, other) => other.clone(),
        };
        new.put_at(at, value)?;
    }
    Ok(new)
}

/// A sparse vector as JSON text, by its dimensions in order.
fn sparse_text(sparse: &Struct) -> Result<String, Fault> {
    let mut entries: Vec<(i16, String)> = Vec::new();
    if let Value::Map(map) = sparse.typed("vector", Kind::Map)? {
        for (key, value) in map.iter() {
            if let Value::Int16(key) = key {
                entries.push((*key, format!("\"{key}\": {}", java::show(value))));
            }
        }
    }
    entries.sort_by_key(|(key, _)| *key);
    let entries: Vec<String> = entries.into_iter().map(|(_, text)| text).collect();
    let dimensions = java::show(sparse.typed("dimensions", Kind::Int16)?);
    Ok(format!("{{ \"dimensions\": {dimensions}, \"vector\": {{ {} }} }}", entries.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sparse_vector_is_an_object_in_the_order_of_its_dimensions() {
        let plain = |kind| Schema::plain(kind, false);
        let schema = SchemaBuilder::new(Kind::Struct)
            .named("io.debezium.data.SparseDoubleVector")
            .field("dimensions", plain(Kind::Int16))
            .and_then(|b| {
                b.field("vector", SchemaBuilder::map(plain(Kind::Int16), plain(Kind::Float64)).build())
            })
            .expect("two fields")
            .build();
        let mut sparse = Struct::new(schema).expect("a struct");
        sparse.put("dimensions", Value::Int16(25)).expect("a number");
        let entries = [(10, 2.0), (9, 0.5)].map(|(at, x)| (Value::Int16(at), Value::Float64(x)));
        sparse.put("vector", Value::Map(entries.to_vec().into())).expect("a map");
        assert_eq!(
            sparse_text(&sparse).expect("text"),
            r#"{ "dimensions": 25, "vector": { "9": 0.5, "10": 2.0 } }"#
        );
    }
}
