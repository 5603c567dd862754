//! The same backlog, drained by each contender in turns, each run from a slot of its own that was made before the load.
//!
//! All figures but the start are of the drain: from the first record that is durable in Kafka to the last.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use pgcdc_testbed::{Listener, Process, Registry, kafka, tools};

use super::Common;
use super::debezium::{self, Debezium};
use super::lab::{DATABASE, Lab, TABLE, tail};
use super::measure::{Phase, Watch, follow};
use super::report::{Bar, Bound, Column, Report, column};
use crate::printer;

/// How to measure capture.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// Rows of the backlog, about 300 bytes each, in transactions of 1000 [default: 1000000; with --short: 200000]
    #[arg(long, value_parser = clap::value_parser!(u32).range(50_000..=50_000_000))]
    rows: Option<u32>,
    /// A look at whether all works: fewer rows, one round, no Debezium
    #[arg(long)]
    short: bool,
    /// Connect schemas in keys and values
    #[arg(long)]
    schemas: bool,
    /// pgcdc once more, writing Avro with a schema registry
    #[arg(long)]
    avro: bool,
    /// pgcdc once more, with exactly.once.support=required
    #[arg(long)]
    exactly_once: bool,
    /// pgcdc and Debezium tuned once more, over TLS
    #[arg(long)]
    tls: bool,
    /// pgcdc and Debezium tuned once more, with a login by SCRAM-SHA-256; with --tls over TLS
    #[arg(long)]
    sasl: bool,
    /// Another build of pgcdc, measured in the same run: what a change has cost
    #[arg(long, value_name = "PROGRAM")]
    before: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

impl Options {
    /// How the secured contenders reach the broker, when there are any.
    fn listener(&self) -> Option<Listener> {
        match (self.tls, self.sasl) {
            (false, false) => None,
            (true, false) => Some(Listener::Ssl),
            (true, true) => Some(Listener::SaslSsl),
            (false, true) => Some(Listener::SaslPlaintext),
        }
    }
}

/// The contenders: their names for `--without`, and in the report.
const CONTENDERS: [(&str, &str); 10] = [
    ("recvlogical", "pg_recvlogical > /dev/null"),
    ("pgcdc", PGCDC),
    ("pgcdc-before", BEFORE),
    ("pgcdc-avro", AVRO),
    ("pgcdc-exactly-once", EXACTLY_ONCE),
    ("bare", "bare librdkafka loop"),
    ("debezium", "Debezium"),
    ("debezium-tuned", "Debezium tuned"),
    ("pgcdc-secured", SECURED),
    ("debezium-secured", DEBEZIUM_SECURED),
];
const PGCDC: &str = "pgcdc";
const BEFORE: &str = "pgcdc before";
const AVRO: &str = "pgcdc, Avro";
const SECURED: &str = "pgcdc, secured";
const DEBEZIUM_SECURED: &str = "Debezium tuned, secured";
const EXACTLY_ONCE: &str = "pgcdc, exactly once";

const COLUMNS: &[Column] = &[
    column("events/s", 0),
    column("CPU-s/million", 2),
    column("walsender", 2),
    column("broker", 2),
    column("peak MiB", 1),
    column("start s", 2),
    column("events/s with start", 0),
    column("load", 2),
];
const LIMIT: Duration = Duration::from_secs(900);

