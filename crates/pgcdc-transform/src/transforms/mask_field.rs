//! Kafka's `MaskField`: hides the values of fields, for instance of personal data.
//!
//! Classes: `org.apache.kafka.connect.transforms.MaskField$Key` and `…MaskField$Value`.
//!
//! | option | default | meaning |
//! |---|---|---|
//! | `fields` | required | the fields to mask, between commas, each once |
//! | `replacement` | none | the new value for texts and numbers; else an empty value of the field's type |
//! | `replace.null.with.default` | `true` | whether a null field is read as its schema's default |
//!
//! An empty value is `""`, `0`, `false`, an empty array or map, and 1970-01-01 for a date of Connect's. A `replacement`
//! for a numeric field must be a number. With a replacement, booleans, dates, arrays and maps are an error; without one,
//! bytes and structs are. Only fields of the outermost struct can be masked: use it behind
//! [`new_state`](super::new_state), or name the fields of a key.
//!
//! Null stays null. A name that the schema does not have does nothing; without a schema it adds a field with null. A
//! tombstone is an error, so a chain that sees tombstones needs a predicate `RecordIsTombstone` with `negate=true`.
//!
//! A `numeric` column in Connect's `Decimal` with digits after the point cannot be masked without a replacement of the
//! same scale: the zero has scale 0, and the converter refuses it. It is the same in Kafka.
//!
//! ```
//! use pgcdc_transform::try_on;
//!
//! let mask = "type=org.apache.kafka.connect.transforms.MaskField$Value
//!             fields=email,age";
//! let before = r#"{"value":{"id":7,"email":"ann@example.com","age":41}}"#;
//! assert_eq!(try_on(mask, before), r#"{"value":{"id":7,"email":"","age":0}}"#);
//!
//! let stars = "type=org.apache.kafka.connect.transforms.MaskField$Value
//!              fields=email
//!              replacement=***";
//! assert_eq!(try_on(stars, r#"{"value":{"email":"ann@example.com"}}"#), r#"{"value":{"email":"***"}}"#);
//! assert_eq!(try_on(stars, r#"{"value":{"email":null}}"#), r#"{"value":{"email":null}}"#);
//! ```

use super::transform::{
    Built, Outcome, REPLACE_NULL, Transform, map_get, map_put, require_map, require_struct,
};
use crate::Fault;
use crate::data::{Decimal, Record, Side, Struct, Value};
use crate::options::Options;

const PURPOSE: &str = "mask fields";

/// The fields and their replacement.
#[derive(Debug)]
struct MaskField {
    side: Side,
    fields: Vec<String>,
    replacement: Option<String>,
    default_for_null: bool,
}

pub(super) fn build(side: Side, options: &mut Options<'_>) -> Built {
    let fields = options.distinct("fields");
    let replacement = options.text("replacement").map(str::to_owned);
    if replacement.as_deref() == Some("") {
        options.invalid("replacement", "", "String must be non-empty");
    }
    let default_for_null = options.boolean(REPLACE_NULL, true);
    Some(Box::new(MaskField { side, fields, replacement, default_for_null }))
}

impl Transform for MaskField {
    fn apply(&mut self, record: Record, _: i64) -> Outcome {
        let value = record.half(self.side);
        let Some(schema) = record.schema(self.side).cloned() else {
            let mut updated = require_map(value, PURPOSE)?.clone();
            for field in &self.fields {
                let masked = self.masked(&map_get(&updated, field))?;
                map_put(&mut updated, field, masked);
            }
            return Ok(Some(record.with(self.side, None, Value::Map(updated.into()))));
        };
        let old = require_struct(value, PURPOSE)?;
        let mut updated = Struct::new(old.schema().clone())?;
        for (at, field) in old.schema().fields().iter().enumerate() {
            let value = old.at_with(at, self.default_for_null);
            let masked = self.fields.iter().any(|name| **name == *field.name);
            updated.put_at(at, if masked { self.masked(value)? } else { value.clone() })?;
        }
        Ok(Some(record.with(self.side, Some(schema), Value::Struct(updated.into()))))
    }
}

impl MaskField {
    fn masked(&self, value: &Value) -> Result<Value, Fault> {
        match &self.replacement {
            _ if value.is_null() => Ok(Value::Null),
            None => nothing(value),
            Some(text) => replaced(value, text),
        }
    }
}

/// The empty value of a value's type.
fn nothing(value: &Value) -> Result<Value, Fault> {
    Ok(match value {
        Value::Boolean(_) => Value::Boolean(false),
        Value::Int8(_) => Value::Int8(0),
        Value::Int16(_) => Value::Int16(0),
        Value::Int32(_) => Value::Int32(0),
        Value::Int64(_) => Value::Int64(0),
        Value::Float32(_) => Value::Float32(0.0),
        Value::Float64(_) => Value::Float64(0.0),
        Value::Decimal(_) => Value::Decimal(Decimal::zero().into()),
        Value::Date(_) => Value::Date(0),
        Value::String(_) => Value::text(""),
        Value::Array(_) => Value::Array(Vec::new().into()),
        Value::Map(_) => Value::Map(Vec::new().into()),
        other => return Err(Fault::data(format!("Cannot mask value of type: class {}", other.class()))),
    })
}

/// The replacement as a value of the same type. A number loses the bits that do not fit, as in Java.
fn replaced(value: &Value, text: &str) -> Result<Value, Fault> {
    let number = || {
        let unfit = format!("Unable to convert {text} (class java.lang.String) to a number");
        Decimal::parse(text).ok_or_else(|| Fault::data(unfit))
    };
    Ok(match value {
        Value::Int8(_) => Value::Int8(number()?.to_i64() as i8),
        Value::Int16(_) => Value::Int16(number()?.to_i64() as i16),
        Value::Int32(_) => Value::Int32(number()?.to_i64() as i32),
        Value::Int64(_) => Value::Int64(number()?.to_i64()),
        Value::Float32(_) => Value::Float32(number()?.to_f64() as f32),
        Value::Float64(_) => Value::Float64(number()?.to_f64()),
        Value::String(_) => Value::text(text),
        Value::Decimal(_) => match Decimal::parse(text) {
            Some(decimal) => Value::Decimal(decimal.into()),
            None => {
                return Err(Fault::data(format!(
                    "Unable to convert {text} (class java.lang.String) to number"
                )));
            }
        },
        other => {
            return Err(Fault::data(format!(
                "Cannot mask value of type class {} with custom replacement.",
                other.class()
            )));
        }
    })
}
