//! Kafka's `Cast`: changes the type of fields, or of a whole key or value.
//!
//! Classes: `org.apache.kafka.connect.transforms.Cast$Key` and `…Cast$Value`.
//!
//! | option | default | meaning |
//! |---|---|---|
//! | `spec` | required | items `field:type` between commas, or one `type` for the whole key or value |
//! | `replace.null.with.default` | `true` | whether a null field is read as its schema's default |
//!
//! The types are `int8`, `int16`, `int32`, `int64`, `float32`, `float64`, `boolean` and `string`, in any case.
//!
//! A cast behaves as it does in Java:
//!
//! - A number that is too large for the new type loses its high bits; a fraction is cut off. Neither is an error.
//! - A text becomes a number when all of it is one. Any other text is a `DataException`: the value *was out of range*.
//! - A number other than 0 becomes `true`; the text `true`, in any case, becomes `true` and every other text `false`.
//! - A date becomes a text in Connect's form; bytes become base64.
//!
//! Null stays null, and a tombstone passes. A `spec` for a field that the record does not have does nothing; in a record
//! without a schema it adds the field, with null. A cast field loses its schema's name, so a number that stood for a date
//! is only a number afterwards. Arrays, maps and structs cannot be cast.
//!
//! ```
//! use pgcdc_transform::try_on;
//!
//! let cast = "type=org.apache.kafka.connect.transforms.Cast$Value
//!             spec=id:string,price:int32,paid:boolean";
//! let before = r#"{"value":{"id":7,"price":9.99,"paid":1}}"#;
//! assert_eq!(try_on(cast, before), r#"{"value":{"id":"7","price":9,"paid":true}}"#);
//!
//! let narrow = "type=org.apache.kafka.connect.transforms.Cast$Value
//!               spec=id:int8";
//! assert_eq!(try_on(narrow, r#"{"value":{"id":300}}"#), r#"{"value":{"id":44}}"#);
//! assert_eq!(
//!     try_on(narrow, r#"{"value":{"id":"three"}}"#),
//!     "failed: Value (three) was out of range for requested data type"
//! );
//! ```

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::transform::{
    Built, Outcome, REPLACE_NULL, Transform, map_get, map_put, require_map, require_struct,
};
use crate::Fault;
use crate::cache::Recent;
use crate::data::{Kind, Logical, Record, Schema, SchemaBuilder, Side, Struct, Value};
use crate::java;
use crate::literal;
use crate::options::{Options, java_split};

const PURPOSE: &str = "cast types";
const INPUTS: &str = "[INT8, INT16, INT32, INT64, FLOAT32, FLOAT64, BOOLEAN, STRING, BYTES]";
const OUTPUTS: &str = "[INT8, INT16, INT32, INT64, FLOAT32, FLOAT64, BOOLEAN, STRING]";

/// A configured cast.
#[derive(Debug)]
struct Cast {
    side: Side,
    /// The fields with their new types. A field that the `spec` names twice has the later type.
    fields: Vec<(String, Kind)>,
    /// The new type of the whole key or value. With it there are no fields.
    whole: Option<Kind>,
    default_for_null: bool,
    schemas: Recent<Schema, Schema>,
}

pub(super) fn build(side: Side, options: &mut Options<'_>) -> Built {
    let default_for_null = options.boolean(REPLACE_NULL, true);
    let Some(spec) = options.list("spec") else {
        options.missing("spec");
        return None;
    };
    if spec.is_empty() {
        options.problem("spec", "Must specify at least one field to cast.");
        return None;
    }
    let mut fields: Vec<(String, Kind)> = Vec::new();
    let mut whole = None;
    for mapping in &spec {
        match item(mapping, &spec) {
            Ok((None, kind)) => whole = Some(kind),
            Ok((Some(field), kind)) => {
                fields.retain(|(known, _)| known != field);
                fields.push((field.to_owned(), kind));
            }
            Err(message) => {
                options.problem("spec", message);
                return None;
            }
        }
    }
    if whole.is_some() && spec.len() > 1 {
        options.problem(
            "spec",
            "Cast transformations that specify a type to cast the entire value to may only specify a single cast in their spec",
        );
        return None;
    }
    Some(Box::new(Cast { side, fields, whole, default_for_null, schemas: Recent::new(16) }))
}

