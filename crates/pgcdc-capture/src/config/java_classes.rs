//! Java classes that a registration may name and pgcdc cannot run: what to use instead.
//!
//! A class that decides how values are written is refused, since without it the records would
//! differ. The remedy names what does the same here, if anything does.

use pgcdc_config::{Document, Mistake};

/// The list of custom converters; each name in it has its class in `<name>.type`.
const CONVERTERS: &str = "converters";
/// The list of post processors, which has the same form.
const PROCESSORS: &str = "post.processors";

/// Parts of class names, and what to use instead of such a class. The first part that the name
/// contains counts.
const IN_PLACE_OF: &[(&str, &str)] = &[
    (
        "TimestampConverter",
        "time.precision.mode=isostring or connect writes times as texts or as Kafka's own types; the transform org.apache.kafka.connect.transforms.TimestampConverter formats one field",
    ),
    ("DateTimeConverter", "time.precision.mode=isostring writes dates and times as texts"),
    ("TimezoneConverter", "the transform io.debezium.transforms.TimezoneConverter is here"),
    (
        "JsonSchemaConverter",
        "use org.apache.kafka.connect.json.JsonConverter, or io.confluent.connect.avro.AvroConverter with the registry",
    ),
    ("ProtobufConverter", "use io.confluent.connect.avro.AvroConverter with the registry"),
    ("ExpandJSON", "io.debezium.transforms.outbox.EventRouter has table.expand.json.payload for an outbox"),
    ("TopicRegexRouter", "use org.apache.kafka.connect.transforms.RegexRouter"),
    ("RenameField", "use org.apache.kafka.connect.transforms.ReplaceField$Value with renames"),
    (
        "ExtractTopic",
        "use io.debezium.transforms.ByLogicalTableRouter, or route.by.field of io.debezium.transforms.ExtractNewRecordState",
    ),
    (
        "transforms.Drop",
        "use org.apache.kafka.connect.transforms.Filter with a predicate, or ReplaceField with exclude",
    ),
    (
        "TombstoneHandler",
        "use delete.tombstone.handling.mode of io.debezium.transforms.ExtractNewRecordState, or tombstones.on.delete=false",
    ),
    ("ReadToInsertEvent", "that is of the MongoDB connector"),
    ("LogicalTypes", "set decimal.handling.mode and time.precision.mode"),
    ("Decimal", "set decimal.handling.mode=string or double"),
    (
        "TimescaleDb",
        "pgcdc does not know the chunks of a hypertable: route their topics with io.debezium.transforms.ByLogicalTableRouter, or keep Debezium for this connector",
    ),
];

/// What to use instead of a Java class; `None` when there is nothing to offer.
pub(super) fn in_place_of(class: &str) -> Option<&'static str> {
    IN_PLACE_OF.iter().find(|(part, _)| class.contains(part)).map(|&(_, instead)| instead)
}

/// The names in a comma-separated list.
fn names<'d>(document: &'d Document, list: &str) -> Vec<&'d str> {
    let text = document.entry(list).map_or("", |entry| entry.value.expose());
    text.split(',').map(str::trim).filter(|name| !name.is_empty()).collect()
}

/// The prefixes of the properties of custom converters and post processors.
pub(super) fn named_plugins(document: &Document) -> Vec<String> {
    let lists = [CONVERTERS, PROCESSORS].map(|list| names(document, list));
    lists.into_iter().flatten().map(|name| format!("{name}.")).collect()
}

/// Refuses custom converters: they are Java classes that decide how values are written, so none can
/// be left out.
pub(super) fn check(document: &Document, mistakes: &mut Vec<Mistake>) {
    for name in names(document, CONVERTERS) {
        let Some(list) = document.entry(CONVERTERS) else { return };
        let key = format!("{name}.type");
        let Some(entry) = document.entry(&key) else {
            let message = format!("the converter {name} has no class: {key} is missing");
            mistakes.push(list.mistake(message, format!("remove {name} from {CONVERTERS}")));
            continue;
        };
        let class = entry.value.expose().trim();
        let shown = if entry.provided { "its class" } else { class };
        let message = format!(
            "{shown} is a Java class, which pgcdc cannot run (nor can Debezium without its jar), and without it values would be written in another form"
        );
        let instead =
            in_place_of(class).map(|instead| format!("{instead}; then remove {name} from {CONVERTERS}"));
        let remedy = instead.unwrap_or_else(|| {
            format!("remove {name} from {CONVERTERS}, or keep Debezium for this connector")
        });
        mistakes.push(entry.mistake(message, remedy));
    }
}
