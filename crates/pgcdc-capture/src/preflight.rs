//! What stands in the way of capture, and what mends it. Reads only; `pgcdc check` prints it.

mod holder;

use std::net::ToSocketAddrs;

use pgcdc_event::ReplicaIdentity;
use pgcdc_format::envelope::Half;
use pgcdc_kafka::topics;

use crate::config::{PublicationMode, Settings};
use crate::output::{client_properties, kafka_error};
use crate::postgres::{
    CapturedTable, Query, Replication, captured_tables, inspect_publication, inspect_slot, quote_identifier,
    quote_literal,
};
use crate::registry::Registries;
use crate::{Error, Result};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// As it should be.
    Ok,
    /// Capture runs, but something will surprise.
    Warning,
    /// Capture cannot run.
    Error,
}

/// One finding.
#[derive(Clone, Debug)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What was looked at.
    pub subject: String,
    /// What was found.
    pub message: String,
    /// The SQL, command or property that mends it.
    pub remedy: Option<String>,
}

impl Finding {
    fn ok(subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Ok, subject: subject.into(), message: message.into(), remedy: None }
    }

    fn warning(subject: impl Into<String>, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(subject, message, remedy) }
    }

    fn error(subject: impl Into<String>, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            subject: subject.into(),
            message: message.into(),
            remedy: Some(remedy.into()),
        }
    }

    fn failure(subject: &str, error: &Error) -> Self {
        Self {
            severity: Severity::Error,
            subject: subject.to_owned(),
            message: error.to_string(),
            remedy: error.hint().map(str::to_owned),
        }
    }
}

/// Looks at everything that capture with these settings needs.
pub async fn preflight(settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    for warning in &settings.warnings {
        findings.push(Finding {
            severity: Severity::Warning,
            subject: warning.key.clone(),
            message: warning.to_string(),
            remedy: None,
        });
    }
    let mut names = Vec::new();
    match Query::connect(&settings.connection).await {
        Err(error) => findings.push(Finding::failure("database", &error)),
        Ok(query) => match database(settings, &query, &mut findings).await {
            Ok(tables) => names = tables.iter().map(|table| settings.topic.of(&table.name)).collect(),
            Err(error) => findings.push(Finding::failure("database", &error)),
        },
    }
    kafka(settings, &names, &mut findings).await;
    registries(settings, &mut findings).await;
    findings
}

async fn database(
    settings: &Settings,
    query: &Query,
    findings: &mut Vec<Finding>,
) -> Result<Vec<CapturedTable>> {
    server(query, findings).await?;
    role(settings, query, findings).await?;
    slot(settings, query, findings).await?;
    let tables = captured_tables(query, settings).await?;
    publication(settings, query, &tables, findings).await?;
    for table in &tables {
        self::table(query, table, &settings.connection.user, findings).await?;
    }
    if tables.is_empty() {
        findings.push(Finding::error(
            "tables",
            format!("no table of database {} is captured", settings.connection.dbname),
            "each entry of table.include.list is a regular expression for the whole of schema.table",
        ));
    }
    Ok(tables)
}

async fn server(query: &Query, findings: &mut Vec<Finding>) -> Result<()> {
    let rows = query
        .rows(
            "read the server's settings",
            "SELECT current_setting('wal_level'), current_setting('max_wal_senders')::int,
                    (SELECT count(*) FROM pg_stat_replication),
                    current_setting('max_replication_slots')::int, (SELECT count(*) FROM pg_replication_slots),
                    current_setting('server_version_num')::int, current_setting('server_version')",
        )
        .await?;
    let Some(row) = rows.first() else { return Ok(()) };
    let number = |at: usize| row.get(at).and_then(|text| text.parse::<i64>().ok()).unwrap_or(0);
    let version = row.get(6).unwrap_or("");
    findings.push(if number(5) >= 140_000 {
        Finding::ok("server", format!("PostgreSQL {version}"))
    } else {
        Finding::error("server", format!("PostgreSQL {version} is too old"), "use PostgreSQL 14 or later")
    });
    let level = row.get(0).unwrap_or("");
    findings.push(if level == "logical" {
        Finding::ok("wal_level", "logical")
    } else {
        Finding::error(
            "wal_level",
            format!("is {level}, must be logical"),
            "ALTER SYSTEM SET wal_level = logical;  -- then restart the server",
        )
    });
    for (name, limit, used) in [("max_wal_senders", 1, 2), ("max_replication_slots", 3, 4)] {
        let (limit, used) = (number(limit), number(used));
        findings.push(if used < limit {
            Finding::ok(name, format!("{used} of {limit} in use"))
        } else {
            Finding::warning(
                name,
                format!("all {limit} are in use"),
                format!("ALTER SYSTEM SET {name} = {};  -- then restart the server", limit + 10),
            )
        });
    }
    Ok(())
}

