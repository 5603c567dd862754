//! The way from Connect's JSON form of a schema back to a [`Schema`].
//!
//! Schemas are rendered as JSON in one place only (`envelope/schemas.rs`, `envelope/key.rs`, `envelope/flat`). Avro reads them
//! from there, so that both forms cannot differ.

use serde_json::Value;

use super::AvroError;
use crate::java::{append_f32, append_f64};
use crate::schema::{Kind, Schema, Type};

/// Reads a Connect schema from the JSON form that `JsonConverter` gives it. Keys that it does not know are ignored, and so is a
/// name without characters.
///
/// # Errors
/// When the JSON does not have that form: `type` is missing or unknown, or a part that the type needs is missing.
///
/// ```
/// use pgcdc_format::avro::read_schema;
/// use pgcdc_format::schema::Schema;
///
/// let json = serde_json::json!({"type": "string", "optional": true, "name": "io.debezium.data.Json", "version": 1});
/// assert_eq!(read_schema(&json)?, Schema::string().optional().named("io.debezium.data.Json", 1));
/// assert!(read_schema(&serde_json::json!({"type": "array"})).is_err(), "an array needs items");
/// # Ok::<(), pgcdc_format::avro::AvroError>(())
/// ```
pub fn read_schema(json: &Value) -> Result<Schema, AvroError> {
    let bad = AvroError::Schema;
    let word = json.get("type").and_then(Value::as_str).ok_or(bad("its type is missing"))?;
    let part =
        |name: &str| json.get(name).ok_or(bad("its items, keys or values are missing")).and_then(read_schema);
    let kind = match Type::from_word(word).ok_or(bad("its type is not one of Connect's"))? {
        Type::Int8 => Kind::Int8,
        Type::Int16 => Kind::Int16,
        Type::Int32 => Kind::Int32,
        Type::Int64 => Kind::Int64,
        Type::Float32 => Kind::Float32,
        Type::Float64 => Kind::Float64,
        Type::Boolean => Kind::Boolean,
        Type::String => Kind::String,
        Type::Bytes => Kind::Bytes,
        Type::Array => Kind::Array(Box::new(part("items")?)),
        Type::Map => Kind::Map(Box::new(part("keys")?), Box::new(part("values")?)),
        Type::Struct => {
            let fields = json.get("fields").and_then(Value::as_array).ok_or(bad("a struct has no fields"))?;
            let field = |field: &Value| {
                let name = field.get("field").and_then(Value::as_str).ok_or(bad("a field has no name"))?;
                Ok((name.into(), read_schema(field)?))
            };
            Kind::Struct(fields.iter().map(field).collect::<Result<_, _>>()?)
        }
    };
    let text = |name: &str| json.get(name).and_then(Value::as_str).map(Into::into);
    let parameters = json.get("parameters").and_then(Value::as_object).map(|parameters| {
        let pair = |(key, value): (&String, &Value)| Some((key.as_str().into(), value.as_str()?.into()));
        parameters.iter().filter_map(pair).collect()
    });
    Ok(Schema {
        default: json.get("default").map(|value| default_text(value, &kind).into()),
        kind,
        optional: json.get("optional") == Some(&Value::Bool(true)),
        name: json.get("name").and_then(Value::as_str).filter(|name| !name.is_empty()).map(Into::into),
        version: json.get("version").and_then(Value::as_i64).and_then(|version| version.try_into().ok()),
        doc: text("doc"),
        parameters: parameters.unwrap_or_default(),
    })
}

/// The default as JSON text. Floating point numbers are written as Java writes them, since `AvroData` copies Java's text.
fn default_text(value: &Value, kind: &Kind) -> String {
    let mut out = Vec::new();
    match (kind, value) {
        (Kind::Float32, Value::Number(number)) => append_f32(number.as_f64().unwrap_or(0.0) as f32, &mut out),
        (Kind::Float64, Value::Number(number)) => append_f64(number.as_f64().unwrap_or(0.0), &mut out),
        _ => return value.to_string(),
    }
    String::from_utf8(out).unwrap_or_default()
}
