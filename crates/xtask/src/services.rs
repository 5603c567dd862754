//! `up`, `down`, `status`: the four services, started once and left running for whoever wants them.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use pgcdc_testbed::daemon::Daemon;
use pgcdc_testbed::{
    Cassandra, CassandraOptions, Kafka, KafkaOptions, Postgres, PostgresClient, PostgresOptions, Redis,
    RedisClient, RedisOptions, cache,
};

use crate::{compose, printer};

/// Where the services are.
#[derive(Debug, Clone, Args)]
#[group(id = "services")]
pub(crate) struct Options {
    /// PostgreSQL's port
    #[arg(long, default_value_t = 15432)]
    pub(crate) postgres_port: u16,
    /// PostgreSQL's major version, 14 to 18
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(14..=18))]
    pub(crate) postgres_version: u32,
    /// Kafka's port
    #[arg(long, default_value_t = 19092)]
    pub(crate) kafka_port: u16,
    /// Cassandra's port
    #[arg(long, default_value_t = 19042)]
    pub(crate) cassandra_port: u16,
    /// Redis's port
    #[arg(long, default_value_t = 16379)]
    pub(crate) redis_port: u16,
    /// Directory for data and logs [default: ~/.cache/pgcdc/up]
    #[arg(long)]
    dir: Option<PathBuf>,
}

/// The services that run, as their users need them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Running {
    pub(crate) postgres: PostgresClient,
    pub(crate) kafka_port: u16,
    pub(crate) cassandra_port: u16,
    pub(crate) redis: RedisClient,
    /// Whether this call started any of them.
    pub(crate) started: bool,
}

const NAMES: [&str; 4] = ["postgres", "kafka", "cassandra", "redis"];

