//! The initial snapshot of one large table, by each contender in turns.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use pgcdc_testbed::{kafka, tools};

use super::Common;
use super::debezium::Debezium;
use super::lab::{DATABASE, Lab, TABLE, tail};
use super::measure::{Phase, Watch, follow};
use super::report::{Bar, Bound, Column, Report, column};
use crate::printer;

/// How to measure snapshots.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// Rows of the table, about 300 bytes each
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(50_000..=50_000_000))]
    rows: u32,
    /// Connect schemas in keys and values
    #[arg(long)]
    schemas: bool,
    /// Another build of pgcdc, measured in the same run: what a change has cost
    #[arg(long, value_name = "PROGRAM")]
    before: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

/// The contenders: their names for `--without`, and in the report.
const CONTENDERS: [(&str, &str); 5] = [
    ("copy", COPY),
    ("pgcdc-stdout", STDOUT),
    ("pgcdc", PGCDC),
    ("pgcdc-before", BEFORE),
    ("debezium", DEBEZIUM),
];
const COPY: &str = "psql COPY TO STDOUT > /dev/null";
const STDOUT: &str = "pgcdc --stdout > /dev/null";
const PGCDC: &str = "pgcdc > Kafka";
const BEFORE: &str = "pgcdc before > Kafka";
const DEBEZIUM: &str = "Debezium > Kafka";

/// A smaller table of the same shape, for the unmeasured runs.
const WARM: &str = "public.warm_up";
const LIMIT: Duration = Duration::from_secs(900);
/// How many bytes a process may have written to its log before it writes rows to its standard output.
const LOG_BYTES: u64 = 64 << 10;

const COLUMNS: &[Column] = &[
    column("rows/s", 0),
    column("CPU-s/million", 2),
    column("broker", 2),
    column("peak MiB", 1),
    column("start s", 2),
    column("rows/s with start", 0),
    column("load", 2),
];

pub(super) fn run(options: &Options) -> Result<()> {
    let wanted = options.common.choose(
        CONTENDERS.into_iter().filter(|(name, _)| *name != "pgcdc-before" || options.before.is_some()),
        |(name, _)| name,
    )?;
    let lab = Lab::start(&options.common)?;
    let wants_debezium = wanted.iter().any(|(name, _)| *name == "debezium");
    let debezium = wants_debezium.then(|| Debezium::start(&lab)).transpose()?;
    let warm = options.rows / 5;
    load(&lab, options.rows, warm)?;
    let mut bench = Bench {
        debezium,
        before: options.before.clone().unwrap_or_else(|| lab.binary.clone()),
        lab,
        schemas: options.schemas,
    };
    let mut report = report(options);
    if !options.common.no_warm_up {
        for (name, label) in &wanted {
            printer::say(&format!("warming up: {label}, {warm} rows"));
            bench.one(name, 0, WARM, warm)?;
        }
    }
    for round in 1..=options.common.rounds {
        for (name, label) in &wanted {
            let phase = bench.one(name, round, TABLE, options.rows)?;
            report.run(label, &figures(&phase, options.rows));
        }
    }
    report.publish(&options.common)
}

fn report(options: &Options) -> Report {
    let form = if options.schemas { "JSON with schemas" } else { "JSON" };
    let title = format!(
        "Snapshot of {} rows to Debezium's {form}, all on this machine; median of {}",
        options.rows, options.common.rounds
    );
    let mut report = Report::new("snapshot", title, COLUMNS);
    report.chart(&["rows/s", "CPU-s/million"]);
    report.note("Rows/s and CPU are those from the first output (record in Kafka, bytes written) to the last; \"with start\" is the whole command, for Debezium from its registration.");
    if options.before.is_some() {
        report.ratio(PGCDC, BEFORE);
        report.bar(Bar::ratio("rows/s", PGCDC, Bound::AtLeast(0.95), BEFORE));
        report.bar(Bar::ratio("CPU-s/million", PGCDC, Bound::AtMost(1.05), BEFORE));
    }
    report.ratio(PGCDC, DEBEZIUM);
    report.ratio(STDOUT, COPY);
    report.bar(Bar::ratio("rows/s", PGCDC, Bound::AtLeast(5.0), DEBEZIUM));
    report.bar(Bar::ratio("rows/s with start", PGCDC, Bound::AtLeast(5.0), DEBEZIUM));
    report.bar(Bar::ratio("rows/s", STDOUT, Bound::AtLeast(0.8), COPY));
    report.bar(Bar::ratio("rows/s with start", STDOUT, Bound::AtLeast(0.8), COPY));
    report
}

