//! Several brokers, and several nodes of Cassandra: for tests that kill one of them.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use serde_json::{Value, json};

use crate::cassandra::{Cassandra, CassandraOptions, RingPlace};
use crate::disk::SmallDisk;
use crate::fault_proxy::FaultProxy;
use crate::kafka::{Kafka, KafkaOptions, tool, wire};
use crate::ports;
use crate::secure::{Listener, SecurePorts, Security};

/// How many brokers or nodes a cluster has by default.
const NODES: usize = 3;
/// How long the other nodes may take to notice that a node came or went.
const NOTICE: Duration = Duration::from_secs(60);

/// How to start several brokers.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// How many brokers.
    pub nodes: usize,
    /// Heap of each broker in MiB.
    pub heap_mb: u32,
    /// Adds the listeners SSL, SASL_SSL and SASL_PLAINTEXT, users and access control lists.
    pub security: Option<Security>,
    /// Puts a [`FaultProxy`] before each broker: before `SASL_SSL` when there is `security`, else before a plaintext
    /// listener of its own. Brokers reach each other directly, so a cut link is a cut between client and broker only.
    pub proxied: bool,
    /// More lines for each broker's `server.properties`: name and value.
    pub settings: Vec<(String, String)>,
    /// Gives each broker a disk of its own with so many MiB, where the system lets one be mounted.
    pub disk_mib: Option<u32>,
}

impl Default for ClusterOptions {
    fn default() -> Self {
        Self {
            nodes: NODES,
            heap_mb: 384,
            security: None,
            proxied: false,
            settings: Vec::new(),
            disk_mib: None,
        }
    }
}

/// Brokers in KRaft mode; three unless told otherwise. A topic has a replica on each broker. A record is acknowledged when all
/// replicas but one have it (`min.insync.replicas`).
#[derive(Debug)]
pub struct KafkaCluster {
    nodes: Vec<Kafka>,
    ports: Vec<Ports>,
    proxies: Vec<FaultProxy>,
    security: Option<Security>,
    /// Behind `nodes`, since a disk is unmounted when its broker is gone.
    disks: Vec<SmallDisk>,
}

/// The ports of one broker.
#[derive(Debug, Clone, Copy)]
struct Ports {
    plaintext: u16,
    controller: u16,
    secure: SecurePorts,
    /// The port of the plaintext listener behind the proxy.
    client: u16,
    /// The port of the proxy; `None` without one.
    proxy: Option<u16>,
}

impl Ports {
    fn free() -> Result<Self> {
        Ok(Self {
            plaintext: ports::free()?,
            controller: ports::free()?,
            secure: SecurePorts::free()?,
            client: ports::free()?,
            proxy: None,
        })
    }

    /// The port behind the proxy.
    fn behind(&self, options: &ClusterOptions) -> u16 {
        match options.security {
            Some(_) => self.secure.of(Listener::SaslSsl, self.plaintext),
            None => self.client,
        }
    }
}

impl KafkaCluster {
    /// Starts three brokers in directories below `dir`, on free ports, each with `heap_mb` MiB.
    ///
    /// # Errors
    /// As [`KafkaCluster::start_with`].
    pub fn start(dir: impl AsRef<Path>, heap_mb: u32) -> Result<Self> {
        Self::start_with(dir, &ClusterOptions { heap_mb, ..ClusterOptions::default() })
    }

    /// Starts brokers in directories below `dir`, on free ports.
    ///
    /// # Errors
    /// As [`Kafka::start`], and when they do not find each other within a minute.
    pub fn start_with(dir: impl AsRef<Path>, options: &ClusterOptions) -> Result<Self> {
        let mut all: Vec<Ports> = (0..options.nodes).map(|_| Ports::free()).collect::<Result<_>>()?;
        let mut proxies = Vec::new();
        for ports in all.iter_mut().filter(|_| options.proxied) {
            let proxy = FaultProxy::start(0, ports.behind(options))?;
            ports.proxy = Some(proxy.port());
            proxies.push(proxy);
        }
        let disks = match options.disk_mib {
            Some(mib) => (1..=options.nodes)
                .map(|id| SmallDisk::mount(dir.as_ref().join(format!("broker{id}/data")), mib))
                .collect::<Result<Vec<_>>>()
                .unwrap_or_default(),
            None => Vec::new(),
        };
        let voters: Vec<String> =
            (1..).zip(&all).map(|(id, ports)| format!("{id}@127.0.0.1:{}", ports.controller)).collect();
        // A broker is ready only when most brokers run, so they start at the same time.
        let starting: Vec<_> = (1..)
            .zip(&all)
            .map(|(id, ports)| {
                let (dir, port) = (dir.as_ref().join(format!("broker{id}")), ports.plaintext);
                let options = of_a_cluster(id, *ports, &voters.join(","), options);
                thread::spawn(move || Kafka::start(dir, port, options))
            })
            .collect();
        let nodes = starting
            .into_iter()
            .map(|node| node.join().map_err(|_| anyhow!("the start of a broker panicked"))?)
            .collect::<Result<_>>()?;
        let cluster = Self { nodes, ports: all, proxies, security: options.security.clone(), disks };
        cluster.wait_for(options.nodes)?;
        Ok(cluster)
    }

