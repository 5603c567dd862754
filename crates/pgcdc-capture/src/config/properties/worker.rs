//! Properties of the Connect worker and of Kafka's clients, which may stand in the same file.

use pgcdc_config::Check::Positive;
use pgcdc_config::Importance::{High, Low, Medium};
use pgcdc_config::Kind::{Boolean, Int, List, Long, String};
use pgcdc_config::{Property, p};

/// Why properties of the worker have no effect.
const CONNECT_WORKER: &str = "it configures a Connect worker; `pgcdc stream` runs without one";
/// Why properties of other Kafka clients have no effect.
const CLIENTS: &str =
    "it configures clients that pgcdc does not have; for the producer and its topics write producer.<key>";
const PROVIDERS: &str = "env, file and dir are always there";
const NO_HISTORY: &str = "Debezium's Postgres connector has neither schema changes nor their history";
const JDBC: &str = "it is for the JDBC driver, which pgcdc does not use";

/// Properties with names of their own.
pub(super) const WORKER: &[Property] = &[
    p("bootstrap.servers", List, "", High, "Brokers to connect to first.").beside(),
    p("offset.storage.topic", String, "", High, "Topic for the offsets of all connectors.").beside(),
    p("offset.storage.file.filename", String, "", High, "File for the offsets of all connectors.").beside(),
    p("offset.flush.interval.ms", Long, "60000", Low, "How often offsets are written, in milliseconds.")
        .beside()
        .check(Positive)
        .not_applicable("offsets are written before each position that is confirmed, so as often as status.update.interval.ms says"),
    p(
        "topic.creation.default.partitions",
        Int,
        "",
        Medium,
        "Partitions of a topic that is created; -1 for the broker's default.",
    )
    .beside(),
    p(
        "topic.creation.default.replication.factor",
        Int,
        "",
        Medium,
        "Replicas of a topic that is created; -1 for the broker's default.",
    )
    .beside(),
    p("topic.creation.enable", Boolean, "true", Low, "Create missing topics with topic.creation.* settings.")
        .beside(),
    p("offset.flush.timeout.ms", Long, "5000", Low, "How long writing offsets may take.")
        .beside()
        .not_applicable(CONNECT_WORKER),
    p("offset.storage.partitions", Int, "25", Low, "Partitions of the offsets topic.")
        .beside()
        .not_applicable(CONNECT_WORKER),
    p("offset.storage.replication.factor", Int, "3", Low, "Replicas of the offsets topic.")
        .beside()
        .not_applicable(CONNECT_WORKER),
    p("offset.storage", String, "", Low, "Java class that stores offsets.")
        .beside()
        .not_applicable(CONNECT_WORKER),
    p("group.id", String, "", Low, "Group of the worker.").beside().not_applicable(CONNECT_WORKER),
    p("config.storage.topic", String, "", Low, "Topic for the worker's configuration.")
        .beside()
        .not_applicable(CONNECT_WORKER),
    p("config.storage.replication.factor", Int, "3", Low, "Replicas of that topic.")
        .beside()
        .not_applicable(CONNECT_WORKER),
    p("status.storage.topic", String, "", Low, "Topic for the worker's status.")
        .beside()
        .not_applicable(CONNECT_WORKER),
    p("status.storage.partitions", Int, "5", Low, "Partitions of that topic.")
        .beside()
        .not_applicable(CONNECT_WORKER),
    p("status.storage.replication.factor", Int, "3", Low, "Replicas of that topic.")
        .beside()
        .not_applicable(CONNECT_WORKER),
    p("plugin.path", List, "", Low, "Where the worker finds plugins.")
        .beside()
        .not_applicable(CONNECT_WORKER),
    p("plugin.discovery", String, "hybrid_warn", Low, "How the worker finds plugins.")
        .beside()
        .not_applicable(CONNECT_WORKER),
    p("listeners", List, "", Low, "Addresses of the worker's REST interface.")
        .beside()
        .not_applicable(CONNECT_WORKER),
    p("client.id", String, "", Low, "Client name of the worker.").beside().not_applicable(CONNECT_WORKER),
    p(
        "connector.client.config.override.policy",
        String,
        "All",
        Low,
        "Which client settings a connector may override.",
    )
    .beside()
    .not_applicable(CONNECT_WORKER),
    p(
        "exactly.once.source.support",
        String,
        "disabled",
        Low,
        "Exactly-once support of the worker; enabled writes Kafka transactions whether required or not.",
    )
    .beside()
    .one_of(&["disabled", "enabled", "preparing"]),
    p("config.providers", List, "", Low, "Config providers to load.")
        .beside()
        .not_applicable("env, file and dir are always there"),
];

