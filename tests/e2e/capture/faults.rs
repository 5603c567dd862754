//! Services that go away and come back: nothing is lost, and each key's changes stay in order.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pgcdc_testbed::{FaultProxy, Kafka};

use super::{stop, streaming};
use crate::harness::{
    Database, LONG, Reader, Record, eventually, kafka, kafka_options, own_kafka, own_postgres,
    postgres_options,
};

const KEYS: usize = 20;

fn counters(database: &Database) {
    database.sql(&format!(
        "CREATE TABLE t(id int PRIMARY KEY, n int NOT NULL); INSERT INTO t SELECT i, 0 FROM generate_series(1, {KEYS}) i"
    ));
}

/// Counts up while `during` runs. A write that fails because the server is away is tried again.
fn under_load<T>(database: &Database, during: impl FnOnce() -> T) -> T {
    let done = AtomicBool::new(false);
    let statement = format!("UPDATE t SET n = n + 1 WHERE id = 1 + floor(random() * {KEYS});").repeat(20);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                if database.server.sql(&database.name, &statement).is_err() {
                    std::thread::sleep(Duration::from_millis(50));
                }
            }
        });
        // However `during` ends, the writer must end too.
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(during));
        done.store(true, Ordering::Relaxed);
        ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Waits for the last value of each key, then looks at all of them.
#[track_caller]
fn expect_complete(database: &Database, broker: &Kafka) {
    let last: BTreeMap<i64, i64> = database
        .sql("SELECT id, n FROM t")
        .lines()
        .filter_map(|line| line.split_once('|'))
        .map(|(id, n)| (id.parse().expect("a number"), n.parse().expect("a number")))
        .collect();
    assert!(last.values().sum::<i64>() > 100, "there was load: {last:?}");
    let value = |record: &Record| {
        let value = record.json();
        Some((value["after"]["id"].as_i64()?, value["after"]["n"].as_i64()?))
    };
    let mut reader = Reader::new(broker, &[&database.topic("t")]);
    let (mut newest, mut looked) = (BTreeMap::new(), 0);
    let records = reader.read_until(LONG, |records| {
        newest.extend(records[looked..].iter().filter_map(value));
        looked = records.len();
        newest == last
    });
    let mut seen: BTreeMap<i64, i64> = BTreeMap::new();
    for (id, n) in records.iter().filter_map(value) {
        match seen.get(&id) {
            // Behind what was seen: an exact repeat, as at-least-once delivery may bring.
            Some(&before) if n <= before => {}
            before => {
                let expect = before.map_or(0, |before| before + 1);
                assert_eq!(n, expect, "key {id}: {n} comes where {expect} should");
                seen.insert(id, n);
            }
        }
    }
    assert_eq!(seen, last);
}

#[test]
fn the_broker_is_killed_and_comes_back() {
    let (mut broker, _) = own_kafka(kafka_options());
    let database = Database::create("brokerkill");
    counters(&database);
    let process = streaming(&database.connector().to(&broker));
    under_load(&database, || {
        Reader::new(&broker, &[&database.topic("t")]).read(KEYS + 100, LONG);
        broker.kill9().expect("the broker can be killed");
        let stuck = database.position();
        std::thread::sleep(Duration::from_secs(1)); // load without a broker: time is what this is about
        assert!(!database.has_confirmed(&database.position()), "confirmed without a broker");
        broker.restart().expect("the broker starts again");
        eventually(LONG, "it goes on", || database.has_confirmed(&stuck));
    });
    expect_complete(&database, &broker);
    stop(process);
}

#[test]
fn the_server_is_restarted_and_killed() {
    let (mut server, _) = own_postgres(postgres_options());
    let database = Database::create_on(&server, "pgrestart");
    counters(&database);
    let process = streaming(&database.connector());
    for orderly in [true, false] {
        under_load(&database, || {
            let mut reader = Reader::new(kafka(), &[&database.topic("t")]);
            let before = reader.read_all().len();
            reader.read(before.max(KEYS) + 100, LONG);
            if orderly { server.stop() } else { server.kill9() }.expect("the server can be stopped");
            server.restart().expect("the server starts again");
            eventually(LONG, "it streams again", || database.is_streaming());
        });
    }
    expect_complete(&database, kafka());
    stop(process);
}

#[test]
fn the_connection_is_cut() {
    let database = Database::create("cut");
    counters(&database);
    let proxy = FaultProxy::start(0, database.server.port).expect("a proxy");
    let process = streaming(&database.connector().set("database.port", &proxy.port().to_string()));
    under_load(&database, || {
        for _ in 0..3 {
            let (accepted, position) = (proxy.accepted(), database.position());
            eventually(LONG, "it has come this far", || database.has_confirmed(&position));
            proxy.cut_once();
            eventually(LONG, "it connects again", || proxy.accepted() > accepted);
        }
    });
    expect_complete(&database, kafka());
    stop(process);
}
