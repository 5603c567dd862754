//! The payload of a record: values as JSON.
//!
//! The bytes are those of Connect's `JsonConverter`. See the table in `typed` for the forms of the logical types; numbers
//! of type `float` and `double` are written as Java writes them, so `1.0E10` and `"NaN"` are possible.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pgcdc_format::types::{append_f32, append_f64, write_json_string};

use crate::Fault;
use crate::data::{Decimal, Kind, Logical, Schema, Struct, Value};

/// `decimal.format`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DecimalFormat {
    /// The bytes of the number without its point, in base64: `12.50` is `"BOI="`. A reader needs the schema's scale.
    #[default]
    Base64,
    /// A JSON number: `12.50`. Many readers turn it into a double and lose digits.
    Numeric,
}

/// How values are written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Payload {
    /// `decimal.format`.
    pub(super) decimal_format: DecimalFormat,
    /// `replace.null.with.default`.
    pub(super) replace_null_with_default: bool,
}

impl Payload {
    /// Appends a value; without a schema, in the form of its own type.
    ///
    /// # Errors
    /// When the value is no value of the schema. Part of it may be appended then.
    pub(super) fn write(
        self,
        schema: Option<&Schema>,
        value: &Value,
        out: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        if value.is_null() {
            return self.write_null(schema, out);
        }
        if let Some(logical) = schema.and_then(Schema::logical) {
            return self.write_logical(logical, schema, value, out);
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
            (Kind::Array, Value::Array(items)) => self.write_array(schema, items, out)?,
            (Kind::Map, Value::Map(entries)) => self.write_map(schema, entries, out)?,
            (Kind::Struct, Value::Struct(inner)) => self.write_struct(schema, inner, out)?,
            _ => {
                let kind = schema.map_or("unknown schema", |schema| schema.kind().name());
                return Err(Fault::data(format!("Invalid type for {kind}: class {}", value.class())));
            }
        }
        Ok(())
    }

    /// Appends null, or the default in its place.
    fn write_null(self, schema: Option<&Schema>, out: &mut Vec<u8>) -> Result<(), Fault> {
        if let Some(schema) = schema {
            if let Some(default) = schema.default_value().filter(|_| self.replace_null_with_default) {
                return self.write(Some(schema), default, out);
            }
            if !schema.is_optional() {
                return Err(Fault::data(
                    "Conversion error: null value for field that is required and has no default value",
                ));
            }
        }
        out.extend_from_slice(b"null");
        Ok(())
    }

    /// Appends a value of one of Connect's logical types.
    fn write_logical(
        self,
        logical: Logical,
        schema: Option<&Schema>,
        value: &Value,
        out: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        match (logical, value) {
            (Logical::Decimal, Value::Decimal(number)) => self.write_decimal(schema, number, out)?,
            (Logical::Date, Value::Date(millis)) => int(crate::java::days(*millis)?, out),
            (Logical::Time, Value::Date(millis)) => int(crate::java::time_of_day(*millis)?, out),
            (Logical::Timestamp, Value::Date(millis)) => int(*millis, out),
            (logical, other) => {
                let wanted = if logical == Logical::Decimal { "BigDecimal" } else { "Date" };
                return Err(Fault::data(format!(
                    "Invalid type for {logical:?}, expected {wanted} but was class {}",
                    other.class()
                )));
            }
        }
        Ok(())
    }

    /// Appends an array. Without a schema each item has the form of its own type.
    fn write_array(self, schema: Option<&Schema>, items: &[Value], out: &mut Vec<u8>) -> Result<(), Fault> {
        out.push(b'[');
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            self.write(schema.and_then(Schema::value_schema), item, out)?;
        }
        out.push(b']');
        Ok(())
    }

    /// Appends a struct. Its schema must be the one of the field that holds it.
    fn write_struct(self, schema: Option<&Schema>, inner: &Struct, out: &mut Vec<u8>) -> Result<(), Fault> {
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
            self.write(Some(&field.schema), value, out)?;
        }
        out.push(b'}');
        Ok(())
    }

    /// Appends a decimal. In base64 its scale must be the schema's, since the bytes do not say it.
    fn write_decimal(
        self,
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

    /// Appends a map: an object, or a list of pairs where its keys are no texts.
    fn write_map(
        self,
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
            self.write(keys, key, out)?;
            out.push(if as_object { b':' } else { b',' });
            self.write(values, value, out)?;
            if !as_object {
                out.push(b']');
            }
        }
        out.push(if as_object { b'}' } else { b']' });
        Ok(())
    }
}

fn int(number: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

fn write_base64(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(STANDARD.encode(bytes).as_bytes());
    out.push(b'"');
}
