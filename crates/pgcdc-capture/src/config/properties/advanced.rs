//! Properties that tune Debezium's inner workings, signals and notifications. Most have nothing to
//! act on here, and say why.

use pgcdc_config::Check::{NotNegative, Positive};
use pgcdc_config::Importance::{High, Low, Medium};
use pgcdc_config::Kind::{Boolean, Class, Int, List, Long, String};
use pgcdc_config::{Property, p};

/// Why properties of Debezium's queue have no effect.
const NO_QUEUE: &str =
    "there is no queue between reader and writer; memory is bounded by what Kafka has not acknowledged";
const NO_TABLE_MAP: &str = "it names a Java class; table definitions are kept as the stream brings them";
const INTERNAL: &str = "it tunes an inner part that pgcdc does not have";
const LINEAGE: &str = "lineage events are not sent; the records are the same";
const NO_SIGNALS: &str = "signals are not read yet: no ad-hoc snapshot will run";
const NO_NOTIFICATIONS: &str = "notifications are not sent yet";

/// Restarts, queues, guard rails, metrics and Debezium's own switches.
pub(super) const ADVANCED: &[Property] = &[
    p("retriable.restart.connector.wait.ms", Long, "10000", Low, "Pause before starting again after a failure that may pass, in milliseconds.").check(Positive),
    p("errors.max.retries", Int, "-1", Low, "How often to start again after a failure that may pass; -1 without end, 0 never."),
    p("max.queue.size", Int, "8192", Medium, "Records between reader and writer.").check(Positive).not_applicable(NO_QUEUE),
    p("max.batch.size", Int, "2048", Medium, "Records in a batch.").check(Positive).not_applicable(NO_QUEUE),
    p("poll.interval.ms", Long, "500", Medium, "Pause between batches.").check(Positive).not_applicable(NO_QUEUE),
    p("max.queue.size.in.bytes", Long, "0", Medium, "Bytes between reader and writer.").check(NotNegative).not_applicable(NO_QUEUE),
    p("event.processing.failure.handling.mode", String, "fail", Medium, "What to do with an event that cannot be processed.").one_of(&["warn", "fail", "ignore", "skip"])
        .not_applicable("an event that cannot be processed stops the connector, unless errors.tolerance=all leaves its record out"),
    p("memory.management.schemas.class", Class, "io.debezium.relational.ConcurrentMapTableMappingStorage", Low, "Java class that keeps schemas.").not_applicable(NO_TABLE_MAP),
    p("memory.management.tables.class", Class, "io.debezium.relational.ConcurrentMapTableMappingStorage", Low, "Java class that keeps tables.").not_applicable(NO_TABLE_MAP),
    p("schema.refresh.mode", String, "columns_diff", Medium, "When a table's definition is read anew.").one_of(&["columns_diff", "columns_diff_exclude_unchanged_toast"])
        .not_applicable("a table's definition is renewed by each Relation message"),
    p("internal.log.position.check.enable", Boolean, "true", Medium, "Whether a slot that does not fit the stored offset stops the connector; `false` warns and goes on from the slot. A slot that the server invalidated always stops it."),
    p("internal.advanced.metrics.enable", Boolean, "false", Medium, "Keep more metrics.").not_applicable(INTERNAL),
    p("executor.shutdown.timeout.ms", Long, "4000", Medium, "How long stopping may take.").check(NotNegative).not_applicable("stopping waits up to 20 s until what was read is acknowledged"),
    p("openlineage.integration.enabled", Boolean, "false", Low, "Emit lineage events.").not_applicable(LINEAGE),
    p("openlineage.integration.config.file.path", String, "./openlineage.yml", Low, "File that configures lineage.").not_applicable(LINEAGE),
    p("openlineage.integration.job.namespace", String, "", Low, "Namespace of the lineage job.").not_applicable(LINEAGE),
    p("openlineage.integration.job.description", String, "Debezium change data capture job", Low, "Description of the lineage job.").not_applicable(LINEAGE),
    p("openlineage.integration.job.tags", List, "", Low, "Tags of the lineage job.").not_applicable(LINEAGE),
    p("openlineage.integration.job.owners", List, "", Low, "Owners of the lineage job.").not_applicable(LINEAGE),
    p("openlineage.integration.dataset.kafka.bootstrap.servers", String, "", Low, "Brokers that lineage names.").not_applicable(LINEAGE),
    p("guardrail.collections.max", Int, "0", Medium, "Greatest number of captured tables.").check(NotNegative),
    p("guardrail.collections.limit.action", String, "warn", Medium, "What to do when there are more.").one_of(&["warn", "fail"]),
    p("custom.sanitize.pattern", String, r".*secret$|.*password$|.*sasl\.jaas\.config$|.*basic\.auth\.user\.info|.*registry\.auth\.client-secret|.*credentials\.json$|.*connectionstring$|.*connection\.string$", Low, "Properties whose values are hidden.")
        .not_applicable("values are never logged"),
    p("statistics.metrics.enabled", Boolean, "true", Medium, "Keep statistics of durations.").not_applicable("there is no JMX"),
    p("internal.offset.activity.monitor.interval.ms", Long, "600000", Low, "How often idle offsets are reported.").not_applicable(INTERNAL),
    p("custom.metric.tags", List, "", Low, "Tags for JMX metrics.").not_applicable("there is no JMX"),
    p("poll.dispatch.interval.ms", Long, "", Low, "Pause between hand-overs of the queue.").not_applicable(NO_QUEUE).beside(),
    p("queue.provider.type", String, "", Low, "Kind of queue between reader and writer.").not_applicable(NO_QUEUE).beside(),
    p("internal.replication.silence.ms", Long, "10000", Low, "How long the server may be quiet before it is asked whether it is alive, in milliseconds.").check(Positive).beside(),
    p("internal.*", String, "", Low, "Debezium's undocumented switches.").family("internal.", "").not_applicable(INTERNAL).beside(),
];