pub(super) fn run(options: &Options) -> Result<()> {
    let mut options = options.clone();
    let rows = options.rows.unwrap_or(if options.short { 200_000 } else { 1_000_000 });
    if options.short {
        (options.common.rounds, options.common.no_debezium) = (1, true);
    }
    let contenders = CONTENDERS.into_iter().filter(|(name, _)| match *name {
        "pgcdc-before" => options.before.is_some(),
        "pgcdc-avro" => options.avro,
        "pgcdc-exactly-once" => options.exactly_once,
        "pgcdc-secured" | "debezium-secured" => options.listener().is_some(),
        _ => true,
    });
    let wanted = options.common.choose(contenders, |(name, _)| name)?;
    if wanted.iter().any(|(name, _)| *name == "bare") && !wanted.iter().any(|(name, _)| *name == "pgcdc") {
        bail!("the bare loop produces what pgcdc wrote before it\n\nhint: --without pgcdc,bare");
    }
    let listener = options.listener();
    let lab =
        if listener.is_some() { Lab::start_secured(&options.common)? } else { Lab::start(&options.common)? };
    let wants_debezium = wanted.iter().any(|(name, _)| name.starts_with("debezium"));
    let debezium = wants_debezium.then(|| Debezium::start(&lab)).transpose()?;
    let registry = if options.avro { Some(Registry::start(lab.scratch.join("registry"), 0)?) } else { None };
    let warm = if options.common.no_warm_up { 0 } else { rows / 5 };
    let mut bench = Bench {
        debezium,
        registry,
        lab,
        rows,
        schemas: options.schemas,
        listener,
        before: options.before.clone().unwrap_or_default(),
        end: String::new(),
        sample: String::new(),
    };
    bench.load(&wanted, options.common.rounds, warm)?;
    let mut report = report(&options, rows);
    if warm > 0 {
        bench.rows = warm;
        for (name, label) in &wanted {
            printer::say(&format!("warming up: {label}, {warm} rows"));
            bench.one(name, 0)?;
        }
        bench.rows = rows;
    }
    for round in 1..=options.common.rounds {
        for (name, label) in &wanted {
            let phase = bench.one(name, round)?;
            report.run(label, &bench.figures(&phase));
        }
    }
    report.publish(&options.common)
}

fn report(options: &Options, rows: u32) -> Report {
    let form = if options.schemas { "JSON with schemas" } else { "JSON" };
    let title = format!(
        "Backlog of {rows} rows to Debezium's {form} in Kafka, all on this machine; median of {}",
        options.common.rounds
    );
    let mut report = Report::new("capture", title, COLUMNS);
    report.chart(&["events/s", "CPU-s/million"]);
    report.note(
        "Events/s and CPU are those from the first record that is durable in Kafka to the last; for pg_recvlogical, bytes \
         written. Debezium's two contenders share one warm worker.",
    );
    let [recvlogical, _, _, _, _, bare, debezium, tuned, ..] = CONTENDERS.map(|(_, label)| label);
    for base in [recvlogical, bare, debezium, tuned] {
        report.ratio(PGCDC, base);
    }
    if options.before.is_some() {
        report.ratio(PGCDC, BEFORE);
        report.bar(Bar::ratio("events/s", PGCDC, Bound::AtLeast(0.95), BEFORE));
        report.bar(Bar::ratio("CPU-s/million", PGCDC, Bound::AtMost(1.05), BEFORE));
    }
    if options.listener().is_some() {
        report.ratio(SECURED, PGCDC);
        report.ratio(SECURED, DEBEZIUM_SECURED);
        report.bar(Bar::ratio("events/s", SECURED, Bound::AtLeast(0.85), PGCDC));
        report.bar(Bar::ratio("CPU-s/million", SECURED, Bound::AtMost(1.4), PGCDC));
        report.bar(Bar::ratio("events/s", SECURED, Bound::AtLeast(4.0), DEBEZIUM_SECURED));
        report.bar(Bar::ratio("CPU-s/million", SECURED, Bound::AtMost(0.1), DEBEZIUM_SECURED));
    }
    if options.avro {
        report.ratio(AVRO, PGCDC);
        if !options.schemas {
            report.bar(Bar::ratio("CPU-s/million", AVRO, Bound::AtMost(1.2), PGCDC));
        }
    }
    if options.exactly_once {
        report.ratio(EXACTLY_ONCE, PGCDC);
        report.bar(Bar::ratio("events/s", EXACTLY_ONCE, Bound::AtLeast(0.9), PGCDC));
    }
    if !options.schemas {
        report.bar(Bar::ratio("events/s", PGCDC, Bound::AtLeast(1.0), recvlogical));
        report.bar(Bar::ratio("CPU-s/million", PGCDC, Bound::AtMost(1.25), bare));
    }
    report.bar(Bar::ratio("events/s", PGCDC, Bound::AtLeast(4.0), tuned));
    report.bar(Bar::ratio("CPU-s/million", PGCDC, Bound::AtMost(0.1), tuned));
    report.bar(Bar::value("peak MiB", PGCDC, Bound::AtMost(64.0)));
    report
}

