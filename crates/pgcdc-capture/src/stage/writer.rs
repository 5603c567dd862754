//! The converters behind the transforms: Connect's data to bytes.
//!
//! One variant for each converter class that the configuration knows. They write what the Java
//! classes write, also where that is surprising: for instance `ByteArrayConverter` fails for a
//! value that is not bytes.

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

/// The most Avro schemas that are remembered. With more, all are forgotten and the registry is
/// asked again; only a chain that makes ever new schemas or topics comes there.
const KEPT: usize = 4096;

/// Writes one half of each record, keys or values.
#[derive(Debug)]
pub(super) enum Writer {
    /// `JsonConverter`.
    Json(JsonWriter),
    /// Confluent's `AvroConverter`.
    Avro(Box<AvroWriter>),
    /// `StringConverter`: the value's `toString()`.
    String,
    /// `ByteArrayConverter`: bytes, and nothing else.
    Bytes,
    /// `IntegerConverter` and the like: values of this Java class, and nothing else.
    Number(&'static str),
    /// `BinaryDataConverter`: bytes as they are, all else by the delegate.
    Binary(Option<Box<Writer>>),
    /// Debezium's `CloudEventsConverter`, for values.
    CloudEvents(Box<CloudEventsWriter>),
}

/// Writes Avro in two steps: the value as JSON without a schema, and this JSON as Avro by the
/// compiled schema. So it shares the code that encodes tables' rows.
#[derive(Debug)]
pub(super) struct AvroWriter {
    /// Key or value: the registry's subject depends on it.
    half: Half,
    /// How Connect's schemas become Avro's.
    options: AvroOptions,
    /// Writes a value's JSON.
    payloads: JsonWriter,
    /// Writes a schema's JSON, from which the Avro schema is compiled.
    schemas: JsonWriter,
    /// By topic and schema: the compiled converter, and the five bytes before each value, which are
    /// a zero and the schema's number. Source: Confluent's "Wire format".
    known: HashMap<(std::sync::Arc<str>, Schema), (Avro, [u8; 5])>,
}

impl Writer {
    /// The converter of this format.
    ///
    /// # Errors
    /// A configuration error when the options of CloudEvents do not fit together.
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

    /// Asks the registry now for what [`write`](Self::write) will need, since `write` cannot wait.
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

    /// Appends one half of a record to `out`; false when that half is null in Kafka.
    ///
    /// # Errors
    /// When the converter does not take such a value, as in Kafka Connect.
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
            // A null that is not declared as bytes is the delegate's, too.
            Self::Binary(Some(delegate)) if schema.is_some_and(|schema| schema.kind() != Kind::Bytes) => {
                delegate.write(record, half, out)
            }
            _ if value.is_null() => Ok(false),
            Self::Avro(avro) => avro.write(&record.topic, schema, value, out),
            Self::String => {
                out.extend_from_slice(java::show(value).as_bytes());
                Ok(true)
            }
            // Debezium's converter writes change events only, and a key is not one.
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

/// Appends a number as Kafka's serializers do, the most significant byte first. `class` is the Java
/// class that the converter takes; any other is refused.
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
    /// Null stays null in both JSON forms: the Avro step puts defaults in.
    fn new(half: Half, options: AvroOptions) -> Self {
        let writer = |schemas| {
            let mut writer = JsonWriter::new(schemas);
            writer.replace_null_with_default = false;
            writer
        };
        Self { half, options, payloads: writer(false), schemas: writer(true), known: HashMap::new() }
    }

    /// Compiles a schema that is new, and asks for its number.
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

    /// Writes a value by its schema, which [`prepare`](Self::prepare) has made known.
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

/// Writes the values of headers.
#[derive(Debug)]
pub(super) enum HeaderWriter {
    /// `SimpleHeaderConverter`, the default: text from which a reader guesses the type.
    Simple,
    /// `JsonConverter`.
    Json(JsonWriter),
    /// `StringConverter`.
    String,
}

impl HeaderWriter {
    /// The converter of this format.
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

/// `JsonConverter` with the configured options.
fn json_writer(converter: Converter) -> JsonWriter {
    let mut writer = JsonWriter::new(converter.schemas_enable);
    writer.replace_null_with_default = converter.replace_null_with_default;
    writer.decimal_format = match converter.decimal_format {
        DecimalFormat::Base64 => json::DecimalFormat::Base64,
        DecimalFormat::Numeric => json::DecimalFormat::Numeric,
    };
    writer
}
