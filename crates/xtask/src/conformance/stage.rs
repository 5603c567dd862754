//! The database of a scenario, made afresh for each group of variants.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use pgcdc_testbed::PostgresClient;

use super::scenario::{Scenario, Variant};
use super::watch::Watch;

/// Long enough for anything that should happen on a busy machine.
pub(super) const LIMIT: Duration = Duration::from_secs(60);

/// Creates the database, runs the setup, and creates the slots of the variants that want theirs first.
pub(super) fn prepare(
    server: PostgresClient,
    watch: &Watch,
    scenario: &Scenario,
    group: &[&Variant],
    slots: &[String],
) -> Result<()> {
    let database = scenario.database();
    drop_database(watch, &database)?;
    // The template is copied as files, as PostgreSQL 14 always does. Written to the WAL, it would pass through every slot.
    let version: u32 =
        watch.value("SHOW server_version_num")?.parse().context("the server has no version")?;
    let copied = if version >= 150_000 { "STRATEGY file_copy" } else { "" };
    watch.run(&format!("CREATE DATABASE {database} TEMPLATE template0 ENCODING 'UTF8' {copied}"))?;
    let first = group.iter().zip(slots).filter(|(variant, _)| variant.needs_slot());
    let create = first.map(|(_, slot)| {
        format!("SELECT pg_catalog.pg_create_logical_replication_slot('{slot}', 'pgoutput');\n")
    });
    // In the setup's session, to save another one; `DISCARD ALL` first takes its settings back.
    let slots: String = create.collect();
    server.sql(&database, &format!("{}\nDISCARD ALL;\n{slots}", scenario.setup(group[0])?))?;
    Ok(())
}

/// Drops the database: first its slots, and the sessions that use them.
pub(super) fn drop_database(watch: &Watch, database: &str) -> Result<()> {
    let slots = format!("FROM pg_replication_slots WHERE database = '{database}'");
    // A connector that is about to end may take its slot once more.
    let mut dropped = Ok(());
    for _ in 0..10 {
        dropped = watch
            .run(&format!("SELECT pg_terminate_backend(active_pid, 5000) {slots} AND active"))
            .and_then(|()| watch.run(&format!("SELECT pg_drop_replication_slot(slot_name) {slots}")))
            .and_then(|()| watch.run(&format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)")));
        if dropped.is_ok() {
            break;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    dropped
}

/// The first of the scenario's extensions that this server does not have.
pub(super) fn missing_extension(server: PostgresClient, scenario: &Scenario) -> Result<Option<String>> {
    for extension in &scenario.extensions {
        let have = format!("SELECT 1 FROM pg_available_extensions WHERE name = '{extension}'");
        if server.sql("postgres", &have)?.is_empty() {
            return Ok(Some(extension.clone()));
        }
    }
    Ok(None)
}

/// Waits until `done` says yes; `what` names the condition in the error when time is over.
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
