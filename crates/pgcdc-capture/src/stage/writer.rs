//! The converters behind the transforms: Connect's data to bytes.

use std::collections::HashMap;

use pgcdc_format::avro::{AvroOptions, Converter as Avro};
use pgcdc_format::envelope::Half;
use pgcdc_format::types::DecimalFormat;
use pgcdc_transform::cloud_events::CloudEventsWriter;
use pgcdc_transform::data::{Kind, Record, Schema, Value};
use pgcdc_transform::json::{self, JsonWriter};
use pgcdc_transform::{Fault, java, literal};

use crate::config::{Converter, Format, HeaderFormat};
use crate::registry::Registries;
use crate::{Error, Result};

/// Schemas that are kept; then all are forgotten, and asked for again.
const KEPT: usize = 4096;

/// Writes keys, or values.
#[derive(Debug)]
pub(super) enum Writer {
    Json(JsonWriter),
    Avro(Box<AvroWriter>),
    String,
    /// `ByteArrayConverter`: bytes, and nothing else.
    Bytes,
    /// `IntegerConverter` and the like: values of this Java class, and nothing else.
    Number(&'static str),
    /// `BinaryDataConverter`: bytes as they are, all else by the delegate.
    Binary(Option<Box<Writer>>),
    CloudEvents(Box<CloudEventsWriter>),
}

/// Avro, by way of JSON without schemas.
#[derive(Debug)]
pub(super) struct AvroWriter {
    half: Half,
    options: AvroOptions,
    payloads: JsonWriter,
    schemas: JsonWriter,
    /// By topic and schema: how to write it, and what stands before it.
    known: HashMap<(std::sync::Arc<str>, Schema), (Avro, [u8; 5])>,
}

impl Writer {
    pub(super) fn new(format: &Format, half: Half) -> Result<Self> {
        Ok(match format {
            Format::Json(converter) => Self::Json(json_writer(*converter)),
            Format::Avro(avro) => Self::Avro(Box::new(AvroWriter::new(half, avro.options))),
            Format::String => Self::String,
            Format::ByteArray => Self::Bytes,
            Format::Number(class) => Self::Number(class),
            Format::Binary(delegate) => Self::Binary(
                delegate.as_ref().map(|format| Self::new(format, half)).transpose()?.map(Box::new),
            ),
            Format::CloudEvents(options) => {
                let writer = CloudEventsWriter::new(
                    options.schemas_enable,
                    options.extensions,
                    options.names_from_headers,
                    &options.metadata_source,
                );
                Self::CloudEvents(Box::new(writer.map_err(|fault| Error::configuration(fault.to_string()))?))
            }
        })
    }

    /// Sees to it that [`write`](Self::write) need not ask a registry.
    pub(super) async fn prepare(
        &mut self,
        topic: &std::sync::Arc<str>,
        schema: Option<&Schema>,
        value: &Value,
        registries: &mut Registries,
    ) -> Result<()> {
        match (self, schema) {
            (Self::Avro(avro), Some(schema)) if !value.is_null() => {
                avro.prepare(topic, schema, registries).await
            }
            _ => Ok(()),
        }
    }

    /// Appends a half of a record; false when there is none.
    pub(super) fn write(
        &self,
        record: &Record,
        half: Half,
        out: &mut Vec<u8>,
    ) -> std::result::Result<bool, Fault> {
        let (schema, value) = match half {
            Half::Key => (record.key_schema.as_ref(), &record.key),
            Half::Value => (record.value_schema.as_ref(), &record.value),
        };
        match self {
            Self::Json(writer) => writer.write(schema, value, out),
            // What is null and no bytes is the delegate's, too.
            Self::Binary(Some(delegate)) if schema.is_some_and(|schema| schema.kind() != Kind::Bytes) => {
                delegate.write(record, half, out)
            }
            _ if value.is_null() => Ok(false),
            Self::Avro(avro) => avro.write(&record.topic, schema, value, out),
            Self::String => {
                out.extend_from_slice(java::show(value).as_bytes());
                Ok(true)
            }
            // A key is no change event, of which Debezium writes nothing.
            Self::CloudEvents(_) if half == Half::Key => Ok(false),
            Self::CloudEvents(writer) => writer.write(record, out),
            Self::Number(class) => write_number(class, value, out).map(|()| true),
            Self::Bytes | Self::Binary(_) => match (schema.map(Schema::kind), value, self) {
                (Some(Kind::Bytes) | None, Value::Bytes(bytes), _) => {
                    out.extend_from_slice(bytes);
                    Ok(true)
                }
                (_, _, Self::Binary(Some(delegate))) => delegate.write(record, half, out),
                (kind, ..) => {
                    let kind = kind.map_or(value.class(), Kind::name);
                    Err(Fault::data(format!("Invalid schema type for a converter of bytes: {kind}")))
                }
            },
        }
    }
}

/// Appends a number as Kafka's serializers do, the most significant byte first.
fn write_number(class: &str, value: &Value, out: &mut Vec<u8>) -> std::result::Result<(), Fault> {
    if value.class() != class {
        let short = class.rsplit('.').next().unwrap_or(class);
        return Err(Fault::data(format!("Failed to serialize to {short} (was {}): ", value.class())));
    }
    match value {
        Value::Boolean(value) => out.push(u8::from(*value)),
        Value::Int16(value) => out.extend_from_slice(&value.to_be_bytes()),
        Value::Int32(value) => out.extend_from_slice(&value.to_be_bytes()),
        Value::Int64(value) => out.extend_from_slice(&value.to_be_bytes()),
        Value::Float32(value) => out.extend_from_slice(&value.to_be_bytes()),
        Value::Float64(value) => out.extend_from_slice(&value.to_be_bytes()),
        _ => {}
    }
    Ok(())
}

impl AvroWriter {
    fn new(half: Half, options: AvroOptions) -> Self {
        let writer = |schemas| {
            let mut writer = JsonWriter::new(schemas);
            writer.replace_null_with_default = false;
            writer
        };
        Self { half, options, payloads: writer(false), schemas: writer(true), known: HashMap::new() }
    }

