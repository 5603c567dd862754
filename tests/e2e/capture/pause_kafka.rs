//! Pause and resume of a capture to Kafka, at least once and exactly once, against the server's own rows.

use std::path::Path;
use std::time::Duration;

use pgcdc::Capture;
use pgcdc::capture::State;
use pgcdc_testbed::Kafka;

use super::exactly_once;
use crate::harness::{Database, LONG, Reader, Record, eventually, kafka, kafka_options, own_kafka};

/// A capture to Kafka that a test pauses and resumes.
struct Running {
    capture: Capture,
    runtime: tokio::runtime::Runtime,
}

impl Running {
    fn start(file: &Path) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let capture = Capture::from_file(file, &[]).and_then(|it| it.to_kafka()).expect("capture starts");
        Self { capture, runtime }
    }

    #[track_caller]
    fn reaches(&self, wanted: &State) {
        let mut status = self.capture.status();
        let reached = self
            .runtime
            .block_on(async { tokio::time::timeout(LONG, status.wait_for(|state| state == wanted)).await });
        assert_eq!(reached.expect("in time").as_ref(), Some(wanted));
    }

    #[track_caller]
    fn pause(&self) {
        self.capture.pause();
        self.reaches(&State::Paused);
    }

    #[track_caller]
    fn resume(&self) {
        self.capture.resume();
        self.reaches(&State::Streaming);
    }

    /// Waits until so many records were handed to the producer.
    fn has_sent(&self, records: u64) {
        let metrics = self.capture.metrics();
        eventually(LONG, "records are sent", || metrics.records.get() >= records);
    }

    fn stop(mut self) {
        self.capture.stop();
        self.runtime.block_on(self.capture.finished()).expect("it stops in order");
    }
}

/// The ids in a topic of one partition, in its order, up to the row that was written last.
#[track_caller]
fn ids(kafka: &Kafka, database: &Database, last: i64) -> Vec<i64> {
    let id = |record: &Record| record.json()["after"]["id"].as_i64().expect("a row");
    let mut reader = Reader::new(kafka, &[&database.topic("t")]);
    let mut seen = 0;
    reader.read_until(Duration::from_secs(240), |records| {
        let found = records[seen..].iter().any(|record| id(record) == last);
        seen = records.len();
        found
    });
    reader.records.iter().map(id).collect()
}

/// The server's ids, in order.
fn server_ids(database: &Database) -> Vec<i64> {
    let text = database.sql("SELECT id FROM t ORDER BY id");
    text.lines().map(|line| line.parse().expect("a number")).collect()
}

#[track_caller]
fn assert_as_on_the_server(found: &[i64], database: &Database) {
    let server = server_ids(database);
    if let Some(at) = found.iter().zip(&server).position(|(found, expect)| found != expect) {
        let around = &found[at.saturating_sub(3)..(at + 3).min(found.len())];
        panic!("at {at} of {}: {around:?}", found.len());
    }
    assert_eq!(found.len(), server.len(), "records, rows");
}

/// A pause waits for the end of the open transaction, up to a limit: then nothing is repeated, though only at-least-once is
/// promised. A pause during the snapshot takes hold after it.
#[test]
fn pauses_in_a_snapshot_and_in_a_large_transaction_repeat_nothing() {
    let database = Database::create("pause_kafka");
    database.sql("CREATE TABLE t(id bigint PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 100000)");
    let connector = database.connector().to(kafka()).set("topic.creation.default.partitions", "1");
    let running = Running::start(&connector.set("topic.creation.default.replication.factor", "1").write());
    running.has_sent(1);
    running.pause();
    assert!(!database.is_streaming(), "the slot is free");
    assert_as_on_the_server(&ids(kafka(), &database, 100_000), &database);

    database.sql("INSERT INTO t SELECT generate_series(100001, 300000)");
    running.resume();
    running.has_sent(110_000);
    running.pause();
    database.sql("INSERT INTO t VALUES (300001)");
    running.resume();
    assert_as_on_the_server(&ids(kafka(), &database, 300_001), &database);
    let position = database.position();
    eventually(LONG, "the slot confirms the end", || database.has_confirmed(&position));
    running.stop();
}

/// Pauses at any instant of small and large transactions: each change is committed once.
#[test]
fn exactly_once_is_kept_by_pauses_at_any_instant() {
    let database = Database::create("pause_once");
    database.sql("CREATE TABLE t(id bigint PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 20000)");
    let file = exactly_once::connector(&database).to(kafka()).write();
    let running = Running::start(&file);
    running.has_sent(1);
    running.pause();
    running.resume();
    std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            let mut last = 20_000;
            for round in 0..200 {
                let rows = if round % 40 == 0 { 40_000 } else { 1 + round % 50 };
                database.sql(&format!("INSERT INTO t SELECT generate_series({}, {})", last + 1, last + rows));
                last += rows;
            }
        });
        let mut pauses = 0_u64;
        while !load.is_finished() || pauses < 5 {
            running.pause();
            std::thread::sleep(Duration::from_millis(pauses * 37 % 110));
            running.resume();
            std::thread::sleep(Duration::from_millis(pauses * 53 % 290));
            pauses += 1;
        }
    });
    let last = *server_ids(&database).last().expect("rows") + 1;
    database.sql(&format!("INSERT INTO t VALUES ({last})"));
    assert_as_on_the_server(&ids(kafka(), &database, last), &database);
    running.stop();
}

/// The broker does not answer for longer than a pause waits for the end of a transaction: the transaction is left in its
/// middle, and goes on from there. No change of it is committed twice.
#[test]
fn exactly_once_is_kept_when_a_pause_leaves_a_transaction_in_its_middle() {
    let (mut broker, _dir) = own_kafka(kafka_options());
    let database = Database::create("pause_once_middle");
    database.sql("CREATE TABLE t(id bigint PRIMARY KEY, v text)");
    let file = exactly_once::connector(&database).to(&broker).write();
    let running = Running::start(&file);
    running.reaches(&State::Streaming);
    database.sql("INSERT INTO t SELECT i, repeat('x', 300) FROM generate_series(1, 400000) i");
    running.has_sent(20_000);
    let process = broker.daemon().process();
    process.send("STOP").expect("a signal");
    running.capture.pause();
    // A pause leaves the transaction after ten seconds; what is in flight has some more to be delivered.
    std::thread::sleep(Duration::from_secs(14));
    process.send("CONT").expect("a signal");
    running.reaches(&State::Paused);
    database.sql("INSERT INTO t VALUES (400001)");
    running.resume();
    assert_as_on_the_server(&ids(&broker, &database, 400_001), &database);
    running.stop();
}
