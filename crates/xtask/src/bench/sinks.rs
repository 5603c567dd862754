//! `pgcdc sink` from a backlog in Kafka beside bare loops around the stores' drivers, and reading without a store.
//!
//! The backlog is what `pgcdc stream` wrote. The bare loops (`crates/pgcdc-sinks/examples/bare`) have the same rows in memory
//! before they begin; a first, unmeasured run of theirs tries several concurrency levels, and the best is used.

mod stores;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use pgcdc_testbed::signal::ProcessId;
use pgcdc_testbed::{Cassandra, CassandraOptions, Process, Redis, RedisOptions, kafka};
use serde_json::Value;

use super::Common;
use super::lab::{Lab, tail};
use super::measure::{Phase, Watch, follow, settle};
use super::report::{Bar, Bound, Column, Report, column};
use crate::{cargo, printer};

/// How to measure sinks.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// Rows of the backlog, about 300 bytes each
    #[arg(long, default_value_t = 300_000, value_parser = clap::value_parser!(u32).range(20_000..))]
    rows: u32,
    /// Another build of pgcdc, measured in the same run: what a change has cost
    #[arg(long, value_name = "PROGRAM")]
    before: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

const COLUMNS: &[Column] = &[
    column("events/s", 0),
    column("CPU-s/million", 2),
    column("events/CPU-s", 0),
    column("peak MiB", 1),
    column("start s", 2),
    column("load", 2),
];
/// The contenders: their names for `--without`.
const CONTENDERS: [&str; 3] = ["consume", "cassandra", "redis"];
const LIMIT: Duration = Duration::from_secs(600);
const TOPIC: &str = "sinks.public.engagement_events";
/// Levels of concurrency: tasks × statements that each has in flight.
const CASSANDRA_LEVELS: &str = "1x64,1x128,1x256,1x512,2x128,2x256,2x512";
/// The same with a third number: rows of a batch, as the sink sends them. Shown beside the others, since the goal is about single
/// statements.
const CASSANDRA_BATCHES: &str = "2x128x10";
const IN_BATCHES: &str = "bare loop, batches of 10 > Cassandra";
/// Levels of concurrency: records of a call × calls in flight.
const REDIS_LEVELS: &str = "100x4,250x1,250x4,500x1,500x2,500x4,1000x2,2000x2";
/// Added to the round of `--before`, so that its groups, keyspaces and keys are its own.
const BEFORE_ROUNDS: u32 = 1000;
const CONSUME: &str = "pgcdc consume only";

pub(super) fn run(options: &Options) -> Result<()> {
    let wanted = options.common.choose(CONTENDERS, |name| name)?;
    let mut bench = Bench::start(options)?;
    bench.backlog()?;
    let title = format!("Sinks: {} records from Kafka, median of {}", options.rows, options.common.rounds);
    let mut report = Report::new("sinks", title, COLUMNS);
    for name in wanted {
        match name {
            "consume" => bench.consume(&mut report)?,
            "cassandra" => bench.cassandra(&mut report)?,
            _ => bench.redis(&mut report)?,
        }
    }
    report.bar(Bar::value("events/CPU-s", CONSUME, Bound::AtLeast(300_000.0)));
    for store in ["Cassandra", "Redis"] {
        let (ours, bare) = (format!("pgcdc sink > {store}"), format!("bare loop > {store}"));
        report.ratio(&ours, &bare);
        if options.before.is_some() {
            let before = format!("pgcdc before > {store}");
            report.ratio(&ours, &before);
            report.bar(Bar::ratio("events/s", &ours, Bound::AtLeast(0.95), &before));
            report.bar(Bar::ratio("CPU-s/million", &ours, Bound::AtMost(1.05), &before));
        }
        report.bar(Bar::ratio("events/s", &ours, Bound::AtLeast(0.8), &bare));
    }
    report.ratio("pgcdc sink > Cassandra", IN_BATCHES);
    report.publish(&options.common)
}

