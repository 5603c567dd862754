//! Snapshots: every mode, and the join with the stream.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{ops, run_until_idle, stop, wait_streaming};
use crate::harness::{Database, LONG, Reader, kafka};

const ROWS: usize = 20_000;

/// Inserts while the snapshot runs and after: every row is there once, read or streamed.
#[track_caller]
fn joins(database: &Database) {
    let done = AtomicBool::new(false);
    let process = std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    database.sql(&"INSERT INTO t(v) VALUES ('during');".repeat(25));
                }
            });
        }
        // The writers write before it starts…
        let already = format!("SELECT count(*) > {ROWS} FROM t");
        crate::harness::eventually(LONG, "the writers write", || database.sql(&already) == "t");
        let mut process = database.connector().start();
        wait_streaming(&mut process);
        // … and after the snapshot.
        database.sql(&"INSERT INTO t(v) VALUES ('after');".repeat(25));
        done.store(true, Ordering::Relaxed);
        process
    });
    let total: usize = database.sql("SELECT count(*) FROM t").parse().expect("a number");
    let position = database.position();
    let mut reader = Reader::new(kafka(), &[&database.topic("t")]);
    reader.read(total, LONG);
    crate::harness::eventually(LONG, "everything is confirmed", || database.has_confirmed(&position));
    stop(process);
    let mut times: HashMap<i64, u32> = HashMap::new();
    let (mut read, mut streamed) = (0, 0);
    for record in reader.read_all() {
        let value = record.json();
        *times.entry(value["after"]["id"].as_i64().expect("an id")).or_default() += 1;
        if value["op"] == "r" { read += 1 } else { streamed += 1 }
    }
    assert!(read > ROWS && streamed > 25, "they ran side by side: {read} read, {streamed} streamed");
    let repeated: Vec<_> = times.iter().filter(|(_, times)| **times > 1).collect();
    assert!(repeated.is_empty(), "no overlap: {repeated:?}");
    assert_eq!(times.len(), total, "no gap: {read} read, {streamed} streamed");
}

fn table(name: &str) -> Database {
    let database = Database::create(name);
    database.sql(&format!(
        "CREATE TABLE t(id bigserial PRIMARY KEY, v text); INSERT INTO t(v) SELECT 'before' FROM generate_series(1, {ROWS})"
    ));
    database
}

#[test]
fn joins_the_stream_of_a_new_slot() {
    joins(&table("join_new"));
}

#[test]
fn joins_the_stream_of_a_slot_that_was_there() {
    let database = table("join_old");
    let slot = database.slot();
    database.sql(&format!(
        "SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput'); INSERT INTO t(v) VALUES ('in both')"
    ));
    joins(&database);
}

/// What two starts write, with a row inserted between them.
#[track_caller]
fn check(mode: &str, first: &str, second: &str) -> (Database, crate::harness::Connector) {
    let database = Database::create("modes");
    database.sql("CREATE TABLE t(id int PRIMARY KEY); INSERT INTO t VALUES (1), (2)");
    let connector = database.connector().set("snapshot.mode", mode);
    assert_eq!(ops(&run_until_idle(&connector).0), first, "{mode}, first start");
    database.sql("INSERT INTO t VALUES (3)");
    assert_eq!(ops(&run_until_idle(&connector).0), second, "{mode}, second start");
    (database, connector)
}

#[test]
fn initial_reads_once() {
    check("initial", "r1 r2", "c3");
}

#[test]
fn always_reads_each_time() {
    check("always", "r1 r2", "r1 r2 r3");
}

#[test]
fn initial_only_reads_once_and_never_streams() {
    check("initial_only", "r1 r2", "");
}

#[test]
fn no_data_and_never_only_stream() {
    check("no_data", "", "c3");
    check("never", "", "c3");
}

#[test]
fn when_needed_reads_again_after_the_slot_was_dropped() {
    let (database, connector) = check("when_needed", "r1 r2", "c3");
    database
        .sql(&format!("SELECT pg_drop_replication_slot('{}'); INSERT INTO t VALUES (4)", database.slot()));
    assert_eq!(ops(&run_until_idle(&connector).0), "r1 r2 r3 r4");
}

/// Starting from a new slot would leave a gap that nobody sees.
#[test]
fn initial_refuses_when_the_slot_was_dropped() {
    let (database, connector) = check("initial", "r1 r2", "c3");
    database.sql(&format!("SELECT pg_drop_replication_slot('{}')", database.slot()));
    let mut process = connector.start_with(&["--stdout", "--until-idle", "0.5"]);
    let status = process.wait_timeout(LONG).expect("it ends");
    let said = process.stderr();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains(&database.slot()) && said.contains("snapshot.mode=when_needed"), "{said}");
}
