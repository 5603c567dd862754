//! Kafka Connect, one distributed worker, with Debezium's Postgres connector: the referee for pgcdc's records, and the program
//! that pgcdc is measured against.

pub(crate) mod rest;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

use crate::daemon::{Daemon, Spec};
use crate::{cache, kafka, ports, tools};

/// The version of Debezium that pgcdc follows.
pub const DEBEZIUM: &str = "3.7.0.Final";
const START_LIMIT: Duration = Duration::from_secs(120);
/// How long a worker may be busy with itself (a rebalance) before it takes a request.
const BUSY_LIMIT: Duration = Duration::from_secs(60);

/// How to start Kafka Connect.
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    /// Maximum heap in MiB.
    pub heap_mb: u32,
    /// Lines for the worker's properties beyond the testbed's own, which they override.
    pub settings: Vec<(String, String)>,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self { heap_mb: 2048, settings: Vec::new() }
    }
}

impl ConnectOptions {
    /// Adds a line to the worker's properties.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// A Kafka Connect worker.
///
/// Its converters are Connect's default, JSON with schemas. A connector that wants other converters names them in its own
/// configuration (`value.converter.schemas.enable=false`).
#[derive(Debug)]
pub struct Connect {
    daemon: Daemon,
}

impl Connect {
    /// Starts a worker in `dir` with its REST interface on `port` (0: a free one) of 127.0.0.1, against the broker `bootstrap`.
    ///
    /// Its own topics are `testbed-connect-…`, so that it shares nothing with a pgcdc on the same broker.
    ///
    /// # Errors
    /// When Java, Maven or the jars cannot be had, or the worker does not start; with the tail of its log.
    pub fn start(
        dir: impl AsRef<Path>,
        port: u16,
        bootstrap: &str,
        options: &ConnectOptions,
    ) -> Result<Self> {
        let dir = dir.as_ref();
        let java = tools::java()?;
        let jars = kafka::jars()?;
        let plugins = plugins()?;
        let port = ports::or_free(port)?;
        fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        let properties = dir.join("worker.properties");
        let log4j = dir.join("log4j2.properties");
        write(&properties, &worker_properties(port, bootstrap, &plugins, options))?;
        write(&log4j, kafka::LOG4J)?;
        let mut args: Vec<String> =
            ["-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:+ExplicitGCInvokesConcurrent"]
                .map(str::to_owned)
                .to_vec();
        args.extend([format!("-Xmx{}m", options.heap_mb), "-Xms256m".to_owned()]);
        args.push(format!("-Dlog4j2.configurationFile={}", log4j.display()));
        args.extend(["-cp".to_owned(), format!("{}/*", jars.display())]);
        args.push("org.apache.kafka.connect.cli.ConnectDistributed".to_owned());
        args.push(properties.to_string_lossy().into_owned());
        let spec = Spec::new("Kafka Connect", java, args, port);
        Ok(Self { daemon: Daemon::start(spec, dir, START_LIMIT, || is_ready(port))? })
    }

    /// Finds the worker that an earlier program left running in `dir`.
    ///
    /// # Errors
    /// As [`Daemon::attach`].
    pub fn attach(dir: impl AsRef<Path>) -> Result<Option<Self>> {
        Ok(Daemon::attach(dir.as_ref())?.map(|daemon| Self { daemon }))
    }

    /// The port of the REST interface.
    pub fn port(&self) -> u16 {
        self.daemon.spec().port
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port())
    }

    /// Registers a connector, as `POST /connectors` does; it may take seconds until its task runs.
    ///
    /// # Errors
    /// When the worker refuses it; with the worker's own words.
    pub fn create(&self, name: &str, config: &Map<String, Value>) -> Result<()> {
        self.call("POST", "/connectors", Some(&json!({"name": name, "config": config})))
            .map(|_| ())
            .with_context(|| format!("connector {name}"))
    }

