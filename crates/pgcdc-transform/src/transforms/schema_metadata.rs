//! Kafka's `SetSchemaMetadata`: gives the schema of a struct another name, another version, or both.
//!
//! Classes: `org.apache.kafka.connect.transforms.SetSchemaMetadata$Key` and `…SetSchemaMetadata$Value`.
//!
//! | option | default | meaning |
//! |---|---|---|
//! | `schema.name` | as it is | the new name |
//! | `schema.version` | as it is | the new version, a number |
//! | `replace.null.with.default` | `true` | whether null fields of the record are replaced by their defaults |
//!
//! At least one of the first two is needed. It is of use with Avro, where the name becomes the record's name in the
//! registry. A schema that is not a struct's is an error; a value without a schema is one, too, unless it is null.
//!
//! The name decides what later transforms see: only a value whose schema ends in `.Envelope` is a change event.
//!
//! ```
//! use pgcdc_transform::try_on;
//!
//! let renamed = "type=org.apache.kafka.connect.transforms.SetSchemaMetadata$Value
//!                schema.name=com.example.Order";
//! let update = r#"{"event":{"op":"u","before":null,"after":{"id":7}}}"#;
//! let after = r#"{"value":{"before":null,"after":{"id":7},"op":"u"}}"#;
//! assert_eq!(try_on(renamed, update), after, "it is no change event any more");
//! ```

use super::transform::{Built, Outcome, REPLACE_NULL, Transform};
use crate::Fault;
use crate::cache::Recent;
use crate::data::{Record, Schema, SchemaBuilder, Side, Struct, Value};
use crate::options::Options;

/// The new name and version.
#[derive(Debug)]
struct SetSchemaMetadata {
    side: Side,
    name: Option<String>,
    version: Option<i32>,
    default_for_null: bool,
    schemas: Recent<Schema, Schema>,
}

pub(super) fn build(side: Side, options: &mut Options<'_>) -> Built {
    let name = options.text("schema.name").map(str::to_owned);
    let version = options.integer("schema.version");
    let default_for_null = options.boolean(REPLACE_NULL, true);
    if name.is_none() && version.is_none() && !options.is_wrong() {
        options.problem("type", "Neither schema name nor version configured");
        return None;
    }
    Some(Box::new(SetSchemaMetadata { side, name, version, default_for_null, schemas: Recent::new(16) }))
}

impl Transform for SetSchemaMetadata {
    fn apply(&mut self, record: Record, _: i64) -> Outcome {
        let value = record.half(self.side);
        let Some(schema) = record.schema(self.side) else {
            if value.is_null() {
                return Ok(Some(record));
            }
            return Err(Fault::data("Schema required for [updating schema metadata]"));
        };
        let updated_schema = self.schemas.get_or(schema, || {
            schema.fields_of_struct()?;
            let mut builder = SchemaBuilder::of(schema);
            if let Some(name) = &self.name {
                builder = builder.named(name);
            }
            if let Some(version) = self.version {
                builder = builder.version(version);
            }
            Ok::<_, Fault>(builder.build())
        })?;
        let updated = match value {
            Value::Struct(old) => {
                let mut updated = Struct::new(updated_schema.clone())?;
                for at in 0..old.values().len() {
                    updated.put_at(at, old.at_with(at, self.default_for_null).clone())?;
                }
                Value::Struct(updated.into())
            }
            other => other.clone(),
        };
        Ok(Some(record.with(self.side, Some(updated_schema), updated)))
    }
}
