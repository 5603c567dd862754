//! The transforms, a module each. Each module's page is the reference of its transform.
//!
//! A transform is known by its Java class. A class of Kafka's that works on one half of a record ends in `$Key` or
//! `$Value`. Connect also knows the classes without `$` by their name alone: `type=RegexRouter`.
//!
//! | to | transforms |
//! |---|---|
//! | take rows out of change events | [`new_state`], [`changed_state`], [`schema_to_record`] |
//! | choose topic or partition | [`regex_router`], [`timestamp_router`], [`logical_router`], [`partition_routing`], [`script`] |
//! | leave out records | [`script`], [`schema_change_filter`], Kafka's `Filter` with a [predicate](crate::predicates) |
//! | change fields | [`cast`], [`mask_field`], [`replace_field`], [`timestamp_converter`], [`timezone_converter`] |
//! | add fields, and move them | [`insert_field`], [`header_from`], [`header_to_value`], [`headers`], [`value_to_key`] |
//! | change the shape | [`extract_field`], [`flatten`], [`hoist_field`], [`schema_metadata`] |
//! | publish an outbox | [`event_router`], [`decode_message`] |
//! | change special types | [`geometry`], [`vector_to_json`] |
//!
//! All of them share these rules, which are Connect's:
//!
//! - A record has a schema for its key and one for its value, or none. pgcdc's records have both; a transform such as
//!   [`event_router`] can take them away. Without a schema a struct is a map.
//! - `replace.null.with.default`, where a transform has it, replaces a null by the default of the field's schema. It
//!   concerns *all* fields of the record that the transform writes anew, not only the ones that it is about.
//! - A new schema is made once for each old schema and then kept, 16 for most transforms of Kafka's.
//! - A mistake in the options is found at the start. An error at a record stops the connector, or with
//!   `errors.tolerance=all` leaves out the record.

pub mod cast;
pub mod changed_state;
pub mod decode_message;
pub mod event_router;
pub mod extract_field;
pub mod flatten;
pub mod geometry;
pub mod header_from;
pub mod header_to_value;
pub mod headers;
pub mod hoist_field;
pub mod insert_field;
mod json_payload;
pub mod logical_router;
pub mod mask_field;
pub mod new_state;
pub mod partition_routing;
mod path;
pub mod regex_router;
pub mod replace_field;
pub mod schema_change_filter;
pub mod schema_metadata;
pub mod schema_to_record;
pub mod script;
mod shared_headers;
pub mod timestamp_converter;
pub mod timestamp_router;
pub mod timezone_converter;
mod transform;
pub mod value_to_key;
pub mod vector_to_json;
mod zone;

use self::transform::Built;
pub(crate) use self::transform::{Outcome, Transform, is_envelope};
use crate::data::{Record, Side};
use crate::options::Options;

/// Kafka's own `Filter`: it drops every record that it sees. Its predicate, which Connect asks before, is what makes it
/// useful.
#[derive(Debug)]
struct DropAll;

impl Transform for DropAll {
    fn apply(&mut self, _: Record, _: i64) -> Outcome {
        Ok(None)
    }
}

/// The package of Kafka's transforms.
pub(crate) const KAFKA: &str = "org.apache.kafka.connect.transforms.";
/// The package of Debezium's transforms.
pub(crate) const DEBEZIUM: &str = "io.debezium.transforms.";

/// The classes that Connect also finds by the name without the package.
///
/// `Filter` alone means Kafka's. Classes with `$` have no short name, and `ToLogicalTopicRouter` has none either.
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

/// Builds the transform of a class from its options.
///
/// The outer `None` is an unknown class. The inner one is a known class with a mistake, which is in the options then. All
/// options are read even after a mistake, so that a user sees all mistakes at once.
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

/// Builds a transform that works on one half of a record: `Cast$Key`, `Cast$Value`.
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
