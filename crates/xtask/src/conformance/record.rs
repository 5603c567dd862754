//! Debezium's answers, made afresh: a scenario's variants as connectors of a real Kafka Connect, their topics read to the end.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use pgcdc_testbed::{Connect, PostgresClient};

use super::compare::lines;
use super::scenario::{MARKER, Scenario, Variant, plain};
use super::stage::{drop_database, prepare, wait_until};
use super::topics::Topics;
use super::watch::Watch;

/// A variant that does not capture the marker's table counts as done when it has written nothing new for this long.
const QUIET: Duration = Duration::from_secs(4);
/// Topics are read when nothing has changed in them for this long.
const SETTLED: Duration = Duration::from_millis(600);
/// The longest wait for the marker of a step.
const MARKED: Duration = Duration::from_secs(30);

/// Where to record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Studio<'a> {
    pub(super) server: PostgresClient,
    pub(super) connect: &'a Connect,
    pub(super) kafka_port: u16,
}

impl Studio<'_> {
    /// The topics that a connector has written to.
    fn topics(self, connector: &str) -> Result<Vec<String>> {
        let (status, answer) =
            self.connect.request("GET", &format!("/connectors/{connector}/topics"), None)?;
        let topics = answer[connector]["topics"].as_array();
        let topics = topics.with_context(|| format!("Connect answers {status} {answer}"))?;
        Ok(topics.iter().filter_map(|topic| topic.as_str().map(str::to_owned)).collect())
    }

    /// Why a connector or its task has failed, in two lines of its trace; none while it runs, and before it is there.
    fn failure(self, connector: &str) -> Option<String> {
        let trace = self.connect.status(connector).ok()?.failure()?;
        let mut lines = trace.lines().filter(|line| !line.starts_with('\t'));
        let first = lines.next().unwrap_or_default();
        Some([first, lines.next_back().unwrap_or_default()].join("; "))
    }
}

/// A variant being recorded.
struct Take<'a> {
    variant: &'a Variant,
    connector: String,
    prefix: String,
    slot: String,
    failure: Option<String>,
}

/// Records a scenario's variants; says of each how many records it has, or why there is no recording.
pub(super) fn record(
    studio: Studio<'_>,
    scenario: &Scenario,
    only: &[String],
) -> Result<Vec<(String, Result<usize>)>> {
    let topics = Topics::connect(studio.kafka_port)?;
    let mut told = Vec::new();
    for group in scenario.together(only) {
        let takes = record_group(studio, &topics, scenario, &group)
            .with_context(|| format!("{}/{}", scenario.name, group[0].name))?;
        told.extend(takes);
    }
    Ok(told)
}

fn record_group(
    studio: Studio<'_>,
    topics: &Topics,
    scenario: &Scenario,
    group: &[&Variant],
) -> Result<Vec<(String, Result<usize>)>> {
    let mut takes: Vec<Take<'_>> = group.iter().map(|variant| Take::new(scenario, variant)).collect();
    let slots: Vec<String> = takes.iter().map(|take| take.slot.clone()).collect();
    let watch = Watch::open(studio.server)?;
    prepare(studio.server, &watch, scenario, group, &slots)?;
    for take in &takes {
        let config = take.variant.config(scenario, studio.server.port, &take.slot);
        studio.connect.create(&take.connector, &config)?;
    }
    let played = play(studio, topics, scenario, &mut takes);
    let mut told = Vec::new();
    for take in &takes {
        let written = match &take.failure {
            _ if played.is_err() => break,
            Some(failure) => Err(anyhow::anyhow!("Debezium fails: {failure}")),
            None => store(studio, topics, scenario, take),
        };
        told.push((take.variant.name.clone(), written));
    }
    for take in &takes {
        studio.connect.delete(&take.connector)?;
    }
    played?;
    let slots = format!("database = '{}' AND active", scenario.database());
    // A task that ends in order has flushed its records; any other task is cut off.
    let _ = wait_until("the connectors let go of their slots", || {
        let active = format!("SELECT count(*) FROM pg_replication_slots WHERE {slots}");
        Ok(watch.value(&active)? == "0")
    });
    drop_database(&watch, &scenario.database())?;
    Ok(told)
}

