//! The two programs under show, with the demo's own ports.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use pgcdc_testbed::{HttpReceiver, Process};

use super::{DATABASE, LEADERBOARD, cassandra};
use crate::cargo;
use crate::services::Running;

/// `pgcdc stream` and `pgcdc sink`.
pub(super) struct Pipeline {
    stream: Process,
    sink: Process,
}

impl Pipeline {
    pub(super) fn start(
        binary: &Path,
        services: &Running,
        receiver: &HttpReceiver,
        scratch: &Path,
    ) -> Result<Self> {
        let prefix = topic_prefix(services);
        let mut stream = Command::new(binary);
        stream.args(["stream", "--config"]).arg(cargo::root().join("deploy/demo/connector.json"));
        stream.args(["--set", &format!("database.port={}", services.postgres.port)]);
        stream.args(["--set", &format!("topic.prefix={prefix}")]);
        stream.args(["--bootstrap-servers", &format!("127.0.0.1:{}", services.kafka_port)]);
        let config = scratch.join("sinks.toml");
        std::fs::write(&config, sinks(services, receiver, &prefix)?)
            .with_context(|| format!("cannot write {}", config.display()))?;
        let mut sink = Command::new(binary);
        sink.args(["sink", "--config"]).arg(&config);
        let spawn = |mut command: Command, name: &str| {
            command.stdout(Stdio::null());
            Process::spawn(command, scratch.join(format!("{name}.log")))
        };
        Ok(Self { stream: spawn(stream, "stream")?, sink: spawn(sink, "sink")? })
    }

    /// An error when either has ended.
    pub(super) fn check(&mut self) -> Result<()> {
        for (name, process) in [("stream", &mut self.stream), ("sink", &mut self.sink)] {
            if let Some(status) = process.wait_timeout(Duration::ZERO) {
                bail!("pgcdc {name} ended early with {status}:\n{}", process.stderr());
            }
        }
        Ok(())
    }

    /// SIGTERM to both; each must leave with exit code 0.
    pub(super) fn stop(&mut self) -> Result<()> {
        for (name, process) in [("stream", &mut self.stream), ("sink", &mut self.sink)] {
            let status = process.sigterm_and_wait(Duration::from_secs(30))?;
            if !status.success() {
                bail!("pgcdc {name} left with {status} after SIGTERM:\n{}", process.stderr());
            }
        }
        Ok(())
    }
}

/// Removes what an earlier demo left in services that were running already.
pub(super) fn reset(services: &Running, cassandra: &cassandra::Reader) -> Result<()> {
    services.postgres.sql(
        "postgres",
        &format!("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = '{DATABASE}'"),
    )?;
    services.postgres.sql("postgres", &format!("DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)"))?;
    cassandra.reset()?;
    let mut keys = vec!["DEL".to_owned(), LEADERBOARD.to_owned()];
    keys.extend(["rows", "expiry", "counts", "offsets"].map(|part| format!("{{{LEADERBOARD}}}:{part}")));
    services.redis.command(&keys.iter().map(String::as_str).collect::<Vec<_>>())?;
    Ok(())
}

/// Fresh topics in a Kafka that may hold those of an earlier demo.
fn topic_prefix(services: &Running) -> String {
    if services.started {
        "engagement_project".to_owned()
    } else {
        format!("engagement_project_{}", std::process::id())
    }
}

/// `deploy/demo/sinks.toml` with the ports and topics of this run.
fn sinks(services: &Running, receiver: &HttpReceiver, prefix: &str) -> Result<String> {
    let file = cargo::root().join("deploy/demo/sinks.toml");
    let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(text
        .replace("127.0.0.1:19092", &format!("127.0.0.1:{}", services.kafka_port))
        .replace("127.0.0.1:19042", &format!("127.0.0.1:{}", services.cassandra_port))
        .replace("127.0.0.1:16379", &format!("127.0.0.1:{}", services.redis.port))
        .replace("127.0.0.1:15000", &format!("127.0.0.1:{}", receiver.port()))
        .replace("engagement_project.", &format!("{prefix}.")))
}