/// Signals and notifications, which are not built yet.
pub(super) const SIGNALS: &[Property] = &[
    p("signal.data.collection", List, "", Medium, "Table that signals are read from.").not_yet(NO_SIGNALS),
    p("signal.enabled.channels", List, "source", Medium, "Where signals come from.").not_yet(NO_SIGNALS),
    p("signal.poll.interval.ms", Long, "5000", Medium, "How often channels are asked for signals.")
        .check(Positive)
        .not_yet(NO_SIGNALS),
    p("signal.emit.failure.max.retries", Int, "0", Medium, "How often writing a signal is tried again.")
        .not_yet(NO_SIGNALS),
    p("signal.emit.failure.backoff.ms", Long, "10000", Medium, "Pause between these tries.")
        .not_yet(NO_SIGNALS),
    p("internal.signal.synchronous.batch.size", Int, "10", Low, "Signals in a batch.")
        .not_applicable(INTERNAL),
    p(
        "internal.signal.processor.semaphore.wait.ms",
        Long,
        "10000",
        Low,
        "How long the signal processor waits.",
    )
    .not_applicable(INTERNAL),
    p("signal.kafka.*", String, "", Low, "Kafka topic that signals are read from.")
        .family("signal.kafka.", "")
        .not_yet(NO_SIGNALS)
        .beside(),
    p("signal.consumer.*", String, "", Low, "Settings of the consumer of that topic.")
        .family("signal.consumer.", "")
        .not_yet(NO_SIGNALS)
        .beside(),
    p("signal.file", String, "", Low, "File that signals are read from.").not_yet(NO_SIGNALS).beside(),
    p("notification.enabled.channels", List, "", Medium, "Where notifications go.").not_yet(NO_NOTIFICATIONS),
    p("notification.sink.topic.name", String, "", High, "Topic that notifications are written to.")
        .not_yet(NO_NOTIFICATIONS),
    p("notification.http.url", String, "", High, "Address that notifications are posted to.")
        .not_yet(NO_NOTIFICATIONS),
    p("notification.http.timeout.ms", Int, "5000", Low, "How long posting may take.")
        .not_yet(NO_NOTIFICATIONS),
    p("notification.http.retries", Int, "2", Low, "How often posting is tried again.")
        .not_yet(NO_NOTIFICATIONS),
    p("notification.http.allow.private.networks", Boolean, "false", Low, "Post to private addresses too.")
        .not_yet(NO_NOTIFICATIONS),
];