impl<'a> Take<'a> {
    fn new(scenario: &Scenario, variant: &'a Variant) -> Self {
        let name = plain(&format!("c_{}_{}", scenario.name, variant.name));
        // A new name each time: Connect keeps the offsets of a connector that was deleted.
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Self {
            variant,
            connector: format!("{name}-{}", now.as_secs()),
            prefix: variant.prefix(scenario),
            slot: name.chars().take(63).collect(),
            failure: None,
        }
    }

    /// Asks Connect whether the connector has failed.
    fn look(&mut self, studio: Studio<'_>) -> bool {
        if self.failure.is_none() {
            self.failure = studio.failure(&self.connector);
        }
        self.failure.is_some()
    }
}

/// Makes the changes, each step when the step before is in Kafka.
fn play(studio: Studio<'_>, topics: &Topics, scenario: &Scenario, takes: &mut [Take<'_>]) -> Result<()> {
    for take in takes.iter_mut() {
        wait_for_stream(studio, take)?;
    }
    let variant = takes[0].variant;
    for (number, step) in (1..).zip(scenario.steps(variant)?) {
        studio.server.sql(&scenario.database(), &step)?;
        for take in takes.iter_mut() {
            wait_for_step(studio, topics, take, number)?;
        }
        std::thread::sleep(Duration::from_millis(300));
    }
    Ok(())
}

/// Waits until the connector streams or has failed; a connector that never streams is not waited for.
fn wait_for_stream(studio: Studio<'_>, take: &mut Take<'_>) -> Result<()> {
    let slot = &take.slot;
    let streaming = format!(
        "SELECT 1 FROM pg_replication_slots s JOIN pg_stat_replication r ON r.pid = s.active_pid
         WHERE slot_name = '{slot}' AND state = 'streaming'"
    );
    let begin = Instant::now();
    while studio.server.sql("postgres", &streaming)?.is_empty() {
        if take.look(studio) {
            return Ok(());
        }
        if take.variant.property("snapshot.mode") == "initial_only" && begin.elapsed() > 2 * QUIET {
            return Ok(());
        }
        if begin.elapsed() > Duration::from_secs(90) {
            bail!("{} does not begin to stream", take.connector);
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}

/// Waits until the marker of a step has come, or nothing comes any more.
fn wait_for_step(studio: Studio<'_>, topics: &Topics, take: &mut Take<'_>, number: i64) -> Result<()> {
    let begin = Instant::now();
    let (mut last, mut since) = (-1, Instant::now());
    let marker = format!("{}.public.{MARKER}", take.prefix);
    let mut asked = Instant::now();
    while begin.elapsed() < MARKED {
        let names = studio.topics(&take.connector)?;
        let mut sum = 0;
        for topic in &names {
            let end: i64 = topics.ends(topic)?.iter().map(|(_, end)| end).sum();
            if *topic == marker && end >= number {
                return Ok(());
            }
            if !topic.contains("heartbeat") {
                sum += end;
            }
        }
        if sum != last {
            (last, since) = (sum, Instant::now());
        }
        let captures_marker = names.contains(&marker);
        if since.elapsed() > QUIET * if captures_marker { 3 } else { 1 } {
            take.look(studio);
            return Ok(());
        }
        if asked.elapsed() > Duration::from_secs(2) {
            asked = Instant::now();
            if take.look(studio) {
                return Ok(());
            }
        }
        std::thread::sleep(Duration::from_millis(150));
    }
    bail!("{}: step {number} has not come to an end within {MARKED:?}", take.connector)
}

/// Reads what a connector has written, and stores it. The marker's topic may be ahead of the others, so this waits until
/// all have been still for a while.
fn store(studio: Studio<'_>, topics: &Topics, scenario: &Scenario, take: &Take<'_>) -> Result<usize> {
    let (mut last, mut since) = (-1, Instant::now());
    while since.elapsed() < SETTLED {
        let mut sum = 0;
        for topic in studio.topics(&take.connector)?.iter().filter(|topic| !topic.contains("heartbeat")) {
            sum += topics.ends(topic)?.iter().map(|(_, end)| end).sum::<i64>();
        }
        if sum != last {
            (last, since) = (sum, Instant::now());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let records = topics.read(&studio.topics(&take.connector)?)?;
    let lines = lines(records, &scenario.made_anew);
    let file = scenario.recording(take.variant);
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(lines.len())
}
