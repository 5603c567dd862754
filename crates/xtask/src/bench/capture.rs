//! The same backlog, drained by each contender in turns, each run from a slot of its own that was made before the load.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use pgcdc_testbed::{Process, kafka};

use super::Common;
use super::lab::{DATABASE, Lab, client_program, tail};
use super::measure::{Phase, Watch, follow};
use super::report::{Bar, Bound, Column, Report, column};
use crate::printer;

/// How to measure capture.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// Rows of the backlog, about 300 bytes each, in transactions of 1000
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(50_000..))]
    rows: u32,
    /// Connect schemas in keys and values
    #[arg(long)]
    schemas: bool,
    #[command(flatten)]
    common: Common,
}

const RECVLOGICAL: &str = "pg_recvlogical > /dev/null";
const PGCDC: &str = "pgcdc";
/// What `--without` calls them.
const CONTENDERS: [&str; 2] = ["recvlogical", "pgcdc"];

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
const LIMIT: Duration = Duration::from_secs(600);
const TABLE: &str = "public.engagement_events";

pub(super) fn run(options: &Options) -> Result<()> {
    let mut wanted = Vec::new();
    for name in CONTENDERS {
        if options.common.wants(name, &CONTENDERS)? {
            wanted.push(name);
        }
    }
    let mut bench = Bench { lab: Lab::start(&options.common)?, options, end: String::new() };
    bench.load(&wanted)?;
    let title = format!("Backlog of {} rows, median of {}", options.rows, options.common.rounds);
    let mut report = Report::new("capture", title, COLUMNS);
    report.chart(&["events/s", "CPU-s/million"]);
    for round in 1..=options.common.rounds {
        for name in &wanted {
            let (label, phase) = bench.one(name, round)?;
            report.run(label, &bench.figures(&phase));
        }
    }
    report.ratio(PGCDC, RECVLOGICAL);
    report.bar(Bar::ratio("events/s", PGCDC, Bound::AtLeast(1.0), RECVLOGICAL));
    report.bar(Bar::value("peak MiB", PGCDC, Bound::AtMost(64.0)));
    report.publish(&options.common)
}

struct Bench<'a> {
    lab: Lab,
    options: &'a Options,
    /// WAL position behind the backlog.
    end: String,
}

impl Bench<'_> {
    fn figures(&self, phase: &Phase) -> [(&'static str, f64); 8] {
        let rows = f64::from(self.options.rows);
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

    fn load(&mut self, wanted: &[&str]) -> Result<()> {
        let rows = self.options.rows;
        printer::say(&format!("loading {rows} rows in transactions of 1000"));
        self.lab.engagement()?;
        for round in 1..=self.options.common.rounds {
            for name in wanted {
                self.lab.slot(&format!("{name}_{round}"))?;
            }
        }
        self.lab.sql(&format!("CALL load_events({rows}, 1000)"))?;
        self.end = self.lab.sql("SELECT pg_current_wal_lsn()")?;
        // Something behind the end, so that whoever waits for the end gets past it; and no checkpoint amid a run.
        self.lab.sql("SELECT pg_logical_emit_message(true, 'bench', 'end'); CHECKPOINT")?;
        Ok(())
    }

    fn one(&mut self, name: &str, round: u32) -> Result<(&'static str, Phase)> {
        Ok(match name {
            "recvlogical" => (RECVLOGICAL, self.recvlogical(round)?),
            _ => (PGCDC, self.pgcdc(round)?),
        })
    }

    fn recvlogical(&mut self, round: u32) -> Result<Phase> {
        let name = format!("recvlogical_{round}");
        let mut command = std::process::Command::new(client_program("pg_recvlogical")?);
        command.args(["-h", "127.0.0.1", "-U", "postgres", "-d", DATABASE]);
        command.args([
            "-p",
            &self.lab.postgres.port().to_string(),
            "-f",
            "/dev/null",
            "--start",
            "--no-loop",
        ]);
        command.args([&format!("--slot={name}"), &format!("--endpos={}", self.end)]);
        command.args(["-o", "proto_version=1", "-o", "publication_names=engagement_pub"]);
        let begin = Instant::now();
        let mut process = self.lab.spawn(&name, command)?;
        let mut watch = Watch::begin(process.id().context("pg_recvlogical ended at once")?, &mut self.lab);
        let pace = (None, Duration::from_millis(5), LIMIT);
        let phase = follow(&mut watch, begin, pace, |watch| Ok(watch.written().unwrap_or(0)))
            .with_context(|| format!("pg_recvlogical: {}", tail(&self.lab.log(&name))))?;
        match process.wait_timeout(Duration::from_secs(10)) {
            Some(status) if status.success() => Ok(phase),
            status => bail!("pg_recvlogical left with {status:?}:\n{}", tail(&self.lab.log(&name))),
        }
    }

    fn pgcdc(&mut self, round: u32) -> Result<Phase> {
        let name = format!("pgcdc_{round}");
        let connector = self.lab.connector(&name, &name, self.options.schemas);
        let command = self.lab.pgcdc(&name, &connector, &[])?;
        let begin = Instant::now();
        let mut process = self.lab.spawn(&name, command)?;
        let mut watch = Watch::begin(process.id().context("pgcdc ended at once")?, &mut self.lab);
        let phase = self
            .drain(&mut watch, begin, &format!("{name}.{TABLE}"))
            .with_context(|| format!("pgcdc stream: {}", tail(&self.lab.log(&name))))?;
        self.leave(&name, &mut process)?;
        Ok(phase)
    }

    /// Follows Kafka's own count of what is durable: the end of the topic as a consumer would see it.
    fn drain(&self, watch: &mut Watch, begin: Instant, topic: &str) -> Result<Phase> {
        let port = self.lab.kafka.port();
        let pace = (Some(u64::from(self.options.rows)), Duration::from_millis(10), LIMIT);
        follow(watch, begin, pace, |_| Ok(kafka::end_offset(port, topic, 0)?.unwrap_or(0)))
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
