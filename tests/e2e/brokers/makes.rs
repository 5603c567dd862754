//! An old release of Kafka, and a broker of another make: both guarantees hold there too.

use pgcdc_testbed::{Kafka, KafkaOptions, Kfake, Process};

use crate::harness::{Connector, Database, LONG, Reader, eventually, scratch_dir, stop, streaming};

/// Transactions of each run. Every one inserts a row, changes the row before it and deletes the one before that.
const TRANSACTIONS: i64 = 400;

#[test]
fn kafka_3_3_takes_both_guarantees() {
    let options = KafkaOptions { version: "3.3.2", heap_mb: 384, ..KafkaOptions::default() };
    let broker = Kafka::start(scratch_dir("kafka-old"), 0, options).expect("Kafka 3.3 starts");
    both_guarantees("old", &broker.bootstrap());
}

#[test]
fn a_broker_of_another_make_takes_both_guarantees() {
    let broker = Kfake::start(scratch_dir("kfake"), 0).expect("kfake starts");
    both_guarantees("kfake", &broker.bootstrap());
}

/// Captures changes with a restart in their midst, at least once and exactly once, and compares the topics with the table.
fn both_guarantees(name: &str, bootstrap: &str) {
    for exactly_once in [false, true] {
        let database = Database::create(name);
        database.sql("CREATE TABLE t (id bigint PRIMARY KEY, v text)");
        database.sql("INSERT INTO t SELECT n, 'snapshot' FROM generate_series(-50, 0) AS n");
        let mut connector = database.connector().at_address(bootstrap);
        if exactly_once {
            connector = connector.exactly_once();
        }
        let running = capture_in_two_runs(&database, &connector);
        compare(&database, bootstrap, exactly_once);
        stop(running);
    }
}

fn capture_in_two_runs(database: &Database, connector: &Connector) -> Process {
    let mut first = streaming(connector);
    changes(database, 1..TRANSACTIONS / 2);
    // Killed with records on their way: the second run takes them up.
    first.kill9().expect("killed");
    let second = streaming(connector);
    changes(database, TRANSACTIONS / 2..TRANSACTIONS + 1);
    let end = database.position();
    eventually(LONG, "the slot confirms all changes", || database.has_confirmed(&end));
    second
}

fn changes(database: &Database, ids: std::ops::Range<i64>) {
    let sql: String = ids
        .map(|id| {
            format!(
                "BEGIN; INSERT INTO t VALUES ({id}, 'new'); UPDATE t SET v = 'changed' WHERE id = {id} - 1;
                 DELETE FROM t WHERE id = {id} - 2; COMMIT;\n"
            )
        })
        .collect();
    database.sql(&sql);
}

fn compare(database: &Database, bootstrap: &str, exactly_once: bool) {
    let mut reader = Reader::at(bootstrap, &[&database.topic("t")]);
    // An aborted transaction may end the topic, so its end is told by a row of its own.
    database.sql("INSERT INTO t VALUES (1000000, 'end')");
    let records = reader.read_until(LONG, |records| {
        records.last().is_some_and(|record| record.key.as_deref() == Some("{\"id\":1000000}"))
    });
    let mut positions = std::collections::BTreeSet::new();
    let mut rows = std::collections::BTreeMap::new();
    let mut repeats = 0;
    for record in records.iter().filter(|record| record.value.is_some()) {
        let value = record.json();
        let id = |side: &str| value[side]["id"].as_i64();
        if value["op"] != "r" {
            let place = (value["source"]["lsn"].as_u64(), id("before"), id("after"));
            repeats += usize::from(!positions.insert(place));
        }
        match id("after") {
            Some(id) => rows.insert(id, value["after"]["v"].as_str().unwrap_or_default().to_owned()),
            None => rows.remove(&id("before").expect("a delete has a key")),
        };
    }
    let held: String = rows.iter().map(|(id, v)| format!("{id}|{v}")).collect::<Vec<_>>().join("\n");
    assert_eq!(held, database.sql("SELECT id, v FROM t ORDER BY id"), "the topic and the table");
    // Each transaction has three changes; the first two find fewer rows of their own, but the snapshot's are there.
    assert_eq!(positions.len() as i64, 3 * TRANSACTIONS + 1, "each change is there");
    if exactly_once {
        assert_eq!(repeats, 0, "exactly once");
    }
}