/// Reads an item of the `spec`: a field and its new type, or a type alone. The error is Kafka's message.
fn item<'i>(mapping: &'i str, spec: &[String]) -> Result<(Option<&'i str>, Kind), String> {
    let (field, word) = match java_split(mapping, ':')[..] {
        [word] => (None, word.trim()),
        [field, word] => (Some(field.trim()), word.trim()),
        _ => {
            return Err(format!(
                "Invalid value {} for configuration renames: Invalid rename mapping: {mapping}",
                java::show_list(spec)
            ));
        }
    };
    let Some(kind) = Kind::named(&word.to_uppercase()) else {
        // Kafka's arguments are the wrong way round here.
        return Err(format!(
            "Invalid value java.lang.IllegalArgumentException: No enum constant org.apache.kafka.connect.data.Schema.Type.{} for configuration Invalid type found in casting spec: {word}",
            word.to_uppercase()
        ));
    };
    if !kind.is_primitive() || kind == Kind::Bytes {
        return Err(format!(
            "Cast transformation does not support casting to {kind}; supported types are {OUTPUTS}"
        ));
    }
    Ok((field, kind))
}

impl Transform for Cast {
    fn apply(&mut self, record: Record, _: i64) -> Outcome {
        let value = record.half(self.side);
        if value.is_null() {
            return Ok(Some(record));
        }
        let Some(schema) = record.schema(self.side).cloned() else {
            let updated = match self.whole {
                Some(kind) => cast(None, value, kind)?,
                None => {
                    let old = require_map(value, PURPOSE)?;
                    let mut updated = old.clone();
                    for (field, kind) in &self.fields {
                        map_put(&mut updated, field, cast(None, &map_get(old, field), *kind)?);
                    }
                    Value::Map(updated.into())
                }
            };
            return Ok(Some(record.with(self.side, None, updated)));
        };
        let updated_schema = self.updated_schema(&schema)?;
        if let Some(kind) = self.whole {
            let updated = cast(Some(&schema), value, kind)?;
            return Ok(Some(record.with(self.side, Some(updated_schema), updated)));
        }
        let old = require_struct(value, PURPOSE)?;
        let mut updated = Struct::new(updated_schema.clone())?;
        for (at, field) in old.schema().fields().iter().enumerate() {
            let value = old.at_with(at, self.default_for_null);
            let value = match self.of(&field.name) {
                Some(kind) => cast(Some(&field.schema), value, kind)?,
                None => value.clone(),
            };
            updated.put_at(at, value)?;
        }
        Ok(Some(record.with(self.side, Some(updated_schema), Value::Struct(updated.into()))))
    }
}

impl Cast {
    /// The new type of a field, if it has one.
    fn of(&self, name: &str) -> Option<Kind> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, kind)| *kind)
    }

    /// The schema after the cast. A default is cast like the values, so one that cannot be cast is an error.
    fn updated_schema(&mut self, schema: &Schema) -> Result<Schema, Fault> {
        if let Some(known) = self.schemas.get(schema) {
            return Ok(known.clone());
        }
        let mut builder = SchemaBuilder::like(schema, self.whole.unwrap_or(Kind::Struct));
        if self.whole.is_none() {
            for field in schema.fields_of_struct()? {
                let Some(kind) = self.of(&field.name) else {
                    builder.add_field(field.name.clone(), field.schema.clone())?;
                    continue;
                };
                let mut inner = SchemaBuilder::new(kind).optional_if(field.schema.is_optional());
                if let Some(default) = field.schema.default_value() {
                    inner = inner.default_value(cast(Some(&field.schema), default, kind)?)?;
                }
                builder.add_field(field.name.clone(), inner.build())?;
            }
        }
        builder = builder.optional_if(schema.is_optional());
        if let Some(default) = schema.default_value() {
            let kind = self.whole.unwrap_or(Kind::Struct);
            builder = builder.default_value(cast(Some(schema), default, kind)?)?;
        }
        let updated = builder.build();
        self.schemas.put(schema.clone(), updated.clone());
        Ok(updated)
    }
}

/// A value on its way to a number or a boolean, in the form from which Java casts it: Java goes through `long`, `double`
/// or the text, and the results differ.
enum Number {
    Whole(i64),
    Float(f64),
    Text(String),
}

