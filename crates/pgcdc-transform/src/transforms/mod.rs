//! The transforms, a file each, under the names of their Java classes.

mod cast;
mod changed_state;
mod decode_message;
mod event_router;
mod extract_field;
mod flatten;
mod geometry;
mod header_from;
mod header_to_value;
mod headers;
mod hoist_field;
mod insert_field;
mod json_payload;
mod logical_router;
mod mask_field;
mod new_state;
mod partition_routing;
mod path;
mod regex_router;
mod replace_field;
mod schema_change_filter;
mod schema_metadata;
mod schema_to_record;
mod script;
mod shared_headers;
mod timestamp_converter;
mod timestamp_router;
mod timezone_converter;
mod value_to_key;
mod vector_to_json;
mod zone;

use std::fmt::Debug;
use std::sync::Arc;

use crate::Fault;
use crate::data::{Record, Schema, Side, Struct, Value};
use crate::options::Options;

/// The result of a transform: a record, or `None` for a record that is dropped.
pub(crate) type Outcome = Result<Option<Record>, Fault>;

/// A configured transform. `now` is in milliseconds since 1970.
pub(crate) trait Transform: Debug + Send {
    fn apply(&mut self, record: Record, now: i64) -> Outcome;

    /// Tells the transform that the next record still has the connector's own list of headers.
    fn arrive(&mut self, _: &mut Record) {}

    /// Whether records still have that list after this transform.
    fn keeps_headers(&self) -> bool {
        false
    }
}

type Built = Option<Box<dyn Transform>>;

/// Kafka's own `Filter`, which drops every record that its predicate selects.
#[derive(Debug)]
struct DropAll;

impl Transform for DropAll {
    fn apply(&mut self, _: Record, _: i64) -> Outcome {
        Ok(None)
    }
}

/// The known classes without their packages: Kafka's, then Debezium's.
pub(crate) const KAFKA: &str = "org.apache.kafka.connect.transforms.";
pub(crate) const DEBEZIUM: &str = "io.debezium.transforms.";

/// The names by which Connect knows a class: the full name, and the name without its package where that is unambiguous.
const SHORT: &[&str] = &[
    "org.apache.kafka.connect.transforms.DropHeaders",
    "org.apache.kafka.connect.transforms.Filter",
    "org.apache.kafka.connect.transforms.InsertHeader",
    "org.apache.kafka.connect.transforms.RegexRouter",
    "org.apache.kafka.connect.transforms.TimestampRouter",
    "org.apache.kafka.connect.transforms.ValueToKey",
    "io.debezium.connector.postgresql.transforms.DecodeLogicalDecodingMessageContent",
    "io.debezium.transforms.ByLogicalTableRouter",
    "io.debezium.transforms.ContentBasedRouter",
    "io.debezium.transforms.ExtractChangedRecordState",
    "io.debezium.transforms.ExtractNewRecordState",
    "io.debezium.transforms.ExtractSchemaToNewRecord",
    "io.debezium.transforms.GeometryFormatTransformer",
    "io.debezium.transforms.HeaderToValue",
    "io.debezium.transforms.SchemaChangeEventFilter",
    "io.debezium.transforms.SwapGeometryCoordinates",
    "io.debezium.transforms.TimezoneConverter",
    "io.debezium.transforms.VectorToJsonConverter",
    "io.debezium.transforms.outbox.EventRouter",
    "io.debezium.transforms.partitions.PartitionRouting",
];

/// The full name of a class, from its name without the package.
pub(crate) fn full_name(class: &str) -> &str {
    let is = |full: &&&str| full.rsplit('.').next() == Some(class);
    SHORT.iter().find(is).copied().unwrap_or(class)
}