    /// Removes a connector and waits until the worker no longer knows it. Its offsets stay.
    ///
    /// # Errors
    /// When the worker refuses, or there is no such connector.
    pub fn delete(&self, name: &str) -> Result<()> {
        let path = format!("/connectors/{name}");
        self.call("DELETE", &path, None)?;
        let deadline = Instant::now() + BUSY_LIMIT;
        while rest::request(self.port(), "GET", &format!("{path}/status"), None)?.0 != 404 {
            if Instant::now() > deadline {
                bail!("connector {name} is still there {} s after its removal", BUSY_LIMIT.as_secs());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// What the worker says about a connector and its tasks.
    ///
    /// # Errors
    /// When the worker cannot be reached or does not know the connector.
    pub fn status(&self, name: &str) -> Result<ConnectorStatus> {
        let answer = self.call("GET", &format!("/connectors/{name}/status"), None)?;
        let part = |value: &Value| {
            let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
            Part { state: text("state").unwrap_or_default(), trace: text("trace") }
        };
        let tasks = answer.get("tasks").and_then(Value::as_array);
        Ok(ConnectorStatus {
            connector: part(answer.get("connector").context("a status without a connector")?),
            tasks: tasks.into_iter().flatten().map(part).collect(),
        })
    }

    /// Waits until a connector and its task run.
    ///
    /// # Errors
    /// When one of them fails, with its trace, or `limit` passes.
    pub fn wait_running(&self, name: &str, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        loop {
            // A connector that was just created may not be known yet.
            if let Ok(status) = self.status(name) {
                if let Some(failure) = status.failure() {
                    bail!("connector {name} failed: {failure}");
                }
                if status.is_running() {
                    return Ok(());
                }
            }
            if Instant::now() > deadline {
                bail!("connector {name} does not run after {} s", limit.as_secs());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// One request of the REST interface: method, path, body; status and answer (null when there is none).
    ///
    /// # Errors
    /// When the worker cannot be reached or does not answer in JSON.
    pub fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Result<(u16, Value)> {
        rest::request(self.port(), method, path, body)
    }

    /// A request that must succeed. A worker answers 409 during a rebalance, and 404 or 500 before it has read its own topics
    /// back. Only the 409 is sure to go away.
    fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        let deadline = Instant::now() + BUSY_LIMIT;
        loop {
            let (status, answer) = self.request(method, path, body)?;
            let message = answer.get("message").and_then(Value::as_str).unwrap_or_default();
            match status {
                200..300 => return Ok(answer),
                409 if !message.contains("already exists") && Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(100));
                }
                _ => bail!("{method} {}{path} answered {status}: {message}", self.url()),
            }
        }
    }

    /// Stops the worker in order: its connectors commit their offsets.
    ///
    /// # Errors
    /// When it survives.
    pub fn stop(&mut self) -> Result<()> {
        self.daemon.stop(Duration::from_secs(60))
    }

    /// Kills the worker as a crash would.
    ///
    /// # Errors
    /// When it survives.
    pub fn kill9(&mut self) -> Result<()> {
        self.daemon.kill9()
    }

    /// Starts the worker again on the same port; it finds its connectors and offsets in Kafka.
    ///
    /// # Errors
    /// As [`Connect::start`].
    pub fn restart(&mut self) -> Result<()> {
        let port = self.port();
        self.daemon.restart(START_LIMIT, || is_ready(port))
    }

    /// The process behind it.
    pub fn daemon(&mut self) -> &mut Daemon {
        &mut self.daemon
    }

    /// Lets the worker outlive this program.
    pub fn detached(self) {
        self.daemon.detached();
    }
}

/// What a worker says about a connector.
#[derive(Debug, Clone)]
pub struct ConnectorStatus {
    /// The connector itself.
    pub connector: Part,
    /// Its tasks; Debezium's Postgres connector has one, and none until it is assigned.
    pub tasks: Vec<Part>,
}

/// A connector or a task.
#[derive(Debug, Clone)]
pub struct Part {
    /// `RUNNING`, `FAILED`, `UNASSIGNED`, …
    pub state: String,
    /// The exception of a connector or task that failed.
    pub trace: Option<String>,
}

impl ConnectorStatus {
    /// Says whether the connector and all its tasks, at least one, run.
    pub fn is_running(&self) -> bool {
        let mut parts = std::iter::once(&self.connector).chain(&self.tasks);
        !self.tasks.is_empty() && parts.all(|part| part.state == "RUNNING")
    }

    /// The exception of the first part that failed; `None` while all parts work.
    pub fn failure(&self) -> Option<String> {
        let mut parts = std::iter::once(&self.connector).chain(&self.tasks);
        let failed = parts.find(|part| part.state == "FAILED")?;
        Some(failed.trace.clone().unwrap_or_else(|| "without a trace".to_owned()))
    }
}

/// A directory for `plugin.path`, with the connector in a directory of its own.
fn plugins() -> Result<PathBuf> {
    cache::entry(&cache::dir(), &format!("debezium-{DEBEZIUM}"), |into| {
        let plugin = into.join("debezium-connector-postgres");
        fs::create_dir_all(&plugin).with_context(|| format!("cannot create {}", plugin.display()))?;
        cache::maven(&[("io.debezium", "debezium-connector-postgres", DEBEZIUM)], &plugin)?;
        // A plugin must not bring the worker's own jars again in another version.
        for entry in fs::read_dir(&plugin)?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let workers = ["kafka-", "connect-", "slf4j-", "pom.xml"];
            if workers.iter().any(|start| name.starts_with(start)) {
                fs::remove_file(entry.path())
                    .with_context(|| format!("cannot remove {}", entry.path().display()))?;
            }
        }
        Ok(())
    })
}

fn worker_properties(port: u16, bootstrap: &str, plugins: &Path, options: &ConnectOptions) -> String {
    let mut text = format!(
        "bootstrap.servers={bootstrap}
group.id=testbed-connect
key.converter=org.apache.kafka.connect.json.JsonConverter
value.converter=org.apache.kafka.connect.json.JsonConverter
offset.storage.topic=testbed-connect-offsets
offset.storage.replication.factor=1
offset.storage.partitions=1
config.storage.topic=testbed-connect-configs
config.storage.replication.factor=1
status.storage.topic=testbed-connect-status
status.storage.replication.factor=1
status.storage.partitions=1
listeners=http://127.0.0.1:{port}
rest.advertised.host.name=127.0.0.1
plugin.path={}
scheduled.rebalance.max.delay.ms=0
",
        plugins.display()
    );
    for (name, value) in &options.settings {
        text.push_str(&format!("{name}={value}\n"));
    }
    text
}

fn is_ready(port: u16) -> bool {
    rest::request(port, "GET", "/connectors", None).is_ok_and(|(status, _)| status == 200)
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::{ConnectorStatus, Part};

    fn part(state: &str) -> Part {
        Part { state: state.to_owned(), trace: (state == "FAILED").then(|| "why".to_owned()) }
    }

    #[test]
    fn a_connector_runs_when_its_task_does() {
        let status = |task: Option<&str>| ConnectorStatus {
            connector: part("RUNNING"),
            tasks: task.into_iter().map(part).collect(),
        };
        assert!(status(Some("RUNNING")).is_running());
        assert!(!status(None).is_running(), "no task is assigned yet");
        assert!(!status(Some("FAILED")).is_running());
        assert_eq!(status(Some("FAILED")).failure().as_deref(), Some("why"));
        assert_eq!(status(Some("UNASSIGNED")).failure(), None);
    }
}
