use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pgcdc_format::types::{append_f32, append_f64, write_json_string};

use super::schema;
use crate::Fault;
use crate::cache::Recent;
use crate::data::{Decimal, Kind, Schema, Value};

/// `decimal.format`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DecimalFormat {
    /// The bytes of the number without its point, in base64.
    #[default]
    Base64,
    /// A JSON number.
    Numeric,
}

/// Kafka Connect's `JsonConverter`: data to bytes.
#[derive(Debug)]
pub struct JsonWriter {
    /// `schemas.enable`.
    pub schemas: bool,
    /// `decimal.format`.
    pub decimal_format: DecimalFormat,
    /// `replace.null.with.default`.
    pub replace_null_with_default: bool,
    /// Schemas that were rendered already.
    rendered: Mutex<Recent<Schema, std::sync::Arc<[u8]>>>,
}

impl JsonWriter {
    /// One with Connect's defaults but for `schemas.enable`.
    #[must_use]
    pub fn new(schemas: bool) -> Self {
        Self {
            schemas,
            decimal_format: DecimalFormat::default(),
            replace_null_with_default: true,
            rendered: Mutex::new(Recent::new(1000)),
        }
    }

    /// Appends a key, a value or a header; false, and nothing appended, for a null without schema.
    ///
    /// # Errors
    /// When the value is not of the schema.
    pub fn write(&self, schema: Option<&Schema>, value: &Value, out: &mut Vec<u8>) -> Result<bool, Fault> {
        if schema.is_none() && value.is_null() {
            return Ok(false);
        }
        if !self.schemas {
            self.write_value(schema, value, out)?;
            return Ok(true);
        }
        out.extend_from_slice(b"{\"schema\":");
        match schema {
            None => out.extend_from_slice(b"null"),
            Some(schema) => out.extend_from_slice(&self.render(schema)?),
        }
        out.extend_from_slice(b",\"payload\":");
        self.write_value(schema, value, out)?;
        out.push(b'}');
        Ok(true)
    }

    /// A schema's own JSON.
    ///
    /// # Errors
    /// When its default is not of it.
    pub fn schema_text(&self, schema: &Schema) -> Result<std::sync::Arc<[u8]>, Fault> {
        self.render(schema)
    }

    fn render(&self, schema: &Schema) -> Result<std::sync::Arc<[u8]>, Fault> {
        let mut rendered = self.rendered.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(known) = rendered.get(schema) {
            return Ok(std::sync::Arc::clone(known));
        }
        let mut bytes = Vec::new();
        schema::write(schema, None, self, &mut bytes)?;
        let bytes: std::sync::Arc<[u8]> = bytes.into();
        rendered.put(schema.clone(), std::sync::Arc::clone(&bytes));
        Ok(bytes)
    }

