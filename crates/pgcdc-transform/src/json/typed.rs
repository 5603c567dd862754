//! Values from JSON trees: with a schema, and without one.
//!
//! Most values are read straight from the text (`read`). A tree is needed for a schema's default, for logical types, for
//! maps whose keys are no texts, and for a payload without a schema.
//!
//! | schema | JSON |
//! |---|---|
//! | `Decimal` | base64 of the unscaled bytes, or a number (`decimal.format=numeric`) |
//! | `Date` | days since 1970 |
//! | `Time` | milliseconds of the day |
//! | `Timestamp` | milliseconds since 1970 |
//! | `bytes` | base64 |
//! | `float`, `double` | a number, or `"NaN"`, `"Infinity"`, `"-Infinity"` |

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::tree::Json;
use crate::Fault;
use crate::data::{Decimal, Kind, Logical, Schema, Struct, Value};

/// The error of a value that its schema does not allow.
fn bad(schema: &Schema) -> Fault {
    Fault::data(format!("a value that is not of its schema {schema}"))
}

/// Null as a value of a schema. It stays null even where the schema has a default; whoever wants the default asks for it.
///
/// # Errors
/// When the schema is required and has no default.
pub(super) fn null(schema: &Schema) -> Result<Value, Fault> {
    if schema.is_optional() || schema.default_value().is_some() {
        return Ok(Value::Null);
    }
    Err(Fault::data(format!("Invalid null value for required {} field", schema.kind())))
}

/// A tree as a value of a schema.
///
/// # Errors
/// When the JSON is of another kind than the schema, or its number does not fit.
pub(crate) fn tree_to_value(schema: &Schema, json: &Json) -> Result<Value, Fault> {
    if *json == Json::Null {
        return null(schema);
    }
    match schema.logical() {
        Some(logical) => logical_value(logical, schema, json),
        None => match schema.kind() {
            Kind::Array => array(schema, json),
            Kind::Map => map(schema, json),
            Kind::Struct => structure(schema, json),
            _ => scalar(schema, json),
        },
    }
}

/// A value of one of Connect's logical types.
fn logical_value(logical: Logical, schema: &Schema, json: &Json) -> Result<Value, Fault> {
    let bad = || bad(schema);
    match (logical, json) {
        (Logical::Decimal, Json::Number(digits)) => {
            Decimal::parse(digits).map(|d| Value::Decimal(d.into())).ok_or_else(bad)
        }
        (Logical::Decimal, Json::String(text)) => {
            let scale = schema.parameter("scale").and_then(|s| s.parse().ok());
            let scale = scale.ok_or_else(|| Fault::data("Invalid bytes for Decimal field"))?;
            let bytes = STANDARD.decode(&**text);
            let bytes = bytes.map_err(|_| Fault::data("Invalid bytes for Decimal field"))?;
            Ok(Value::Decimal(Decimal::from_bytes(&bytes, scale).into()))
        }
        (Logical::Date, Json::Number(digits)) => {
            let days = digits.parse::<i64>().map_err(|_| bad())?;
            Ok(Value::Date(days.wrapping_mul(86_400_000)))
        }
        (Logical::Time | Logical::Timestamp, Json::Number(digits)) => {
            digits.parse().map(Value::Date).map_err(|_| bad())
        }
        _ => Err(bad()),
    }
}

