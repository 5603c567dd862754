//! JSON payloads of a Connect schema turned into Avro's binary form.
//!
//! This is the slow way, through a tree of JSON values. It serves heartbeats, transaction records, flattened rows and types that
//! have no writer of their own in `types/avro.rs`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{AvroError, AvroOptions, AvroSchema, Schema, put_bytes, put_long, read_schema};
use crate::java::{java_hash, java_order};
use crate::schema::Kind;

/// Turns JSON payloads of one Connect schema into Avro.
///
/// ```
/// use pgcdc_format::avro::{AvroOptions, Converter};
///
/// let schema = br#"{"type":"struct","fields":[{"type":"int64","optional":false,"field":"ts_ms"}],
///                   "optional":false,"name":"shop.Heartbeat"}"#;
/// let converter = Converter::of_json(schema, &AvroOptions::default())?;
/// let mut binary = Vec::new();
/// assert!(converter.append(br#"{"ts_ms":64}"#, &mut binary)?);
/// assert_eq!(binary, [0x80, 0x01]);
/// assert_eq!(converter.avro().record_name(), Some("shop.Heartbeat"));
/// # Ok::<(), pgcdc_format::avro::AvroError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Converter {
    schema: Schema,
    avro: AvroSchema,
    options: AvroOptions,
}

impl Converter {
    /// A converter for a schema in Connect's JSON form. Most callers have the schema only as text: it is the `"schema"` of a
    /// record in JSON.
    ///
    /// # Errors
    /// When the text is not such a schema, or Avro has no schema for it.
    pub fn of_json(schema: &[u8], options: &AvroOptions) -> Result<Self, AvroError> {
        let json = serde_json::from_slice(schema).map_err(|_| AvroError::Schema("it is not JSON"))?;
        Self::new(read_schema(&json)?, options)
    }

    /// A converter for a schema.
    ///
    /// # Errors
    /// When Avro has no schema for it.
    pub fn new(schema: Schema, options: &AvroOptions) -> Result<Self, AvroError> {
        Ok(Self { avro: AvroSchema::of(&schema, options)?, schema, options: *options })
    }

    /// The Connect schema that payloads have.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The Avro schema to register under the record's subject.
    #[must_use]
    pub fn avro(&self) -> &AvroSchema {
        &self.avro
    }

    /// Appends a JSON payload in binary, without the registry's head. Returns false, with nothing appended, for null: such a
    /// record has no value.
    ///
    /// # Errors
    /// When the payload is not a value of the schema. Nothing is appended then.
    pub fn append(&self, payload: &[u8], out: &mut Vec<u8>) -> Result<bool, AvroError> {
        if payload == b"null" {
            return Ok(false);
        }
        let start = out.len();
        convert_json(&self.schema, payload, self.options.replace_null_with_default, out)
            .inspect_err(|_| out.truncate(start))?;
        Ok(true)
    }
}

/// Appends a JSON value as Avro of its schema. `replace_null`: null in a field with a default becomes that default.
///
/// # Errors
/// When the JSON is not a value of the schema. `out` may then hold a part of the value.
pub(crate) fn convert_json(
    schema: &Schema,
    json: &[u8],
    replace_null: bool,
    out: &mut Vec<u8>,
) -> Result<(), AvroError> {
    let value = serde_json::from_slice(json).map_err(|_| AvroError::Value("it is not JSON"))?;
    append(schema, &value, replace_null, out)
}

