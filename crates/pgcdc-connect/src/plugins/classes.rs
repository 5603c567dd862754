//! The classes: connectors, transforms, predicates and converters, as Connect lists its plugins.

use serde_json::{Value, json};

/// The version of Kafka Connect whose REST interface this is.
pub(crate) const CONNECT_VERSION: &str = "4.3.1";
/// The version of Debezium that the connector follows.
pub(crate) const PLUGIN_VERSION: &str = "3.7.0.Final";

/// Debezium's connector, which runs our engine.
const POSTGRES: &str = "io.debezium.connector.postgresql.PostgresConnector";

/// The single message transforms of `pgcdc-transform`.
const TRANSFORMATIONS: &[&str] = &[
    "io.debezium.connector.postgresql.transforms.DecodeLogicalDecodingMessageContent",
    "io.debezium.transforms.ByLogicalTableRouter",
    "io.debezium.transforms.ExtractChangedRecordState",
    "io.debezium.transforms.ExtractNewRecordState",
    "io.debezium.transforms.ExtractSchemaToNewRecord",
    "io.debezium.transforms.GeometryFormatTransformer",
    "io.debezium.transforms.HeaderToValue",
    "io.debezium.transforms.SchemaChangeEventFilter",
    "io.debezium.transforms.SwapGeometryCoordinates",
    "io.debezium.transforms.TimezoneConverter",
    "io.debezium.transforms.ToLogicalTopicRouter",
    "io.debezium.transforms.VectorToJsonConverter",
    "io.debezium.transforms.outbox.EventRouter",
    "io.debezium.transforms.partitions.PartitionRouting",
    "org.apache.kafka.connect.transforms.Cast$Key",
    "org.apache.kafka.connect.transforms.Cast$Value",
    "org.apache.kafka.connect.transforms.DropHeaders",
    "org.apache.kafka.connect.transforms.ExtractField$Key",
    "org.apache.kafka.connect.transforms.ExtractField$Value",
    "org.apache.kafka.connect.transforms.Filter",
    "org.apache.kafka.connect.transforms.Flatten$Key",
    "org.apache.kafka.connect.transforms.Flatten$Value",
    "org.apache.kafka.connect.transforms.HeaderFrom$Key",
    "org.apache.kafka.connect.transforms.HeaderFrom$Value",
    "org.apache.kafka.connect.transforms.HoistField$Key",
    "org.apache.kafka.connect.transforms.HoistField$Value",
    "org.apache.kafka.connect.transforms.InsertField$Key",
    "org.apache.kafka.connect.transforms.InsertField$Value",
    "org.apache.kafka.connect.transforms.InsertHeader",
    "org.apache.kafka.connect.transforms.MaskField$Key",
    "org.apache.kafka.connect.transforms.MaskField$Value",
    "org.apache.kafka.connect.transforms.RegexRouter",
    "org.apache.kafka.connect.transforms.ReplaceField$Key",
    "org.apache.kafka.connect.transforms.ReplaceField$Value",
    "org.apache.kafka.connect.transforms.SetSchemaMetadata$Key",
    "org.apache.kafka.connect.transforms.SetSchemaMetadata$Value",
    "org.apache.kafka.connect.transforms.TimestampConverter$Key",
    "org.apache.kafka.connect.transforms.TimestampConverter$Value",
    "org.apache.kafka.connect.transforms.TimestampRouter",
    "org.apache.kafka.connect.transforms.ValueToKey",
];

/// The predicates of `pgcdc-transform`.
const PREDICATES: &[&str] = &[
    "org.apache.kafka.connect.transforms.predicates.HasHeaderKey",
    "org.apache.kafka.connect.transforms.predicates.RecordIsTombstone",
    "org.apache.kafka.connect.transforms.predicates.TopicNameMatches",
];

/// The converters of keys and values.
const CONVERTERS: &[&str] = &[
    "io.apicurio.registry.utils.converter.AvroConverter",
    "io.confluent.connect.avro.AvroConverter",
    "io.debezium.converters.BinaryDataConverter",
    "io.debezium.converters.ByteArrayConverter",
    "io.debezium.converters.CloudEventsConverter",
    "org.apache.kafka.connect.converters.BooleanConverter",
    "org.apache.kafka.connect.converters.ByteArrayConverter",
    "org.apache.kafka.connect.converters.DoubleConverter",
    "org.apache.kafka.connect.converters.FloatConverter",
    "org.apache.kafka.connect.converters.IntegerConverter",
    "org.apache.kafka.connect.converters.LongConverter",
    "org.apache.kafka.connect.converters.ShortConverter",
    "org.apache.kafka.connect.json.JsonConverter",
    "org.apache.kafka.connect.storage.StringConverter",
];

