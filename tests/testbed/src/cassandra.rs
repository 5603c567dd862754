//! Apache Cassandra from Maven's jars: one node, alone or in a ring.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::daemon::{Daemon, Spec};
use crate::{cache, ports, tools};

const VERSION: &str = "5.0.6";
const START_LIMIT: Duration = Duration::from_secs(180);

const LOGBACK: &str = r#"<configuration>
  <appender name="S" class="ch.qos.logback.core.ConsoleAppender"><encoder><pattern>%d %-5level %logger{20} %msg%n</pattern></encoder></appender>
  <root level="WARN"><appender-ref ref="S"/></root>
</configuration>
"#;

/// Packages of the JDK that Cassandra reaches into, as its own `jvm17-server.options` lists them.
const OPENED: &[&str] = &[
    "java.base/jdk.internal.misc",
    "java.base/jdk.internal.ref",
    "java.base/jdk.internal.perf",
    "java.base/jdk.internal.loader",
    "java.base/jdk.internal.reflect",
    "java.base/jdk.internal.math",
    "java.base/jdk.internal.module",
    "java.base/jdk.internal.util.jar",
    "java.base/java.lang",
    "java.base/java.lang.ref",
    "java.base/java.lang.reflect",
    "java.base/java.lang.module",
    "java.base/java.io",
    "java.base/java.nio",
    "java.base/java.net",
    "java.base/java.util",
    "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic",
    "java.base/sun.nio.ch",
    "java.rmi/sun.rmi.transport.tcp",
    "java.rmi/sun.rmi.transport",
    "java.rmi/sun.rmi.server",
    "java.rmi/sun.rmi.registry",
    "java.management/com.sun.jmx.remote.security",
    "java.management.rmi/com.sun.jmx.remote.internal.rmi",
    "java.sql/java.sql",
    "java.logging/java.util.logging",
    "jdk.management/com.sun.management.internal",
    "jdk.unsupported/sun.misc",
    "jdk.naming.rmi/com.sun.jndi.rmi.registry",
];

/// How to start Cassandra.
#[derive(Debug, Clone)]
pub struct CassandraOptions {
    /// Heap in MiB.
    pub heap_mb: u32,
    /// Makes every write durable before it is acknowledged, so that `kill9` loses no write. Without it the last writes may
    /// be lost: Cassandra marks where its commit log ends only every tenth of a second.
    pub fsync: bool,
    /// Asks for user and password (at first `cassandra` and `cassandra`), and checks rights.
    pub authenticated: bool,
    /// Accepts only TLS connections.
    pub tls: Option<CassandraTls>,
    /// The node's place in a ring; `None` for a node alone.
    pub ring: Option<RingPlace>,
}

/// A node's place in a ring of several: see [`CassandraRing`](crate::CassandraRing).
#[derive(Debug, Clone, Copy)]
pub struct RingPlace {
    /// The last byte of its address, 127.0.0.n; all nodes have the same ports. The first is the seed.
    pub n: u8,
    /// The port on which the nodes talk to each other.
    pub storage_port: u16,
}

impl CassandraOptions {
    fn host(&self) -> Ipv4Addr {
        Ipv4Addr::new(127, 0, 0, self.ring.map_or(1, |ring| ring.n))
    }
}

/// Certificates of a node, as PEM.
#[derive(Debug, Clone)]
pub struct CassandraTls {
    /// The node's private key (PKCS#8), and its certificate behind it.
    pub key_and_certificate: PathBuf,
    /// The authority of clients: each has to show a certificate that it signed.
    pub clients: PathBuf,
}

impl Default for CassandraOptions {
    fn default() -> Self {
        Self { heap_mb: 640, fsync: false, authenticated: false, tls: None, ring: None }
    }
}

/// A Cassandra node.
#[derive(Debug)]
pub struct Cassandra {
    daemon: Daemon,
    host: Ipv4Addr,
    is_tls: bool,
}

