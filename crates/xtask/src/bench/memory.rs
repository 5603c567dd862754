//! Peak memory of `pgcdc stream`: a long backlog whose broker stands still for a while, one large transaction, large rows
//! from the stream and from a snapshot.
//!
//! The limit is 64 MiB plus twice the largest row, whatever the backlog.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use pgcdc_testbed::signal::ProcessId;
use pgcdc_testbed::{Kafka, KafkaOptions, kafka};

use super::Common;
use super::lab::{Connector, Lab, TABLE, tail};
use super::measure::Watch;
use super::report::{Bar, Bound, Column, Report, column};
use crate::printer;

/// How to measure.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// Rows of the backlog, in transactions of 1000
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(10_000..))]
    rows: u32,
    /// Rows of the one transaction
    #[arg(long, default_value_t = 5_000_000, value_parser = clap::value_parser!(u32).range(10_000..))]
    transaction_rows: u32,
    /// Size of a large value
    #[arg(long, default_value_t = 100, value_name = "MB", value_parser = clap::value_parser!(u32).range(1..=200))]
    value: u32,
    /// How long the broker stands still
    #[arg(long, default_value_t = 20, value_name = "SECONDS")]
    stop: u64,
    #[command(flatten)]
    common: Common,
}

const COLUMNS: &[Column] = &[
    column("peak MiB", 1),
    column("allowed MiB", 1),
    column("before stop MiB", 1),
    column("at stop's end MiB", 1),
    column("seconds", 1),
    column("load", 2),
];
/// The cases: their names for `--without`.
const CASES: [&str; 4] = ["backlog", "transaction", "values", "snapshot"];
const LIMIT: Duration = Duration::from_secs(900);
const MIB: f64 = 1_048_576.0;
const BASE_MIB: f64 = 64.0;

pub(super) fn run(options: &Options) -> Result<()> {
    let wanted = options.common.choose(CASES, |name| name)?;
    let mut lab = Lab::start(&options.common)?;
    lab.engagement()?;
    let mut report = Report::new("memory", "Peak memory of pgcdc stream (VmHWM)".to_owned(), COLUMNS);
    if wanted.contains(&"backlog") {
        backlog(&mut lab, options, &mut report)?;
    }
    if wanted.contains(&"transaction") {
        let rows = options.transaction_rows;
        lab.slot("transaction")?;
        printer::say(&format!("loading {rows} rows in one transaction"));
        lab.sql(&format!("CALL load_events({rows}, {rows})"))?;
        let connector = lab.connector("transaction", "transaction", false);
        let run = Run { name: "transaction", topic: TABLE, records: u64::from(rows), stop: None };
        let usage = stream(&mut lab, &connector, &run)?;
        lab.drop_slot("transaction")?;
        add(&mut report, &format!("one transaction of {rows} rows"), &usage, 0.0);
    }
    if wanted.contains(&"values") {
        values(&mut lab, options, &mut report)?;
    }
    if wanted.contains(&"snapshot") {
        snapshots(&mut lab, options, &mut report)?;
    }
    report.publish(&options.common)
}

/// A backlog, with the broker stopped in its middle and without.
fn backlog(lab: &mut Lab, options: &Options, report: &mut Report) -> Result<()> {
    let rows = options.rows;
    for name in ["backlog", "stopped"] {
        lab.slot(name)?;
    }
    printer::say(&format!("loading {rows} rows"));
    lab.sql(&format!("CALL load_events({rows}, 1000)"))?;
    let stop = Duration::from_secs(options.stop);
    for (name, stop) in [("backlog", None), ("stopped", Some(stop))] {
        let connector = lab.connector(name, name, false);
        let run = Run { name, topic: TABLE, records: u64::from(rows), stop };
        let usage = stream(lab, &connector, &run)?;
        lab.drop_slot(name)?;
        let label = match stop {
            None => format!("backlog of {rows} rows"),
            Some(stop) => format!("the same, broker stopped for {} s", stop.as_secs()),
        };
        add(report, &label, &usage, 0.0);
    }
    Ok(())
}

