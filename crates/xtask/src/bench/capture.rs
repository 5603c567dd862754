//! The same backlog, drained by `pg_recvlogical` and by `pgcdc stream` in turns, each run from a slot of its own that was
//! made before the load.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use pgcdc_testbed::{Kafka, KafkaOptions, Postgres, PostgresOptions, Scratch, kafka, tools};
use serde_json::json;

use super::CaptureOptions;
use super::measure::{Figures, Watch};
use super::report;
use crate::{cargo, printer};

const DATABASE: &str = "engagement";
const RUN_LIMIT: Duration = Duration::from_secs(600);

pub(super) fn run(options: &CaptureOptions) -> Result<()> {
    printer::say("building pgcdc with optimisations");
    let binary = cargo::build_pgcdc(true)?;
    let recvlogical = find_recvlogical()?;
    let scratch = Scratch::new("bench")?;
    printer::say("starting PostgreSQL and Kafka");
    let settings = PostgresOptions::version(options.postgres_version).setting("shared_buffers", "512MB");
    let postgres = Postgres::start(scratch.join("postgres"), 0, settings)?;
    let kafka =
        Kafka::start(scratch.join("kafka"), 0, KafkaOptions { heap_mb: 1024, ..KafkaOptions::default() })?;
    let mut bench = Bench { options, binary, recvlogical, scratch, postgres, kafka, end: String::new() };
    bench.load()?;
    let mut limit = Vec::new();
    let mut ours = Vec::new();
    for round in 1..=options.rounds {
        let figures = bench.recvlogical(round)?;
        printer::say(&format!("round {round}: pg_recvlogical {:.0} events/s", bench.rate(&figures)));
        limit.push(figures);
        let figures = bench.pgcdc(round)?;
        printer::say(&format!("round {round}: pgcdc stream   {:.0} events/s", bench.rate(&figures)));
        ours.push(figures);
    }
    report::print(options.rows, &limit, &ours);
    if let Some(file) = &options.json {
        report::write(file, options.rows, &limit, &ours)?;
    }
    Ok(())
}

struct Bench<'a> {
    options: &'a CaptureOptions,
    binary: PathBuf,
    recvlogical: PathBuf,
    scratch: Scratch,
    postgres: Postgres,
    kafka: Kafka,
    /// WAL position behind the backlog.
    end: String,
}

