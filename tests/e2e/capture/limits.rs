//! Large things: backlogs, transactions, rows. On a server of their own, whose WAL burdens no other test.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use pgcdc_testbed::{Postgres, Process};

use super::{stop, streaming};
use crate::harness::{
    Database, LONG, Reader, eventually, kafka, kafka_options, own_kafka, own_postgres, postgres_options,
};

static SERVER: LazyLock<Postgres> = LazyLock::new(|| own_postgres(postgres_options()).0);

/// What a process may have in memory, whatever waits for it.
const MEMORY: u64 = 150 * 1024 * 1024;

#[track_caller]
fn expect_small(process: &Process) -> u64 {
    let memory = process.id().expect("it runs").peak_memory().expect("its memory can be read");
    assert!(memory < MEMORY, "{} MiB", memory / 1024 / 1024);
    memory
}

fn end(broker: &pgcdc_testbed::Kafka, topic: &str) -> u64 {
    broker.end_offset(topic, 0).ok().flatten().unwrap_or(0)
}

#[test]
fn a_stopped_broker_holds_reads_back() {
    const ROWS: u64 = 30_000;
    let (mut broker, _) = own_kafka(kafka_options());
    let database = Database::create_on(&SERVER, "backlog");
    database.sql("CREATE TABLE t(id int PRIMARY KEY, v text); ALTER TABLE t ALTER v SET STORAGE EXTERNAL; INSERT INTO t VALUES (0, '')");
    let process = streaming(&database.connector().to(&broker));
    eventually(LONG, "the first row is there", || end(&broker, &database.topic("t")) == 1);
    broker.stop().expect("the broker stops");
    let before = database.position();
    database
        .sql(&format!("INSERT INTO t SELECT i, repeat(md5(i::text), 320) FROM generate_series(1, {ROWS}) i"));
    let size = database.sql(&format!("SELECT pg_current_wal_insert_lsn() - '{before}' > 300000000"));
    assert_eq!(size, "t", "a backlog of 300 MB");
    let position = database.position();
    let watched = Instant::now();
    while watched.elapsed() < Duration::from_secs(5) {
        expect_small(&process);
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(!database.has_confirmed(&position), "confirmed without a broker");
    broker.restart().expect("the broker starts again");
    eventually(LONG, "all rows are there", || end(&broker, &database.topic("t")) > ROWS);
    eventually(LONG, "all is confirmed", || database.has_confirmed(&position));
    expect_small(&process);
    stop(process);
}

#[test]
fn a_transaction_of_200_000_rows() {
    const ROWS: usize = 200_000;
    let database = Database::create_on(&SERVER, "bigtx");
    database.sql("CREATE TABLE t(id int PRIMARY KEY, v text)");
    let process = streaming(&database.connector());
    database.sql(&format!("INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, {ROWS}) i"));
    let position = database.position();
    eventually(LONG, "it is confirmed", || database.has_confirmed(&position));
    expect_small(&process);
    let mut reader = Reader::new(kafka(), &[&database.topic("t")]);
    let records = reader.read(ROWS, LONG);
    for (at, record) in records.iter().enumerate() {
        assert_eq!(record.key.as_deref(), Some(format!(r#"{{"id":{}}}"#, at + 1).as_str()));
    }
    stop(process);
}

#[test]
fn a_row_of_20_mb() {
    const SIZE: usize = 20_000_000;
    let database = Database::create_on(&SERVER, "bigrow");
    database.sql("CREATE TABLE t(id int PRIMARY KEY, v text)");
    let connector = database
        .connector()
        .set("producer.override.max.request.size", "25000000")
        .set("topic.creation.default.partitions", "1")
        .set("topic.creation.default.replication.factor", "1")
        .set("topic.creation.default.max.message.bytes", "25000000");
    // Once from the snapshot, once from the stream.
    database.sql(&format!("INSERT INTO t VALUES (1, repeat('snapshot', {}))", SIZE / 8));
    let process = streaming(&connector);
    database.sql(&format!("INSERT INTO t VALUES (2, repeat('streamed', {}))", SIZE / 8));
    let mut reader = Reader::new(kafka(), &[&database.topic("t")]);
    let records = reader.read(2, LONG);
    for (record, word) in records.iter().zip(["snapshot", "streamed"]) {
        let value = record.json();
        let text = value["after"]["v"].as_str().expect("text");
        assert_eq!(text.len(), SIZE);
        assert!(text.as_bytes().chunks(8).all(|chunk| chunk == word.as_bytes()), "{word}");
    }
    stop(process);
}
