//! What is captured, how it is written, and to which topics.

use pgcdc_config::Check::{Classes, NotNegative, Patterns, Plugins, TopicName};
use pgcdc_config::Importance::{High, Low, Medium};
use pgcdc_config::Kind::{Boolean, Class, Int, List, String};
use pgcdc_config::{Property, p};

/// The words of both properties that adjust names.
const ADJUST: &[&str] = &["none", "avro_unicode", "avro"];

/// How records and values are written.
pub(super) const CONNECTOR: &[Property] = &[
    p(
        "skip.messages.without.change",
        Boolean,
        "false",
        Medium,
        "Write no record for an update that changes no captured column, where the replica identity is full.",
    ),
    p("tombstones.on.delete", Boolean, "true", Medium, "Write a record with a null value after each delete."),
    p("binary.handling.mode", String, "bytes", Low, "How bytea is written.").one_of(&[
        "bytes",
        "base64",
        "hex",
        "base64-url-safe",
    ]),
    p(
        "schema.name.adjustment.mode",
        String,
        "none",
        Low,
        "How schema names are changed to suit a converter.",
    )
    .one_of(ADJUST),
    p("field.name.adjustment.mode", String, "none", Low, "How field names are changed to suit a converter.")
        .one_of(ADJUST),
    p(
        "event.converting.failure.handling.mode",
        String,
        "warn",
        Medium,
        "What to do with a value that cannot be converted: write null in its place and say so once for each column, stop, or write null.",
    )
    .one_of(&["warn", "fail", "skip"]),
    p("decimal.handling.mode", String, "precise", Medium, "How numeric and money are written.")
        .one_of(&["string", "double", "precise"]),
    p("time.precision.mode", String, "adaptive", Medium, "How dates and times are written.").one_of(&[
        "adaptive",
        "adaptive_time_microseconds",
        "isostring",
        "structured",
        "microseconds",
        "nanoseconds",
        "connect",
    ]),
    p(
        "include.schema.comments",
        Boolean,
        "false",
        Medium,
        "Write comments on tables and columns into schemas.",
    ),
    p("hstore.handling.mode", String, "json", Low, "How hstore is written.").one_of(&["json", "map"]),
    p("interval.handling.mode", String, "numeric", Low, "How intervals are written.")
        .one_of(&["string", "numeric"]),
    p("money.fraction.digits", Int, "2", Low, "Digits after the decimal point of money.")
        .check(NotNegative)
        .beside(),
    p(
        "unavailable.value.placeholder",
        String,
        "__debezium_unavailable_value",
        Medium,
        "What stands for a value that the server did not send; hex: before it gives bytes.",
    ),
    p(
        "include.unknown.datatypes",
        Boolean,
        "false",
        Medium,
        "Write columns of unknown types as the bytes of their text.",
    ),
    p("skipped.operations", List, "t", Low, "Operations that are not written: c, u, d, t, or none."),
    p(
        "provide.transaction.metadata",
        Boolean,
        "false",
        Low,
        "Write begin and end of each transaction, and number its records.",
    ),
    p(
        "transaction.metadata.factory",
        Class,
        "io.debezium.pipeline.txmetadata.DefaultTransactionMetadataFactory",
        Low,
        "Java class of transaction metadata.",
    )
    .refused("it is a Java class, which pgcdc cannot run"),
    p("converters", String, "", Low, "Names of custom converters; the class of each stands in <name>.type.")
        .check(Plugins)
        .refused("they are Java classes, which pgcdc cannot run; the error says which property or transform does the same"),
    p("post.processors", String, "", Low, "Names of processors that change each record; pgcdc knows io.debezium.processors.reselect.ReselectColumnsPostProcessor, whose options stand below its name."),
    p(
        "sourceinfo.struct.maker",
        Class,
        "io.debezium.connector.postgresql.PostgresSourceInfoStructMaker",
        Low,
        "Java class that makes the source block.",
    )
    .refused("it is a Java class, which pgcdc cannot run"),
    p("extended.headers.enabled", Boolean, "true", Low, "Write Debezium's context headers on each record."),
    p(
        "column.mask.hash.([^.]+).with.salt.(.+)",
        String,
        "",
        Medium,
        "Columns whose values are replaced by a hash.",
    )
    .family("column.mask.hash.", ".with.salt."),
    p("column.mask.with.(d+).chars", String, "", Medium, "Columns whose values are replaced by asterisks.")
        .family("column.mask.with.", ".chars"),
    p("column.truncate.to.(d+).chars", Int, "", Medium, "Columns whose values are cut to a length.")
        .family("column.truncate.to.", ".chars"),
    p(
        "column.propagate.source.type",
        List,
        "",
        Medium,
        "Columns whose source type is written into the schema.",
    ),
    p(
        "datatype.propagate.source.type",
        List,
        "",
        Medium,
        "Types whose columns have their source type written into the schema.",
    ),
];