fn figures(phase: &Phase, rows: u32) -> [(&'static str, f64); 7] {
    let rows = f64::from(rows);
    [
        ("rows/s", phase.rate(rows)),
        ("CPU-s/million", phase.per_million(phase.cpu, rows)),
        ("broker", phase.per_million(phase.broker, rows)),
        ("peak MiB", phase.peak as f64 / 1_048_576.0),
        ("start s", phase.start_up),
        ("rows/s with start", phase.rate_with_start(rows)),
        ("load", phase.load),
    ]
}

fn load(lab: &Lab, rows: u32, warm: u32) -> Result<()> {
    printer::say(&format!("loading {rows} rows"));
    lab.engagement()?;
    lab.sql(&format!("CALL load_events({rows}, 10000)"))?;
    lab.sql(&format!(
        "CREATE TABLE {WARM} (LIKE {TABLE} INCLUDING ALL);
         INSERT INTO {WARM} SELECT * FROM {TABLE} LIMIT {warm};
         ALTER PUBLICATION engagement_pub ADD TABLE {WARM}"
    ))?;
    // Hint bits, visibility and statistics are settled before, and the pages are read once, so that all contenders find the same.
    lab.sql(&format!("VACUUM ANALYZE {TABLE}"))?;
    lab.sql(&format!("VACUUM ANALYZE {WARM}"))?;
    lab.sql(&format!("CHECKPOINT; SELECT sum(length(t::text)) FROM {TABLE} AS t")).map(|_| ())
}

struct Bench {
    // First, since fields are dropped in order: the worker must stop before the broker.
    debezium: Option<Debezium>,
    /// The program of `--before`.
    before: PathBuf,
    lab: Lab,
    schemas: bool,
}

impl Bench {
    fn one(&mut self, name: &str, round: u32, table: &str, rows: u32) -> Result<Phase> {
        self.lab.settle()?;
        let run = format!("{}_{round}", name.replace('-', "_"));
        let phase = match name {
            "copy" => self.copy(&run, table),
            "pgcdc-stdout" => self.stdout(&run, table),
            "pgcdc" => self.pgcdc(&self.lab.binary.clone(), &run, table, rows),
            "pgcdc-before" => self.pgcdc(&self.before.clone(), &run, table, rows),
            _ => self.debezium(&run, table, rows),
        };
        phase.with_context(|| format!("{name}: {}", tail(&self.lab.log(&run))))
    }

    fn copy(&mut self, run: &str, table: &str) -> Result<Phase> {
        let mut command = Command::new(tools::postgres_client("psql")?);
        command.args(["-qX", "-h", "127.0.0.1", "-U", "postgres", "-d", DATABASE]);
        command.args(["-p", &self.lab.postgres.port().to_string(), "-c", &format!("COPY {table} TO STDOUT")]);
        self.written(run, command)
    }

    fn stdout(&mut self, run: &str, table: &str) -> Result<Phase> {
        let offsets = self.lab.scratch.join(format!("{run}.offsets")).to_string_lossy().into_owned();
        let connector = self
            .lab
            .connector(run, run, self.schemas)
            .with("table.include.list", table)
            .with("snapshot.mode", "initial_only")
            .with("offset.storage.file.filename", &offsets);
        let command = self.lab.pgcdc(run, &connector, &["--stdout"])?;
        let phase = self.written(run, command)?;
        self.lab.drop_slot(run)?;
        Ok(phase)
    }

    /// Follows a command that writes rows to its standard output and ends.
    fn written(&mut self, run: &str, command: Command) -> Result<Phase> {
        let begin = Instant::now();
        let mut process = self.lab.spawn(run, command)?;
        let mut watch = Watch::begin(process.id().context("it ended at once")?, &mut self.lab);
        let pace = (None, Duration::from_millis(5), LIMIT);
        let rows = |watch: &Watch| Ok(watch.written().filter(|bytes| *bytes > LOG_BYTES).unwrap_or(0));
        let phase = follow(&mut watch, begin, pace, rows)?;
        match process.wait_timeout(Duration::from_secs(10)) {
            Some(status) if status.success() => Ok(phase),
            status => bail!("it left with {status:?}"),
        }
    }

    fn pgcdc(&mut self, program: &Path, run: &str, table: &str, rows: u32) -> Result<Phase> {
        let connector = self
            .lab
            .connector(run, run, self.schemas)
            .with("table.include.list", table)
            .with("snapshot.mode", "initial");
        let command = self.lab.program(program, run, &connector, &[])?;
        let topic = format!("{run}.{table}");
        let begin = Instant::now();
        let mut process = self.lab.spawn(run, command)?;
        let id = process.id().context("it ended at once")?;
        let mut watch = Watch::begin(id, &mut self.lab);
        let port = self.lab.kafka.port();
        let pace = (Some(u64::from(rows)), Duration::from_millis(25), LIMIT);
        let phase =
            follow(&mut watch, begin, pace, |_| Ok(kafka::end_offset(port, &topic, 0)?.unwrap_or(0)))?;
        id.send("TERM")?;
        match process.wait_timeout(Duration::from_secs(30)) {
            Some(status) if status.success() => {}
            status => bail!("it left with {status:?} after SIGTERM"),
        }
        self.lab.drop_slot(run)?;
        self.lab.forget(&topic)?;
        Ok(phase)
    }

    fn debezium(&mut self, run: &str, table: &str, rows: u32) -> Result<Phase> {
        let connector = self
            .lab
            .connector(run, run, self.schemas)
            .with("table.include.list", table)
            .with("snapshot.mode", "initial");
        let topic = format!("{run}.{table}");
        let worker = self.debezium.as_mut().context("there is no Connect worker")?;
        let phase = worker.drain(&mut self.lab, run, &connector, &topic, rows, LIMIT)?;
        self.lab.drop_slot(run)?;
        self.lab.forget(&topic)?;
        Ok(phase)
    }
}
