use std::sync::{Arc, Mutex, PoisonError};

use super::payload::{DecimalFormat, Payload};
use super::schema;
use crate::Fault;
use crate::cache::Recent;
use crate::data::{Schema, Value};

/// Kafka Connect's `JsonConverter`: values to bytes.
///
/// ```
/// use pgcdc_transform::data::{Kind, Schema, Value};
/// use pgcdc_transform::json::JsonWriter;
///
/// let mut out = Vec::new();
/// let schema = Schema::plain(Kind::Int32, false);
/// JsonWriter::new(true).write(Some(&schema), &Value::Int32(7), &mut out)?;
/// assert_eq!(out, br#"{"schema":{"type":"int32","optional":false},"payload":7}"#);
/// # Ok::<(), pgcdc_transform::Fault>(())
/// ```
#[derive(Debug)]
pub struct JsonWriter {
    /// `schemas.enable`.
    pub schemas: bool,
    /// `decimal.format`.
    pub decimal_format: DecimalFormat,
    /// `replace.null.with.default`.
    pub replace_null_with_default: bool,
    /// The JSON of schemas that were written before.
    rendered: Mutex<Recent<Schema, Arc<[u8]>>>,
}

impl JsonWriter {
    /// A writer with Connect's defaults, and `schemas.enable` as given.
    #[must_use]
    pub fn new(schemas: bool) -> Self {
        Self {
            schemas,
            decimal_format: DecimalFormat::default(),
            replace_null_with_default: true,
            rendered: Mutex::new(Recent::new(1000)),
        }
    }

    /// Appends a key, a value or a header. Returns false, with nothing appended, for a null without a schema.
    ///
    /// # Errors
    /// When the value is no value of the schema.
    pub fn write(&self, schema: Option<&Schema>, value: &Value, out: &mut Vec<u8>) -> Result<bool, Fault> {
        if schema.is_none() && value.is_null() {
            return Ok(false);
        }
        if !self.schemas {
            self.payload().write(schema, value, out)?;
            return Ok(true);
        }
        out.extend_from_slice(b"{\"schema\":");
        match schema {
            None => out.extend_from_slice(b"null"),
            Some(schema) => out.extend_from_slice(&self.render(schema)?),
        }
        out.extend_from_slice(b",\"payload\":");
        self.payload().write(schema, value, out)?;
        out.push(b'}');
        Ok(true)
    }

    /// A schema's own JSON.
    ///
    /// # Errors
    /// When the schema's default is no value of it.
    pub fn schema_text(&self, schema: &Schema) -> Result<Arc<[u8]>, Fault> {
        self.render(schema)
    }

    /// A schema's JSON, made once and then remembered: schemas are long, and every record has the same few.
    fn render(&self, schema: &Schema) -> Result<Arc<[u8]>, Fault> {
        let mut rendered = self.rendered.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = rendered.get(schema) {
            return Ok(Arc::clone(known));
        }
        let mut bytes = Vec::new();
        schema::write(schema, None, &self.payload(), &mut bytes)?;
        let bytes: Arc<[u8]> = bytes.into();
        rendered.put(schema.clone(), Arc::clone(&bytes));
        Ok(bytes)
    }

    fn payload(&self) -> Payload {
        Payload {
            decimal_format: self.decimal_format,
            replace_null_with_default: self.replace_null_with_default,
        }
    }
}