    pub(super) fn write_value(
        &self,
        schema: Option<&Schema>,
        value: &Value,
        out: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        if value.is_null() {
            if let Some(schema) = schema {
                if let Some(default) = schema.default_value().filter(|_| self.replace_null_with_default) {
                    return self.write_value(Some(schema), default, out);
                }
                if !schema.is_optional() {
                    return Err(Fault::data(
                        "Conversion error: null value for field that is required and has no default value",
                    ));
                }
            }
            out.extend_from_slice(b"null");
            return Ok(());
        }
        let mismatch = || {
            let kind = schema.map_or("unknown schema", |schema| schema.kind().name());
            Fault::data(format!("Invalid type for {kind}: class {}", value.class()))
        };
        let int = |number: i64, out: &mut Vec<u8>| {
            out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
        };
        if let Some(logical) = schema.and_then(Schema::logical) {
            use crate::data::Logical::{Date, Decimal, Time, Timestamp};
            match (logical, value) {
                (Decimal, Value::Decimal(number)) => self.write_decimal(schema, number, out)?,
                (Date, Value::Date(millis)) => int(crate::java::days(*millis)?, out),
                (Time, Value::Date(millis)) => int(crate::java::time_of_day(*millis)?, out),
                (Timestamp, Value::Date(millis)) => int(*millis, out),
                (logical, other) => {
                    let wanted = if logical == Decimal { "BigDecimal" } else { "Date" };
                    return Err(Fault::data(format!(
                        "Invalid type for {logical:?}, expected {wanted} but was class {}",
                        other.class()
                    )));
                }
            }
            return Ok(());
        }
        let kind = schema.map(Schema::kind).or_else(|| value.kind());
        let Some(kind) = kind else {
            return Err(Fault::data(format!(
                "Java class class {} does not have corresponding schema type.",
                value.class()
            )));
        };
        match (kind, value) {
            (Kind::Int8, Value::Int8(number)) => int((*number).into(), out),
            (Kind::Int16, Value::Int16(number)) => int((*number).into(), out),
            (Kind::Int32, Value::Int32(number)) => int((*number).into(), out),
            (Kind::Int64, Value::Int64(number)) => int(*number, out),
            (Kind::Float32, Value::Float32(number)) => append_f32(*number, out),
            (Kind::Float64, Value::Float64(number)) => append_f64(*number, out),
            (Kind::Boolean, Value::Boolean(true)) => out.extend_from_slice(b"true"),
            (Kind::Boolean, Value::Boolean(false)) => out.extend_from_slice(b"false"),
            (Kind::String, Value::String(text)) => write_json_string(text.as_bytes(), out),
            (Kind::Bytes, Value::Bytes(bytes)) => write_base64(bytes, out),
            (Kind::Array, Value::Array(items)) => {
                out.push(b'[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    self.write_value(schema.and_then(Schema::value_schema), item, out)?;
                }
                out.push(b']');
            }
            (Kind::Map, Value::Map(entries)) => self.write_map(schema, entries, out)?,
            (Kind::Struct, Value::Struct(inner)) => {
                if schema.is_some_and(|schema| schema != inner.schema()) {
                    return Err(Fault::data("Mismatching schema."));
                }
                out.push(b'{');
                for (at, (field, value)) in inner.entries().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    write_json_string(field.name.as_bytes(), out);
                    out.push(b':');
                    self.write_value(Some(&field.schema), value, out)?;
                }
                out.push(b'}');
            }
            _ => return Err(mismatch()),
        }
        Ok(())
    }

    fn write_decimal(
        &self,
        schema: Option<&Schema>,
        number: &Decimal,
        out: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        if self.decimal_format == DecimalFormat::Numeric {
            out.extend_from_slice(number.to_string().as_bytes());
            return Ok(());
        }
        let scale = schema.and_then(|schema| schema.parameter("scale")).and_then(|scale| scale.parse().ok());
        if scale != Some(number.scale()) {
            return Err(Fault::data(match scale {
                None => "Invalid Decimal schema: scale parameter not found.".to_owned(),
                Some(scale) => format!(
                    "Decimal value has mismatching scale for given Decimal schema. Schema has scale {scale}, value has scale {}.",
                    number.scale()
                ),
            }));
        }
        write_base64(&number.to_bytes(), out);
        Ok(())
    }

    fn write_map(
        &self,
        schema: Option<&Schema>,
        entries: &[(Value, Value)],
        out: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        let keys = schema.and_then(Schema::key_schema);
        let values = schema.and_then(Schema::value_schema);
        let as_object = match keys {
            Some(keys) => keys.kind() == Kind::String,
            None if schema.is_some() => {
                return Err(Fault::null(
                    "Cannot invoke \"org.apache.kafka.connect.data.Schema.type()\" because the return value of \"org.apache.kafka.connect.data.Schema.keySchema()\" is null",
                ));
            }
            None => entries.iter().all(|(key, _)| matches!(key, Value::String(_))),
        };
        out.push(if as_object { b'{' } else { b'[' });
        for (at, (key, value)) in entries.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            if !as_object {
                out.push(b'[');
            }
            self.write_value(keys, key, out)?;
            out.push(if as_object { b':' } else { b',' });
            self.write_value(values, value, out)?;
            if !as_object {
                out.push(b']');
            }
        }
        out.push(if as_object { b'}' } else { b']' });
        Ok(())
    }
}

fn write_base64(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(STANDARD.encode(bytes).as_bytes());
    out.push(b'"');
}
