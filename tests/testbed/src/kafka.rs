//! Apache Kafka in KRaft mode, one broker that is its own controller, from Maven's jars.

pub(crate) mod wire;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::daemon::{Daemon, Spec};
use crate::{cache, ports, tools};

const VERSION: &str = "4.3.1";
const START_LIMIT: Duration = Duration::from_secs(90);

/// Warnings and errors to standard output, hence into the log; Kafka Connect logs so too.
pub(crate) const LOG4J: &str = "status=error
appender.f.type=Console
appender.f.name=f
appender.f.layout.type=PatternLayout
appender.f.layout.pattern=%d %p %c{1} %m%n
rootLogger.level=warn
rootLogger.appenderRef.f.ref=f
";

/// The directory with Kafka's jars, and Kafka Connect's among them; downloaded when it is not there.
pub(crate) fn jars() -> Result<PathBuf> {
    jars_of(VERSION)
}

/// Runs one of Kafka's command-line tools, by its class.
///
/// # Errors
/// When the tool fails; with its whole output.
pub(crate) fn tool(class: &str, arguments: &[&str]) -> Result<()> {
    let output = Command::new(tools::java()?)
        .args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx128m", "-cp"])
        .arg(format!("{}/*", jars()?.display()))
        .arg(class)
        .args(arguments)
        .output()
        .with_context(|| format!("cannot run {class}"))?;
    if !output.status.success() {
        let text = [output.stdout, output.stderr].concat();
        bail!("{class} {arguments:?} failed: {}", String::from_utf8_lossy(&text).trim());
    }
    Ok(())
}

fn jars_of(version: &str) -> Result<PathBuf> {
    cache::entry(&cache::dir(), &format!("kafka-{version}"), |into| {
        let mut artifacts =
            vec![("org.apache.kafka", "kafka_2.13", version), ("org.apache.kafka", "kafka-tools", version)];
        if version.starts_with('4') {
            artifacts.push(("org.apache.logging.log4j", "log4j-slf4j-impl", "2.24.3"));
            artifacts.push(("org.apache.logging.log4j", "log4j-core", "2.24.3"));
        }
        cache::maven(&artifacts, into)
    })
}

/// How to start Kafka.
#[derive(Debug, Clone)]
pub struct KafkaOptions {
    /// The release, for instance `4.3.1`. The oldest that starts in KRaft mode is 3.3.
    pub version: &'static str,
    /// Maximum heap in MiB.
    pub heap_mb: u32,
    /// The port clients are sent to, when a proxy stands before the broker.
    pub advertised_port: Option<u16>,
    /// Lines for `server.properties` beyond the testbed's own, which they override.
    pub settings: Vec<(String, String)>,
    /// Names and passwords of users with SCRAM credentials. They are written when the storage is formatted.
    pub scram: Vec<(String, String)>,
}

impl Default for KafkaOptions {
    fn default() -> Self {
        Self {
            version: VERSION,
            heap_mb: 768,
            advertised_port: None,
            settings: Vec::new(),
            scram: Vec::new(),
        }
    }
}

impl KafkaOptions {
    /// Adds a line to `server.properties`.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// A Kafka broker.
#[derive(Debug)]
pub struct Kafka {
    daemon: Daemon,
}

impl Kafka {
    /// Starts Kafka in `dir` on `port` (0: a free one). Topics are created when used; internal topics have one replica.
    ///
    /// # Errors
    /// When Java, Maven or the jars cannot be had, or the broker does not start; with the tail of its log.
    pub fn start(dir: impl AsRef<Path>, port: u16, options: KafkaOptions) -> Result<Self> {
        let dir = dir.as_ref();
        let java = tools::java()?;
        let jars = jars_of(options.version)?;
        let port = ports::or_free(port)?;
        fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        let properties = dir.join("server.properties");
        let log4j = dir.join("log4j2.properties");
        // A cluster that exists keeps its controller's port.
        let controller = previous_controller(&properties).map_or_else(ports::free, Ok)?;
        write(&properties, &server_properties(dir, port, controller, &options))?;
        write(&log4j, LOG4J)?;
        let jvm = [
            format!("-Dlog4j2.configurationFile={}", log4j.display()),
            "-cp".to_owned(),
            format!("{}/*", jars.display()),
        ];
        if !dir.join("data/meta.properties").exists() {
            format_storage(&java, &jvm, &properties, &options.scram)?;
        }
        let mut args: Vec<String> =
            ["-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:+ExplicitGCInvokesConcurrent"]
                .map(str::to_owned)
                .to_vec();
        args.extend([format!("-Xmx{}m", options.heap_mb), "-Xms128m".to_owned()]);
        args.extend(jvm);
        args.extend(["kafka.Kafka".to_owned(), properties.to_string_lossy().into_owned()]);
        let spec = Spec::new("Kafka", java, args, port);
        Ok(Self { daemon: Daemon::start(spec, dir, START_LIMIT, || wire::is_ready(port))? })
    }

