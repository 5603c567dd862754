//! Turns the JSON text of a column into Connect data, with a schema derived from the text: Debezium's `JsonSchemaData`.
//!
//! | JSON | schema |
//! |---|---|
//! | text, `true`, `false` | `string`, `boolean` |
//! | a number without point or exponent | `int32`, or `int64` where it needs more bits |
//! | any other number | `double` |
//! | an object | a struct; nested structs are named by their path |
//! | an array | an array of the items' schema; objects of different shapes are merged into one struct |
//! | `null`, `[]` | left out, unless the options say otherwise |
//!
//! All fields are optional. An array whose items have different types is an error, and numbers of different types are
//! different, too: `[1, 2.5]` is refused, as in Debezium. The callers then leave the text as it is, or fail.

use std::mem::discriminant;
use std::sync::Arc;

use crate::Fault;
use crate::data::{Decimal, Kind, Schema, SchemaBuilder, Struct, Value};
use crate::json::{Json, number_kind};
use pgcdc_format::names::NameAdjustment;

/// How JSON that has no counterpart in a schema is treated.
#[derive(Clone, Copy, Debug)]
pub(super) struct JsonPayload {
    /// Whether null becomes a field of optional bytes; else no field.
    pub(super) null_as_bytes: bool,
    /// Whether an empty array becomes an array of optional strings; else no field.
    pub(super) empty_as_strings: bool,
    /// `field.name.adjustment.mode`.
    pub(super) adjustment: NameAdjustment,
}

impl JsonPayload {
    /// The schema of a value; `None` for a value that is left out.
    pub(super) fn schema(self, name: Option<&str>, json: &Json) -> Result<Option<Schema>, Fault> {
        let plain = |kind: Kind| Ok(Some(Schema::plain(kind, true)));
        match json {
            Json::String(_) => plain(Kind::String),
            Json::Bool(_) => plain(Kind::Boolean),
            Json::Number(digits) => plain(number_kind(digits)),
            Json::Null if self.null_as_bytes => plain(Kind::Bytes),
            Json::Null => Ok(None),
            Json::Array(items) if items.is_empty() => Ok(self
                .empty_as_strings
                .then(|| SchemaBuilder::array(Schema::plain(Kind::String, true)).optional().build())),
            Json::Array(items) => {
                let items = self.items_schema(name, items)?;
                Ok(Some(SchemaBuilder::array(items).optional().build()))
            }
            Json::Object(entries) => {
                let mut builder = SchemaBuilder::new(Kind::Struct).optional();
                if let Some(name) = name {
                    builder = builder.named(name);
                }
                for (key, value) in entries {
                    let field = self.adjustment.field(key);
                    let path = match name.filter(|name| !name.trim().is_empty()) {
                        None => field.clone(),
                        Some(name) => format!("{name}.{field}"),
                    };
                    if let Some(schema) = self.schema(Some(&path), value)?
                        && !builder.has_field(&field)
                    {
                        builder.add_field(field.into(), schema)?;
                    }
                }
                Ok(Some(builder.build()))
            }
        }
    }

    /// The schema of an array's items. Objects are merged: a field is there when one of them has it.
    fn items_schema(self, name: Option<&str>, items: &[Json]) -> Result<Schema, Fault> {
        let sample = self.sample(items)?;
        if !matches!(sample, Json::Object(_)) {
            let schema = self.schema(None, sample)?;
            return schema.ok_or_else(|| Fault::connect("Array '' has unrecognized member schema."));
        }
        let mut merged: Option<Schema> = None;
        let mut seen: Vec<Schema> = Vec::new();
        for item in items.iter().filter(|item| matches!(item, Json::Object(_))) {
            let Some(schema) = self.schema(name, item)? else { continue };
            if seen.contains(&schema) {
                continue;
            }
            merged = Some(match merged {
                None => schema.clone(),
                Some(left) => merge(&left, &schema)?,
            });
            seen.push(schema);
        }
        merged.ok_or_else(|| Fault::connect("Array '' has unrecognized member schema."))
    }

    /// The first item that is not null, when all the others are of its type.
    fn sample(self, items: &[Json]) -> Result<&Json, Fault> {
        let mut found = &Json::Null;
        for item in items.iter().filter(|item| **item != Json::Null) {
            if *found == Json::Null {
                found = item;
            }
            let same_number = match (found, item) {
                (Json::Number(a), Json::Number(b)) => number_kind(a) == number_kind(b),
                _ => true,
            };
            if discriminant(found) != discriminant(item) || !same_number {
                return Err(Fault::connect("Field is not a homogenous array"));
            }
        }
        Ok(found)
    }

    /// A value of a struct's schema.
    pub(super) fn value(self, json: &Json, schema: &Schema) -> Result<Value, Fault> {
        let mut inner = Struct::new(schema.clone())?;
        for (at, field) in schema.fields().iter().enumerate() {
            if let Some(json) = json.get(&field.name) {
                inner.put_at(at, self.field_value(json, &field.schema)?)?;
            }
        }
        Ok(Value::Struct(inner.into()))
    }

    /// One value. The schema matters only for arrays and objects; a number has the type that its digits have.
    fn field_value(self, json: &Json, schema: &Schema) -> Result<Value, Fault> {
        Ok(match json {
            Json::Null => Value::Null,
            Json::Bool(value) => Value::Boolean(*value),
            Json::String(text) => Value::String(Arc::clone(text)),
            Json::Number(digits) => number(digits),
            Json::Array(items) => {
                let of = schema.value_schema();
                let of = of.ok_or_else(|| {
                    Fault::data("Cannot look up value schema on non-array and non-map type")
                })?;
                let items: Result<Vec<_>, _> = items.iter().map(|item| self.field_value(item, of)).collect();
                Value::Array(items?.into())
            }
            Json::Object(_) => self.value(json, schema)?,
        })
    }
}

/// A number's value. Digits that need more than 64 bits become a `Decimal`, which the `double` of their schema does not
/// allow; Debezium fails in the same way.
fn number(digits: &str) -> Value {
    if let Ok(number) = digits.parse() {
        return Value::Int32(number);
    }
    if let Ok(number) = digits.parse() {
        return Value::Int64(number);
    }
    if digits.contains(['.', 'e', 'E']) {
        return Value::Float64(digits.parse().unwrap_or(f64::NAN));
    }
    Decimal::parse(digits).map_or(Value::Null, |decimal| Value::Decimal(decimal.into()))
}

/// The fields of both. Where a field is bytes (from a null) on the left, the right one wins.
fn merge(left: &Schema, right: &Schema) -> Result<Schema, Fault> {
    let mut fields: Vec<(Arc<str>, Schema)> =
        left.fields().iter().map(|field| (Arc::clone(&field.name), field.schema.clone())).collect();
    for field in right.fields() {
        match fields.iter_mut().find(|(name, _)| *name == field.name) {
            None => fields.push((Arc::clone(&field.name), field.schema.clone())),
            Some((_, known)) => {
                if known.kind() == Kind::Bytes && field.schema.kind() != Kind::Bytes {
                    *known = field.schema.clone();
                }
            }
        }
    }
    let mut builder = SchemaBuilder::same_kind(left);
    for (name, schema) in fields {
        builder.add_field(name, schema)?;
    }
    Ok(builder.build())
}
