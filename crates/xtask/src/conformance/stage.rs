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
    server.sql("postgres", &format!("CREATE DATABASE {database} TEMPLATE template0 ENCODING 'UTF8'"))?;
    server.sql(&database, &scenario.setup(group[0])?)?;
    for (variant, slot) in group.iter().zip(slots) {
        if variant.needs_slot() {
            let create = format!("SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')");
            server.sql(&database, &create)?;
        }
    }
    Ok(())
}

/// Drops the database with what uses it.
pub(super) fn drop_database(server: PostgresClient, database: &str) -> Result<()> {
    // A connector that is about to end may take its slot once more.
    let mut dropped = Ok(());
    for _ in 0..10 {
        dropped = drop_slots(server, &format!("database = '{database}'")).and_then(|()| {
            server.sql("postgres", &format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)")).map(drop)
        });
        if dropped.is_ok() {
            break;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    dropped
}

/// Drops slots, those in use too.
pub(super) fn drop_slots(server: PostgresClient, which: &str) -> Result<()> {
    server.sql(
        "postgres",
        &format!(
            "SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots WHERE {which} AND active;
             SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE {which};"
        ),
    )?;
    Ok(())
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
        std::thread::sleep(Duration::from_millis(25));
    }
    Ok(())
}
