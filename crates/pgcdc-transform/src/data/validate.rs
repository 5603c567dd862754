use super::{Field, Kind, Logical, Schema, Struct, Value};
use crate::Fault;

/// Checks that a schema allows a value, at any depth, as Connect's `ConnectSchema.validateValue` does. `place` says where
/// the value is, for the message.
///
/// Null is allowed where the schema is optional. A struct must have the very schema that its field has.
///
/// # Errors
/// When it does not, in Connect's words.
///
/// ```
/// use pgcdc_transform::data::{Kind, Schema, Value, validate};
///
/// let required = Schema::plain(Kind::Int32, false);
/// assert!(validate(&required, &Value::Int32(7), "id").is_ok());
/// let fault = validate(&required, &Value::Null, "id").expect_err("it is required");
/// assert_eq!(fault.message, "Invalid value: null used for required id, schema type: INT32");
/// ```
pub fn validate(schema: &Schema, value: &Value, place: &str) -> Result<(), Fault> {
    check(schema, value, &|| place.to_owned())
}

/// Checks a field's value. The message is only made when it is needed: this runs for every field of every record.
pub(super) fn validate_field(field: &Field, value: &Value) -> Result<(), Fault> {
    check(&field.schema, value, &|| format!("field: \"{}\"", field.name))
}

fn check(schema: &Schema, value: &Value, place: &dyn Fn() -> String) -> Result<(), Fault> {
    if value.is_null() {
        if schema.is_optional() {
            return Ok(());
        }
        return Err(Fault::data(format!(
            "Invalid value: null used for required {}, schema type: {}",
            place(),
            schema.kind()
        )));
    }
    if !is_of(schema, value) {
        let name = schema.name().map_or_else(String::new, |name| format!(" \"{name}\""));
        return Err(Fault::data(format!(
            "Invalid Java object for schema{name} with type {}: class {} for {}",
            schema.kind(),
            value.class(),
            place()
        )));
    }
    match value {
        Value::Struct(inner) => check_struct(schema, inner),
        Value::Array(items) => {
            let of_element = || format!("element of array {}", place());
            let items_schema = required(schema.value_schema(), &of_element)?;
            items.iter().try_for_each(|item| check(items_schema, item, &of_element))
        }
        Value::Map(entries) => {
            let of_key = || format!("key of map {}", place());
            let of_value = || format!("value of map {}", place());
            let key_schema = required(schema.key_schema(), &of_key)?;
            let value_schema = required(schema.value_schema(), &of_value)?;
            entries.iter().try_for_each(|(key, value)| {
                check(key_schema, key, &of_key)?;
                check(value_schema, value, &of_value)
            })
        }
        _ => Ok(()),
    }
}

fn required<'a>(schema: Option<&'a Schema>, place: &dyn Fn() -> String) -> Result<&'a Schema, Fault> {
    schema.ok_or_else(|| Fault::data(format!("No schema defined for {}", place())))
}

fn check_struct(schema: &Schema, inner: &Struct) -> Result<(), Fault> {
    if inner.schema() != schema {
        return Err(Fault::data("Struct schemas do not match."));
    }
    inner.entries().try_for_each(|(field, value)| {
        if value.is_null() && (field.schema.is_optional() || field.schema.default_value().is_some()) {
            return Ok(());
        }
        validate_field(field, value)
    })
}

/// Whether a value has the class that Connect expects for a schema. A logical type has a class of its own.
fn is_of(schema: &Schema, value: &Value) -> bool {
    match schema.logical() {
        Some(Logical::Decimal) => matches!(value, Value::Decimal(_)),
        Some(Logical::Date | Logical::Time | Logical::Timestamp) => matches!(value, Value::Date(_)),
        None => match (schema.kind(), value) {
            (Kind::Bytes, Value::Bytes(_)) => true,
            (kind, value) => value.kind() == Some(kind),
        },
    }
}