/// Casts one value. `schema` is the value's own; without it the value's class says what it is.
fn cast(schema: Option<&Schema>, value: &Value, to: Kind) -> Result<Value, Fault> {
    if value.is_null() {
        return Ok(Value::Null);
    }
    let from = schema.map(Schema::kind).or_else(|| value.kind());
    let from = from.ok_or_else(|| {
        Fault::data(format!(
            "Cast transformation was passed a value of type class {} which is not supported by Connect's data API",
            value.class()
        ))
    })?;
    if !from.is_primitive() {
        return Err(Fault::data(format!(
            "Cast transformation does not support casting from {from}; supported types are {INPUTS}"
        )));
    }
    if to == Kind::String {
        return Ok(Value::String(text(value).into()));
    }
    let number = number(schema, value, to)?;
    let out_of_range =
        |text: &str| Fault::data(format!("Value ({text}) was out of range for requested data type"));
    Ok(match (to, number) {
        (Kind::Int8, Number::Whole(n)) => Value::Int8(n as i8),
        (Kind::Int8, Number::Float(n)) => Value::Int8(n as i32 as i8),
        (Kind::Int8, Number::Text(t)) => Value::Int8(t.parse().map_err(|_| out_of_range(&t))?),
        (Kind::Int16, Number::Whole(n)) => Value::Int16(n as i16),
        (Kind::Int16, Number::Float(n)) => Value::Int16(n as i32 as i16),
        (Kind::Int16, Number::Text(t)) => Value::Int16(t.parse().map_err(|_| out_of_range(&t))?),
        (Kind::Int32, Number::Whole(n)) => Value::Int32(n as i32),
        (Kind::Int32, Number::Float(n)) => Value::Int32(n as i32),
        (Kind::Int32, Number::Text(t)) => Value::Int32(t.parse().map_err(|_| out_of_range(&t))?),
        (Kind::Int64, Number::Whole(n)) => Value::Int64(n),
        (Kind::Int64, Number::Float(n)) => Value::Int64(n as i64),
        (Kind::Int64, Number::Text(t)) => Value::Int64(t.parse().map_err(|_| out_of_range(&t))?),
        (Kind::Float32, Number::Whole(n)) => Value::Float32(n as f32),
        (Kind::Float32, Number::Float(n)) => Value::Float32(n as f32),
        (Kind::Float32, Number::Text(t)) => {
            Value::Float32(float_digits(&t).parse().map_err(|_| out_of_range(&t))?)
        }
        (Kind::Float64, Number::Whole(n)) => Value::Float64(n as f64),
        (Kind::Float64, Number::Float(n)) => Value::Float64(n),
        (Kind::Float64, Number::Text(t)) => {
            Value::Float64(float_digits(&t).parse().map_err(|_| out_of_range(&t))?)
        }
        (_, Number::Whole(n)) => Value::Boolean(n != 0),
        (_, Number::Float(n)) => Value::Boolean(n as i64 != 0),
        (_, Number::Text(t)) => Value::Boolean(t.eq_ignore_ascii_case("true")),
    })
}

/// Parses a float as Java does: with white space around it, and a letter `f` or `d` at its end.
fn float_digits(text: &str) -> &str {
    let trimmed = text.trim();
    trimmed
        .strip_suffix(['f', 'F', 'd', 'D'])
        .filter(|t| t.ends_with(|c: char| c.is_ascii_digit() || c == '.'))
        .unwrap_or(trimmed)
}

/// A value as a number. A `Decimal` goes to `double` only for a float, so that a large one keeps its low digits.
fn number(schema: Option<&Schema>, value: &Value, to: Kind) -> Result<Number, Fault> {
    Ok(match value {
        Value::Int8(n) => Number::Whole(i64::from(*n)),
        Value::Int16(n) => Number::Whole(i64::from(*n)),
        Value::Int32(n) => Number::Whole(i64::from(*n)),
        Value::Int64(n) => Number::Whole(*n),
        Value::Float32(n) => Number::Float(f64::from(*n)),
        Value::Float64(n) => Number::Float(*n),
        Value::Boolean(b) => Number::Whole(i64::from(*b)),
        Value::String(text) => Number::Text(text.to_string()),
        Value::Decimal(decimal) if matches!(to, Kind::Float32 | Kind::Float64) => {
            Number::Float(decimal.to_f64())
        }
        Value::Decimal(decimal) => Number::Whole(decimal.to_i64()),
        Value::Date(millis) => match schema.and_then(Schema::logical) {
            Some(Logical::Date) => Number::Whole(java::days(*millis)?),
            Some(Logical::Time) => Number::Whole(java::time_of_day(*millis)?),
            _ => Number::Whole(*millis),
        },
        other => {
            return Err(Fault::data(format!(
                "Unexpected type in Cast transformation: class {}",
                other.class()
            )));
        }
    })
}

/// A value as a text. Connect has its own form for dates and bytes; for all other values it is Java's `toString()`.
fn text(value: &Value) -> String {
    match value {
        Value::Date(millis) => literal::date_text(*millis),
        Value::Bytes(bytes) => STANDARD.encode(bytes),
        other => java::show(other),
    }
}
