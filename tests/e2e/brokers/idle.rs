//! Connections that nobody used for a while: a broker closes them, or a firewall forgets them. The next record comes soon all the
//! same, at least once and exactly once.

use std::time::{Duration, Instant};

use pgcdc_testbed::{ClusterOptions, KafkaCluster, Process};

use crate::harness::{Database, LONG, Reader, eventually, scratch_dir, stop, streaming};

/// How soon a record comes when the connection is gone and pgcdc knows it.
const SOON: Duration = Duration::from_secs(10);
/// How soon it comes when nobody has told pgcdc: it waits three seconds for a sign of life.
const DOUBT: Duration = Duration::from_secs(20);
/// The broker's `connections.max.idle.ms`.
const BROKER_CLOSES: Duration = Duration::from_secs(3);
/// pgcdc doubts a connection after two quiet seconds.
const FORGOTTEN: Duration = Duration::from_secs(4);

#[test]
fn a_broker_that_closes_idle_connections_costs_no_record_its_delivery() {
    let settings = vec![("connections.max.idle.ms".to_owned(), BROKER_CLOSES.as_millis().to_string())];
    let cluster = start("idle-closed", ClusterOptions { settings, ..one_broker() });
    both_guarantees(&cluster, |rows| {
        for id in 2..5 {
            // The pause is what is tried, not a condition.
            std::thread::sleep(BROKER_CLOSES * 2);
            rows.insert(id, SOON);
        }
        let log = rows.process.stderr();
        assert!(!log.contains("no connection to a Kafka broker"), "an idle connection is no failure:\n{log}");
    });
}

#[test]
fn an_idle_connection_that_is_dropped_silently_costs_seconds() {
    let cluster = start("idle-dropped", ClusterOptions { proxied: true, ..one_broker() });
    both_guarantees(&cluster, |rows| {
        std::thread::sleep(FORGOTTEN);
        cluster.proxy(0).strand();
        rows.insert(2, DOUBT);
        rows.insert(3, SOON);
    });
}

#[test]
fn pgcdc_closes_connections_that_it_does_not_use() {
    let cluster = start("idle-ours", ClusterOptions { proxied: true, ..one_broker() });
    let database = Database::create("idle");
    database.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    let connector = database
        .connector()
        .at_address(&cluster.bootstrap_proxied())
        .set("producer.override.connections.max.idle.ms", "1000");
    let mut rows = Rows::start(&cluster, database, streaming(&connector));
    std::thread::sleep(Duration::from_secs(8));
    let before = cluster.proxy(0).accepted();
    rows.insert(2, SOON);
    assert!(cluster.proxy(0).accepted() > before, "the record came over a connection that should be closed");
    stop(rows.process);
}

fn one_broker() -> ClusterOptions {
    ClusterOptions { nodes: 1, ..ClusterOptions::default() }
}

fn start(name: &str, options: ClusterOptions) -> KafkaCluster {
    KafkaCluster::start_with(scratch_dir(name), &options).expect("a broker starts")
}

/// A table that is captured, and a reader of its topic.
struct Rows {
    database: Database,
    process: Process,
    reader: Reader,
}

impl Rows {
    /// Waits until the row 1 of the snapshot is there.
    fn start(cluster: &KafkaCluster, database: Database, process: Process) -> Self {
        let mut reader = Reader::at(&cluster.bootstrap(), &[&database.topic("t")]);
        reader.read(1, LONG);
        Self { database, process, reader }
    }

    /// Inserts a row and expects it in the topic within `limit`.
    #[track_caller]
    fn insert(&mut self, id: usize, limit: Duration) {
        let begin = Instant::now();
        self.database.sql(&format!("INSERT INTO t VALUES ({id})"));
        let key = format!("{{\"id\":{id}}}");
        self.reader
            .read_until(LONG, |records| records.iter().any(|record| record.key.as_ref() == Some(&key)));
        let took = begin.elapsed();
        assert!(took < limit, "row {id} took {took:?}:\n{}", self.process.stderr());
    }
}

/// Runs `faults` over a connector at least once, and over one exactly once. Neither may restart, and the slot gets its position.
fn both_guarantees(cluster: &KafkaCluster, faults: impl Fn(&mut Rows)) {
    for exactly_once in [false, true] {
        let database = Database::create("idle");
        database.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
        let bootstrap = if cluster.is_proxied() { cluster.bootstrap_proxied() } else { cluster.bootstrap() };
        let mut connector = database.connector().at_address(&bootstrap);
        if exactly_once {
            connector = connector.exactly_once();
        }
        let mut rows = Rows::start(cluster, database, streaming(&connector));
        faults(&mut rows);
        let Rows { database, process, .. } = rows;
        let end = database.position();
        eventually(LONG, "the slot confirms the rows", || database.has_confirmed(&end));
        let log = process.stderr();
        assert_eq!(log.matches("streaming").count(), 1, "capture started its stream again:\n{log}");
        // KIP-890, which Kafka 4 has.
        assert_eq!(log.contains("(transaction.version) version=2"), exactly_once, "{log}");
        stop(process);
    }
}
