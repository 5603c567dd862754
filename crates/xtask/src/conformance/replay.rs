//! Runs a scenario through `pgcdc stream --stdout` and compares with the recording. Variants that can share a database run
//! at once.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use pgcdc_testbed::{PostgresClient, Process};

use super::compare::{Record, difference, lines};
use super::scenario::{MARKER, Scenario, Variant, plain};
use super::stage::{LIMIT, drop_database, prepare, wait_until};
use super::watch::Watch;

/// How long heartbeats are waited for.
const HEARTBEATS: Duration = Duration::from_secs(5);

/// Where and with what to replay.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rig<'a> {
    pub(super) server: PostgresClient,
    pub(super) pgcdc: &'a Path,
    /// A directory for the connectors' files.
    pub(super) scratch: &'a Path,
}

/// A variant's name, and its difference from the recording; `None` when there is no difference.
pub(super) type Outcome = (String, Option<String>);

/// Replays a scenario.
pub(super) fn replay(rig: Rig<'_>, scenario: &Scenario, only: &[String]) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for group in scenario.together(only) {
        match Watch::open(rig.server).and_then(|watch| replay_group(rig, &watch, scenario, &group)) {
            Ok(found) => outcomes.extend(found),
            Err(error) => outcomes.extend(group.iter().map(|v| (v.name.clone(), Some(format!("{error:#}"))))),
        }
    }
    outcomes
}

/// A variant being replayed.
struct Running<'a> {
    variant: &'a Variant,
    slot: String,
    stdout: PathBuf,
    process: Process,
}

fn replay_group(
    rig: Rig<'_>,
    watch: &Watch,
    scenario: &Scenario,
    group: &[&Variant],
) -> Result<Vec<Outcome>> {
    let slot = |variant: &&Variant| plain(&format!("r_{}_{}", scenario.name, variant.name));
    let slots: Vec<String> = group.iter().map(slot).map(|slot| slot.chars().take(63).collect()).collect();
    prepare(rig.server, watch, scenario, group, &slots)?;
    let mut running = Vec::new();
    for (variant, slot) in group.iter().zip(&slots) {
        running.push(start(rig, scenario, variant, slot)?);
    }
    let driven = drive(rig.server, watch, scenario, group[0], &mut running);
    for run in &mut running {
        await_heartbeats(scenario, run);
    }
    Process::sigterm_all(running.iter_mut().map(|run| &mut run.process))?;
    let mut outcomes = Vec::new();
    for run in &mut running {
        let status = run.process.wait_after_sigterm(LIMIT)?;
        let what = match compare(scenario, run)? {
            Some(what) if status.code() == Some(2) => {
                Some(format!("refused: {}\n  {what}", errors(&run.process)))
            }
            Some(what) if !status.success() => Some(format!("{status}: {}\n  {what}", errors(&run.process))),
            None if !status.success() => Some(format!("{status}: {}", errors(&run.process))),
            what => what,
        };
        let what = match (&driven, what) {
            (Err(error), None) => Some(format!("{error:#}")),
            (_, what) => what,
        };
        outcomes.push((run.variant.name.clone(), what));
    }
    drop_database(watch, &scenario.database())?;
    Ok(outcomes)
}

fn compare(scenario: &Scenario, run: &Running<'_>) -> Result<Option<String>> {
    let file = scenario.recording(run.variant);
    let Ok(recorded) = std::fs::read_to_string(&file) else {
        return Ok(Some("there is no recording\n\nhint: cargo xtask conformance --record".to_owned()));
    };
    let recorded: Vec<String> = recorded.lines().map(str::to_owned).collect();
    let ours = std::fs::read(&run.stdout).with_context(|| format!("cannot read {}", run.stdout.display()))?;
    let ours = String::from_utf8_lossy(&ours);
    let partitions = run.variant.property("topic.creation.default.partitions").parse().unwrap_or(1);
    let ours = ours.lines().map(|line| Record::from_stdout(line, partitions)).collect::<Result<Vec<_>>>()?;
    Ok(difference(&lines(ours, &scenario.made_anew), &recorded))
}

