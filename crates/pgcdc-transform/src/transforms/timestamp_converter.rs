//! Kafka's `TimestampConverter`: another form for a moment in time.
//!
//! Classes: `org.apache.kafka.connect.transforms.TimestampConverter$Key` and `…TimestampConverter$Value`.
//!
//! | option | default | meaning |
//! |---|---|---|
//! | `target.type` | required | `string`, `unix`, `Date`, `Time` or `Timestamp` |
//! | `field` | the whole key or value | the field to convert |
//! | `format` | none | a pattern of Java's `SimpleDateFormat`; needed for texts, read and written |
//! | `unix.precision` | `milliseconds` | the unit of `unix` numbers: `seconds`, `milliseconds`, `microseconds`, `nanoseconds` |
//! | `replace.null.with.default` | `true` | whether a null field is read as its schema's default |
//!
//! It reads texts, `int64` numbers (as `unix`) and Connect's `Date`, `Time` and `Timestamp`. Any other schema is an error.
//! The precision of the number that comes is the one of `unix.precision`, too.
//!
//! Debezium's own temporal types are plain numbers to it, since it goes by the schema's name: `io.debezium.time.Date` is an
//! `int32` and therefore an error, and `io.debezium.time.MicroTimestamp` is an `int64` that needs
//! `unix.precision=microseconds`. With `time.precision.mode=connect` the columns have Connect's types.
//!
//! Times are UTC. `Date` cuts off the time of day, `Time` the date. Null and tombstones pass. A text that does not fit the
//! pattern is an error; text behind the part that fits is ignored, as in Java.
//!
//! ```
//! use pgcdc_transform::try_on;
//!
//! let iso = "type=org.apache.kafka.connect.transforms.TimestampConverter$Value
//!            field=paid
//!            target.type=string
//!            format=yyyy-MM-dd'T'HH:mm:ss";
//! let before = r#"{"value":{"id":7,"paid":1711846800123}}"#;
//! assert_eq!(try_on(iso, before), r#"{"value":{"id":7,"paid":"2024-03-31T01:00:00"}}"#);
//!
//! let unix = "type=org.apache.kafka.connect.transforms.TimestampConverter$Value
//!             field=paid
//!             target.type=unix
//!             unix.precision=seconds
//!             format=yyyy-MM-dd";
//! assert_eq!(try_on(unix, r#"{"value":{"paid":"2024-03-31"}}"#), r#"{"value":{"paid":1711843200}}"#);
//! assert_eq!(
//!     try_on(unix, r#"{"value":{"paid":"soon"}}"#),
//!     "failed: Could not parse timestamp: value (soon) does not match pattern (yyyy-MM-dd)"
//! );
//! ```

use super::transform::{
    Built, Outcome, REPLACE_NULL, Transform, map_get, map_put, require_map, require_struct,
};
use crate::Fault;
use crate::cache::Recent;
use crate::data::{Kind, Logical, Record, Schema, SchemaBuilder, Side, Struct, Value};
use crate::java::{self, DateFormat};
use crate::options::Options;

const PURPOSE: &str = "converting timestamp formats";

/// The form of a moment: of the values that come, and of the values that go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// A text, by the pattern.
    Text,
    /// A number of units since 1970.
    Unix,
    /// Connect's `Date`: midnight.
    Date,
    /// Connect's `Time`: a moment of 1970-01-01.
    Time,
    /// Connect's `Timestamp`.
    Timestamp,
}

/// The field and its new form.
#[derive(Debug)]
struct TimestampConverter {
    side: Side,
    /// Empty: the whole key or value.
    field: String,
    target: Form,
    /// The pattern for texts. It may be missing where no text is written; a text that comes is an error then.
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

/// The schema of values of a form.
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

/// The form of a schema's values; an error for a schema of no moment.
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

/// The form of a value without a schema; `None` for null.
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
    /// The schema with the field's new one. A struct's default is converted, too.
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

    /// A struct with its field converted.
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

    /// One value, by way of milliseconds since 1970: finer digits are lost.
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
