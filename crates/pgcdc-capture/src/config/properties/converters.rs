//! The properties that converters of keys and values read below `key.converter.` and
//! `value.converter.`.

use pgcdc_config::Check::{Classes, Positive};
use pgcdc_config::Importance::{High, Low, Medium};
use pgcdc_config::Kind::{Boolean, Class, Int, List, Password, String};
use pgcdc_config::{Property, p};

const WORKER: &str = "there is no Connect worker around the connector";
const CLIENT: &str = "pgcdc's own client of the registry sets it";
const ENUMS: &str = "Debezium's schemas have no enumerations of Avro's";
const RULES: &str = "pgcdc runs no rules of a registry's";
const NAMING: &str = "io.confluent.kafka.serializers.subject.TopicNameStrategy";

/// The same property of both converters.
macro_rules! both {
    ($( $option:literal, $kind:expr, $default:expr, $importance:expr, $doc:literal $(, [$($more:tt)+])?; )*) => {
        &[$(
            p(concat!("key.converter.", $option), $kind, $default, $importance, concat!("Key converter: ", $doc)).beside() $($($more)+)?,
            p(concat!("value.converter.", $option), $kind, $default, $importance, concat!("Value converter: ", $doc)).beside() $($($more)+)?,
        )*]
    };
}

/// Confluent's and Apicurio's Avro converters, and the registry that they use.
pub(super) const AVRO: &[Property] = both! {
    "schema.registry.url", List, "", High, "the schema registry's addresses, tried in turn.";
    "auto.register.schemas", Boolean, "true", Medium, "register schemas that the registry does not have.";
    "normalize.schemas", Boolean, "false", Medium, "let the registry normalize schemas.";
    "use.latest.version", Boolean, "false", Medium, "write with the latest schema of the subject; pgcdc requires that it says the same as the table's own.";
    "latest.compatibility.strict", Boolean, "true", Low, "check the latest schema against the table's own.", [.not_applicable("pgcdc always does")];
    "key.subject.name.strategy", Class, NAMING, Medium, "how the subject of a key's schema is named.";
    "value.subject.name.strategy", Class, NAMING, Medium, "how the subject of a value's schema is named.";
    "enhanced.avro.schema.support", Boolean, "false", Medium, "write enumerations as Avro's.", [.not_applicable(ENUMS)];
    "generalized.sum.type.support", Boolean, "false", Medium, "write enumerations and unions as Avro's.", [.not_applicable(ENUMS)];
    "connect.meta.data", Boolean, "true", Low, "let the schema have the names, versions and parameters of Connect's.";
    "scrub.invalid.names", Boolean, "false", Medium, "replace what Avro does not allow in names.";
    "ignore.default.for.nullables", Boolean, "false", Medium, "write null, not the default, for a null.";
    "allow.optional.map.keys", Boolean, "false", Low, "write maps with optional keys as Avro's.", [.not_applicable("Debezium's schemas have no such maps")];
    "flatten.singleton.unions", Boolean, "true", Low, "unwrap unions of one type.", [.not_applicable("Debezium's schemas have no unions")];
    "discard.type.doc.default", Boolean, "false", Low, "keep field documentation and defaults only.", [.not_applicable("it is about reading")];
    "schemas.cache.config", Int, "1000", Low, "how many schemas are kept.", [.not_applicable("each table's schema is kept as long as the table")];
    "max.schemas.per.subject", Int, "1000", Low, "how many schemas of a subject are kept.", [.not_applicable("each table's schema is kept as long as the table")];
    "basic.auth.credentials.source", String, "URL", Medium, "where the registry's user and password stand.", [.one_of(&["URL", "USER_INFO", "SASL_INHERIT"]).refuse(&[("SASL_INHERIT", "there is no JAAS configuration to take it from", "write USER_INFO and basic.auth.user.info")])];
    "basic.auth.user.info", Password, "", Medium, "the registry's user:password.";
    "schema.registry.basic.auth.user.info", Password, "", Medium, "the registry's user:password, under its older name.";
    "bearer.auth.credentials.source", String, "", Medium, "where the registry's token stands.", [.one_of(&["STATIC_TOKEN"])];
    "bearer.auth.token", Password, "", Medium, "the registry's token.";
    "schema.registry.ssl.truststore.type", String, "PEM", Medium, "the form of the trusted certificates.", [.one_of(&["PEM"])];
    "schema.registry.ssl.truststore.location", String, "", High, "a PEM file of certificates that the registry's must be signed by.";
    "schema.registry.ssl.truststore.certificates", Password, "", High, "such certificates themselves, as PEM.";
    "schema.registry.ssl.keystore.type", String, "PEM", Medium, "the form of the client's certificate.", [.one_of(&["PEM"])];
    "schema.registry.ssl.keystore.location", String, "", High, "a PEM file of the client's key and certificates.";
    "schema.registry.ssl.keystore.key", Password, "", High, "the client's key itself, as PEM.";
    "schema.registry.ssl.keystore.certificate.chain", Password, "", High, "the client's certificates themselves, as PEM.";
    "schema.registry.ssl.endpoint.identification.algorithm", String, "https", Low, "check the registry's host name.", [.one_of(&["https"])];
    "schema.registry.ssl.protocol", String, "", Low, "the version of TLS.", [.not_applicable(CLIENT)];
    "schema.registry.ssl.enabled.protocols", List, "", Low, "versions of TLS.", [.not_applicable(CLIENT)];
    "http.connect.timeout.ms", Int, "60000", Low, "how long connecting to the registry may take.", [.check(Positive)];
    "http.read.timeout.ms", Int, "60000", Low, "how long the registry's answer may take.", [.check(Positive)];
    "max.retries", Int, "3", Low, "how often a call is tried again.", [.not_applicable("transient failures are retried without an end")];
    "retries.wait.ms", Int, "1000", Low, "the pause before that.", [.not_applicable("the pause is retriable.restart.connector.wait.ms")];
    "retries.max.wait.ms", Int, "20000", Low, "the longest such pause.", [.not_applicable("the pause is retriable.restart.connector.wait.ms")];
    "rule.executors", List, "", Low, "rules to run.", [.refused(RULES)];
    "schema.reflection", Boolean, "false", Low, "use Java's classes.", [.not_applicable(WORKER)];
    "avro.use.logical.type.converters", Boolean, "false", Low, "use Avro's own logical types in Java.", [.not_applicable("the bytes are the same")];
    "avro.remove.java.properties", Boolean, "false", Low, "leave avro.java.* out of schemas.", [.not_applicable("they are never in")];
    "avro.reflection.allow.null", Boolean, "false", Low, "let Java's fields be null.", [.not_applicable(WORKER)];
    "apicurio.registry.url", String, "", High, "Apicurio's address; its Confluent-compatible API below the same host is used.";
    "apicurio.registry.as-confluent", Boolean, "false", Medium, "Apicurio: write Confluent's wire format; pgcdc writes no other.";
    "apicurio.registry.use-id", String, "globalId", Medium, "Apicurio: which number of a schema is written; pgcdc writes contentId.", [.one_of(&["contentId", "globalId", "none"])];
    "apicurio.registry.auto-register", Boolean, "false", Medium, "Apicurio: register schemas that the registry does not have.";
    "apicurio.registry.find-latest", Boolean, "false", Medium, "Apicurio: write with the latest schema.";
    "apicurio.registry.headers.enabled", Boolean, "false", Medium, "Apicurio: put the schema's number in a header.", [.refused("pgcdc puts it before the value, as Confluent's wire format has it")];
};

