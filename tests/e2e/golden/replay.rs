//! Runs a scenario against the shared PostgreSQL, all variants that can share a database at once.

use std::time::{Duration, Instant};

use pgcdc_testbed::{PostgresClient, Process};
use serde_json::Value;

use super::compare::difference;
use super::scenario::{Scenario, Variant};
use crate::harness::{postgres, scratch_dir, stream};

const LIMIT: Duration = Duration::from_secs(60);

/// Replays all variants; returns what is wrong, one text each.
pub(super) fn replay(scenario: &Scenario) -> Vec<String> {
    let mut failures = Vec::new();
    for group in scenario.together() {
        let mut told = |variant: &str, what: String| {
            failures.push(format!("{} / {variant}: {what}", scenario.name));
        };
        match replay_group(scenario, &group) {
            Err(error) => told(&group[0].name, format!("{error:#}")),
            Ok(found) => found.into_iter().for_each(|(variant, what)| told(&variant, what)),
        }
    }
    failures
}

/// A variant being replayed.
struct Running<'a> {
    variant: &'a Variant,
    slot: String,
    stdout: std::path::PathBuf,
    process: Process,
}

fn replay_group(scenario: &Scenario, group: &[&Variant]) -> anyhow::Result<Vec<(String, String)>> {
    let server = postgres().client();
    let database = scenario.database();
    server.sql("postgres", &format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)"))?;
    server.sql("postgres", &format!("CREATE DATABASE {database} TEMPLATE template0 ENCODING 'UTF8'"))?;
    server.sql(database, &scenario.setup(group[0]))?;
    // The recorder's end marker; part of the database, since a snapshot announces its tables.
    server.sql(database, "CREATE TABLE IF NOT EXISTS zz_end(id int PRIMARY KEY)")?;
    if server.sql(database, "SELECT 1 FROM pg_publication WHERE pubname = 'pub'")?.is_empty() {
        server.sql(database, "CREATE PUBLICATION pub FOR ALL TABLES")?;
    }
    let mut running = Vec::new();
    for (number, variant) in group.iter().enumerate() {
        running.push(start(server, database, variant, &format!("g_{}_{number}", scenario.name))?);
    }
    let outcome = drive(server, scenario, group[0], &mut running);
    let mut failures = Vec::new();
    for run in &mut running {
        let status = run.process.sigterm_and_wait(LIMIT)?;
        let ours = std::fs::read_to_string(&run.stdout)?;
        if let Some(what) = difference(&ours, &scenario.recording(run.variant), &scenario.made_anew) {
            failures.push((run.variant.name.clone(), what));
        } else if !status.success() {
            let what = format!("{status}; {}", errors(&run.process));
            failures.push((run.variant.name.clone(), what));
        }
        let slot = &run.slot;
        server.sql(
            "postgres",
            &format!("SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots WHERE slot_name = '{slot}' AND active;
                      SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '{slot}'"),
        )?;
    }
    outcome?;
    Ok(failures)
}

fn start<'a>(
    server: PostgresClient,
    database: &str,
    variant: &'a Variant,
    slot: &str,
) -> anyhow::Result<Running<'a>> {
    let dir = scratch_dir(slot);
    let mut properties = variant.properties.clone();
    let mut put = |key: &str, value: &str| properties.insert(key.to_owned(), Value::from(value));
    put("database.port", &server.port.to_string());
    put("slot.name", slot);
    put("offset.storage.file.filename", &dir.join("offsets.json").to_string_lossy());
    // Only how soon the test sees that a step was written depends on it.
    put("status.update.interval.ms", "20");
    if variant.property("snapshot.mode") == "no_data" {
        let create = format!("SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')");
        server.sql(database, &create)?;
    }
    let file = dir.join("connector.json");
    std::fs::write(&file, serde_json::json!({"name": slot, "config": properties}).to_string())?;
    let process = stream(&file, &["--stdout"]);
    Ok(Running { variant, slot: slot.to_owned(), stdout: dir.join("stdout"), process })
}

/// Makes the changes, each step when the one before has been written by all.
fn drive(
    server: PostgresClient,
    scenario: &Scenario,
    variant: &Variant,
    running: &mut [Running<'_>],
) -> anyhow::Result<()> {
    for run in running.iter_mut() {
        // One that ended early says why in its comparison.
        if run.process.wait_for_stderr("streaming", LIMIT).is_err() && run.process.is_running() {
            anyhow::bail!("does not begin to stream: {}", errors(&run.process));
        }
    }
    for step in scenario.steps(variant) {
        server.sql(scenario.database(), &step)?;
        let position = server.sql("postgres", "SELECT pg_current_wal_insert_lsn()")?;
        let deadline = Instant::now() + LIMIT;
        while !all_confirmed(server, &position, running)? {
            anyhow::ensure!(Instant::now() < deadline, "has not confirmed {position} within {LIMIT:?}");
            std::thread::sleep(Duration::from_millis(15));
        }
    }
    Ok(())
}

/// Whether all that still run have written and confirmed everything up to `position`.
fn all_confirmed(
    server: PostgresClient,
    position: &str,
    running: &mut [Running<'_>],
) -> anyhow::Result<bool> {
    let slots: Vec<String> = running
        .iter_mut()
        .filter_map(|run| run.process.is_running().then(|| format!("'{}'", run.slot)))
        .collect();
    if slots.is_empty() {
        return Ok(true);
    }
    let behind = server.sql(
        "postgres",
        &format!(
            "SELECT count(*) FROM pg_replication_slots WHERE confirmed_flush_lsn < '{position}' AND slot_name IN ({})",
            slots.join(",")
        ),
    )?;
    Ok(behind == "0")
}

/// What it had to say beyond its life cycle.
fn errors(process: &Process) -> String {
    let said = process.stderr();
    let lines: Vec<&str> = said.lines().filter(|line| !line.contains("INFO")).take(6).collect();
    lines.join("\n    ")
}
