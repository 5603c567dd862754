//! The properties that Kafka Connect itself reads from a connector's registration.

use pgcdc_config::Check::{self, Classes, NotNegative};
use pgcdc_config::Importance::{High, Low, Medium};
use pgcdc_config::Kind::{Boolean, Class, Int, List, Long, String};
use pgcdc_config::{Property, p};

const JSON: &str = "org.apache.kafka.connect.json.JsonConverter";
/// The converters of keys and values that pgcdc has.
const CLASSES: Check = Classes(&[
    JSON,
    "io.confluent.connect.avro.AvroConverter",
    "io.apicurio.registry.utils.converter.AvroConverter",
    "io.debezium.converters.CloudEventsConverter",
    STRING,
    "org.apache.kafka.connect.converters.ByteArrayConverter",
    "io.debezium.converters.BinaryDataConverter",
    "io.debezium.converters.ByteArrayConverter",
    "org.apache.kafka.connect.converters.BooleanConverter",
    "org.apache.kafka.connect.converters.ShortConverter",
    "org.apache.kafka.connect.converters.IntegerConverter",
    "org.apache.kafka.connect.converters.LongConverter",
    "org.apache.kafka.connect.converters.FloatConverter",
    "org.apache.kafka.connect.converters.DoubleConverter",
]);
/// The converters of headers that are accepted. Those of numbers and bytes work only when no record
/// has a header.
const HEADER_CLASSES: Check = Classes(&[
    SIMPLE,
    JSON,
    STRING,
    "io.debezium.converters.BinaryDataConverter",
    "io.debezium.converters.ByteArrayConverter",
    "org.apache.kafka.connect.converters.ByteArrayConverter",
    "org.apache.kafka.connect.converters.BooleanConverter",
    "org.apache.kafka.connect.converters.ShortConverter",
    "org.apache.kafka.connect.converters.IntegerConverter",
    "org.apache.kafka.connect.converters.LongConverter",
    "org.apache.kafka.connect.converters.FloatConverter",
    "org.apache.kafka.connect.converters.DoubleConverter",
]);
const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";
const SIMPLE: &str = "org.apache.kafka.connect.storage.SimpleHeaderConverter";
const ONE_BINARY: &str = "pgcdc is one program, there are no plugin versions to choose from";
const WORKER: &str = "there is no Connect worker around the connector";

/// Names, converters, transforms, errors, topics and exactly-once.
pub(super) const CONNECT: &[Property] = &[
    p("name", String, "", High, "Name of the connector."),
    p("connector.class", String, "", High, "Java class of the connector; pgcdc stands in for io.debezium.connector.postgresql.PostgresConnector.")
        .check(Classes(&["io.debezium.connector.postgresql.PostgresConnector"])),
    p("connector.plugin.version", String, "3.7.0.Final", Medium, "Version of the connector plugin.").not_applicable(ONE_BINARY),
    p("tasks.max", Int, "1", High, "Greatest number of tasks; a Postgres connector has one.").not_applicable("one slot is read by one task"),
    p("tasks.max.enforce", Boolean, "true", Low, "Fail when there are more tasks than allowed.").not_applicable("one slot is read by one task"),
    p("key.converter", Class, JSON, Low, "How a record's key becomes bytes.").check(CLASSES),
    p("key.converter.plugin.version", String, "4.1.0", Low, "Version of the key converter.").not_applicable(ONE_BINARY),
    p("value.converter", Class, JSON, Low, "How a record's value becomes bytes.").check(CLASSES),
    p("value.converter.plugin.version", String, "4.1.0", Low, "Version of the value converter.").not_applicable(ONE_BINARY),
    p("header.converter", Class, SIMPLE, Low, "How a record's headers become bytes.").check(HEADER_CLASSES),
    p("header.converter.plugin.version", String, "4.1.0", Low, "Version of the header converter.").not_applicable(ONE_BINARY),
    p("transforms", List, "", Low, "Names of the single message transforms, in the order in which they apply."),
    p("predicates", List, "", Low, "Names of the predicates that transforms refer to."),
    p("config.action.reload", String, "restart", Low, "What to do when a config provider's value changes.")
        .one_of(&["none", "restart"]).not_applicable("config providers are read once, at start"),
    p("errors.retry.timeout", Long, "0", Medium, "How long a failed operation is tried again.").not_applicable("transient failures are retried without an end"),
    p("errors.retry.delay.max.ms", Long, "60000", Medium, "Longest pause between tries of a failed operation.").not_applicable("the pause is retriable.restart.connector.wait.ms"),
    p("errors.tolerance", String, "none", Medium, "Whether records that cannot be written, transformed or converted are left out and counted (all), or stop the connector (none).").one_of(&["none", "all"]),
    p("errors.log.enable", Boolean, "false", Medium, "Log each record that errors.tolerance=all leaves out; without it the first of each kind is logged, and each tenfold of their count."),
    p("errors.log.include.messages", Boolean, "false", Medium, "Log the record that failed.").not_applicable("rows never reach a log"),
    p("topic.creation.groups", List, "", Low, "Names of groups of topics that are created with settings of their own, in the order in which they are asked."),
    p("errors.deadletterqueue.*", String, "", Low, "Where a sink connector puts records that fail.")
        .family("errors.deadletterqueue.", "").not_applicable("Connect has it for sink connectors alone").beside(),
    p("exactly.once.support", String, "requested", Medium, "Whether each record must be written exactly once, in Kafka transactions.")
        .one_of(&["requested", "required"]),
    p("transaction.boundary", String, "poll", Medium, "Where Kafka transactions end.").one_of(&["interval", "poll", "connector"])
        .refuse(&[("connector", "the Postgres connector does not define transaction boundaries, Debezium's neither", "set poll, the default, or interval")]),
    p("transaction.boundary.interval.ms", Long, "", Low, "How often a Kafka transaction ends with transaction.boundary=interval.")
        .check(NotNegative),
    p("offsets.storage.topic", String, "", Low, "Topic for this connector's offsets, in place of the worker's."),
    p("key.converter.schemas.enable", Boolean, "true", Low, "Write the schema with every key.").beside(),
    p("value.converter.schemas.enable", Boolean, "true", Low, "Write the schema with every value.").beside(),
    p("key.converter.decimal.format", String, "BASE64", Low, "How a Decimal in the key stands in JSON.").one_of(&["BASE64", "NUMERIC"]).beside(),
    p("value.converter.decimal.format", String, "BASE64", Low, "How a Decimal in the value stands in JSON.").one_of(&["BASE64", "NUMERIC"]).beside(),
    p("key.converter.replace.null.with.default", Boolean, "true", Low, "Write the default in place of a null in the key.").beside(),
    p("value.converter.replace.null.with.default", Boolean, "true", Low, "Write the default in place of a null in the value.").beside(),
    p("header.converter.schemas.enable", Boolean, "true", Low, "Write a header's schema with it.").beside(),
    p("header.converter.decimal.format", String, "BASE64", Low, "How a Decimal in a header stands in JSON.").one_of(&["BASE64", "NUMERIC"]).beside(),
    p("header.converter.replace.null.with.default", Boolean, "true", Low, "Write the default in place of a null in a header.").beside(),
    p("key.converter.schemas.cache.size", Int, "1000", Low, "How many schemas the key converter keeps.").not_applicable(WORKER).beside(),
    p("value.converter.schemas.cache.size", Int, "1000", Low, "How many schemas the value converter keeps.").not_applicable(WORKER).beside(),
];