/// Puts a broker in place that takes values of this many bytes; returns its limit.
fn roomy(lab: &mut Lab, name: &str, bytes: u64) -> Result<String> {
    let limit = (2 * bytes).to_string();
    let roomy = KafkaOptions { heap_mb: 2048, ..KafkaOptions::default() }
        .setting("message.max.bytes", &limit)
        .setting("socket.request.max.bytes", &limit)
        .setting("replica.fetch.max.bytes", &limit)
        .setting("log.segment.delete.delay.ms", "500");
    lab.kafka = Kafka::start(lab.scratch.join(format!("kafka-{name}")), 0, roomy)?;
    Ok(limit)
}

/// A connector for a table of large rows, which has a publication of its own.
fn of_large_rows(lab: &Lab, name: &str, table: &str, limit: &str) -> Connector {
    lab.connector(name, name, false)
        .with("publication.name", &format!("{table}_pub"))
        .with("table.include.list", &format!("public.{table}"))
        .with("topic.creation.default.partitions", "1")
        .with("topic.creation.default.replication.factor", "1")
        .with("topic.creation.default.max.message.bytes", limit)
        .with("producer.override.max.request.size", limit)
}

const INCOMPRESSIBLE: &str =
    "(SELECT string_agg(md5(random()::text || e), '') FROM generate_series(1, BYTES / 32) AS e)";

/// Snapshots of a table of large rows only, and by four threads of one whose large rows are among others.
fn snapshots(lab: &mut Lab, options: &Options, report: &mut Report) -> Result<()> {
    // Small rows that fill a page each stand between the large ones: threads share the table's own pages, and large values are
    // stored elsewhere.
    const AMONG: u64 = 1000;
    let cases =
        [(1, u64::from(options.value), 0, "1"), (5, u64::from(options.value), 0, "1"), (20, 20, AMONG, "4")];
    for (rows, megabytes, others, threads) in cases {
        let bytes = megabytes * 1_000_000;
        let name = format!("snapshot_{rows}");
        let limit = roomy(lab, &name, bytes)?;
        printer::say(&format!("writing {rows} rows of {megabytes} MB"));
        lab.sql(&format!(
            "CREATE TABLE {name} (id INT PRIMARY KEY, v TEXT, filler TEXT);
             ALTER TABLE {name} ALTER filler SET STORAGE PLAIN;
             CREATE PUBLICATION {name}_pub FOR TABLE {name}"
        ))?;
        let value = INCOMPRESSIBLE.replace("BYTES", &bytes.to_string());
        for row in 1..=rows {
            let among = others / rows;
            lab.sql(&format!(
                "INSERT INTO {name} VALUES ({row}, {value}, '');
                 INSERT INTO {name} SELECT {row} * 10000 + e, '', repeat('x', 7000) FROM generate_series(1, {among}) e"
            ))?;
        }
        let connector = of_large_rows(lab, &name, &name, &limit)
            .with("snapshot.mode", "initial")
            .with("snapshot.max.threads", threads);
        let topic = format!("public.{name}");
        let usage =
            stream(lab, &connector, &Run { name: &name, topic: &topic, records: rows + others, stop: None })?;
        lab.drop_slot(&name)?;
        lab.sql(&format!("DROP TABLE {name}"))?;
        let label = match threads {
            "1" => format!("snapshot of {rows} rows of {megabytes} MB"),
            _ => format!("snapshot of {rows} rows of {megabytes} MB among {others}, {threads} threads"),
        };
        add(report, &label, &usage, bytes as f64 / MIB);
    }
    Ok(())
}

/// Rows with large values, through a broker that takes them.
fn values(lab: &mut Lab, options: &Options, report: &mut Report) -> Result<()> {
    let bytes = u64::from(options.value) * 1_000_000;
    let limit = roomy(lab, "large", bytes)?;
    lab.sql("CREATE TABLE large (id INT PRIMARY KEY, v TEXT); CREATE PUBLICATION large_pub FOR TABLE large")?;
    let forms = [("incompressible", INCOMPRESSIBLE), ("compressible", "repeat('0123456789', BYTES / 10)")];
    for (form, value) in forms {
        for rows in [1, 5] {
            let name = format!("{form}_{rows}");
            lab.slot(&name)?;
            printer::say(&format!("writing {rows} rows of {} MB, {form}", options.value));
            let value = value.replace("BYTES", &bytes.to_string());
            for row in 1..=rows {
                let id = format!("(SELECT coalesce(max(id), 0) + {row} FROM large)");
                lab.sql(&format!("INSERT INTO large VALUES ({id}, {value})"))?;
            }
            let connector = of_large_rows(lab, &name, "large", &limit);
            let run = Run { name: &name, topic: "public.large", records: rows, stop: None };
            let usage = stream(lab, &connector, &run)?;
            lab.drop_slot(&name)?;
            let plural = if rows == 1 { "row" } else { "rows in a row" };
            add(
                report,
                &format!("{rows} {plural} of {} MB, {form}", options.value),
                &usage,
                bytes as f64 / MIB,
            );
        }
    }
    Ok(())
}

