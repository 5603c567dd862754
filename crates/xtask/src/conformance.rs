//! `conformance`: compares pgcdc's records with recordings of the real Debezium, byte for byte.
//!
//! Scenarios are data: `tests/conformance/<name>/`, see the README there. [`replay`] runs them through pgcdc and compares;
//! [`record`] runs them through Debezium in Kafka Connect and stores what it writes.

mod compare;
mod mask;
mod pending;
mod record;
mod replay;
mod scenario;
mod stage;
mod topics;
mod watch;

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;
use pgcdc_testbed::{
    Connect, ConnectOptions, Kafka, KafkaOptions, Postgres, PostgresClient, PostgresOptions, Scratch,
};

use crate::{cargo, printer};
use pending::Pending;
use replay::{Outcome, Rig};
use scenario::Scenario;

/// How many scenarios run at the same time: this many keep two cores busy.
const JOBS: usize = 4;

/// Room that a run wants in the file system in memory, in MB; it was seen to take 400.
const MEMORY: u64 = 2000;

/// What to compare.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Only scenarios whose name contains one of these [default: all]
    names: Vec<String>,
    /// Directory of the scenarios and of pending.toml [default: tests/conformance]
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Only these variants
    #[arg(long, value_name = "NAME")]
    variant: Vec<String>,
    /// Record Debezium's answers afresh in place of comparing: starts Kafka and Kafka Connect, needs Java
    #[arg(long)]
    record: bool,
    /// With --record: only variants that have no recording yet
    #[arg(long, requires = "record")]
    missing: bool,
    /// Take out of pending.toml what passes now
    #[arg(long)]
    forget_passed: bool,
    /// Put into pending.toml what differs now, with this reason
    #[arg(long, value_name = "REASON", hide = true)]
    expect_failure: Option<String>,
    /// PostgreSQL's major version, 14 to 18
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(14..=18))]
    postgres_version: u32,
    /// Scenarios at the same time
    #[arg(long, default_value_t = JOBS)]
    jobs: usize,
}

impl Options {
    fn dir(&self) -> PathBuf {
        self.dir.clone().unwrap_or_else(|| cargo::root().join("tests/conformance"))
    }

    /// Everything there is, compared on one version of PostgreSQL.
    pub(crate) fn everything(postgres_version: u32) -> Self {
        Self {
            names: Vec::new(),
            dir: None,
            variant: Vec::new(),
            record: false,
            missing: false,
            forget_passed: false,
            expect_failure: None,
            postgres_version,
            jobs: JOBS,
        }
    }
}

/// Compares, or records.
pub(crate) fn run(options: &Options) -> Result<()> {
    let scenarios = Scenario::chosen(&options.dir(), &options.names)?;
    if options.record { record_all(options, scenarios) } else { compare_all(options, &scenarios) }
}

/// A PostgreSQL for the suite. Its data is not needed afterwards, so the settings that protect it from a crash of the machine are
/// off, and so is vacuum.
fn postgres(options: &Options, scratch: &Scratch) -> Result<Postgres> {
    let settings = PostgresOptions::version(options.postgres_version)
        .setting("fsync", "off")
        .setting("full_page_writes", "off")
        .setting("autovacuum", "off")
        .setting("checkpoint_timeout", "1h")
        .setting("jit", "off")
        .setting("timezone", "UTC")
        .setting("max_wal_senders", "150")
        .setting("max_replication_slots", "150")
        .setting("max_prepared_transactions", "10")
        .setting("max_connections", "300");
    Postgres::start(scratch.join("postgres"), 0, settings)
}

