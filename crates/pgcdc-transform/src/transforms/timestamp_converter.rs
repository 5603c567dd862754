use super::{Built, Outcome, REPLACE_NULL, Transform, map_get, map_put, require_map, require_struct};
use crate::Fault;
use crate::cache::Recent;
use crate::data::{Kind, Logical, Record, Schema, SchemaBuilder, Side, Struct, Value};
use crate::java::{self, DateFormat};
use crate::options::Options;

const PURPOSE: &str = "converting timestamp formats";

/// The form in which a timestamp is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Text,
    Unix,
    Date,
    Time,
    Timestamp,
}

/// Kafka's `TimestampConverter`.
#[derive(Debug)]
struct TimestampConverter {
    side: Side,
    field: String,
    target: Form,
    format: Option<DateFormat>,
    /// How many units of `unix.precision` a millisecond has, and how many milliseconds such a unit has.
    unix: (i64, i64),
    default_for_null: bool,
    schemas: Recent<Schema, Schema>,
}

pub(super) fn build(side: Side, options: &mut Options<'_>) -> Built {
    const TARGETS: [&str; 5] = ["string", "unix", "Date", "Time", "Timestamp"];
    const PRECISIONS: [&str; 4] = ["nanoseconds", "microseconds", "milliseconds", "seconds"];
    let field = options.text("field").unwrap_or_default().to_owned();
    let target = options.one_of("target.type", &TARGETS, None);
    let pattern = options.text("format").unwrap_or_default();
    let precision = options.one_of("unix.precision", &PRECISIONS, Some("milliseconds"));
    let default_for_null = options.boolean(REPLACE_NULL, true);
    if options.is_wrong() {
        return None;
    }
    let target = match target {
        Some("string") => Form::Text,
        Some("unix") => Form::Unix,
        Some("Date") => Form::Date,
        Some("Time") => Form::Time,
        _ => Form::Timestamp,
    };
    let unix = match precision {
        Some("nanoseconds") => (1_000_000, 1),
        Some("microseconds") => (1000, 1),
        Some("seconds") => (1, 1000),
        _ => (1, 1),
    };
    let mut format = None;
    if pattern.is_empty() {
        if target == Form::Text {
            options.problem(
                "format",
                "TimestampConverter requires format option to be specified when using string timestamps",
            );
            return None;
        }
    } else {
        match DateFormat::compile(pattern) {
            Ok(compiled) => format = Some(compiled),
            Err(reason) => {
                // Kafka's arguments are the wrong way round here.
                let message = format!(
                    "Invalid value java.lang.IllegalArgumentException: {reason} for configuration TimestampConverter requires a SimpleDateFormat-compatible pattern for string timestamps: {pattern}"
                );
                options.problem("format", message);
                return None;
            }
        }
    }
    let schemas = Recent::new(16);
    Some(Box::new(TimestampConverter { side, field, target, format, unix, default_for_null, schemas }))
}

impl Transform for TimestampConverter {
    fn apply(&mut self, record: Record, _: i64) -> Outcome {
        let value = record.half(self.side);
        let Some(schema) = record.schema(self.side) else {
            let updated = if value.is_null() || self.field.is_empty() {
                self.convert(value, untyped_form(value)?)?
            } else {
                let mut updated = require_map(value, PURPOSE)?.clone();
                let inner = map_get(&updated, &self.field);
                let converted = self.convert(&inner, untyped_form(&inner)?)?;
                map_put(&mut updated, &self.field, converted);
                Value::Map(updated.into())
            };
            return Ok(Some(record.with(self.side, None, updated)));
        };
        if self.field.is_empty() {
            let updated_schema = schema_of(self.target, schema.is_optional());
            let updated = self.convert(value, Some(form(schema)?))?;
            return Ok(Some(record.with(self.side, Some(updated_schema), updated)));
        }
        let old = if value.is_null() { None } else { Some(require_struct(value, PURPOSE)?.clone()) };
        let updated_schema = self.updated_schema(&schema.clone())?;
        let updated = match old {
            None => Value::Null,
            Some(old) => self.converted(&old, &updated_schema)?,
        };
        Ok(Some(record.with(self.side, Some(updated_schema), updated)))
    }
}

fn schema_of(form: Form, optional: bool) -> Schema {
    let logical = |kind: Kind, logical: Logical| SchemaBuilder::new(kind).named(logical.name()).version(1);
    let builder = match form {
        Form::Text => SchemaBuilder::new(Kind::String),
        Form::Unix => SchemaBuilder::new(Kind::Int64),
        Form::Date => logical(Kind::Int32, Logical::Date),
        Form::Time => logical(Kind::Int32, Logical::Time),
        Form::Timestamp => logical(Kind::Int64, Logical::Timestamp),
    };
    builder.optional_if(optional).build()
}