impl Options {
    /// The same choices as the compose file takes them.
    fn variables(&self) -> [(&'static str, String); 5] {
        [
            ("PGCDC_POSTGRES_PORT", self.postgres_port.to_string()),
            ("PGCDC_KAFKA_PORT", self.kafka_port.to_string()),
            ("PGCDC_CASSANDRA_PORT", self.cassandra_port.to_string()),
            ("PGCDC_REDIS_PORT", self.redis_port.to_string()),
            ("PGCDC_POSTGRES_VERSION", self.postgres_version.to_string()),
        ]
    }

    fn dir(&self) -> PathBuf {
        self.dir.clone().unwrap_or_else(|| cache::home().join(".cache/pgcdc/up"))
    }

    fn port(&self, name: &str) -> u16 {
        match name {
            "postgres" => self.postgres_port,
            "kafka" => self.kafka_port,
            "cassandra" => self.cassandra_port,
            _ => self.redis_port,
        }
    }

    fn running(&self, started: bool) -> Running {
        Running {
            postgres: PostgresClient { port: self.postgres_port },
            kafka_port: self.kafka_port,
            cassandra_port: self.cassandra_port,
            redis: RedisClient { port: self.redis_port },
            started,
        }
    }
}

/// `PGCDC_SERVICES=native|compose` decides; without it, Docker where an engine answers.
fn by_compose() -> Result<bool> {
    match std::env::var("PGCDC_SERVICES").as_deref() {
        Ok("native") => Ok(false),
        Ok("compose") => Ok(true),
        Ok(other) => bail!("PGCDC_SERVICES={other} is neither native nor compose"),
        Err(_) => Ok(compose::available()),
    }
}

/// Starts the services that do not run yet, all at once, and prints the table.
pub(crate) fn up(options: &Options) -> Result<Running> {
    let dir = options.dir();
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    if by_compose()? {
        printer::say("a Docker engine answers: docker compose up");
        compose::up(&options.variables())?;
        std::fs::write(dir.join("compose"), "")
            .with_context(|| format!("cannot write in {}", dir.display()))?;
        return Ok(options.running(true));
    }
    printer::say(
        "starting PostgreSQL, Kafka, Cassandra and Redis; the first time this downloads about 150 MB",
    );
    let results: Vec<Result<(bool, f64)>> = std::thread::scope(|scope| {
        let handles: Vec<_> =
            NAMES.map(|name| scope.spawn(move || start(options, name))).into_iter().collect();
        handles
            .into_iter()
            .map(|handle| handle.join().unwrap_or_else(|_| Err(anyhow!("a start thread panicked"))))
            .collect()
    });
    let mut rows = vec![printer::row(["service", "port", "", "directory"])];
    let mut failed = Vec::new();
    let mut started = false;
    let mut fresh = Vec::new();
    for (name, result) in NAMES.iter().zip(results) {
        let port = options.port(name).to_string();
        match result {
            Ok((new, seconds)) => {
                started |= new;
                if new {
                    fresh.push(*name);
                }
                let how = if new { format!("up in {seconds:.1} s") } else { "was up".to_owned() };
                rows.push(printer::row([name, &port, &how, &dir.join(name).to_string_lossy()]));
            }
            Err(error) => failed.push(format!("{name}: {error:#}")),
        }
    }
    printer::table(&rows);
    if !failed.is_empty() {
        // Half a set of services is of no use, and would be forgotten. Services that ran before are left alone.
        for name in fresh {
            remove(&dir.join(name), name)?;
        }
        bail!("{}", failed.join("\n"));
    }
    Ok(options.running(started))
}

/// Starts one service unless it runs; says whether it had to, and how long that took.
fn start(options: &Options, name: &str) -> Result<(bool, f64)> {
    let dir = options.dir().join(name);
    let port = options.port(name);
    if let Some(running) = Daemon::attach(&dir)? {
        if running.spec().port == port {
            return Ok((false, 0.0));
        }
        bail!("runs already on port {}, not {port}\n\nhint: cargo xtask down", running.spec().port);
    }
    if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
        bail!(
            "port {port} is taken by a program that `up` did not start\n\nhint: choose another with --{name}-port"
        );
    }
    let begin = Instant::now();
    match name {
        "postgres" => {
            Postgres::start(&dir, port, PostgresOptions::version(options.postgres_version))?.detached()
        }
        "kafka" => Kafka::start(&dir, port, KafkaOptions::default())?.detached(),
        "cassandra" => Cassandra::start(&dir, port, CassandraOptions::default())?.detached(),
        _ => Redis::start(&dir, port, RedisOptions::default())?.detached(),
    }
    let seconds = begin.elapsed().as_secs_f64();
    printer::say(&format!("{name} is up on port {port}"));
    Ok((true, seconds))
}

/// Stops everything that `up` started in this directory and removes the data.
pub(crate) fn down(options: &Options) -> Result<()> {
    let dir = options.dir();
    if dir.join("compose").exists() {
        compose::down(&options.variables())?;
    }
    for name in NAMES {
        remove(&dir.join(name), name)?;
    }
    // The directory is removed only when it is empty: files that are not ours stay.
    let _ = std::fs::remove_file(dir.join("compose"));
    let _ = std::fs::remove_dir(&dir);
    Ok(())
}

/// Stops one service and removes its data; also one that has crashed, whose data may lie outside its directory: only its
/// record says where.
fn remove(place: &Path, name: &str) -> Result<()> {
    if let Some(daemon) = Daemon::last(place)? {
        daemon.remove(Duration::from_secs(20))?;
        printer::say(&format!("stopped {name} and removed its data"));
    } else if place.exists() {
        std::fs::remove_dir_all(place).with_context(|| format!("cannot remove {}", place.display()))?;
    }
    Ok(())
}

/// Prints which services run.
pub(crate) fn status(options: &Options) -> Result<()> {
    let dir = options.dir();
    if dir.join("compose").exists() {
        return compose::status(&options.variables());
    }
    let mut rows = vec![printer::row(["service", "port", "process", "what"])];
    for name in NAMES {
        rows.push(match Daemon::attach(&dir.join(name))? {
            Some(daemon) => {
                let spec = daemon.spec();
                printer::row([name, &spec.port.to_string(), &daemon.process().pid.to_string(), &spec.name])
            }
            None => printer::row([name, "-", "-", "down"]),
        });
    }
    printer::table(&rows);
    Ok(())
}