    async fn prepare(
        &mut self,
        topic: &std::sync::Arc<str>,
        schema: &Schema,
        registries: &mut Registries,
    ) -> Result<()> {
        let place = (topic.clone(), schema.clone());
        if self.known.contains_key(&place) {
            return Ok(());
        }
        let wrong = |why: String| {
            Error::fatal(format!("a record for topic {topic:?} has no schema in Avro: {why}")).with_hint(
                "schema.name.adjustment.mode=avro and field.name.adjustment.mode=avro put _ in place of what Avro does not allow",
            )
        };
        let text = self.schemas.schema_text(schema).map_err(|fault| wrong(fault.to_string()))?;
        let avro = Avro::of_json(&text, &self.options).map_err(|error| wrong(error.to_string()))?;
        let id = registries.number(self.half, topic, avro.avro()).await?;
        let mut head = [0; 5];
        head[1..].copy_from_slice(&id.to_be_bytes());
        if self.known.len() >= KEPT {
            self.known.clear();
        }
        self.known.insert(place, (avro, head));
        Ok(())
    }

    fn write(
        &self,
        topic: &std::sync::Arc<str>,
        schema: Option<&Schema>,
        value: &Value,
        out: &mut Vec<u8>,
    ) -> std::result::Result<bool, Fault> {
        let schema =
            schema.ok_or_else(|| Fault::data("Avro needs a schema, and a transform has left none"))?;
        let known = self.known.get(&(topic.clone(), schema.clone()));
        let (avro, head) = known.ok_or_else(|| Fault::data("the registry was not asked for the schema"))?;
        let mut payload = Vec::new();
        self.payloads.write(Some(schema), value, &mut payload)?;
        out.extend_from_slice(head);
        avro.append(&payload, out).map_err(|error| Fault::data(error.to_string()))
    }
}

/// Writes headers.
#[derive(Debug)]
pub(super) enum HeaderWriter {
    Simple,
    Json(JsonWriter),
    String,
}

impl HeaderWriter {
    pub(super) fn new(format: HeaderFormat) -> Self {
        match format {
            HeaderFormat::Simple => Self::Simple,
            HeaderFormat::Json(converter) => Self::Json(json_writer(converter)),
            HeaderFormat::String => Self::String,
        }
    }

    /// Appends a header's value; false for null.
    pub(super) fn write(
        &self,
        schema: Option<&Schema>,
        value: &Value,
        out: &mut Vec<u8>,
    ) -> std::result::Result<bool, Fault> {
        match self {
            Self::Json(writer) => return writer.write(schema, value, out),
            _ if value.is_null() => return Ok(false),
            Self::Simple => out.extend_from_slice(literal::to_text(value).as_bytes()),
            Self::String => out.extend_from_slice(java::show(value).as_bytes()),
        }
        Ok(true)
    }
}

fn json_writer(converter: Converter) -> JsonWriter {
    let mut writer = JsonWriter::new(converter.schemas_enable);
    writer.replace_null_with_default = converter.replace_null_with_default;
    writer.decimal_format = match converter.decimal_format {
        DecimalFormat::Base64 => json::DecimalFormat::Base64,
        DecimalFormat::Numeric => json::DecimalFormat::Numeric,
    };
    writer
}