fn start<'a>(rig: Rig<'_>, scenario: &Scenario, variant: &'a Variant, slot: &str) -> Result<Running<'a>> {
    let dir = rig.scratch.join(slot);
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    let mut properties = variant.config(scenario, rig.server.port, slot);
    let offsets = dir.join("offsets.json");
    properties.insert("offset.storage.file.filename".into(), offsets.to_string_lossy().into());
    // This decides only how soon one sees that a step was written.
    properties.insert("status.update.interval.ms".into(), "20".into());
    let file = dir.join("connector.json");
    std::fs::write(&file, serde_json::json!({"name": slot, "config": properties}).to_string())
        .with_context(|| format!("cannot write {}", file.display()))?;
    let stdout = dir.join("stdout");
    let mut command = Command::new(rig.pgcdc);
    command.args(["stream", "--stdout", "--config"]).arg(&file).env("NO_COLOR", "1").env_remove("PGCDC_LOG");
    command.stdout(File::create(&stdout).with_context(|| format!("cannot write {}", stdout.display()))?);
    let process = Process::spawn(command, dir.join("stderr"))?;
    Ok(Running { variant, slot: slot.to_owned(), stdout, process })
}

/// Makes the changes, each step when all variants have written the step before.
fn drive(
    server: PostgresClient,
    watch: &Watch,
    scenario: &Scenario,
    variant: &Variant,
    running: &mut [Running<'_>],
) -> Result<()> {
    for run in running.iter_mut() {
        // A process that ended early says why in its comparison.
        if run.process.wait_for_stderr("streaming", LIMIT).is_err() && run.process.is_running() {
            anyhow::bail!("does not begin to stream: {}", errors(&run.process));
        }
    }
    for (number, step) in (1..).zip(scenario.steps(variant)?) {
        let position = format!("{step}\nSELECT pg_catalog.pg_current_wal_insert_lsn();");
        let answers = server.sql(&scenario.database(), &position)?;
        let position = answers.lines().last().unwrap_or_default();
        wait_until(&format!("everything up to {position} is written and confirmed"), || {
            all_confirmed(watch, position, number, running)
        })?;
    }
    Ok(())
}

/// Waits for heartbeats until nothing differs: they come with time alone, so the slot's position does not tell that they
/// were written. (A line that is half written is not an error yet.)
fn await_heartbeats(scenario: &Scenario, run: &mut Running<'_>) {
    if matches!(run.variant.property("heartbeat.interval.ms"), "" | "0") {
        return;
    }
    let deadline = Instant::now() + HEARTBEATS;
    while run.process.is_running() && Instant::now() < deadline && !matches!(compare(scenario, run), Ok(None))
    {
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Whether all that still run have written and confirmed everything up to `position`.
fn all_confirmed(watch: &Watch, position: &str, step: usize, running: &mut [Running<'_>]) -> Result<bool> {
    let slots: Vec<String> = running
        .iter_mut()
        .filter(|run| !run.variant.is_manual())
        .filter_map(|run| run.process.is_running().then(|| format!("'{}'", run.slot)))
        .collect();
    // A variant that leaves its slot as it is has written the step when the row that ends it is there.
    let mut manual = running.iter_mut().filter(|run| run.variant.is_manual());
    if !manual.all(|run| !run.process.is_running() || marked(&run.stdout) >= step) {
        return Ok(false);
    }
    if slots.is_empty() {
        return Ok(true);
    }
    let behind = format!(
        "SELECT count(*) FROM pg_replication_slots WHERE confirmed_flush_lsn < '{position}' AND slot_name IN ({})",
        slots.join(",")
    );
    Ok(watch.value(&behind)? == "0")
}

/// How many rows of the marker's table are written.
fn marked(stdout: &Path) -> usize {
    let written = std::fs::read(stdout).unwrap_or_default();
    let topic = format!(".{MARKER}\",");
    String::from_utf8_lossy(&written).lines().filter(|line| line.contains(&topic)).count()
}

/// The lines of its log beyond its life cycle.
fn errors(process: &Process) -> String {
    let said = process.stderr();
    let quiet = |line: &&str| !line.contains("INFO") && !line.contains("WARN") && !line.trim().is_empty();
    said.lines().filter(quiet).take(3).collect::<Vec<_>>().join(" ")
}
