//! The slot's position: confirmed after delivery, moving when idle, exact after an orderly stop.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{stop, streaming};
use crate::harness::{Database, LONG, Reader, eventually, kafka};

#[test]
fn sigterm_confirms_what_was_delivered_and_the_next_start_repeats_nothing() {
    let database = Database::create("sigterm");
    database.sql("CREATE TABLE t(id int PRIMARY KEY)");
    let connector = database.connector();
    let process = streaming(&connector);
    database.sql("INSERT INTO t SELECT generate_series(1, 500)");
    let position = database.position();
    let mut reader = Reader::new(kafka(), &[&database.topic("t")]);
    reader.read(500, LONG);
    stop(process);
    assert!(database.has_confirmed(&position), "confirmed up to the last commit, {position}");
    database.sql("INSERT INTO t VALUES (501)");
    let process = streaming(&connector);
    reader.read(501, LONG);
    stop(process);
    let ids: Vec<i64> =
        reader.read_all().iter().filter_map(|record| record.json()["after"]["id"].as_i64()).collect();
    assert_eq!(ids, (1..=501).collect::<Vec<_>>());
}

/// With `lsn.flush.mode=manual` the slot stays where it is, and the next start repeats nothing all the same.
#[test]
fn a_slot_that_others_move_stays_and_nothing_comes_twice() {
    let database = Database::create("manual");
    database.sql("CREATE TABLE t(id int PRIMARY KEY)");
    let connector = database.connector().set("lsn.flush.mode", "manual");
    let slot = database.slot();
    let confirmed = || {
        database
            .sql(&format!("SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '{slot}'"))
    };
    let process = streaming(&connector);
    let before = confirmed();
    database.sql("INSERT INTO t SELECT generate_series(1, 500)");
    let mut reader = Reader::new(kafka(), &[&database.topic("t")]);
    reader.read(500, LONG);
    assert!(process.stderr().contains("keeps all WAL"), "{}", process.stderr());
    stop(process);
    assert_eq!(confirmed(), before);
    database.sql("INSERT INTO t VALUES (501)");
    let process = streaming(&connector);
    reader.read(501, LONG);
    stop(process);
    let ids: Vec<i64> =
        reader.read_all().iter().filter_map(|record| record.json()["after"]["id"].as_i64()).collect();
    assert_eq!((ids, confirmed()), ((1..=501).collect::<Vec<_>>(), before));
}

/// Stopped and started again while a writer writes: nothing lost, nothing repeated but a transaction cut in its middle.
#[test]
fn stops_under_load_lose_nothing() {
    const ROWS: usize = 3000;
    let database = Database::create("stops");
    database.sql("CREATE TABLE t(id serial PRIMARY KEY)");
    let connector = database.connector();
    let mut stops = 0;
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| database.sql(&"INSERT INTO t DEFAULT VALUES;".repeat(ROWS)));
        while !writer.is_finished() || stops < 3 {
            stop(streaming(&connector));
            stops += 1;
        }
    });
    let process = streaming(&connector);
    let mut reader = Reader::new(kafka(), &[&database.topic("t")]);
    reader.read(ROWS, LONG);
    let position = database.position();
    eventually(LONG, "everything is confirmed", || database.has_confirmed(&position));
    stop(process);
    let mut times: HashMap<i64, usize> = HashMap::new();
    let (mut last, mut repeated) = (0, 0);
    for record in reader.read_all() {
        let id = record.json()["after"]["id"].as_i64().expect("an id");
        let seen = times.entry(id).or_default();
        *seen += 1;
        if *seen > 1 {
            repeated += 1;
        } else {
            assert!(id > last, "{id} after {last}");
            last = id;
        }
    }
    assert_eq!(times.len(), ROWS, "nothing lost over {stops} stops");
    assert!(repeated <= stops, "{repeated} repeated over {stops} stops");
}

/// An idle database must not hold back the WAL that others write.
#[test]
fn moves_on_while_only_another_database_writes() {
    let idle = Database::create("idle");
    idle.sql("CREATE TABLE t(id int PRIMARY KEY)");
    let process = streaming(&idle.connector());
    let busy = Database::create("busy");
    busy.sql("CREATE TABLE t(id int PRIMARY KEY, v text); INSERT INTO t SELECT i, repeat('x', 500) FROM generate_series(1, 5000) i");
    let position = busy.position();
    eventually(Duration::from_secs(60), "the idle database's slot moves on", || {
        idle.has_confirmed(&position)
    });
    stop(process);
}

/// What others write keeps the server talking, and is no reason to wait.
#[test]
fn until_idle_ends_while_only_another_database_writes() {
    let (idle, busy) = (Database::create("quiet"), Database::create("noisy"));
    idle.sql("CREATE TABLE t(id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    busy.sql("CREATE TABLE t(id bigserial PRIMARY KEY)");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                busy.sql(&"INSERT INTO t DEFAULT VALUES;".repeat(200));
            }
        });
        let mut process = idle.connector().start_with(&["--stdout", "--until-idle", "0.5"]);
        let status = process.wait_timeout(Duration::from_secs(40));
        done.store(true, Ordering::Relaxed);
        assert!(status.is_some_and(|status| status.success()), "{status:?}: {}", process.stderr());
    });
}
