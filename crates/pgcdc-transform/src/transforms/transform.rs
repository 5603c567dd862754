//! The trait of a transform, and the steps that most of them share: a value as a struct or a map, a field by its name.

use std::fmt::Debug;
use std::sync::Arc;

use crate::Fault;
use crate::data::{Record, Schema, Struct, Value};

/// The result of a transform: a record, or `None` for a record that is dropped.
pub(crate) type Outcome = Result<Option<Record>, Fault>;

/// A configured transform.
pub(crate) trait Transform: Debug + Send {
    /// Changes one record. `now` is in milliseconds since 1970; it is an argument since nothing here reads a clock.
    ///
    /// A transform has state only where Debezium's has it: remembered schemas, the headers of the last delete. So the
    /// records of one table must go through one chain, in their order.
    fn apply(&mut self, record: Record, now: i64) -> Outcome;

    /// Tells the transform that the next record still has the connector's own list of headers. Only transforms that
    /// add to that list in place do something here; see [`shared_headers`](super::shared_headers).
    fn arrive(&mut self, _: &mut Record) {}

    /// Whether records still have that list after this transform. False for a transform that gives the record a list
    /// of its own, as all of Kafka's do.
    fn keeps_headers(&self) -> bool {
        false
    }
}

/// A transform, or `None` after a mistake that was added to the options.
pub(super) type Built = Option<Box<dyn Transform>>;

/// The option that most of Kafka's transforms share. Its default is true: Connect reads a null field as its schema's
/// default, which hides the null.
pub(super) const REPLACE_NULL: &str = "replace.null.with.default";

/// The struct of a value with a schema. `purpose` is the part of Connect's message that names the transform.
pub(super) fn require_struct<'a>(value: &'a Value, purpose: &str) -> Result<&'a Arc<Struct>, Fault> {
    value.as_struct().ok_or_else(|| {
        Fault::data(format!("Only Struct objects supported for [{purpose}], found: {}", value.class()))
    })
}

/// The map of a value without a schema; Connect has maps where there are no structs.
pub(super) fn require_map<'a>(value: &'a Value, purpose: &str) -> Result<&'a Vec<(Value, Value)>, Fault> {
    match value {
        Value::Map(entries) => Ok(entries),
        other => Err(Fault::data(format!(
            "Only Map objects supported in absence of schema for [{purpose}], found: {}",
            other.class()
        ))),
    }
}

/// The value of a name in a map; null when the map does not have it.
pub(super) fn map_get(entries: &[(Value, Value)], name: &str) -> Value {
    let found = entries.iter().find(|(key, _)| key.as_str() == Some(name));
    found.map_or(Value::Null, |(_, value)| value.clone())
}

/// Replaces the value of a name, at its position, or adds the name at the end.
pub(super) fn map_put(entries: &mut Vec<(Value, Value)>, name: &str, value: Value) {
    match entries.iter_mut().find(|(key, _)| key.as_str() == Some(name)) {
        Some((_, slot)) => *slot = value,
        None => entries.push((Value::text(name), value)),
    }
}

/// Whether a record's value is one of Debezium's change events. As in Debezium, the end of the schema's name decides: a
/// transform before that renames the schema hides the event from later ones.
pub(crate) fn is_envelope(record: &Record) -> bool {
    let name = record.value_schema.as_ref().and_then(Schema::name);
    name.is_some_and(|name| name.ends_with(".Envelope"))
}

/// Schema and value of a struct's field, with the default for null, as Kafka's `ExtractField` reads it. Debezium's
/// transforms use that class to take `before` and `after` out of an event.
///
/// # Errors
/// When the schema has no such field.
pub(super) fn extract(
    schema: Option<&Schema>,
    value: &Value,
    field: &str,
) -> Result<(Option<Schema>, Value), Fault> {
    let Some(schema) = schema else {
        if value.is_null() {
            return Ok((None, Value::Null));
        }
        return Ok((None, map_get(require_map(value, "field extraction")?, field)));
    };
    if !value.is_null() {
        require_struct(value, "field extraction")?;
    }
    let found = schema.field_of_struct(field)?;
    let found = found.ok_or_else(|| Fault::argument(format!("Unknown field: {field}")))?;
    let inner = match value.as_struct() {
        None => Value::Null,
        Some(inner) => inner.get(field)?.clone(),
    };
    Ok((Some(found.schema.clone()), inner))
}