/// The converters of texts, bytes and CloudEvents.
pub(super) const OTHERS: &[Property] = both! {
    "converter.encoding", String, "UTF-8", Low, "StringConverter's encoding.", [.one_of(&["UTF-8", "UTF8"])];
    "delegate.converter.type", Class, "", Low, "BinaryDataConverter: the converter of what is not bytes.", [.check(Classes(&["org.apache.kafka.connect.json.JsonConverter"]))];
    "delegate.converter.type.schemas.enable", Boolean, "true", Low, "BinaryDataConverter: whether its delegate writes schemas.";
    "serializer.type", String, "json", Low, "CloudEventsConverter: the form of the event.", [.one_of(&["json"])];
    "data.serializer.type", String, "json", Low, "CloudEventsConverter: the form of the event's data.", [.one_of(&["json"])];
    "json.schemas.enable", Boolean, "true", Low, "CloudEventsConverter: write the data's schema with it.";
    "json.schemas.cache.size", Int, "1000", Low, "CloudEventsConverter: how many schemas are kept.", [.not_applicable(WORKER)];
    "extension.attributes.enable", Boolean, "true", Low, "CloudEventsConverter: give the event Debezium's extension attributes.";
    "metadata.source", String, "value,id:generate,type:generate,traceparent:header,dataSchemaName:generate", Low, "CloudEventsConverter: where an event's id, type and data schema name come from.";
    "schema.cloudevents.name", String, "", Low, "CloudEventsConverter: name of the event's own schema.", [.not_applicable("an event in JSON has no schema")];
    "schema.name.adjustment.mode", String, "avro", Low, "CloudEventsConverter: how names of schemas are adjusted.", [.not_applicable("an event in JSON has no schema")];
    "schema.data.name.source.header.enable", Boolean, "false", Low, "CloudEventsConverter: take the data's schema name from a header, where metadata.source says so.";
    "opentelemetry.tracing.attributes.enable", Boolean, "false", Low, "CloudEventsConverter: give the event OpenTelemetry's attributes.", [.refused("pgcdc traces nothing")];
};