/// The converters of headers.
const HEADER_CONVERTERS: &[&str] = &[
    "io.debezium.converters.BinaryDataConverter",
    "io.debezium.converters.ByteArrayConverter",
    "org.apache.kafka.connect.converters.BooleanConverter",
    "org.apache.kafka.connect.converters.ByteArrayConverter",
    "org.apache.kafka.connect.converters.DoubleConverter",
    "org.apache.kafka.connect.converters.FloatConverter",
    "org.apache.kafka.connect.converters.IntegerConverter",
    "org.apache.kafka.connect.converters.LongConverter",
    "org.apache.kafka.connect.converters.ShortConverter",
    "org.apache.kafka.connect.json.JsonConverter",
    "org.apache.kafka.connect.storage.SimpleHeaderConverter",
    "org.apache.kafka.connect.storage.StringConverter",
];

/// The sinks of `pgcdc-sinks`: the class, and the type of the sink in a TOML file.
const SINKS: &[(&str, &str)] =
    &[("pgcdc.CassandraSink", "cassandra"), ("pgcdc.HttpSink", "http"), ("pgcdc.RedisSink", "redis")];

/// The type of the sink that a class is.
pub(crate) fn sink_type(word: &str) -> Option<&'static str> {
    SINKS.iter().find(|(class, _)| is_named(class, word)).map(|(_, kind)| *kind)
}

/// What a class is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Sink,
    Source,
    Transformation,
    Predicate,
    Converter,
    HeaderConverter,
}

impl Kind {
    /// Whether it is a connector, not a part of one.
    pub(crate) fn is_connector(self) -> bool {
        matches!(self, Self::Sink | Self::Source)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sink => "sink",
            Self::Source => "source",
            Self::Transformation => "transformation",
            Self::Predicate => "predicate",
            Self::Converter => "converter",
            Self::HeaderConverter => "header_converter",
        }
    }
}

/// All classes, in Connect's order.
pub(crate) fn all() -> impl Iterator<Item = (Kind, &'static str)> {
    let kinds: [(Kind, &'static [&'static str]); 5] = [
        (Kind::Source, &[POSTGRES]),
        (Kind::Transformation, TRANSFORMATIONS),
        (Kind::Predicate, PREDICATES),
        (Kind::Converter, CONVERTERS),
        (Kind::HeaderConverter, HEADER_CONVERTERS),
    ];
    let sinks = SINKS.iter().map(|(class, _)| (Kind::Sink, *class));
    sinks.chain(kinds.into_iter().flat_map(|(kind, classes)| classes.iter().map(move |class| (kind, *class))))
}

/// The version of a class's library.
pub(crate) fn version(class: &str) -> &'static str {
    match class.split('.').next() {
        Some("org") => CONNECT_VERSION,
        Some("pgcdc") => env!("CARGO_PKG_VERSION"),
        _ => PLUGIN_VERSION,
    }
}

/// A class as `/connector-plugins` shows it.
pub(crate) fn shown(kind: Kind, class: &str) -> Value {
    json!({"class": class, "type": kind.name(), "version": version(class)})
}

/// Whether `word` names the class: in full, without its package, or also without `Connector` or `Converter` at its end.
pub(crate) fn is_named(class: &str, word: &str) -> bool {
    let simple = class.rsplit('.').next().unwrap_or(class);
    let short = simple.strip_suffix("Connector").or_else(|| simple.strip_suffix("Converter"));
    word == class || word == simple || Some(word) == short
}

/// The connector that a word names.
pub(crate) fn connector(word: &str) -> Option<(Kind, &'static str)> {
    all().find(|(kind, class)| kind.is_connector() && is_named(class, word))
}

/// The class that a word names.
pub(crate) fn find(word: &str) -> Option<(Kind, &'static str)> {
    all().find(|(_, class)| is_named(class, word))
}

/// What Connect says of a connector's class that it does not have.
pub(crate) fn refused(class: &str) -> String {
    let connectors: Vec<String> = all()
        .filter(|(kind, _)| kind.is_connector())
        .map(|(kind, class)| {
            let (version, kind) = (version(class), kind.name());
            format!(
                "PluginDesc{{klass=class {class}, name='{class}', version='{version}', encodedVersion={version}, type={kind}, typeName='{kind}', location='pgcdc'}}"
            )
        })
        .collect();
    format!(
        "Failed to find any class that implements Connector and which name matches {class}, available connectors are: {}",
        connectors.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_name_the_connector() {
        for word in [POSTGRES, "PostgresConnector", "Postgres"] {
            assert_eq!(connector(word), Some((Kind::Source, POSTGRES)), "{word}");
        }
        for word in ["", "postgres", "JsonConverter", "Connector"] {
            assert_eq!(connector(word), None, "{word}");
        }
        assert_eq!(find("Json").map(|(kind, _)| kind), Some(Kind::Converter));
    }
}
