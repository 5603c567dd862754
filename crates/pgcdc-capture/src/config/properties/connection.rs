//! How the connector reaches the database, and the slot and publication that it reads.

use pgcdc_config::Check::{NotNegative, Positive, SlotName};
use pgcdc_config::Importance::{High, Low, Medium};
use pgcdc_config::Kind::{Boolean, Int, Long, Password, String};
use pgcdc_config::{Property, p};

/// Why properties of retries have no effect.
const AGAIN: &str = "the connector starts again by itself, with back-off: see errors.max.retries and retriable.restart.connector.wait.ms";

/// Debezium's properties of the connection.
pub(super) const CONNECTION: &[Property] = &[
    p(
        "database.hostname",
        String,
        "",
        High,
        "Host name or address of the database server, or a unix socket's directory. Several, separated by commas and each with or without a port, are tried in order.",
    )
    .required(),
    p("database.port", Int, "5432", High, "Port of the database server.").check(NotNegative),
    p("database.user", String, "", High, "User to connect as; needs the REPLICATION attribute.").required(),
    p("database.password", Password, "", High, "Password of that user."),
    p("database.dbname", String, "", High, "Database whose changes are read.").required(),
    p(
        "database.query.timeout.ms",
        Int,
        "600000",
        Low,
        "Longest time for a query to run, in milliseconds; 0 for no limit.",
    ),
    p(
        "database.initial.statements",
        String,
        "",
        Low,
        "SQL statements, separated by semicolons, to run on each new connection other than the replication one; ;; stands for a semicolon.",
    ),
    p("database.tcpKeepAlive", Boolean, "true", Medium, "Let TCP probe idle connections."),
    p(
        "database.sslmode",
        String,
        "prefer",
        Medium,
        "Whether the connection is encrypted and the server's certificate checked.",
    )
    .one_of(&["allow", "prefer", "disable", "verify-ca", "require", "verify-full"]),
    p("database.sslcert", String, "", Medium, "File with the client's certificate, as PEM (with its chain) or DER."),
    p(
        "database.sslkey",
        String,
        "",
        Medium,
        "File with the client's private key: PEM, DER (PKCS#8, PKCS#1, SEC1) or PKCS#12, encrypted or not.",
    ),
    p("database.sslpassword", Password, "", Medium, "Password of the client's private key."),
    p(
        "database.sslrootcert",
        String,
        "",
        Medium,
        "File with the certificates that the server's is checked against, as PEM or DER; system for those that this machine trusts.",
    ),
    p("database.sslfactory", String, "", Medium, "Java class that makes TLS sockets.")
        .not_applicable("there is no Java here; use database.sslmode and database.sslrootcert"),
    p("connection.validation.timeout.ms", Long, "60000", Low, "How long checking the connection may take.")
        .check(Positive)
        .not_applicable("connecting has a time limit of its own"),
];

/// Properties of Debezium's driver, which it passes on from below `database.`, and parameters of
/// libpq that come from a URL.
pub(super) const DRIVER: &[Property] = &[
    p("database.ssl", Boolean, "false", Low, "true is database.sslmode=verify-full, where that is not set.")
        .beside(),
    p("database.passfile", String, "", Low, "File with passwords, of a URL without one.").beside(),
    p(
        "database.targetServerType",
        String,
        "any",
        Low,
        "What the server must be, of several: libpq's target_session_attrs.",
    )
    .one_of(&[
        "any",
        "primary",
        "secondary",
        "preferPrimary",
        "preferSecondary",
        "read-write",
        "read-only",
        "standby",
        "prefer-standby",
    ])
    .aliases(&["master", "slave", "preferSlave"])
    .beside(),
    p("database.loadBalanceHosts", Boolean, "false", Low, "Try the hosts in random order.").beside(),
    p(
        "database.hostaddr",
        String,
        "",
        Low,
        "Addresses to connect to in place of looking the hosts up; the names are then for TLS alone.",
    )
    .beside(),
    p(
        "database.connectTimeout",
        Int,
        "",
        Low,
        "How many seconds one host may take until a session is ready (30 when it is not set).",
    )
    .check(NotNegative)
    .beside(),
    p("database.loginTimeout", Int, "", Low, "As database.connectTimeout; the shorter one counts.")
        .check(NotNegative)
        .beside(),
    p("database.socketTimeout", Int, "0", Low, "How many seconds to wait for the socket.")
        .check(NotNegative)
        .not_applicable(
            "database.query.timeout.ms limits queries, and the stream watches its connection by itself",
        )
        .beside(),
    p("database.ApplicationName", String, "pgcdc", Low, "What pg_stat_activity calls the sessions.").beside(),
    p(
        "database.options",
        String,
        "",
        Low,
        "Settings of the sessions as -c name=value; those that pgcdc needs come after them, and win.",
    )
    .beside(),
    p(
        "database.channelBinding",
        String,
        "prefer",
        Low,
        "Whether the password's proof is bound to the TLS session (SCRAM-SHA-256-PLUS).",
    )
    .one_of(&["disable", "prefer", "require"])
    .beside(),
    p("database.gssEncMode", String, "prefer", Low, "Encryption by GSSAPI, which pgcdc does not have.")
        .one_of(&["disable", "allow", "prefer"])
        .beside(),
    p(
        "database.sslNegotiation",
        String,
        "postgres",
        Low,
        "direct begins with TLS at once (PostgreSQL 17 and later).",
    )
    .one_of(&["postgres", "direct"])
    .beside(),
    p("database.ssl_min_protocol_version", String, "TLSv1.2", Low, "The oldest version of TLS.")
        .one_of(&["TLSv1.2", "TLSv1.3"])
        .aliases(&["TLSv1", "TLSv1.1"])
        .beside(),
    p("database.ssl_max_protocol_version", String, "", Low, "The newest version of TLS.")
        .one_of(&["TLSv1.2", "TLSv1.3"])
        .beside(),
    p("database.sslsni", Int, "1", Low, "0: the host's name is not told to the server when TLS begins.")
        .beside(),
    p(
        "database.keepalives_idle",
        Int,
        "0",
        Low,
        "Seconds of silence until TCP probes the connection; 0 for 30.",
    )
    .check(NotNegative)
    .beside(),
    p("database.keepalives_interval", Int, "0", Low, "Seconds between probes; 0 for 10.")
        .check(NotNegative)
        .beside(),
    p(
        "database.keepalives_count",
        Int,
        "0",
        Low,
        "Probes without an answer until the connection is dead; 0 for 3.",
    )
    .check(NotNegative)
    .beside(),
    p(
        "database.tcp_user_timeout",
        Int,
        "0",
        Low,
        "Milliseconds that sent data may stay unacknowledged; 0 for a minute.",
    )
    .check(NotNegative)
    .beside(),
];