    /// The value of `bootstrap.servers` for all brokers, plaintext and without a proxy.
    pub fn bootstrap(&self) -> String {
        self.nodes.iter().map(Kafka::bootstrap).collect::<Vec<_>>().join(",")
    }

    /// The value of `bootstrap.servers` to reach all brokers at a listener.
    pub fn bootstrap_of(&self, listener: Listener) -> String {
        let port = |ports: &Ports| match ports.proxy {
            Some(proxy) if listener == Listener::SaslSsl => proxy,
            _ => ports.secure.of(listener, ports.plaintext),
        };
        addresses(self.ports.iter().map(port))
    }

    /// The value of `bootstrap.servers` to reach all brokers through their proxies.
    pub fn bootstrap_proxied(&self) -> String {
        addresses(self.proxies.iter().map(FaultProxy::port))
    }

    /// Whether there is a proxy before each broker.
    pub fn is_proxied(&self) -> bool {
        !self.proxies.is_empty()
    }

    /// The proxy before one broker.
    ///
    /// # Panics
    /// When the cluster was started without proxies.
    pub fn proxy(&self, at: usize) -> &FaultProxy {
        &self.proxies[at]
    }

    /// Moves the leader of each of the topic's first `partitions` partitions to another broker, `by` brokers further: its
    /// replicas are reassigned in that order, then the preferred leaders are elected. Takes some four seconds.
    ///
    /// # Errors
    /// When a tool of Kafka fails, for instance since a broker is away.
    pub fn move_leaders(&self, topic: &str, partitions: usize, by: usize) -> Result<()> {
        let count = self.nodes.len();
        let replicas = |partition: usize| -> Vec<usize> {
            (0..count).map(|at| (partition + by + at) % count + 1).collect()
        };
        let plan: Vec<Value> = (0..partitions)
            .map(|partition| json!({"topic": topic, "partition": partition, "replicas": replicas(partition)}))
            .collect();
        let file =
            std::env::temp_dir().join(format!("pgcdc-plan-{}-{}.json", std::process::id(), ports::free()?));
        std::fs::write(&file, json!({"version": 1, "partitions": plan}).to_string())?;
        let bootstrap = self.bootstrap();
        let moved = tool(
            "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
            &[
                "--bootstrap-server",
                &bootstrap,
                "--execute",
                "--reassignment-json-file",
                &file.to_string_lossy(),
            ],
        );
        let _ = std::fs::remove_file(&file);
        moved?;
        tool(
            "org.apache.kafka.tools.LeaderElectionCommand",
            &["--bootstrap-server", &bootstrap, "--election-type", "preferred", "--all-topic-partitions"],
        )
    }

    /// Certificates and users, when the cluster has them.
    pub fn security(&self) -> Option<&Security> {
        self.security.as_ref()
    }

    /// The disk of one broker; none where the system let none be mounted, or none was asked for.
    pub fn disk(&self, at: usize) -> Option<&SmallDisk> {
        self.disks.get(at)
    }

    /// Which broker, from 0, leads a partition, as the first broker that answers knows it.
    ///
    /// # Errors
    /// When none answers, or it has no leader.
    pub fn leader(&self, topic: &str, partition: i32) -> Result<usize> {
        let answers = self.nodes.iter().find_map(|node| wire::leader(node.port(), topic, partition).ok()?);
        answers.and_then(place).ok_or_else(|| anyhow!("{topic}-{partition} has no leader"))
    }

    /// Which broker other than `dead` leads a partition, as any broker but that one knows it.
    pub fn leader_beside(&self, dead: usize, topic: &str, partition: i32) -> Option<usize> {
        let others = self.nodes.iter().enumerate().filter(|(at, _)| *at != dead).map(|(_, node)| node);
        let mut leaders = others.filter_map(|node| wire::leader(node.port(), topic, partition).ok()?);
        leaders.find_map(|id| place(id).filter(|at| *at != dead))
    }

    /// Which broker, from 0, coordinates a transactional id.
    ///
    /// # Errors
    /// When none answers.
    pub fn coordinator(&self, transactional_id: &str) -> Result<usize> {
        let answers =
            self.nodes.iter().find_map(|node| wire::coordinator(node.port(), transactional_id).ok());
        answers.and_then(place).ok_or_else(|| anyhow!("nobody coordinates {transactional_id}"))
    }

    /// The offset behind the last record of a partition, as its leader knows it; none while there is none.
    pub fn end_offset(&self, topic: &str, partition: i32) -> Option<u64> {
        let leader = self.leader(topic, partition).ok()?;
        self.nodes[leader].end_offset(topic, partition).ok()?
    }

