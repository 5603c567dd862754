use super::{Built, Outcome, Transform, map_put, require_map, require_struct};
use crate::Fault;
use crate::cache::Recent;
use crate::data::{Kind, Record, Schema, SchemaBuilder, Side, Struct, Value};
use crate::options::Options;

const PURPOSE: &str = "flattening";

/// Kafka's `Flatten`: the fields of nested structs become fields of the outer one.
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
    fn name(&self, prefix: &str, field: &str) -> String {
        if prefix.is_empty() { field.to_owned() } else { format!("{prefix}{}{field}", self.delimiter) }
    }

    fn unsupported(kind: Kind, name: &str) -> Fault {
        Fault::data(format!(
            "Flatten transformation does not support {kind} for record with schemas (for field {name})."
        ))
    }

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