impl Bench<'_> {
    fn rate(&self, figures: &Figures) -> f64 {
        f64::from(self.options.rows) / figures.seconds
    }

    fn load(&mut self) -> Result<()> {
        let rows = self.options.rows;
        printer::say(&format!("loading {rows} rows in transactions of 1000"));
        self.postgres.create_database(DATABASE)?;
        let sql = cargo::root().join("sql/engagement");
        for file in ["schema.sql", "load.sql"] {
            self.postgres.client().sql_file(DATABASE, sql.join(file))?;
        }
        for round in 1..=self.options.rounds {
            self.postgres.sql(
                DATABASE,
                &format!(
                    "SELECT pg_create_logical_replication_slot('limit_{round}', 'pgoutput');
                     SELECT pg_create_logical_replication_slot('pgcdc_{round}', 'pgoutput')"
                ),
            )?;
        }
        self.postgres.sql(DATABASE, &format!("CALL load_events({rows}, 1000)"))?;
        self.end = self.postgres.sql(DATABASE, "SELECT pg_current_wal_lsn()")?;
        // Something behind the end, so that whoever waits for the end gets past it; and no checkpoint amid a run.
        self.postgres.sql(DATABASE, "SELECT pg_logical_emit_message(true, 'bench', 'end'); CHECKPOINT")?;
        Ok(())
    }

    fn recvlogical(&mut self, round: u32) -> Result<Figures> {
        let mut command = Command::new(&self.recvlogical);
        command.args([
            "-h",
            "127.0.0.1",
            "-U",
            "postgres",
            "-d",
            DATABASE,
            "-p",
            &self.postgres.port().to_string(),
        ]);
        command.args([&format!("--slot=limit_{round}"), "--start", "--no-loop", "-f", "/dev/null"]);
        command.args([
            "-o",
            "proto_version=1",
            "-o",
            "publication_names=engagement_pub",
            &format!("--endpos={}", self.end),
        ]);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let (mut watch, mut child) = self.watch(command)?;
        let deadline = Instant::now() + RUN_LIMIT;
        while watch.sample() {
            if Instant::now() > deadline {
                end(&mut child)?;
                bail!("pg_recvlogical did not reach {} in {} s", self.end, RUN_LIMIT.as_secs());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let figures = watch.finish();
        let status = child.wait().context("cannot wait for pg_recvlogical")?;
        if !status.success() {
            bail!("pg_recvlogical left with {status}, see above");
        }
        figures
    }

    fn pgcdc(&mut self, round: u32) -> Result<Figures> {
        let topic = format!("bench{round}.public.engagement_events");
        let log = self.scratch.join(format!("pgcdc-{round}.log"));
        let file = std::fs::File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let mut command = Command::new(&self.binary);
        command.args(["stream", "--config"]).arg(self.connector(round)?);
        for set in &self.options.set {
            command.args(["--set", set]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file);
        let (mut watch, mut child) = self.watch(command)?;
        let rows = u64::from(self.options.rows);
        let deadline = Instant::now() + RUN_LIMIT;
        let mut next_sample = Instant::now();
        loop {
            // Kafka's own count of what is durable: the end as a consumer would see it.
            let arrived = kafka::end_offset(self.kafka.port(), &topic, 0)?.unwrap_or(0);
            if arrived >= rows {
                break;
            }
            if Instant::now() >= next_sample {
                next_sample = Instant::now() + Duration::from_millis(100);
                let running = watch.sample();
                if !running || Instant::now() > deadline {
                    let what = if running { "is still running" } else { "ended" };
                    end(&mut child)?;
                    bail!("pgcdc stream {what} with {arrived} of {rows} records in Kafka:\n{}", tail(&log));
                }
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let figures = watch.finish()?;
        self.leave(round, &mut child, &log)?;
        Ok(figures)
    }

    /// Stops pgcdc as an operator would; afterwards the slot must be confirmed to the end.
    fn leave(&self, round: u32, child: &mut Child, log: &Path) -> Result<()> {
        if let Some(id) = pgcdc_testbed::signal::ProcessId::of(child.id()) {
            id.send("TERM")?;
        }
        let deadline = Instant::now() + Duration::from_secs(30);
        let status = loop {
            match child.try_wait().context("cannot wait for pgcdc")? {
                Some(status) => break status,
                None if Instant::now() > deadline => {
                    end(child)?;
                    bail!("pgcdc stream did not leave within 30 s of SIGTERM:\n{}", tail(log));
                }
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        if !status.success() {
            bail!("pgcdc stream left with {status}:\n{}", tail(log));
        }
        let left = self.postgres.sql(
            DATABASE,
            &format!("SELECT '{}'::pg_lsn - confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = 'pgcdc_{round}'", self.end),
        )?;
        // A few hundred bytes of housekeeping may lie between the last commit and the end that was read after it.
        if left.parse::<f64>().is_ok_and(|bytes| bytes > 8192.0) {
            printer::say(&format!(
                "warning: slot pgcdc_{round} is confirmed only to {left} bytes before the end of the backlog"
            ));
        }
        Ok(())
    }

    fn watch(&mut self, command: Command) -> Result<(Watch, Child)> {
        Watch::start(command, self.postgres.daemon().process(), self.kafka.daemon().process())
    }

    fn connector(&self, round: u32) -> Result<PathBuf> {
        let schemas = self.options.schemas.to_string();
        let config = json!({"name": "bench", "config": {
            "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
            "plugin.name": "pgoutput",
            "database.hostname": "127.0.0.1",
            "database.port": self.postgres.port().to_string(),
            "database.user": "postgres",
            "database.password": "postgres",
            "database.dbname": DATABASE,
            "topic.prefix": format!("bench{round}"),
            "slot.name": format!("pgcdc_{round}"),
            "publication.name": "engagement_pub",
            "publication.autocreate.mode": "disabled",
            "table.include.list": "public.engagement_events",
            "snapshot.mode": "no_data",
            "bootstrap.servers": self.kafka.bootstrap(),
            "topic.creation.default.partitions": "1",
            "topic.creation.default.replication.factor": "1",
            "key.converter": "org.apache.kafka.connect.json.JsonConverter",
            "key.converter.schemas.enable": schemas,
            "value.converter": "org.apache.kafka.connect.json.JsonConverter",
            "value.converter.schemas.enable": schemas,
            "producer.override.compression.type": "lz4",
        }});
        let file = self.scratch.join(format!("connector-{round}.json"));
        std::fs::write(&file, config.to_string())
            .with_context(|| format!("cannot write {}", file.display()))?;
        Ok(file)
    }
}

fn end(child: &mut Child) -> Result<()> {
    let _ = child.kill();
    child.wait().context("cannot wait for a killed process").map(|_| ())
}

fn tail(log: &Path) -> String {
    pgcdc_testbed::daemon::tail(log, 20)
}

/// Debian keeps it beside the server's programs as well as, by a wrapper, on the PATH; the program itself is measured.
fn find_recvlogical() -> Result<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let found = versions.map(|entry| entry.path().join("bin/pg_recvlogical")).find(|path| path.is_file());
    found.map_or_else(|| tools::ensure("pg_recvlogical", "postgresql-client"), Ok)
}