/// The figures of a run, by the name of their column.
type Figures = Vec<(&'static str, f64)>;

/// Does one run; takes the number of the round.
type Contender<'c, 'a> = dyn FnMut(&mut Bench<'a>, u32) -> Result<Figures> + 'c;

struct Bench<'a> {
    lab: Lab,
    bare: PathBuf,
    options: &'a Options,
}

impl<'a> Bench<'a> {
    fn start(options: &'a Options) -> Result<Self> {
        let lab = Lab::start(&options.common)?;
        let build = ["build", "--quiet", "--release", "-p", "pgcdc-sinks", "--example", "bare"];
        ensure!(
            cargo::cargo(&build)?.status().context("cannot run cargo")?.success(),
            "cannot build the bare loops"
        );
        let bare = cargo::target_dir()?.join("release/examples/bare");
        Ok(Self { lab, bare, options })
    }

    /// The program of `--before`.
    fn before(&self) -> Result<PathBuf> {
        self.options.before.clone().context("--before names no program")
    }

    /// Fills the topic.
    fn backlog(&mut self) -> Result<()> {
        let rows = self.options.rows;
        printer::say(&format!("{rows} rows to Kafka"));
        self.lab.engagement()?;
        self.lab.slot("sinks")?;
        self.lab.sql(&format!("CALL load_events({rows}, 1000)"))?;
        let connector = self
            .lab
            .connector("sinks", "sinks", false)
            .with("topic.creation.default.partitions", "1")
            .with("topic.creation.default.replication.factor", "1");
        let command = self.lab.pgcdc("stream", &connector, &[])?;
        let mut process = self.lab.spawn("stream", command)?;
        let begin = Instant::now();
        loop {
            let arrived = kafka::end_offset(self.lab.kafka.port(), TOPIC, 0)?.unwrap_or(0);
            if arrived >= u64::from(rows) {
                break;
            }
            let stuck = begin.elapsed() > LIMIT || !process.is_running();
            ensure!(!stuck, "pgcdc stream: {arrived} of {rows}: {}", tail(&self.lab.log("stream")));
            std::thread::sleep(Duration::from_millis(50));
        }
        process.sigterm_and_wait(Duration::from_secs(30)).map(|_| ())
    }

    /// Runs a bare loop to its end and returns its lines.
    fn bare(&self, arguments: &[&str], rows: u32) -> Result<Vec<Value>> {
        let mut command = Command::new(&self.bare);
        command.args([arguments[0], &self.lab.kafka.bootstrap(), TOPIC, &rows.to_string()]);
        let output = command
            .args(&arguments[1..])
            .stderr(Stdio::inherit())
            .output()
            .context("cannot run the bare loop")?;
        ensure!(output.status.success(), "the bare loop {} left with {}", arguments[0], output.status);
        let text = String::from_utf8(output.stdout).context("the bare loop's results")?;
        text.lines().map(|line| serde_json::from_str(line).context("a bare loop's result")).collect()
    }

    fn consume(&self, report: &mut Report) -> Result<()> {
        for round in 0..=self.options.common.rounds {
            let load = super::measure::load();
            let results = self.bare(&["consume"], self.options.rows)?;
            let result = results.first().context("no result of the consumer")?;
            let mut figures = figures(result)?;
            figures.push(("load", load));
            if round > 0 || self.options.common.no_warm_up {
                report.run(CONSUME, &figures);
            }
        }
        Ok(())
    }

    fn cassandra(&mut self, report: &mut Report) -> Result<()> {
        printer::say("starting Cassandra");
        let place = self.lab.scratch.join("cassandra");
        let mut cassandra =
            Cassandra::start(&place, 0, CassandraOptions { heap_mb: 2048, ..CassandraOptions::default() })?;
        let node = cassandra.contact_point();
        let store = stores::Tables::connect(&node)?;
        let best = self.best(&["cassandra", &node], CASSANDRA_LEVELS)?;
        report.note(format!(
            "bare loop > Cassandra: {best} (tasks x in flight) was the best of {CASSANDRA_LEVELS}"
        ));
        let server = cassandra.daemon().process();
        let mut bare = |bench: &mut Self, _| bench.bare_run(&["cassandra", &node, &best]);
        let mut ours =
            |bench: &mut Self, round| bench.cassandra_run(&bench.lab.binary.clone(), &store, &node, round);
        let mut before = |bench: &mut Self, round| {
            bench.cassandra_run(&bench.before()?, &store, &node, BEFORE_ROUNDS + round)
        };
        let mut batches = |bench: &mut Self, _| bench.bare_run(&["cassandra", &node, CASSANDRA_BATCHES]);
        let mut contenders: Vec<(&str, &mut Contender<'_, 'a>)> = vec![
            ("bare loop > Cassandra", &mut bare),
            ("pgcdc sink > Cassandra", &mut ours),
            (IN_BATCHES, &mut batches),
        ];
        if self.options.before.is_some() {
            contenders.push(("pgcdc before > Cassandra", &mut before));
        }
        self.rounds(report, server, &mut contenders)
    }

    /// Runs the contenders in turns, each when the store is done with the run before; round 0 is the warm-up.
    fn rounds(
        &mut self,
        report: &mut Report,
        server: ProcessId,
        contenders: &mut [(&str, &mut Contender<'_, 'a>)],
    ) -> Result<()> {
        for round in u32::from(self.options.common.no_warm_up)..=self.options.common.rounds {
            for (name, run) in &mut *contenders {
                settle(server);
                let figures = run(self, round)?;
                if round > 0 {
                    report.run(name, &figures);
                }
            }
            contenders.reverse();
        }
        Ok(())
    }

    fn cassandra_run(
        &mut self,
        program: &Path,
        store: &stores::Tables,
        node: &str,
        round: u32,
    ) -> Result<Figures> {
        let keyspace = format!("sink_{round}");
        store.create(&keyspace)?;
        let section =
            format!("type = \"cassandra\"\ncontact_points = [\"{node}\"]\nkeyspace = \"{keyspace}\"");
        let (first, last) = (1, i64::from(self.options.rows));
        let phase = self.sink(program, &format!("cassandra_{round}"), &section, |_| {
            // When the topic's last row is in the store, all rows are, but for some of the last two batches (16,000 rows at
            // most).
            Ok(if store.has(&keyspace, last)? { 2 } else { u64::from(store.has(&keyspace, first)?) })
        })?;
        let there = store.count(&keyspace)?;
        ensure!(
            there == u64::from(self.options.rows),
            "Cassandra holds {there} of {} rows",
            self.options.rows
        );
        store.drop(&keyspace)?;
        Ok(self.figures(&phase))
    }

    fn redis(&mut self, report: &mut Report) -> Result<()> {
        printer::say("starting Redis");
        let mut redis = Redis::start(self.lab.scratch.join("redis"), 0, RedisOptions::default())?;
        let url = redis.url();
        let best = self.best(&["redis", &url], REDIS_LEVELS)?;
        report.note(format!(
            "bare loop > Redis: {best} (records a call x calls in flight) was the best of {REDIS_LEVELS}"
        ));
        let expected = self.lab.sql(
            "SELECT count(*) || ' ' || sum(duration_ms)::bigint FROM
             (SELECT user_id, sum(duration_ms) AS duration_ms FROM engagement_events GROUP BY user_id) AS scores",
        )?;
        let server = redis.daemon().process();
        let mut bare = |bench: &mut Self, _| bench.bare_run(&["redis", &url, &best]);
        let mut ours =
            |bench: &mut Self, round| bench.redis_run(&bench.lab.binary.clone(), &redis, &expected, round);
        let mut before = |bench: &mut Self, round| {
            bench.redis_run(&bench.before()?, &redis, &expected, BEFORE_ROUNDS + round)
        };
        let mut contenders: Vec<(&str, &mut Contender<'_, 'a>)> =
            vec![("bare loop > Redis", &mut bare), ("pgcdc sink > Redis", &mut ours)];
        if self.options.before.is_some() {
            contenders.push(("pgcdc before > Redis", &mut before));
        }
        self.rounds(report, server, &mut contenders)
    }

    fn redis_run(&mut self, program: &Path, redis: &Redis, expected: &str, round: u32) -> Result<Figures> {
        let key = format!("sink_{round}");
        let url = redis.url();
        let board = format!(
            "type = \"redis\"\nurl = \"{url}\"\nleaderboard = {{ key = \"{key}\", member = \"user_id\", score = \"duration_ms\", \
             window = \"24h\", time = \"event_ts\" }}"
        );
        let mut offsets = stores::Offsets::connect(redis, &key, TOPIC)?;
        let phase = self.sink(program, &format!("redis_{round}"), &board, |_| offsets.next())?;
        let found = stores::scores(redis, &key)?;
        ensure!(found == expected, "Redis holds {found} (members, sum of scores), Postgres {expected}");
        redis.command(&["FLUSHALL"])?;
        Ok(self.figures(&phase))
    }

    /// Tries all levels on a part of the rows; that is the bare loop's and the store's warm-up too.
    fn best(&self, arguments: &[&str], levels: &str) -> Result<String> {
        printer::say(&format!("bare loop > {}: trying {levels}", arguments[0]));
        let mut arguments = arguments.to_vec();
        arguments.push(levels);
        let results = self.bare(&arguments, self.options.rows.min(100_000))?;
        let speed = |result: &Value| figures(result).map_or(0.0, |figures| figures[0].1);
        let rates: Vec<String> =
            results.iter().map(|r| format!("{} {:.0}/s", r["level"], speed(r))).collect();
        printer::say(&rates.join(", "));
        let best = results.iter().max_by(|a, b| speed(a).total_cmp(&speed(b)));
        Ok(best.and_then(|best| best["level"].as_str()).context("no level ran")?.to_owned())
    }

    fn bare_run(&self, arguments: &[&str]) -> Result<Figures> {
        let load = super::measure::load();
        let results = self.bare(arguments, self.options.rows)?;
        let mut figures = figures(results.first().context("no result of the bare loop")?)?;
        figures.push(("load", load));
        Ok(figures)
    }

    /// Runs `pgcdc sink` until `progress` reaches its goal: 2 for Cassandra, the end of the topic for Redis.
    fn sink(
        &mut self,
        program: &Path,
        name: &str,
        section: &str,
        progress: impl FnMut(&Watch) -> Result<u64>,
    ) -> Result<Phase> {
        let file = self.lab.scratch.join(format!("{name}.toml"));
        let text = format!(
            "[kafka]\n\"bootstrap.servers\" = \"{}\"\n\"group.id\" = \"{name}\"\n\n[[sink]]\nname = \"sink\"\ntopics = [\"{TOPIC}\"]\n{section}\n",
            self.lab.kafka.bootstrap()
        );
        std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        let mut command = Command::new(program);
        command.args(["sink", "--config"]).arg(&file);
        let begin = Instant::now();
        let mut process = self.lab.spawn(name, command)?;
        let process_id = process.id().context("pgcdc sink ended at once")?;
        let mut watch = Watch::begin(process_id, &mut self.lab).of_kafka_alone();
        let goal = if name.starts_with("cassandra") { 2 } else { u64::from(self.options.rows) };
        // Each look takes the store some time from the run.
        let pace = (Some(goal), Duration::from_millis(50), LIMIT);
        let log = self.lab.log(name);
        let phase = follow(&mut watch, begin, pace, progress)
            .with_context(|| format!("pgcdc sink: {}", tail(&log)))?;
        leave(&mut process, &log)?;
        Ok(phase)
    }

    fn figures(&self, phase: &Phase) -> Figures {
        let rows = f64::from(self.options.rows);
        // Cassandra's progress has two steps, the first row and the last: all rows lie between them.
        let share = if phase.share == 0.5 { 1.0 } else { phase.share };
        vec![
            ("events/s", rows * share / phase.seconds),
            ("CPU-s/million", phase.cpu * 1e6 / (rows * share)),
            ("peak MiB", phase.peak as f64 / 1_048_576.0),
            ("start s", phase.start_up),
            ("load", phase.load),
        ]
    }
}

/// Figures of a bare loop's line.
fn figures(result: &Value) -> Result<Figures> {
    let number =
        |name: &str| result[name].as_f64().with_context(|| format!("a bare loop's result has no {name}"));
    let (rows, seconds, cpu) = (number("rows")?, number("seconds")?, number("cpu")?);
    Ok(vec![("events/s", rows / seconds), ("CPU-s/million", cpu * 1e6 / rows), ("events/CPU-s", rows / cpu)])
}

fn leave(process: &mut Process, log: &Path) -> Result<()> {
    match process.sigterm_and_wait(Duration::from_secs(30))? {
        status if status.success() => Ok(()),
        status => bail!("pgcdc sink left with {status} after SIGTERM:\n{}", tail(log)),
    }
}