fn form(schema: &Schema) -> Result<Form, Fault> {
    match (schema.logical(), schema.kind()) {
        (Some(Logical::Timestamp), _) => Ok(Form::Timestamp),
        (Some(Logical::Date), _) => Ok(Form::Date),
        (Some(Logical::Time), _) => Ok(Form::Time),
        (_, Kind::String) => Ok(Form::Text),
        (_, Kind::Int64) => Ok(Form::Unix),
        _ => Err(Fault::connect(format!(
            "Schema {schema} does not correspond to a known timestamp type format"
        ))),
    }
}

fn untyped_form(value: &Value) -> Result<Option<Form>, Fault> {
    match value {
        Value::Null => Ok(None),
        Value::Date(_) => Ok(Some(Form::Timestamp)),
        Value::Int64(_) => Ok(Some(Form::Unix)),
        Value::String(_) => Ok(Some(Form::Text)),
        other => Err(Fault::data(format!(
            "TimestampConverter does not support class {} objects as timestamps",
            other.class()
        ))),
    }
}

impl TimestampConverter {
    fn updated_schema(&mut self, schema: &Schema) -> Result<Schema, Fault> {
        if let Some(known) = self.schemas.get(schema) {
            return Ok(known.clone());
        }
        let mut builder = SchemaBuilder::like(schema, Kind::Struct);
        for field in schema.fields_of_struct()? {
            let inner = if *field.name == *self.field {
                schema_of(self.target, field.schema.is_optional())
            } else {
                field.schema.clone()
            };
            builder.add_field(field.name.clone(), inner)?;
        }
        builder = builder.optional_if(schema.is_optional());
        if let Some(default) = schema.default_value().and_then(Value::as_struct) {
            let default = self.converted(default, &builder.build())?;
            builder = builder.default_value(default)?;
        }
        let updated = builder.build();
        self.schemas.put(schema.clone(), updated.clone());
        Ok(updated)
    }

    fn converted(&self, old: &Struct, updated_schema: &Schema) -> Result<Value, Fault> {
        let mut updated = Struct::new(updated_schema.clone())?;
        for (at, field) in old.schema().fields().iter().enumerate() {
            let value = old.at_with(at, self.default_for_null);
            let value = if *field.name == *self.field {
                self.convert(value, Some(form(&field.schema)?))?
            } else {
                value.clone()
            };
            updated.put(&field.name, value)?;
        }
        Ok(Value::Struct(updated.into()))
    }

    fn convert(&self, value: &Value, from: Option<Form>) -> Result<Value, Fault> {
        let Some(from) = from.filter(|_| !value.is_null()) else { return Ok(Value::Null) };
        let (per_milli, millis_per) = self.unix;
        let millis = match (from, value) {
            (Form::Text, Value::String(text)) => self.parse(text)?,
            (Form::Text, other) => {
                return Err(Fault::data(format!(
                    "Expected string timestamp to be a String, but found class {}",
                    other.class()
                )));
            }
            (Form::Unix, Value::Int64(unix)) => (unix / per_milli).saturating_mul(millis_per),
            (Form::Unix, other) => {
                return Err(Fault::data(format!(
                    "Expected Unix timestamp to be a Long, but found class {}",
                    other.class()
                )));
            }
            (_, Value::Date(millis)) => *millis,
            (form, other) => {
                return Err(Fault::data(format!(
                    "Expected {form:?} to be a java.util.Date, but found class {}",
                    other.class()
                )));
            }
        };
        Ok(match self.target {
            Form::Text => {
                Value::String(self.format.as_ref().map(|f| f.format(millis)).unwrap_or_default().into())
            }
            Form::Unix => Value::Int64((millis / millis_per).saturating_mul(per_milli)),
            Form::Date => Value::Date(java::start_of_day(millis)),
            Form::Time => Value::Date(millis - java::start_of_day(millis)),
            Form::Timestamp => Value::Date(millis),
        })
    }

    fn parse(&self, text: &str) -> Result<i64, Fault> {
        let Some(format) = &self.format else {
            return Err(Fault::null(
                "Cannot invoke \"java.text.SimpleDateFormat.parse(String)\" because \"config.format\" is null",
            ));
        };
        format.parse(text).ok_or_else(|| {
            Fault::data(format!(
                "Could not parse timestamp: value ({text}) does not match pattern ({})",
                format.pattern()
            ))
        })
    }
}