/// Which tables, columns and messages are captured.
pub(super) const SELECTION: &[Property] = &[
    p("table.include.list", List, "", High, "Regular expressions of schema.table that are captured.")
        .check(Patterns),
    p("table.exclude.list", List, "", Medium, "Regular expressions of schema.table that are not captured.")
        .check(Patterns),
    p(
        "table.ignore.builtin",
        Boolean,
        "true",
        Low,
        "Leave out Postgres's own schemas; false needs a list that does not name them.",
    )
    .not_applicable("Postgres does not publish its own tables, and no snapshot reads them"),
    p(
        "column.exclude.list",
        List,
        "",
        Medium,
        "Regular expressions of schema.table.column that are left out.",
    )
    .check(Patterns),
    p(
        "column.include.list",
        List,
        "",
        Medium,
        "Regular expressions of schema.table.column that are written.",
    )
    .check(Patterns),
    p("schema.include.list", List, "", High, "Regular expressions of schemas that are captured.")
        .check(Patterns),
    p("schema.exclude.list", List, "", Medium, "Regular expressions of schemas that are not captured.")
        .check(Patterns),
    p("database.include.list", List, "", High, "Databases that are captured.")
        .not_applicable("a slot belongs to one database: database.dbname"),
    p("database.exclude.list", List, "", Medium, "Databases that are not captured.")
        .not_applicable("a slot belongs to one database: database.dbname"),
    p(
        "message.key.columns",
        String,
        "",
        Medium,
        "Columns that make the key, as table-expression:column,column separated by semicolons.",
    ),
    p(
        "message.prefix.include.list",
        List,
        "",
        Medium,
        "Regular expressions of prefixes of logical messages that are captured.",
    )
    .check(Patterns),
    p(
        "message.prefix.exclude.list",
        List,
        "",
        Medium,
        "Regular expressions of prefixes of logical messages that are not captured.",
    )
    .check(Patterns),
];

/// How topics are named.
pub(super) const TOPICS: &[Property] = &[
    p(
        "topic.prefix",
        String,
        "",
        High,
        "First part of every topic's name, and the logical name of the server.",
    )
    .required()
    .check(TopicName),
    p(
        "topic.naming.strategy",
        Class,
        "io.debezium.schema.SchemaTopicNamingStrategy",
        Medium,
        "Java class that names topics.",
    )
    .check(Classes(&[
        "io.debezium.schema.SchemaTopicNamingStrategy",
        "io.debezium.schema.DefaultTopicNamingStrategy",
        "io.debezium.schema.SchemaUnicodeTopicNamingStrategy",
        "io.debezium.schema.DefaultUnicodeTopicNamingStrategy",
        "io.debezium.schema.SchemaRegexTopicNamingStrategy",
        "io.debezium.schema.DefaultRegexTopicNamingStrategy",
    ])),
    p("topic.regex", String, "", Low, "Regular expression of topics that a Regex naming strategy renames.")
        .beside(),
    p("topic.replacement", String, "", Low, "The new name of topics that topic.regex matches.").beside(),
    p(
        "topic.key.enforce.uniqueness",
        Boolean,
        "true",
        Low,
        "Add a field with the table to the keys, with a Regex naming strategy.",
    )
    .beside(),
    p("topic.key.field.name", String, "__dbz__physicalTableIdentifier", Low, "Name of that field.").beside(),
    p(
        "topic.key.field.regex",
        String,
        "",
        Low,
        "Regular expression that makes that field's value of the topic's first name.",
    )
    .beside(),
    p("topic.key.field.replacement", String, "", Low, "What topic.key.field.regex is replaced by.").beside(),
    p("topic.delimiter", String, ".", Low, "What stands between the parts of a topic's name.")
        .check(TopicName)
        .beside(),
    p("topic.cache.size", Int, "10000", Low, "How many topic names are kept.")
        .not_applicable("a topic's name is made once for each version of a table")
        .beside(),
    p("topic.transaction", String, "transaction", Low, "Name of the transaction topic, after the prefix.")
        .check(TopicName)
        .beside(),
    p(
        "topic.heartbeat.prefix",
        String,
        "__debezium-heartbeat",
        Low,
        "First part of the heartbeat topic's name.",
    )
    .check(TopicName)
    .beside(),
    p(
        "topic.heartbeat.name",
        String,
        "",
        Low,
        "The heartbeat topic's whole name, in place of prefix and topic prefix.",
    )
    .check(TopicName)
    .beside(),
];

/// Heartbeats.
pub(super) const HEARTBEAT: &[Property] = &[
    p(
        "heartbeat.interval.ms",
        Int,
        "0",
        Medium,
        "How often a heartbeat is written, in milliseconds; 0 for never.",
    )
    .check(NotNegative),
    p(
        "heartbeat.topics.prefix",
        String,
        "__debezium-heartbeat",
        Low,
        "What topic.heartbeat.prefix was before Debezium 2.",
    )
    .not_applicable("Debezium 3.7 does not read it either; the property is topic.heartbeat.prefix"),
    p("heartbeat.action.query", String, "", Low, "SQL to run with each heartbeat."),
];