/// Builds the transform of a class; `None` for an unknown class. Mistakes are added to the options.
pub(crate) fn build(class: &str, options: &mut Options<'_>) -> Option<Built> {
    if let Some(name) = class.strip_prefix(KAFKA) {
        if let Some((name, half)) = name.split_once('$') {
            let side = match half {
                "Key" => Side::Key,
                "Value" => Side::Value,
                _ => return None,
            };
            return build_half(name, side, options);
        }
        return Some(match name {
            "DropHeaders" => headers::drop_headers(options),
            "Filter" => Some(Box::new(DropAll)),
            "InsertHeader" => headers::insert_header(options),
            "RegexRouter" => regex_router::build(options),
            "TimestampRouter" => timestamp_router::build(options),
            "ValueToKey" => value_to_key::build(options),
            _ => return None,
        });
    }
    if class == "io.debezium.connector.postgresql.transforms.DecodeLogicalDecodingMessageContent" {
        return Some(decode_message::build(options));
    }
    Some(match class.strip_prefix(DEBEZIUM)? {
        "ByLogicalTableRouter" => logical_router::build(options, "__dbz__physicalTableIdentifier"),
        "ToLogicalTopicRouter" => logical_router::build(options, "__dbz__sourceIdentifier"),
        "ContentBasedRouter" => script::router(options),
        "ExtractChangedRecordState" => changed_state::build(options),
        "ExtractNewRecordState" => new_state::build(options),
        "ExtractSchemaToNewRecord" => schema_to_record::build(options),
        "Filter" => script::filter(options),
        "GeometryFormatTransformer" => geometry::format(options),
        "HeaderToValue" => header_to_value::build(options),
        "SchemaChangeEventFilter" => schema_change_filter::build(options),
        "SwapGeometryCoordinates" => geometry::swap(options),
        "TimezoneConverter" => timezone_converter::build(options),
        "VectorToJsonConverter" => vector_to_json::build(),
        "outbox.EventRouter" => event_router::build(options),
        "partitions.PartitionRouting" => partition_routing::build(options),
        _ => return None,
    })
}

fn build_half(name: &str, side: Side, options: &mut Options<'_>) -> Option<Built> {
    Some(match name {
        "Cast" => cast::build(side, options),
        "ExtractField" => extract_field::build(side, options),
        "Flatten" => flatten::build(side, options),
        "HeaderFrom" => header_from::build(side, options),
        "HoistField" => hoist_field::build(side, options),
        "InsertField" => insert_field::build(side, options),
        "MaskField" => mask_field::build(side, options),
        "ReplaceField" => replace_field::build(side, options),
        "SetSchemaMetadata" => schema_metadata::build(side, options),
        "TimestampConverter" => timestamp_converter::build(side, options),
        _ => return None,
    })
}

/// The option that most of Kafka's transforms share.
const REPLACE_NULL: &str = "replace.null.with.default";

fn require_struct<'a>(value: &'a Value, purpose: &str) -> Result<&'a Arc<Struct>, Fault> {
    value.as_struct().ok_or_else(|| {
        Fault::data(format!("Only Struct objects supported for [{purpose}], found: {}", value.class()))
    })
}

fn require_map<'a>(value: &'a Value, purpose: &str) -> Result<&'a Vec<(Value, Value)>, Fault> {
    match value {
        Value::Map(entries) => Ok(entries),
        other => Err(Fault::data(format!(
            "Only Map objects supported in absence of schema for [{purpose}], found: {}",
            other.class()
        ))),
    }
}

/// The value of a name in a map; null when the map does not have it.
fn map_get(entries: &[(Value, Value)], name: &str) -> Value {
    let found = entries.iter().find(|(key, _)| key.as_str() == Some(name));
    found.map_or(Value::Null, |(_, value)| value.clone())
}

fn map_put(entries: &mut Vec<(Value, Value)>, name: &str, value: Value) {
    match entries.iter_mut().find(|(key, _)| key.as_str() == Some(name)) {
        Some((_, slot)) => *slot = value,
        None => entries.push((Value::text(name), value)),
    }
}

/// Whether a value is one of Debezium's change events.
fn is_envelope(record: &Record) -> bool {
    let name = record.value_schema.as_ref().and_then(Schema::name);
    name.is_some_and(|name| name.ends_with(".Envelope"))
}

/// Schema and value of a struct's field, with the default for null, as Kafka's `ExtractField` reads it.
fn extract(schema: Option<&Schema>, value: &Value, field: &str) -> Result<(Option<Schema>, Value), Fault> {
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