async fn role(settings: &Settings, query: &Query, findings: &mut Vec<Finding>) -> Result<()> {
    let user = &settings.connection.user;
    let may = query
        .value(
            "read the role",
            "SELECT rolsuper OR rolreplication
                 OR coalesce((SELECT pg_has_role(r.oid, 'USAGE') FROM pg_roles r WHERE r.rolname = 'rds_replication'), false)
             FROM pg_roles WHERE rolname = current_user",
        )
        .await?;
    if may.as_deref() != Some("t") {
        findings.push(Finding::error(
            "role",
            format!("{user} may not replicate"),
            format!("ALTER ROLE {} REPLICATION;", quote_identifier(user)),
        ));
        return Ok(());
    }
    findings.push(match Replication::connect(settings, &settings.slot.name, pgcdc_event::Lsn::ZERO).await {
        Ok(session) => {
            session.stop().await;
            Finding::ok("role", format!("{user} may replicate"))
        }
        Err(error) => Finding::failure("replication connection", &error),
    });
    Ok(())
}

async fn slot(settings: &Settings, query: &Query, findings: &mut Vec<Finding>) -> Result<()> {
    let name = &settings.slot.name;
    let subject = format!("slot {name}");
    let drop = format!("SELECT pg_drop_replication_slot({});", quote_literal(name));
    let Some(state) = inspect_slot(query, name).await? else {
        findings.push(Finding::ok(subject, "does not exist; it is made at the first start"));
        return Ok(());
    };
    if state.kind != "logical" || state.plugin != "pgoutput" || state.database != settings.connection.dbname {
        findings.push(Finding::error(
            subject,
            format!(
                "is a {} slot of plug-in {:?} in database {:?}; a pgoutput slot in {} is needed",
                state.kind, state.plugin, state.database, settings.connection.dbname
            ),
            "set slot.name to another name",
        ));
        return Ok(());
    }
    if state.is_lost() {
        findings.push(Finding::error(
            subject,
            "is lost: the server has removed WAL that it needed (max_slot_wal_keep_size)",
            format!("{drop}  -- and start with snapshot.mode=when_needed"),
        ));
    } else if let Some(pid) = state.active_pid {
        findings.push(holder::finding(query, subject, pid).await?);
    } else {
        let kept = state.retained_bytes.unwrap_or(0) / (1024 * 1024);
        let at = state.confirmed.map_or_else(|| "nowhere".to_owned(), |lsn| lsn.to_string());
        findings.push(Finding::ok(subject, format!("free, confirmed up to {at}, keeps {kept} MiB of WAL")));
    }
    Ok(())
}

async fn publication(
    settings: &Settings,
    query: &Query,
    tables: &[CapturedTable],
    findings: &mut Vec<Finding>,
) -> Result<()> {
    let name = &settings.publication.name;
    let quoted = quote_identifier(name);
    let subject = format!("publication {name}");
    let published = tables.iter().filter(|table| table.published);
    let list = published.map(|table| table.name.quoted()).collect::<Vec<_>>().join(", ");
    let Some(state) = inspect_publication(query, name).await? else {
        findings.push(match settings.publication.autocreate {
            PublicationMode::Disabled => Finding::error(
                subject,
                "does not exist, and publication.autocreate.mode is disabled",
                format!("CREATE PUBLICATION {quoted} FOR TABLE {list};"),
            ),
            mode => {
                let needed = if mode == PublicationMode::AllTables {
                    "a superuser"
                } else {
                    "the tables' owner, with CREATE on the database"
                };
                Finding::ok(
                    subject,
                    format!("does not exist; it is made at the first start, which takes {needed}"),
                )
            }
        });
        return Ok(());
    };
    let missing: Vec<String> = tables
        .iter()
        .filter(|table| table.published && !state.all_tables && !state.tables.contains(&table.name))
        .map(|table| table.name.quoted())
        .collect();
    if !missing.is_empty() && settings.publication.autocreate != PublicationMode::Filtered {
        let missing = missing.join(", ");
        findings.push(Finding::warning(
            subject.clone(),
            format!("has no {missing}: their changes are not sent"),
            format!("ALTER PUBLICATION {quoted} ADD TABLE {missing};"),
        ));
    }
    let silent: Vec<&str> = ["insert", "update", "delete", "truncate"]
        .into_iter()
        .zip(state.publishes)
        .filter_map(|(name, published)| (!published).then_some(name))
        .collect();
    findings.push(if silent.is_empty() {
        Finding::ok(subject, "publishes inserts, updates, deletes and truncates")
    } else {
        Finding::warning(
            subject,
            format!("does not publish {}", silent.join(", ")),
            format!("ALTER PUBLICATION {quoted} SET (publish = 'insert, update, delete, truncate');"),
        )
    });
    Ok(())
}