    /// One broker, counted from 0: to kill it, and to start it again.
    pub fn node(&mut self, at: usize) -> &mut Kafka {
        &mut self.nodes[at]
    }

    /// How many brokers are alive, by the word of the brokers that answer.
    ///
    /// # Errors
    /// When none answers.
    pub fn brokers(&self) -> Result<usize> {
        let counts = self.nodes.iter().filter_map(|node| wire::brokers(node.port()).ok());
        counts.min().and_then(|count| count.try_into().ok()).ok_or_else(|| anyhow!("no broker answers"))
    }

    /// Waits until exactly `count` brokers are alive.
    ///
    /// # Errors
    /// When that takes more than a minute.
    pub fn wait_for(&self, count: usize) -> Result<()> {
        let deadline = Instant::now() + NOTICE;
        loop {
            match self.brokers() {
                Ok(alive) if alive == count => return Ok(()),
                answer if Instant::now() > deadline => {
                    bail!(
                        "{count} brokers should be alive, and after {} s there are {answer:?}",
                        NOTICE.as_secs()
                    )
                }
                _ => thread::sleep(Duration::from_millis(100)),
            }
        }
    }
}

/// The place of a broker among its cluster's, by its id.
fn place(id: i32) -> Option<usize> {
    usize::try_from(id).ok()?.checked_sub(1)
}

fn addresses(ports: impl Iterator<Item = u16>) -> String {
    ports.map(|port| format!("127.0.0.1:{port}")).collect::<Vec<_>>().join(",")
}

/// Settings of one broker among several; they override those of a broker alone.
fn of_a_cluster(id: usize, ports: Ports, voters: &str, cluster: &ClusterOptions) -> KafkaOptions {
    let Ports { plaintext, controller, client, .. } = ports;
    let replicas = cluster.nodes.to_string();
    let in_sync = cluster.nodes.saturating_sub(1).max(1).to_string();
    let mut options = KafkaOptions { heap_mb: cluster.heap_mb, ..KafkaOptions::default() }
        .setting("node.id", &id.to_string())
        .setting("controller.quorum.voters", voters)
        // A broker that stops in order hands its partitions over.
        .setting("controlled.shutdown.enable", "true");
    options = match (&cluster.security, ports.proxy) {
        (Some(security), proxy) => security.apply(options, plaintext, controller, ports.secure, proxy),
        (None, None) => options.setting(
            "listeners",
            &format!("PLAINTEXT://127.0.0.1:{plaintext},CONTROLLER://127.0.0.1:{controller}"),
        ),
        (None, Some(proxy)) => options
            .setting(
                "listeners",
                &format!("PLAINTEXT://127.0.0.1:{plaintext},CLIENT://127.0.0.1:{client},CONTROLLER://127.0.0.1:{controller}"),
            )
            .setting(
                "advertised.listeners",
                &format!("PLAINTEXT://127.0.0.1:{plaintext},CLIENT://127.0.0.1:{proxy}"),
            )
            .setting(
                "listener.security.protocol.map",
                "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,CLIENT:PLAINTEXT",
            )
            .setting("inter.broker.listener.name", "PLAINTEXT"),
    };
    for of in ["offsets.topic", "transaction.state.log", "default", "share.coordinator.state.topic"] {
        options = options.setting(&format!("{of}.replication.factor"), &replicas);
    }
    for name in
        ["transaction.state.log.min.isr", "min.insync.replicas", "share.coordinator.state.topic.min.isr"]
    {
        options = options.setting(name, &in_sync);
    }
    cluster.settings.iter().fold(options, |options, (name, value)| options.setting(name, value))
}

/// Three nodes of Cassandra, on 127.0.0.1, 127.0.0.2 and 127.0.0.3 with the same port.
#[derive(Debug)]
pub struct CassandraRing {
    nodes: Vec<Cassandra>,
}

impl CassandraRing {
    /// Starts three nodes in directories below `dir`, one after the other, since a node joins a ring that stands still.
    /// Each takes some 600 MiB; together they take about a minute.
    ///
    /// # Errors
    /// As [`Cassandra::start`].
    pub fn start(dir: impl AsRef<Path>) -> Result<Self> {
        let (port, storage_port) = (ports::free()?, ports::free()?);
        let nodes = (1..=3u8)
            .map(|n| {
                let ring = Some(RingPlace { n, storage_port });
                let options = CassandraOptions { heap_mb: 512, ring, ..CassandraOptions::default() };
                Cassandra::start(dir.as_ref().join(format!("node{n}")), port, options)
            })
            .collect::<Result<_>>()?;
        Ok(Self { nodes })
    }

    /// The addresses as sinks take them.
    pub fn contact_points(&self) -> Vec<String> {
        self.nodes.iter().map(Cassandra::contact_point).collect()
    }

    /// One node, 0 to 2: to kill it, and to start it again. The first is the seed.
    pub fn node(&mut self, at: usize) -> &mut Cassandra {
        &mut self.nodes[at]
    }
}