/// Does `work` for every scenario, some at a time.
fn each<T: Send>(
    options: &Options,
    scenarios: &[Scenario],
    work: impl Fn(&Scenario) -> Result<Vec<T>> + Sync,
) -> Vec<(usize, Result<Vec<T>>)> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.max(1) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(scenario) = scenarios.get(number) else { return };
                    let result = work(scenario);
                    done.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push((number, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    done.sort_by_key(|(number, _)| *number);
    done
}

fn compare_all(options: &Options, scenarios: &[Scenario]) -> Result<()> {
    let pgcdc = cargo::build_pgcdc(false)?;
    let begin = Instant::now();
    let scratch = Scratch::in_memory("conformance", MEMORY)?;
    let postgres = postgres(options, &scratch)?;
    let server = postgres.client();
    let rig = Rig { server, pgcdc: &pgcdc, scratch: &scratch };
    let (here, skipped) = can_run(options.postgres_version, server, scenarios)?;
    let pending = Pending::read(&options.dir().join("pending.toml"))?;
    let results = each(options, scenarios, |scenario| {
        if !here.contains(&scenario.name) {
            return Ok(Vec::new());
        }
        let begin = Instant::now();
        let outcomes = replay::replay(rig, scenario, &options.variant);
        let same = outcomes.iter().filter(|(_, what)| what.is_none()).count();
        printer::say(&format!(
            "{}: {same} of {} the same, {:.1} s",
            scenario.name,
            outcomes.len(),
            begin.elapsed().as_secs_f64()
        ));
        for (variant, what) in &outcomes {
            let name = format!("{}/{variant}", scenario.name);
            if let (Some(what), None) = (what, pending.reason(&name)) {
                printer::line(&format!("\n{name}: {what}"));
            }
        }
        Ok(outcomes)
    });
    let mut outcomes = Vec::new();
    for (number, result) in results {
        let name = &scenarios[number].name;
        outcomes.extend(result?.into_iter().map(|(variant, what)| (format!("{name}/{variant}"), what)));
    }
    for text in &skipped {
        printer::say(text);
    }
    judge(options, pending, &outcomes, here.len(), begin)
}

/// The names of the scenarios that this server can run, and a line about each other one.
fn can_run(
    version: u32,
    server: PostgresClient,
    scenarios: &[Scenario],
) -> Result<(Vec<String>, Vec<String>)> {
    let (mut here, mut skipped) = (Vec::new(), Vec::new());
    for scenario in scenarios {
        if let Some(newest) = scenario.newest.filter(|newest| version > *newest) {
            skipped.push(format!("{}: skipped, its SQL is for PostgreSQL up to {newest}", scenario.name));
            continue;
        }
        match stage::missing_extension(server, scenario)? {
            None => here.push(scenario.name.clone()),
            Some(extension) => skipped.push(format!("{}: skipped, no extension {extension}", scenario.name)),
        }
    }
    Ok((here, skipped))
}

/// Prints the differences. Fails on a difference that `pending.toml` does not list, and on a listed one that is gone.
fn judge(
    options: &Options,
    mut pending: Pending,
    outcomes: &[Outcome],
    scenarios: usize,
    begin: Instant,
) -> Result<()> {
    let (mut same, mut known, mut differ, mut passed) = (0, 0, 0, 0);
    for (name, what) in outcomes {
        match (what, pending.reason(name)) {
            (None, None) => same += 1,
            (Some(_), Some(_)) => known += 1,
            (Some(_), None) => {
                differ += 1;
                if let Some(reason) = &options.expect_failure {
                    pending.set(name, Some(reason));
                }
            }
            (None, Some(reason)) => {
                passed += 1;
                printer::line(&format!("\n{name} passes, and is in pending.toml: {reason}"));
                if options.forget_passed {
                    pending.set(name, None);
                }
            }
        }
    }
    if options.names.is_empty() && options.variant.is_empty() {
        let all: Vec<&str> = outcomes.iter().map(|(name, _)| name.as_str()).collect();
        for gone in pending.names().filter(|name| !all.contains(name)) {
            printer::say(&format!("pending.toml names {gone}, which was not run"));
        }
    }
    if options.forget_passed || options.expect_failure.is_some() {
        pending.write(&options.dir().join("pending.toml"))?;
    }
    printer::line(&format!(
        "{scenarios} scenarios, {} variants: {same} the same as Debezium, {known} known differences, {differ} other differences, {passed} known differences that are gone; {:.1} s",
        outcomes.len(),
        begin.elapsed().as_secs_f64()
    ));
    if differ > 0 && options.expect_failure.is_none() {
        bail!("{differ} variants differ from Debezium's recordings, see above");
    }
    if passed > 0 && !options.forget_passed {
        bail!("pending.toml is not true any more\n\nhint: cargo xtask conformance --forget-passed");
    }
    Ok(())
}

fn record_all(options: &Options, mut scenarios: Vec<Scenario>) -> Result<()> {
    if options.missing {
        for scenario in &mut scenarios {
            scenario.keep_missing();
        }
        scenarios.retain(|scenario| !scenario.variants.is_empty());
    }
    let scratch = Scratch::new("conformance")?;
    let postgres = postgres(options, &scratch)?;
    let kafka = Kafka::start(scratch.join("kafka"), 0, KafkaOptions::default())?;
    let connect = Connect::start(scratch.join("connect"), 0, &kafka.bootstrap(), &ConnectOptions::default())?;
    printer::say("PostgreSQL, Kafka and Kafka Connect with Debezium are up");
    let server = postgres.client();
    let studio = record::Studio { server, connect: &connect, kafka_port: kafka.port() };
    let (here, skipped) = can_run(options.postgres_version, server, &scenarios)?;
    for text in &skipped {
        printer::say(text);
    }
    let results = each(options, &scenarios, |scenario| {
        if !here.contains(&scenario.name) {
            return Ok(Vec::new());
        }
        let told = record::record(studio, scenario, &options.variant);
        let line = match &told {
            Ok(variants) => variants.iter().map(describe).collect::<Vec<_>>().join(", "),
            Err(error) => format!("BROKEN {error:#}"),
        };
        printer::say(&format!("{}: {line}", scenario.name));
        told
    });
    let mut failed = 0;
    for (number, result) in results {
        let variants = result.with_context(|| format!("cannot record {}", scenarios[number].name));
        failed +=
            variants.map_or(1, |variants| variants.iter().filter(|(_, result)| result.is_err()).count());
    }
    if failed > 0 {
        bail!("{failed} recordings are missing, see above");
    }
    Ok(())
}

fn describe((variant, result): &(String, Result<usize>)) -> String {
    match result {
        Ok(records) => format!("{variant} {records}"),
        Err(error) => format!("{variant} FAILED ({error:#})"),
    }
}