/// Families whose members are not checked by name; a longer prefix stands before a shorter one.
pub(super) const PASS_THROUGH: &[Property] = &[
    p("topic.creation.default.*", String, "", Low, "Settings of a topic that is created.")
        .beside()
        .family("topic.creation.default.", ""),
    p("topic.creation.*", String, "", Low, "Settings of a group of topics: include and exclude (expressions of whole topic names), partitions, replication.factor, and any setting of a topic.")
        .beside()
        .family("topic.creation.", ""),
    p(
        "producer.override.*",
        String,
        "",
        Low,
        "Settings of the connector's Kafka producer; they win over producer.*.",
    )
    .beside()
    .family("producer.override.", ""),
    p("producer.*", String, "", Low, "Settings of Kafka producers.").beside().family("producer.", ""),
    p("admin.override.*", String, "", Low, "Settings of the connector's Kafka admin client.")
        .beside()
        .family("admin.override.", "")
        .not_applicable(CLIENTS),
    p("admin.*", String, "", Low, "Settings of Kafka admin clients.")
        .beside()
        .family("admin.", "")
        .not_applicable(CLIENTS),
    p("consumer.override.*", String, "", Low, "Settings of a sink connector's consumer.")
        .beside()
        .family("consumer.override.", "")
        .not_applicable(CLIENTS),
    p("consumer.*", String, "", Low, "Settings of consumers.")
        .beside()
        .family("consumer.", "")
        .not_applicable(CLIENTS),
    p("config.providers.*", String, "", Low, "Settings of config providers.")
        .beside()
        .family("config.providers.", "")
        .not_applicable(PROVIDERS),
    p("transforms.*", String, "", Low, "Settings of the transform that the name's second part names.")
        .beside()
        .family("transforms.", ""),
    p("predicates.*", String, "", Low, "Settings of the predicate that the name's second part names.")
        .beside()
        .family("predicates.", ""),
    p(
        "include.schema.changes",
        Boolean,
        "true",
        Low,
        "Write schema changes to a topic: connectors of other databases do.",
    )
    .beside()
    .not_applicable(NO_HISTORY),
    p(
        "schema.history.internal.*",
        String,
        "",
        Low,
        "Where connectors of other databases keep their schemas' history.",
    )
    .beside()
    .family("schema.history.internal.", "")
    .not_applicable(NO_HISTORY),
    p(
        "database.history.*",
        String,
        "",
        Low,
        "What schema.history.internal.* was before Debezium 2.",
    )
    .beside()
    .family("database.history.", "")
    .not_applicable(NO_HISTORY),
    p("database.history", String, "", Low, "Java class of that history.").beside().not_applicable(NO_HISTORY),
    p("schema.history.internal", String, "", Low, "Java class of that history.")
        .beside()
        .not_applicable(NO_HISTORY),
    p("source.struct.version", String, "", Low, "Version of the source block, up to Debezium 1.9.")
        .beside()
        .not_applicable("there is one version of it since Debezium 2"),
    p("debezium.*", String, "", Low, "Settings of Debezium Server around its connector.")
        .beside()
        .family("debezium.", "")
        .not_applicable("pgcdc writes to Kafka; a sink of pgcdc's takes records further"),
    p("rest.*", String, "", Low, "Settings of the worker's REST interface.")
        .beside()
        .family("rest.", "")
        .not_applicable(CONNECT_WORKER),
    p("security.*", String, "", Low, "Security of the worker's own Kafka clients.")
        .beside()
        .family("security.", "")
        .not_applicable(CLIENTS),
    p("sasl.*", String, "", Low, "Security of the worker's own Kafka clients.")
        .beside()
        .family("sasl.", "")
        .not_applicable(CLIENTS),
    p("ssl.*", String, "", Low, "Security of the worker's own Kafka clients.")
        .beside()
        .family("ssl.", "")
        .not_applicable(CLIENTS),
    p("config.storage.*", String, "", Low, "Settings of the worker's configuration topic.")
        .beside()
        .family("config.storage.", "")
        .not_applicable(CONNECT_WORKER),
    p("status.storage.*", String, "", Low, "Settings of the worker's status topic.")
        .beside()
        .family("status.storage.", "")
        .not_applicable(CONNECT_WORKER),
    p("offset.storage.*", String, "", Low, "Settings of the worker's offsets topic.")
        .beside()
        .family("offset.storage.", "")
        .not_applicable(CONNECT_WORKER),
    p("driver.*", String, "", Low, "Properties of the JDBC driver.")
        .beside()
        .family("driver.", "")
        .not_applicable(JDBC),
    p("database.*", String, "", Low, "Properties of the JDBC driver.")
        .beside()
        .family("database.", "")
        .not_applicable(JDBC),
];