impl Cassandra {
    /// Starts Cassandra in `dir` on `port` (0: a free one).
    ///
    /// # Errors
    /// When Java, Maven or the jars cannot be had, or the node does not start; with the tail of its log.
    pub fn start(dir: impl AsRef<Path>, port: u16, options: CassandraOptions) -> Result<Self> {
        let dir = dir.as_ref();
        let java = tools::java()?;
        let jars = cache::entry(&cache::dir(), &format!("cassandra-{VERSION}"), |into| {
            cache::maven(&[("org.apache.cassandra", "cassandra-all", VERSION)], into)
        })?;
        let port = ports::or_free(port)?;
        fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        let config = dir.join("cassandra.yaml");
        let logback = dir.join("logback.xml");
        let storage = match options.ring {
            Some(ring) => ring.storage_port,
            None => previous_storage_port(&config).map_or_else(ports::free, Ok)?,
        };
        fs::write(&config, yaml(dir, port, storage, &options))
            .with_context(|| format!("cannot write {}", config.display()))?;
        fs::write(&logback, LOGBACK).with_context(|| format!("cannot write {}", logback.display()))?;
        let (host, is_tls) = (options.host(), options.tls.is_some());
        // Its own drain takes five seconds, and the commit log makes it unnecessary.
        let spec = Spec {
            stop_signal: "KILL".into(),
            ..Spec::new("Cassandra", java, arguments(dir, &jars, &options)?, port)
        };
        let daemon = Daemon::start(spec, dir, START_LIMIT, || is_ready(host, port, is_tls))?;
        Ok(Self { daemon, host, is_tls })
    }

    /// Finds the Cassandra that an earlier program left running in `dir`.
    ///
    /// # Errors
    /// As [`Daemon::attach`].
    pub fn attach(dir: impl AsRef<Path>) -> Result<Option<Self>> {
        Ok(Daemon::attach(dir.as_ref())?.map(|daemon| Self {
            daemon,
            host: Ipv4Addr::LOCALHOST,
            is_tls: false,
        }))
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.daemon.spec().port
    }

    /// The address as sinks take it.
    pub fn contact_point(&self) -> String {
        format!("{}:{}", self.host, self.port())
    }

    /// Stops the node; acknowledged writes are kept.
    ///
    /// # Errors
    /// When it survives.
    pub fn stop(&mut self) -> Result<()> {
        self.daemon.stop(Duration::from_secs(30))
    }

    /// Kills the node as a crash would.
    ///
    /// # Errors
    /// When it survives.
    pub fn kill9(&mut self) -> Result<()> {
        self.daemon.kill9()
    }

    /// Starts the node again on the same port and data.
    ///
    /// # Errors
    /// As [`Cassandra::start`].
    pub fn restart(&mut self) -> Result<()> {
        let (host, port, is_tls) = (self.host, self.port(), self.is_tls);
        self.daemon.restart(START_LIMIT, || is_ready(host, port, is_tls))
    }

    /// The process behind it.
    pub fn daemon(&mut self) -> &mut Daemon {
        &mut self.daemon
    }

    /// Lets the node outlive this program.
    pub fn detached(self) {
        self.daemon.detached();
    }
}