    /// Finds the Kafka that an earlier program left running in `dir`.
    ///
    /// # Errors
    /// As [`Daemon::attach`].
    pub fn attach(dir: impl AsRef<Path>) -> Result<Option<Self>> {
        Ok(Daemon::attach(dir.as_ref())?.map(|daemon| Self { daemon }))
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.daemon.spec().port
    }

    /// The value of `bootstrap.servers`.
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port())
    }

    /// The offset behind the last record of a partition; none when there is no such topic or partition (yet).
    ///
    /// # Errors
    /// When the broker cannot be reached or answers with another error.
    pub fn end_offset(&self, topic: &str, partition: i32) -> Result<Option<u64>> {
        wire::end_offset(self.port(), topic, partition)
    }

    /// Stops the broker in order.
    ///
    /// # Errors
    /// When it survives.
    pub fn stop(&mut self) -> Result<()> {
        self.daemon.stop(Duration::from_secs(30))
    }

    /// Kills the broker as a crash would.
    ///
    /// # Errors
    /// When it survives.
    pub fn kill9(&mut self) -> Result<()> {
        self.daemon.kill9()
    }

    /// Starts the broker again on the same port and data.
    ///
    /// # Errors
    /// As [`Kafka::start`].
    pub fn restart(&mut self) -> Result<()> {
        let port = self.port();
        self.daemon.restart(START_LIMIT, || wire::is_ready(port))
    }

    /// The process behind it.
    pub fn daemon(&mut self) -> &mut Daemon {
        &mut self.daemon
    }

    /// Lets the broker outlive this program.
    pub fn detached(self) {
        self.daemon.detached();
    }
}

/// The offset behind the last record of a partition of a broker on 127.0.0.1, whoever started it.
///
/// # Errors
/// As [`Kafka::end_offset`].
pub fn end_offset(port: u16, topic: &str, partition: i32) -> Result<Option<u64>> {
    wire::end_offset(port, topic, partition)
}

fn server_properties(dir: &Path, port: u16, controller: u16, options: &KafkaOptions) -> String {
    let advertised = options.advertised_port.unwrap_or(port);
    // Each topic has sparse index files of log.index.size.max.bytes that the broker maps. Where the disk reads far ahead
    // (read_ahead_kb of 8192 was met), their first page costs the zeros of all: with the default, 25 ms a topic.
    let mut text = format!(
        "process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{advertised}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=5
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=5
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
default.replication.factor=1
min.insync.replicas=1
group.initial.rebalance.delay.ms=0
num.partitions=1
auto.create.topics.enable=true
log.retention.hours=-1
log.index.size.max.bytes=262144
broker.session.timeout.ms=5000
broker.heartbeat.interval.ms=1000
controlled.shutdown.enable=false
",
        dir.join("data").display()
    );
    for (name, value) in &options.settings {
        text.push_str(&format!("{name}={value}\n"));
    }
    text
}

fn previous_controller(properties: &Path) -> Option<u16> {
    let text = fs::read_to_string(properties).ok()?;
    text.lines().find_map(|line| line.strip_prefix("controller.quorum.voters=1@127.0.0.1:"))?.parse().ok()
}

fn format_storage(java: &Path, jvm: &[String], properties: &Path, scram: &[(String, String)]) -> Result<()> {
    let credentials = scram.iter().flat_map(|(name, password)| {
        ["SCRAM-SHA-256", "SCRAM-SHA-512"].into_iter().flat_map(move |mechanism| {
            ["--add-scram".to_owned(), format!("{mechanism}=[name={name},password={password}]")]
        })
    });
    let output = Command::new(java)
        .args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx128m"])
        .args(jvm)
        // Each cluster has a directory of its own, so all clusters may have the same id.
        .args(["kafka.tools.StorageTool", "format", "-t", "pgcdcTestbedAAAAAAAAAA", "-c"])
        .arg(properties)
        .args(credentials)
        .output()
        .with_context(|| format!("cannot run {}", java.display()))?;
    if !output.status.success() {
        let text = [output.stdout, output.stderr].concat();
        bail!("kafka's StorageTool failed: {}", String::from_utf8_lossy(&text).trim());
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
