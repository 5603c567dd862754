//! Kafka's `Flatten`: the fields of nested structs become fields of the outermost struct.
//!
//! Classes: `org.apache.kafka.connect.transforms.Flatten$Key` and `…Flatten$Value`.
//!
//! | option | default | meaning |
//! |---|---|---|
//! | `delimiter` | `.` | the text between the names of a path |
//!
//! Arrays stay as they are. A nested map is an error in a record with a schema; in a record without one it is flattened,
//! and a struct is the error. A null key or value passes, so a tombstone does.
//!
//! Where a nested struct is null, each of its fields is null: every field below an optional struct becomes optional. A
//! default of the struct is handed down to its fields. Two paths that give the same name are an error.
//!
//! ```
//! use pgcdc_transform::try_on;
//!
//! let flatten = "type=org.apache.kafka.connect.transforms.Flatten$Value
//!                delimiter=_";
//! let before = r#"{"value":{"id":7,"address":{"city":"Oslo","geo":{"x":1}},"tags":["a"]}}"#;
//! let after = r#"{"value":{"id":7,"address_city":"Oslo","address_geo_x":1,"tags":["a"]}}"#;
//! assert_eq!(try_on(flatten, before), after);
//! ```

use super::transform::{Built, Outcome, Transform, map_put, require_map, require_struct};
use crate::Fault;
use crate::cache::Recent;
use crate::data::{Kind, Record, Schema, SchemaBuilder, Side, Struct, Value};
use crate::options::Options;

const PURPOSE: &str = "flattening";

/// The transform with its flattened schemas.
#[derive(Debug)]
struct Flatten {
    side: Side,
    delimiter: String,
    schemas: Recent<Schema, Schema>,
}

pub(super) fn build(side: Side, options: &mut Options<'_>) -> Built {
    let delimiter = options.text("delimiter").unwrap_or(".").to_owned();
    Some(Box::new(Flatten { side, delimiter, schemas: Recent::new(16) }))
}

impl Transform for Flatten {
    fn apply(&mut self, record: Record, _: i64) -> Outcome {
        let value = record.half(self.side);
        if value.is_null() {
            return Ok(Some(record));
        }
        let Some(schema) = record.schema(self.side) else {
            let mut updated = Vec::new();
            self.flatten_map(require_map(value, PURPOSE)?, "", &mut updated)?;
            return Ok(Some(record.with(self.side, None, Value::Map(updated.into()))));
        };
        let old = require_struct(value, PURPOSE)?;
        let updated_schema = match self.schemas.get(schema) {
            Some(known) => known.clone(),
            None => {
                let mut builder = SchemaBuilder::like(schema, Kind::Struct);
                let default = schema.default_value().and_then(Value::as_struct).map(|inner| &**inner);
                self.flatten_schema(schema, "", schema.is_optional(), default, &mut builder)?;
                let updated = builder.build();
                self.schemas.put(schema.clone(), updated.clone());
                updated
            }
        };
        let mut updated = Struct::new(updated_schema.clone())?;
        self.flatten_struct(old, "", &mut updated)?;
        Ok(Some(record.with(self.side, Some(updated_schema), Value::Struct(updated.into()))))
    }
}

impl Flatten {
    /// The name of a field below `prefix`, which is empty at the outermost level.
    fn name(&self, prefix: &str, field: &str) -> String {
        if prefix.is_empty() { field.to_owned() } else { format!("{prefix}{}{field}", self.delimiter) }
    }

    fn unsupported(kind: Kind, name: &str) -> Fault {
        Fault::data(format!(
            "Flatten transformation does not support {kind} for record with schemas (for field {name})."
        ))
    }

    /// Adds the flat fields of a struct's schema. `optional` says whether a struct on the way is optional;
    /// `default_of_parent` is the default of the struct that has these fields.
    fn flatten_schema(
        &self,
        schema: &Schema,
        prefix: &str,
        optional: bool,
        default_of_parent: Option<&Struct>,
        builder: &mut SchemaBuilder,
    ) -> Result<(), Fault> {
        for field in schema.fields_of_struct()? {
            let name = self.name(prefix, &field.name);
            let optional = optional || field.schema.is_optional();
            let inherited = default_of_parent.map(|parent| parent.get(&field.name)).transpose()?;
            let default = field.schema.default_value().or(inherited).filter(|default| !default.is_null());
            match field.schema.kind() {
                Kind::Map => return Err(Self::unsupported(Kind::Map, &name)),
                Kind::Struct => {
                    let default = default.and_then(Value::as_struct).map(|inner| &**inner);
                    self.flatten_schema(&field.schema, &name, optional, default, builder)?;
                }
                _ => {
                    let mut inner = SchemaBuilder::same_kind(&field.schema).optional_if(optional);
                    if let Some(default) = default {
                        inner = inner.default_value(default.clone())?;
                    }
                    builder.add_field(name.into(), inner.build())?;
                }
            }
        }
        Ok(())
    }

    /// Copies a struct's values into the flat struct. Fields below a null struct stay null.
    fn flatten_struct(&self, from: &Struct, prefix: &str, to: &mut Struct) -> Result<(), Fault> {
        for (at, field) in from.schema().fields().iter().enumerate() {
            let name = self.name(prefix, &field.name);
            match field.schema.kind() {
                Kind::Map => return Err(Self::unsupported(Kind::Map, &name)),
                Kind::Struct => {
                    if let Value::Struct(inner) = &from.values()[at] {
                        self.flatten_struct(inner, &name, to)?;
                    }
                }
                _ => to.put(&name, from.at(at).clone())?,
            }
        }
        Ok(())
    }

    /// The same for a record without a schema. A later path overwrites an earlier one of the same name.
    fn flatten_map(
        &self,
        from: &[(Value, Value)],
        prefix: &str,
        to: &mut Vec<(Value, Value)>,
    ) -> Result<(), Fault> {
        for (key, value) in from {
            let name = self.name(prefix, key.as_str().unwrap_or_default());
            match value {
                Value::Map(inner) => self.flatten_map(inner, &name, to)?,
                Value::Struct(_) => {
                    return Err(Fault::data(format!(
                        "Flatten transformation does not support class {} for record without schemas (for field {name}).",
                        value.class()
                    )));
                }
                other => map_put(to, &name, other.clone()),
            }
        }
        Ok(())
    }
}