fn yaml(dir: &Path, port: u16, storage: u16, options: &CassandraOptions) -> String {
    let data = dir.join("data");
    let data = data.display();
    let sync = if options.fsync { "batch" } else { "periodic\ncommitlog_sync_period: 1000ms" };
    let authentication = match options.authenticated {
        true => {
            "authenticator: PasswordAuthenticator\nauthorizer: CassandraAuthorizer\npermissions_validity: 100ms\n"
        }
        false => "",
    };
    let tls = options.tls.as_ref().map_or_else(String::new, |tls| {
        format!(
            "client_encryption_options:
  enabled: true
  optional: false
  require_client_auth: true
  ssl_context_factory:
    class_name: org.apache.cassandra.security.PEMBasedSslContextFactory
  keystore: {}
  truststore: {}
",
            tls.key_and_certificate.display(),
            tls.clients.display()
        )
    });
    let (host, tokens) = (options.host(), if options.ring.is_some() { 4 } else { 1 });
    // Legacy means memory-mapped: data that was marked as written is in the page cache, and so survives kill -9.
    format!(
        "cluster_name: pgcdc
num_tokens: {tokens}
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
data_file_directories: [{data}/data]
commitlog_directory: {data}/commitlog
hints_directory: {data}/hints
saved_caches_directory: {data}/saved_caches
cdc_raw_directory: {data}/cdc_raw
commitlog_sync: {sync}
commitlog_disk_access_mode: legacy
endpoint_snitch: SimpleSnitch
listen_address: {host}
rpc_address: {host}
native_transport_port: {port}
storage_port: {storage}
memtable_heap_space: 128MiB
memtable_offheap_space: 128MiB
auto_snapshot: false
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters: [{{seeds: \"127.0.0.1:{storage}\"}}]
{authentication}{tls}"
    )
}

fn arguments(dir: &Path, jars: &Path, options: &CassandraOptions) -> Result<Vec<String>> {
    let jamm = fs::read_dir(jars)
        .with_context(|| format!("cannot read {}", jars.display()))?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("jamm-")))
        .with_context(|| {
            format!("no jamm-*.jar in {}; remove that directory and try again", jars.display())
        })?;
    let mut args: Vec<String> = OPENED
        .iter()
        .flat_map(|package| {
            [format!("--add-exports={package}=ALL-UNNAMED"), format!("--add-opens={package}=ALL-UNNAMED")]
        })
        .collect();
    args.push(format!("-javaagent:{}", jamm.display()));
    args.extend([format!("-Xms{}m", options.heap_mb), format!("-Xmx{}m", options.heap_mb)]);
    args.extend(match options.ring {
        Some(_) => ["-XX:+UseSerialGC", "-Dcassandra.ring_delay_ms=5000"].map(str::to_owned).to_vec(),
        // A node alone has nobody to gossip with, and nobody to wait for.
        None => {
            ["-XX:+UseG1GC", "-Dcassandra.skip_wait_for_gossip_to_settle=0", "-Dcassandra.ring_delay_ms=100"]
                .map(str::to_owned)
                .to_vec()
        }
    });
    args.extend(
        [
            "-Djdk.attach.allowAttachSelf=true",
            "-Dcassandra.superuser_setup_delay_ms=0",
            "-Dcassandra-foreground=yes",
            "-Dio.netty.tryReflectionSetAccessible=true",
        ]
        .map(str::to_owned),
    );
    args.push(format!("-Dcassandra.config=file://{}", dir.join("cassandra.yaml").display()));
    args.push(format!("-Dlogback.configurationFile={}", dir.join("logback.xml").display()));
    args.push(format!("-Dcassandra.storagedir={}", dir.join("data").display()));
    args.extend(["-cp".to_owned(), format!("{}/*", jars.display())]);
    args.push("org.apache.cassandra.service.CassandraDaemon".to_owned());
    Ok(args)
}

fn previous_storage_port(config: &Path) -> Option<u16> {
    let text = fs::read_to_string(config).ok()?;
    text.lines().find_map(|line| line.strip_prefix("storage_port: "))?.parse().ok()
}

/// Sends OPTIONS of the native protocol, version 4, and expects SUPPORTED. A node with TLS is ready when it takes connections.
fn is_ready(host: Ipv4Addr, port: u16, is_tls: bool) -> bool {
    const OPTIONS: [u8; 9] = [4, 0, 0, 0, 5, 0, 0, 0, 0];
    const SUPPORTED: u8 = 6;
    let limit = Duration::from_secs(2);
    let Ok(mut stream) = TcpStream::connect_timeout(&SocketAddr::from((host, port)), limit) else {
        return false;
    };
    if is_tls {
        return true;
    }
    let mut answer = [0; 9];
    stream.set_read_timeout(Some(limit)).is_ok()
        && stream.write_all(&OPTIONS).is_ok()
        && stream.read_exact(&mut answer).is_ok()
        && answer[4] == SUPPORTED
}