/// Slot, publication, and the position that is confirmed.
pub(super) const REPLICATION: &[Property] = &[
    p("plugin.name", String, "decoderbufs", Medium, "Output plugin that decodes the WAL on the server: pgcdc always reads pgoutput, and says so where another is named.")
        .one_of(&["decoderbufs", "pgoutput"]),
    p("slot.name", String, "debezium", Medium, "Name of the replication slot.").check(SlotName),
    p(
        "publication.name",
        String,
        "dbz_publication",
        Medium,
        "Name of the publication that the slot streams.",
    ),
    p(
        "publication.autocreate.mode",
        String,
        "all_tables",
        Medium,
        "What a missing publication is created for.",
    )
    .one_of(&["no_tables", "filtered", "disabled", "all_tables"]),
    p(
        "replica.identity.autoset.values",
        String,
        "",
        Medium,
        "Replica identities that the connector sets on tables, as schema.table:FULL, separated by commas.",
    ),
    p("slot.drop.on.stop", Boolean, "false", Medium, "Drop the slot when the connector stops."),
    p(
        "slot.failover",
        Boolean,
        "false",
        Medium,
        "Make the slot one that is synchronised to standbys (PostgreSQL 17 and later).",
    ),
    p(
        "slot.stream.params",
        String,
        "",
        Low,
        "Parameters for START_REPLICATION, as name=value separated by semicolons.",
    ),
    p("slot.max.retries", Int, "6", Low, "How often attaching to the slot is tried.")
        .not_applicable(AGAIN),
    p("slot.retry.delay.ms", Long, "10000", Low, "Pause between these tries, in milliseconds.")
        .not_applicable(AGAIN),
    p(
        "status.update.interval.ms",
        Int,
        "10000",
        Medium,
        "How often the position is confirmed to the server, in milliseconds; more than 500 counts as 500.",
    )
    .check(NotNegative),
    p(
        "publish.via.partition.root",
        Boolean,
        "false",
        Medium,
        "Publish changes of partitions under the name of their root table.",
    ),
    p(
        "lsn.flush.mode",
        String,
        "",
        Low,
        "Who moves the slot. With `manual` pgcdc never does, and goes on where its offset says; the server keeps all WAL meanwhile.",
    )
    .one_of(&["connector_and_driver", "connector", "manual"]),
    p("flush.lsn.source", Boolean, "true", Low, "Older form of `lsn.flush.mode`: `false` is `manual`."),
    p("lsn.flush.timeout.ms", Long, "30000", Medium, "How long confirming a position may take.")
        .check(NotNegative)
        .not_applicable("confirming never blocks"),
    p("lsn.flush.timeout.action", String, "fail", Medium, "What to do when confirming took longer.")
        .one_of(&["fail", "warn", "ignore"])
        .not_applicable("confirming never blocks"),
    p(
        "xmin.fetch.interval.ms",
        Long,
        "0",
        Medium,
        "How often the slot's xmin is read into the source block.",
    )
    .check(NotNegative),
    p(
        "slot.seek.to.known.offset.on.start",
        Boolean,
        "false",
        Medium,
        "Older form of `offset.mismatch.strategy`: `true` is `trust_offset`.",
    )
    .beside(),
    p(
        "offset.mismatch.strategy",
        String,
        "no_validation",
        Medium,
        "A slot beyond the offset: `trust_slot` and `trust_greater_lsn` go on from it, the others refuse. An offset beyond the slot: `trust_offset` and `trust_greater_lsn` begin there, the others at the slot.",
    )
    .one_of(&["no_validation", "trust_offset", "trust_slot", "trust_greater_lsn"])
    .beside(),
];