async fn table(query: &Query, table: &CapturedTable, user: &str, findings: &mut Vec<Finding>) -> Result<()> {
    let subject = format!("table {}", table.name);
    let quoted = table.name.quoted();
    let readable = query
        .value(
            "read a table's privileges",
            &format!("SELECT has_table_privilege({}::regclass, 'SELECT')", table.oid),
        )
        .await?;
    if readable.as_deref() != Some("t") {
        findings.push(Finding::error(
            subject,
            "may not be read, which a snapshot needs",
            format!("GRANT SELECT ON {quoted} TO {};", quote_identifier(user)),
        ));
        return Ok(());
    }
    let full = format!("ALTER TABLE {quoted} REPLICA IDENTITY FULL;  -- or give it a primary key");
    findings.push(match (table.identity, table.has_primary_key) {
        _ if !table.published => Finding::ok(subject, "is read by a snapshot, and is not in the stream"),
        (ReplicaIdentity::Nothing, _) => Finding::error(
            subject,
            "has replica identity NOTHING: updates and deletes fail once it is published",
            full,
        ),
        (ReplicaIdentity::Default, false) => Finding::error(
            subject,
            "has no primary key and so no replica identity: updates and deletes fail once it is published",
            full,
        ),
        (identity, _) => Finding::ok(subject, format!("replica identity {identity:?}").to_lowercase()),
    });
    Ok(())
}

/// Whether the schema registries answer, where Avro is written.
async fn registries(settings: &Settings, findings: &mut Vec<Finding>) {
    let mut registries = match Registries::new(settings) {
        Ok(registries) => registries,
        Err(error) => return findings.push(Finding::failure("schema registry", &error)),
    };
    for (half, subject) in
        [(Half::Key, "schema registry of keys"), (Half::Value, "schema registry of values")]
    {
        match registries.ask(half).await {
            Ok(Some(at)) => findings.push(Finding::ok(subject, format!("answers at {at}"))),
            Ok(None) => {}
            Err(error) => findings.push(Finding::failure(subject, &error)),
        }
    }
}

async fn kafka(settings: &Settings, names: &[String], findings: &mut Vec<Finding>) {
    if !settings.producer.contains_key("bootstrap.servers") {
        findings.push(Finding::warning(
            "kafka",
            "bootstrap.servers is not set: only --stdout can be used",
            "give --bootstrap-servers HOST:PORT, or set bootstrap.servers (or producer.bootstrap.servers) in the file",
        ));
        return;
    }
    let properties = match client_properties(settings) {
        Ok(properties) => properties,
        Err(error) => {
            findings.push(Finding::failure("kafka", &error));
            return;
        }
    };
    let servers = settings.producer.get("bootstrap.servers").cloned().unwrap_or_default();
    if !servers.split(',').any(|server| reachable(server.trim())) {
        findings.push(Finding::error(
            "kafka",
            format!("no broker answers at {servers}"),
            "check bootstrap.servers, and that the brokers are up",
        ));
        return;
    }
    for name in names {
        let subject = format!("topic {name}");
        match topics::describe(&properties, name).await {
            Ok(Some(found)) => findings.push(Finding::ok(
                subject,
                format!("{} partitions, replication factor {}", found.partitions, found.replication_factor),
            )),
            Ok(None) => findings.push(creatable(settings, &properties, name, subject).await),
            Err(error) => findings.push(Finding::failure(&subject, &kafka_error(error))),
        }
    }
    if names.is_empty() {
        findings.push(Finding::ok("kafka", format!("answers at {servers}")));
    }
}

/// Asks the brokers whether they would make the topic, without making it.
async fn creatable(
    settings: &Settings,
    properties: &pgcdc_kafka::ClientProperties,
    name: &str,
    subject: String,
) -> Finding {
    let spec = crate::output::topic_spec(settings.topic.creation.as_ref(), name);
    match topics::validate(properties, &spec).await {
        Ok(()) => Finding::ok(subject, "does not exist; it is made with the table's first record"),
        Err(error) => {
            let mut finding = Finding::failure(&subject, &kafka_error(error));
            finding.remedy.get_or_insert_with(|| {
                "set topic.creation.default.partitions and topic.creation.default.replication.factor, or make it beforehand".to_owned()
            });
            finding
        }
    }
}

fn reachable(server: &str) -> bool {
    let address = server.rsplit_once("://").map_or(server, |(_, address)| address);
    let Ok(addresses) = address.to_socket_addrs() else { return false };
    addresses.into_iter().any(|address| {
        std::net::TcpStream::connect_timeout(&address, std::time::Duration::from_secs(3)).is_ok()
    })
}
