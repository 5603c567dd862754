//! Whether a snapshot is taken, of what and how.

use pgcdc_config::Check::{NotNegative, Patterns, Positive};
use pgcdc_config::Importance::{Low, Medium};
use pgcdc_config::Kind::{Boolean, Int, List, Long, String};
use pgcdc_config::{Property, p};

/// Why properties of the history of schemas have no effect.
const SCHEMAS: &str =
    "table definitions come from the catalog and the stream; there is no history of them to read anew";
const COPY: &str = "rows come as a stream by COPY, there is no fetch size";
const INCREMENTAL: &str = "incremental snapshots are not built yet";
const CUSTOM: &str = "it is read with the mode `custom` alone, which names a Java class and is refused";
const LEGACY: &str = "threads share the pages of a table";

/// All `snapshot.*` and `incremental.snapshot.*`.
pub(super) const SNAPSHOT: &[Property] = &[
    p("snapshot.mode", String, "initial", Medium, "When the tables are read as a whole.")
        .one_of(&[
            "always",
            "initial_only",
            "configuration_based",
            "when_needed",
            "initial",
            "custom",
            "no_data",
        ])
        .refuse(&[("custom", "it names a Java class, which pgcdc cannot run", "")]),
    p("snapshot.delay.ms", Long, "0", Low, "Pause before the snapshot, in milliseconds.").check(NotNegative),
    p("snapshot.fetch.size", Int, "", Medium, "Rows to fetch at a time.")
        .check(NotNegative)
        .not_applicable(COPY),
    p(
        "snapshot.include.collection.list",
        List,
        "",
        Medium,
        "Regular expressions of the captured schema.table that are read by the snapshot.",
    )
    .check(Patterns),
    p("snapshot.mode.custom.name", String, "", Medium, "Name of the custom snapshotter.")
        .not_applicable(CUSTOM),
    p(
        "snapshot.mode.configuration.based.snapshot.data",
        Boolean,
        "false",
        Medium,
        "Read data in a configuration_based snapshot.",
    ),
    p(
        "snapshot.mode.configuration.based.snapshot.schema",
        Boolean,
        "false",
        Medium,
        "Read schemas in a configuration_based snapshot.",
    )
    .not_applicable(SCHEMAS),
    p(
        "snapshot.mode.configuration.based.start.stream",
        Boolean,
        "false",
        Medium,
        "Stream after a configuration_based snapshot.",
    ),
    p(
        "snapshot.mode.configuration.based.snapshot.on.schema.error",
        Boolean,
        "false",
        Medium,
        "Read schemas anew when they are lost.",
    )
    .not_applicable(SCHEMAS),
    p(
        "snapshot.mode.configuration.based.snapshot.on.data.error",
        Boolean,
        "false",
        Medium,
        "Read data anew when the position is lost.",
    ),
    p(
        "snapshot.max.threads",
        Int,
        "1",
        Medium,
        "How many threads, each with a connection, read a table of over 2 MiB by ranges of pages, in any order (PostgreSQL 14 on; not with exactly-once). Each needs memory for four large rows.",
    )
    .check(Positive),
    p("snapshot.max.threads.multiplier", Int, "1", Medium, "Parts of a table for each thread.")
        .check(Positive)
        .not_applicable(LEGACY),
    p("legacy.snapshot.max.threads", Boolean, "false", Low, "Give each thread whole tables.")
        .not_applicable(LEGACY),
    p("internal.legacy.snapshot.max.threads", Boolean, "false", Low, "Give each thread whole tables.")
        .not_applicable(LEGACY),
    p("streaming.delay.ms", Long, "0", Low, "Pause between snapshot and streaming.").check(NotNegative),
    p("query.fetch.size", Int, "0", Medium, "Rows to fetch at a time.")
        .check(NotNegative)
        .not_applicable(COPY),
    p("snapshot.lock.timeout.ms", Long, "10000", Medium, "How long to wait for table locks with snapshot.locking.mode=shared, in milliseconds; in the other modes as long as it takes."),
    p(
        "snapshot.select.statement.overrides",
        String,
        "",
        Medium,
        "Tables that the snapshot reads by a statement of their own.",
    ),
    p(
        "snapshot.select.statement.overrides.*",
        String,
        "",
        Medium,
        "The statement for the schema.table that ends the name.",
    )
    .family("snapshot.select.statement.overrides.", "")
    .beside(),
    p(
        "internal.snapshot.scan.all.columns.force",
        Boolean,
        "false",
        Low,
        "Read all columns from the catalog.",
    )
    .not_applicable("the columns come from the catalog in any case"),
    p("snapshot.tables.order.by.row.count", String, "disabled", Medium, "Order in which tables are read.")
        .one_of(&["disabled", "ascending", "descending"])
        .not_applicable("Debezium's Postgres connector counts no rows, so that the order of names stays"),
    p("snapshot.isolation.mode", String, "serializable", Low, "Isolation level of the snapshot.")
        .one_of(&["read_uncommitted", "repeatable_read", "read_committed", "serializable"])
        .not_applicable("the snapshot is the one that the slot exports, read at REPEATABLE READ"),
    p("snapshot.query.mode", String, "select_all", Low, "How the query of a table is made.")
        .one_of(&["custom", "select_all"])
        .refuse(&[("custom", "it names a Java class, which pgcdc cannot run", "")]),
    p("snapshot.query.mode.custom.name", String, "", Medium, "Name of the custom query.")
        .not_applicable(CUSTOM),
    p("snapshot.locking.mode", String, "none", Low, "How tables are locked while their structure is read.")
        .one_of(&["shared", "custom", "none"])
        .refuse(&[("custom", "it names a Java class, which pgcdc cannot run", "")]),
    p("snapshot.locking.mode.custom.name", String, "", Medium, "Name of the custom lock.")
        .not_applicable(CUSTOM),
    p("incremental.snapshot.chunk.size", Int, "1024", Medium, "Rows of an incremental snapshot's chunk.")
        .not_yet(INCREMENTAL),
    p(
        "incremental.snapshot.allow.schema.changes",
        Boolean,
        "false",
        Low,
        "Allow DDL during an incremental snapshot.",
    )
    .not_yet(INCREMENTAL),
    p(
        "incremental.snapshot.watermarking.strategy",
        String,
        "INSERT_INSERT",
        Low,
        "How a chunk's window is marked.",
    )
    .one_of(&["insert_delete", "insert_insert"])
    .not_yet(INCREMENTAL),
    p("read.only", Boolean, "false", Low, "Run incremental snapshots without a signal table.")
        .not_yet(INCREMENTAL)
        .beside(),
];