struct Bench {
    // First, since fields are dropped in order: the worker must stop before the broker.
    debezium: Option<Debezium>,
    registry: Option<Registry>,
    lab: Lab,
    rows: u32,
    schemas: bool,
    /// How the secured contenders reach the broker.
    listener: Option<Listener>,
    /// The program of `--before`.
    before: PathBuf,
    /// WAL position behind the backlog.
    end: String,
    /// The topic that pgcdc wrote last.
    sample: String,
}

impl Bench {
    fn figures(&self, phase: &Phase) -> [(&'static str, f64); 8] {
        let rows = f64::from(self.rows);
        [
            ("events/s", phase.rate(rows)),
            ("CPU-s/million", phase.per_million(phase.cpu, rows)),
            ("walsender", phase.per_million(phase.walsender, rows)),
            ("broker", phase.per_million(phase.broker, rows)),
            ("peak MiB", phase.peak as f64 / 1_048_576.0),
            ("start s", phase.start_up),
            ("events/s with start", phase.rate_with_start(rows)),
            ("load", phase.load),
        ]
    }

    /// The last `warm` rows are also a backlog of their own, for round 0.
    fn load(&mut self, wanted: &[(&str, &str)], rounds: u32, warm: u32) -> Result<()> {
        let rows = self.rows;
        printer::say(&format!("loading {rows} rows in transactions of 1000"));
        self.lab.engagement()?;
        let slots = |bench: &Self, round: u32| {
            let mut names = wanted.iter().filter(|(name, _)| *name != "bare");
            names.try_for_each(|(name, _)| bench.lab.slot(&slot(name, round)))
        };
        (1..=rounds).try_for_each(|round| slots(self, round))?;
        self.lab.sql(&format!("CALL load_events({}, 1000)", rows - warm))?;
        if warm > 0 {
            slots(self, 0)?;
            self.lab.sql(&format!("CALL load_events({warm}, 1000)"))?;
        }
        self.end = self.lab.sql("SELECT pg_current_wal_lsn()")?;
        // A message behind the end, so that a contender that waits for the end gets past it. The checkpoint now prevents one
        // during a run.
        self.lab.sql("SELECT pg_logical_emit_message(true, 'bench', 'end'); CHECKPOINT")?;
        Ok(())
    }

    fn one(&mut self, name: &str, round: u32) -> Result<Phase> {
        self.lab.settle()?;
        let slot = slot(name, round);
        match name {
            "recvlogical" => self.recvlogical(&slot),
            "pgcdc" | "pgcdc-before" | "pgcdc-avro" | "pgcdc-exactly-once" | "pgcdc-secured" => {
                self.pgcdc(name, &slot)
            }
            "bare" => self.bare(&slot),
            _ => self.debezium(name, &slot),
        }
    }

    fn recvlogical(&mut self, slot: &str) -> Result<Phase> {
        let mut command = std::process::Command::new(tools::postgres_client("pg_recvlogical")?);
        command.args(["-h", "127.0.0.1", "-U", "postgres", "-d", DATABASE]);
        command.args([
            "-p",
            &self.lab.postgres.port().to_string(),
            "-f",
            "/dev/null",
            "--start",
            "--no-loop",
        ]);
        command.args([&format!("--slot={slot}"), &format!("--endpos={}", self.end)]);
        command.args(["-o", "proto_version=1", "-o", "publication_names=engagement_pub"]);
        let begin = Instant::now();
        let mut process = self.lab.spawn(slot, command)?;
        let mut watch = Watch::begin(process.id().context("pg_recvlogical ended at once")?, &mut self.lab);
        let pace = (None, Duration::from_millis(5), LIMIT);
        let phase = follow(&mut watch, begin, pace, |watch| Ok(watch.written().unwrap_or(0)))
            .with_context(|| format!("pg_recvlogical: {}", tail(&self.lab.log(slot))))?;
        match process.wait_timeout(Duration::from_secs(10)) {
            Some(status) if status.success() => Ok(phase),
            status => bail!("pg_recvlogical left with {status:?}:\n{}", tail(&self.lab.log(slot))),
        }
    }

    fn pgcdc(&mut self, name: &str, slot: &str) -> Result<Phase> {
        let mut connector = self.lab.connector(slot, slot, self.schemas);
        if name == "pgcdc-exactly-once" {
            connector = connector.with("exactly.once.support", "required");
        }
        if let ("pgcdc-secured", Some(listener)) = (name, self.listener) {
            connector = self.lab.secured(connector, listener)?;
        }
        if name == "pgcdc-avro" {
            let registry = self.registry.as_ref().context("there is no registry")?;
            for half in ["key", "value"] {
                connector = connector
                    .with(&format!("{half}.converter"), "io.confluent.connect.avro.AvroConverter")
                    .with(&format!("{half}.converter.schema.registry.url"), &registry.url());
            }
        }
        let program = if name == "pgcdc-before" { &self.before } else { &self.lab.binary };
        let command = self.lab.program(program, slot, &connector, &[])?;
        let begin = Instant::now();
        let mut process = self.lab.spawn(slot, command)?;
        let topic = format!("{slot}.{TABLE}");
        let phase = self.drain(begin, &process, &topic)?;
        self.leave(slot, &mut process)?;
        if name != "pgcdc" {
            self.lab.forget(&topic)?;
            return Ok(phase);
        }
        // One topic is kept, for the bare loop to take its records from.
        let old = std::mem::replace(&mut self.sample, topic);
        if !old.is_empty() {
            self.lab.forget(&old)?;
        }
        Ok(phase)
    }

    fn bare(&mut self, name: &str) -> Result<Phase> {
        let topic = format!("{name}.{TABLE}");
        let mut command = std::process::Command::new(std::env::current_exe()?);
        command.args(["bench", "bare-producer", "--bootstrap", &self.lab.kafka.bootstrap()]);
        command.args(["--from", &self.sample, "--to", &topic, "--count", &self.rows.to_string()]);
        let begin = Instant::now();
        let process = self.lab.spawn(name, command)?;
        let phase = self.drain(begin, &process, &topic)?;
        drop(process); // kills it, and waits for its end
        self.lab.forget(&topic)?;
        Ok(phase)
    }

    fn debezium(&mut self, name: &str, slot: &str) -> Result<Phase> {
        let topic = format!("{slot}.{TABLE}");
        let mut connector = self.lab.connector(slot, slot, self.schemas);
        if name != "debezium" {
            connector = debezium::tuned(connector);
        }
        if let ("debezium-secured", Some(listener)) = (name, self.listener) {
            connector = self.lab.secured(connector, listener)?;
        }
        let worker = self.debezium.as_mut().context("there is no Connect worker")?;
        let phase = worker.drain(&mut self.lab, slot, &connector, &topic, self.rows, LIMIT)?;
        self.lab.forget(&topic)?;
        Ok(phase)
    }

    /// Follows Kafka's own count of what is durable: the end of the topic as a consumer would see it.
    fn drain(&mut self, begin: Instant, process: &Process, topic: &str) -> Result<Phase> {
        let mut watch = Watch::begin(process.id().context("it ended at once")?, &mut self.lab);
        let port = self.lab.kafka.port();
        let pace = (Some(u64::from(self.rows)), Duration::from_millis(25), LIMIT);
        follow(&mut watch, begin, pace, |_| Ok(kafka::end_offset(port, topic, 0)?.unwrap_or(0)))
            .with_context(|| format!("towards {topic}: {}", process.stderr()))
    }

    /// Stops pgcdc as an operator would; afterwards the slot must be confirmed to the end.
    fn leave(&self, slot: &str, process: &mut Process) -> Result<()> {
        let log = self.lab.log(slot);
        process.id().context("pgcdc is gone")?.send("TERM")?;
        match process.wait_timeout(Duration::from_secs(30)) {
            Some(status) if status.success() => {}
            status => bail!("pgcdc stream left with {status:?} after SIGTERM:\n{}", tail(&log)),
        }
        let left = self.lab.sql(&format!(
            "SELECT '{}'::pg_lsn - confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '{slot}'",
            self.end
        ))?;
        // A few hundred bytes of housekeeping may lie between the last commit and the end that was read after it.
        if left.parse::<f64>().is_ok_and(|bytes| bytes > 8192.0) {
            printer::say(&format!(
                "warning: slot {slot} is confirmed only to {left} bytes before the end of the backlog"
            ));
        }
        Ok(())
    }
}

/// A slot's name, and the prefix of the topics that are written from it.
fn slot(name: &str, round: u32) -> String {
    format!("{}_{round}", name.replace('-', "_"))
}
