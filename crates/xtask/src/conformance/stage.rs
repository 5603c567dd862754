//! The database of a scenario, made afresh for each group of variants.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use pgcdc_testbed::PostgresClient;

use super::scenario::{Scenario, Variant};

/// Long enough for anything that should happen on a busy machine.
pub(super) const LIMIT: Duration = Duration::from_secs(60);

/// Creates the database, runs the setup, and creates the slots of the variants that want theirs first.
pub(super) fn prepare(
    server: PostgresClient,
    scenario: &Scenario,
    group: &[&Variant],
    slots: &[String],
) -> Result<()> {
    let database = scenario.database();
    drop_database(server, &database)?;
    // Copied as files: written through the log, each of the running slots would have to read past it.
    let create = format!("CREATE DATABASE {database} TEMPLATE template0 ENCODING 'UTF8'");
    let copied = "SELECT CASE WHEN current_setting('server_version_num')::int >= 150000 THEN ' STRATEGY file_copy' ELSE '' END";
    server.sql("postgres", &format!("{copied} AS how \\gset\n{create} :how;"))?;
    let first = group.iter().zip(slots).filter(|(variant, _)| variant.needs_slot());
    let create = first.map(|(_, slot)| {
        format!("SELECT pg_catalog.pg_create_logical_replication_slot('{slot}', 'pgoutput');\n")
    });
    // In the same session, when nothing that the setup has set is left.
    let slots: String = create.collect();
    server.sql(&database, &format!("{}\nDISCARD ALL;\n{slots}", scenario.setup(group[0])?))?;
    Ok(())
}

/// Drops the database with what uses it, its slots first.
pub(super) fn drop_database(server: PostgresClient, database: &str) -> Result<()> {
    let slots = format!("FROM pg_replication_slots WHERE database = '{database}'");
    let sql = format!(
        "SELECT pg_terminate_backend(active_pid, 5000) {slots} AND active;
         SELECT pg_drop_replication_slot(slot_name) {slots};
         DROP DATABASE IF EXISTS {database} WITH (FORCE);"
    );
    // A connector that is about to end may take its slot once more.
    let mut dropped = Ok(());
    for _ in 0..10 {
        dropped = server.sql("postgres", &sql).map(drop);
        if dropped.is_ok() {
            break;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    dropped
}

/// The first of the scenario's extensions that this server has not.
pub(super) fn missing_extension(server: PostgresClient, scenario: &Scenario) -> Result<Option<String>> {
    for extension in &scenario.extensions {
        let have = format!("SELECT 1 FROM pg_available_extensions WHERE name = '{extension}'");
        if server.sql("postgres", &have)?.is_empty() {
            return Ok(Some(extension.clone()));
        }
    }
    Ok(None)
}

/// Waits until `done` says yes; `what` is said when it does not in time.
pub(super) fn wait_until(what: &str, mut done: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + LIMIT;
    while !done()? {
        if Instant::now() > deadline {
            bail!("not within {LIMIT:?}: {what}");
        }
        std::thread::sleep(Duration::from_millis(15));
    }
    Ok(())
}