fn scalar(schema: &Schema, json: &Json) -> Result<Value, Fault> {
    let bad = || bad(schema);
    match (schema.kind(), json) {
        (Kind::Boolean, Json::Bool(value)) => Ok(Value::Boolean(*value)),
        (Kind::Int8, Json::Number(n)) => n.parse().map(Value::Int8).map_err(|_| bad()),
        (Kind::Int16, Json::Number(n)) => n.parse().map(Value::Int16).map_err(|_| bad()),
        (Kind::Int32, Json::Number(n)) => n.parse().map(Value::Int32).map_err(|_| bad()),
        (Kind::Int64, Json::Number(n)) => n.parse().map(Value::Int64).map_err(|_| bad()),
        (Kind::Float32, Json::Number(n)) => n.parse().map(Value::Float32).map_err(|_| bad()),
        (Kind::Float64, Json::Number(n)) => n.parse().map(Value::Float64).map_err(|_| bad()),
        (Kind::Float32, Json::String(word)) => {
            special(word).map(|f| Value::Float32(f as f32)).ok_or_else(bad)
        }
        (Kind::Float64, Json::String(word)) => special(word).map(Value::Float64).ok_or_else(bad),
        (Kind::String, Json::String(text)) => Ok(Value::String(Arc::clone(text))),
        (Kind::Bytes, Json::String(text)) => {
            let bytes = STANDARD.decode(&**text).map_err(|_| Fault::data("Invalid bytes field"))?;
            Ok(Value::Bytes(bytes.into()))
        }
        _ => Err(bad()),
    }
}

fn array(schema: &Schema, json: &Json) -> Result<Value, Fault> {
    let (Json::Array(items), Some(of)) = (json, schema.value_schema()) else { return Err(bad(schema)) };
    let items: Result<Vec<_>, _> = items.iter().map(|item| tree_to_value(of, item)).collect();
    Ok(Value::Array(items?.into()))
}

/// A map is an object, or a list of pairs where its keys are no texts.
fn map(schema: &Schema, json: &Json) -> Result<Value, Fault> {
    let values = schema.value_schema().ok_or_else(|| bad(schema))?;
    match json {
        Json::Object(entries) => {
            let entry = |(key, value): &(Arc<str>, Json)| {
                tree_to_value(values, value).map(|value| (Value::String(Arc::clone(key)), value))
            };
            Ok(Value::Map(entries.iter().map(entry).collect::<Result<Vec<_>, _>>()?.into()))
        }
        Json::Array(pairs) => {
            let keys = schema.key_schema().ok_or_else(|| bad(schema))?;
            let mut entries = Vec::with_capacity(pairs.len());
            for pair in pairs {
                let Json::Array(pair) = pair else { return Err(bad(schema)) };
                let [key, value] = &pair[..] else { return Err(bad(schema)) };
                entries.push((tree_to_value(keys, key)?, tree_to_value(values, value)?));
            }
            Ok(Value::Map(entries.into()))
        }
        _ => Err(bad(schema)),
    }
}

/// A struct. Members of the object that the schema does not have are ignored; fields without a member are null.
fn structure(schema: &Schema, json: &Json) -> Result<Value, Fault> {
    if !matches!(json, Json::Object(_)) {
        return Err(bad(schema));
    }
    let mut inner = Struct::new(schema.clone())?;
    for (at, field) in schema.fields().iter().enumerate() {
        let Some(json) = json.get(&field.name) else { continue };
        let value = tree_to_value(&field.schema, json)?;
        if !value.is_null() {
            inner.put_at(at, value)?;
        }
    }
    Ok(Value::Struct(Arc::new(inner)))
}

/// The special values of floating point numbers, which JSON has as texts.
fn special(word: &str) -> Option<f64> {
    match word {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

/// A tree as a value without a schema: as in Connect, whole numbers have 64 bits and all others are doubles.
pub(super) fn untyped(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Boolean(*value),
        Json::Number(digits) => match digits.parse() {
            Ok(whole) => Value::Int64(whole),
            Err(_) => Value::Float64(digits.parse().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::String(Arc::clone(text)),
        Json::Array(items) => Value::Array(Arc::new(items.iter().map(untyped).collect())),
        Json::Object(entries) => {
            let entry = |(key, value): &(Arc<str>, Json)| (Value::String(Arc::clone(key)), untyped(value));
            Value::Map(Arc::new(entries.iter().map(entry).collect()))
        }
    }
}