/// Adds figures, and the limit on them.
fn add(report: &mut Report, label: &str, usage: &Usage, row_mib: f64) {
    let allowed = BASE_MIB + 2.0 * row_mib;
    let mut figures = vec![
        ("peak MiB", usage.peak as f64 / MIB),
        ("allowed MiB", allowed),
        ("seconds", usage.seconds),
        ("load", usage.load),
    ];
    if let Some((before, after)) = usage.stopped {
        figures.extend([("before stop MiB", before as f64 / MIB), ("at stop's end MiB", after as f64 / MIB)]);
    }
    report.run(label, &figures);
    report.bar(Bar::value("peak MiB", label, Bound::AtMost(allowed)));
}

struct Run<'a> {
    name: &'a str,
    /// The topic's name without the prefix.
    topic: &'a str,
    records: u64,
    /// For how long the broker stands still when a third has arrived.
    stop: Option<Duration>,
}

struct Usage {
    peak: u64,
    seconds: f64,
    load: f64,
    /// Resident bytes before the stop and at its end.
    stopped: Option<(u64, u64)>,
}

/// Streams until the records are in Kafka.
fn stream(lab: &mut Lab, connector: &Connector, run: &Run<'_>) -> Result<Usage> {
    lab.sql("SELECT pg_logical_emit_message(true, 'bench', 'end'); CHECKPOINT")?;
    lab.settle()?;
    let command = lab.pgcdc(run.name, connector, &[])?;
    let begin = Instant::now();
    let mut process = lab.spawn(run.name, command)?;
    let id = process.id().context("pgcdc ended at once")?;
    let mut watch = Watch::begin(id, lab);
    let (topic, port) = (format!("{}.{}", run.name, run.topic), lab.kafka.port());
    let (mut stopped, log) = (None, lab.log(run.name));
    loop {
        let arrived = kafka::end_offset(port, &topic, 0)?.unwrap_or(0);
        watch.read();
        if arrived >= run.records {
            break;
        }
        ensure!(process.is_running(), "pgcdc stream ended at {arrived} of {}:\n{}", run.records, tail(&log));
        ensure!(begin.elapsed() < LIMIT, "pgcdc stream is at {arrived} of {}:\n{}", run.records, tail(&log));
        if let Some(time) = run.stop.filter(|_| stopped.is_none() && arrived > run.records / 3) {
            stopped = Some(stand_still(lab.kafka.daemon().process(), id, time)?);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let seconds = begin.elapsed().as_secs_f64();
    match process.sigterm_and_wait(Duration::from_secs(60))? {
        status if status.success() => {}
        status => bail!("pgcdc stream left with {status} after SIGTERM:\n{}", tail(&log)),
    }
    lab.forget(&topic)?;
    Ok(Usage { peak: watch.peak, seconds, load: watch.load, stopped })
}

/// Stops the broker; returns what the process holds before and at the end.
fn stand_still(broker: ProcessId, process: ProcessId, time: Duration) -> Result<(u64, u64)> {
    let before = resident(process)?;
    broker.send("STOP")?;
    std::thread::sleep(time);
    let after = resident(process);
    broker.send("CONT")?;
    Ok((before, after?))
}

fn resident(process: ProcessId) -> Result<u64> {
    let file = format!("/proc/{}/status", process.pid);
    let text = std::fs::read_to_string(Path::new(&file)).with_context(|| format!("cannot read {file}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().context("VmRSS")?;
    Ok(kib * 1024)
}
