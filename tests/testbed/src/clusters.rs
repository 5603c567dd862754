//! Several brokers, and several nodes of Cassandra: for tests that kill one of them.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};

use crate::cassandra::{Cassandra, CassandraOptions, RingPlace};
use crate::kafka::{Kafka, KafkaOptions, wire};
use crate::ports;

/// How many there are of each.
const NODES: usize = 3;
/// How long the others may take to notice that one has come or gone.
const NOTICE: Duration = Duration::from_secs(60);

/// Three brokers in KRaft mode. Topics have three replicas, of which two must have a record (`min.insync.replicas=2`).
#[derive(Debug)]
pub struct KafkaCluster {
    nodes: Vec<Kafka>,
}

impl KafkaCluster {
    /// Starts three brokers in directories below `dir`, on free ports, each with `heap_mb` MiB.
    ///
    /// # Errors
    /// As [`Kafka::start`], and when the three do not find each other within a minute.
    pub fn start(dir: impl AsRef<Path>, heap_mb: u32) -> Result<Self> {
        let ports: Vec<(u16, u16)> =
            (0..NODES).map(|_| Ok((ports::free()?, ports::free()?))).collect::<Result<_>>()?;
        let voters: Vec<String> =
            (1..).zip(&ports).map(|(id, (_, controller))| format!("{id}@127.0.0.1:{controller}")).collect();
        // A broker is ready only when two of the three are there, so they start at the same time.
        let starting: Vec<_> = (1..)
            .zip(&ports)
            .map(|(id, (port, controller))| {
                let (dir, port) = (dir.as_ref().join(format!("broker{id}")), *port);
                let options = of_a_cluster(id, (port, *controller), &voters.join(","), heap_mb);
                thread::spawn(move || Kafka::start(dir, port, options))
            })
            .collect();
        let nodes = starting
            .into_iter()
            .map(|node| node.join().map_err(|_| anyhow!("the start of a broker panicked"))?)
            .collect::<Result<_>>()?;
        let cluster = Self { nodes };
        cluster.wait_for(NODES)?;
        Ok(cluster)
    }

    /// What `bootstrap.servers` takes: all three.
    pub fn bootstrap(&self) -> String {
        self.nodes.iter().map(Kafka::bootstrap).collect::<Vec<_>>().join(",")
    }

    /// One broker, 0 to 2: to kill it, and to start it again.
    pub fn node(&mut self, at: usize) -> &mut Kafka {
        &mut self.nodes[at]
    }

    /// How many brokers are alive, as those that answer see it.
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

/// Settings of one broker among three; they override those of a broker alone.
fn of_a_cluster(id: usize, (port, controller): (u16, u16), voters: &str, heap_mb: u32) -> KafkaOptions {
    let listeners = format!("PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}");
    let three = ["offsets.topic", "transaction.state.log", "default", "share.coordinator.state.topic"];
    let two =
        ["transaction.state.log.min.isr", "min.insync.replicas", "share.coordinator.state.topic.min.isr"];
    let mut options = KafkaOptions { heap_mb, ..KafkaOptions::default() }
        .setting("node.id", &id.to_string())
        .setting("controller.quorum.voters", voters)
        .setting("listeners", &listeners)
        // A broker that stops in order hands its partitions over.
        .setting("controlled.shutdown.enable", "true");
    for of in three {
        options = options.setting(&format!("{of}.replication.factor"), "3");
    }
    for name in two {
        options = options.setting(name, "2");
    }
    options
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