/// Appends a value, after the number of its branch where the schema is optional. The branch's number is a zigzag varint, so the
/// byte is 0 for the first branch and 2 for the second.
fn append(schema: &Schema, value: &Value, replace_null: bool, out: &mut Vec<u8>) -> Result<(), AvroError> {
    if schema.optional {
        let null_first = schema.default.is_none() || matches!(schema.kind, Kind::Struct(_));
        let is_null = value.is_null();
        out.push(if is_null == null_first { 0 } else { 2 });
        if is_null {
            return Ok(());
        }
    }
    match (&schema.kind, value) {
        (Kind::Int8 | Kind::Int16 | Kind::Int32 | Kind::Int64, Value::Number(number)) => {
            put_long(number.as_i64().ok_or(AvroError::Value("it is not a whole number"))?, out);
        }
        (Kind::Float32, value) => out.extend_from_slice(&(float(value)? as f32).to_le_bytes()),
        (Kind::Float64, value) => out.extend_from_slice(&float(value)?.to_le_bytes()),
        (Kind::Boolean, Value::Bool(value)) => out.push(u8::from(*value)),
        (Kind::String, Value::String(text)) => put_bytes(text.as_bytes(), out),
        (Kind::Bytes, Value::String(text)) => {
            put_bytes(&STANDARD.decode(text).map_err(|_| AvroError::Value("it is not base64"))?, out);
        }
        (Kind::Array(items), Value::Array(values)) => {
            block(values.len(), out);
            for value in values {
                append(items, value, replace_null, out)?;
            }
            out.push(0);
        }
        (Kind::Map(keys, values), Value::Object(entries)) => {
            map_of_object(keys, values, entries, replace_null, out)?;
        }
        (Kind::Map(keys, values), Value::Array(pairs)) => {
            map_of_pairs(keys, values, pairs, replace_null, out)?;
        }
        (Kind::Struct(fields), Value::Object(values)) => {
            for (name, field) in fields {
                field_value(field, values.get(&**name).unwrap_or(&Value::Null), replace_null, out)?;
            }
        }
        (_, Value::Null) => return Err(AvroError::Value("it is null, and the schema does not allow null")),
        _ => return Err(AvroError::Value("its JSON is of another type")),
    }
    Ok(())
}

/// Appends a map with string keys, which is an object in JSON.
fn map_of_object(
    keys: &Schema,
    values: &Schema,
    entries: &serde_json::Map<String, Value>,
    replace_null: bool,
    out: &mut Vec<u8>,
) -> Result<(), AvroError> {
    let mut entries: Vec<_> = entries.iter().collect();
    if !keys.optional {
        // In the order of Java's `HashMap`, into which `AvroData` copies the map.
        java_order(&mut entries, 16, |(key, _)| java_hash(key.as_bytes()));
    }
    block(entries.len(), out);
    for (key, value) in entries {
        if keys.optional {
            // A map with optional keys is an array of entries, and its keys are in a union.
            out.push(2);
        }
        put_bytes(key.as_bytes(), out);
        append(values, value, replace_null, out)?;
    }
    out.push(0);
    Ok(())
}

/// Appends a map with keys that are not strings, which is a list of pairs in JSON.
fn map_of_pairs(
    keys: &Schema,
    values: &Schema,
    pairs: &[Value],
    replace_null: bool,
    out: &mut Vec<u8>,
) -> Result<(), AvroError> {
    block(pairs.len(), out);
    for pair in pairs {
        let pair = pair.as_array().map(Vec::as_slice);
        let Some([key, value]) = pair else {
            return Err(AvroError::Value("an entry of a map is not a pair"));
        };
        append(keys, key, replace_null, out)?;
        append(values, value, replace_null, out)?;
    }
    out.push(0);
    Ok(())
}

/// Appends a struct's field; a null may become the default.
fn field_value(
    field: &Schema,
    value: &Value,
    replace_null: bool,
    out: &mut Vec<u8>,
) -> Result<(), AvroError> {
    if value.is_null()
        && (replace_null || !field.optional)
        && let Some(default) = &field.default
    {
        let default =
            serde_json::from_str(default).map_err(|_| AvroError::Schema("a default is not JSON"))?;
        return append(field, &default, replace_null, out);
    }
    append(field, value, replace_null, out)
}

/// Reads a number; Connect's JSON has `NaN` and the infinities as strings.
fn float(value: &Value) -> Result<f64, AvroError> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(word) => word.parse().ok(),
        _ => None,
    }
    .ok_or(AvroError::Value("it is not a number"))
}

/// Appends the count of items before them. An empty list or map has no block, only the zero that ends the blocks.
fn block(length: usize, out: &mut Vec<u8>) {
    if length > 0 {
        put_long(i64::try_from(length).unwrap_or(i64::MAX), out);
    }
}
