//! A slot, server or offset that is not the one that was left: noticed in every mode, with both ways out.

use std::time::Duration;

use serde_json::Value;

use super::{exactly_once, stop, streaming};
use crate::harness::{Connector, Database, LONG, Reader, eventually, kafka};

/// The case as it was reported, towards Kafka with offsets in a topic: dropped, a row, made anew, a row.
#[test]
fn a_slot_that_was_made_anew_stops_the_connector() {
    let database = Database::create("remade");
    database.sql("CREATE TABLE t(id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    let connector = in_topic(&database);
    run_with_row(&database, &connector, 2);
    make_anew(&database, 3);
    database.sql("INSERT INTO t VALUES (4)");
    refused(&database, &connector, &["stands at", "made anew"]);
    refused(&database, &connector.clone().set("snapshot.mode", "no_data"), &["stands at"]);
    refused(&database, &connector.clone().set("offset.mismatch.strategy", "trust_offset"), &["stands at"]);
    assert_eq!(ids(&database, &[1, 2]), [1, 2], "nothing was sent meanwhile");

    let needed = connector.set("snapshot.mode", "when_needed");
    let process = streaming(&needed);
    assert!(process.stderr().contains("a new snapshot makes up for it"), "{}", process.stderr());
    database.sql("INSERT INTO t VALUES (5)");
    let found = ids(&database, &[3, 4, 5]);
    assert_eq!(found[..6], [1, 2, 1, 2, 3, 4], "{found:?}");
    stop(process);
}

#[test]
fn trust_slot_goes_on_from_a_slot_that_was_made_anew() {
    for (key, value) in
        [("offset.mismatch.strategy", "trust_slot"), ("internal.log.position.check.enable", "false")]
    {
        let database = Database::create("trust_slot");
        database.sql("CREATE TABLE t(id int PRIMARY KEY); INSERT INTO t VALUES (1)");
        let connector = in_topic(&database);
        run_with_row(&database, &connector, 2);
        make_anew(&database, 3);
        let process = streaming(&connector.clone().set(key, value));
        assert!(process.stderr().contains("goes on from the slot all the same"), "{}", process.stderr());
        database.sql("INSERT INTO t VALUES (4)");
        assert_eq!(ids(&database, &[4]), [1, 2, 4], "{key}={value}");
        stop(process);
        // What was adopted is the offset now.
        let process = streaming(&connector);
        database.sql("INSERT INTO t VALUES (5)");
        assert_eq!(ids(&database, &[5]), [1, 2, 4, 5], "{key}={value}");
        stop(process);
    }
}

/// kill -9 at any moment: the slot never stands beyond the offset, however much was read, and however idle it was.
#[test]
fn a_kill_is_no_mismatch_and_a_slot_that_was_advanced_after_a_kill_is_one() {
    for exactly in [false, true] {
        let database = Database::create("killed");
        database.sql("CREATE TABLE t(id bigint PRIMARY KEY)");
        let connector = if exactly { exactly_once::connector(&database) } else { in_topic(&database) };
        let mut process = streaming(&connector);
        for round in 0..6 {
            for row in 0..60 {
                database.sql(&format!("INSERT INTO t VALUES ({})", round * 100 + row));
            }
            if round == 3 {
                let position = database.position();
                eventually(LONG, "an idle slot moves on", || database.has_confirmed(&position));
            }
            process.kill9().expect("killed");
            process = streaming(&connector);
        }
        database.sql("INSERT INTO t VALUES (999)");
        let position = database.position();
        eventually(LONG, "everything is confirmed", || database.has_confirmed(&position));
        process.kill9().expect("killed");
        eventually(LONG, "the walsender is gone", || !database.is_streaming());
        database.sql("INSERT INTO t VALUES (1000)");
        let (slot, advance) = (database.slot(), "pg_replication_slot_advance");
        eventually(LONG, "the slot is free", || {
            let sql = format!("SELECT active FROM pg_replication_slots WHERE slot_name = '{slot}'");
            database.sql(&sql) == "f"
        });
        database.sql(&format!("SELECT {advance}('{slot}', pg_current_wal_lsn())"));
        refused(&database, &connector, &["stands at", "advanced"]);
    }
}

/// Two connectors that read the same slot in turns: each takes changes from the other.
#[test]
fn a_slot_that_two_connectors_share_is_noticed() {
    let database = Database::create("shared_slot");
    database.sql("CREATE TABLE t(id int PRIMARY KEY)");
    let first = in_topic(&database);
    let second = in_topic(&database).set("name", &format!("{}_other", database.name));
    run_with_row(&database, &first, 1);
    run_with_row(&database, &second, 2);
    refused(&database, &first, &["stands at", "something else advanced it"]);
}

#[test]
fn a_slot_that_is_gone_stops_the_connector_and_is_a_first_start_for_the_default_file() {
    let database = Database::create("gone");
    database.sql("CREATE TABLE t(id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    let connector = in_topic(&database);
    run_with_row(&database, &connector, 2);
    let drop = format!("SELECT pg_drop_replication_slot('{}')", database.slot());
    database.sql(&format!("{drop}; DELETE FROM t WHERE id = 1"));
    for mode in ["initial", "no_data"] {
        refused(&database, &connector.clone().set("snapshot.mode", mode), &["is gone"]);
    }
    let process = streaming(&connector.set("snapshot.mode", "when_needed"));
    assert_eq!(ids(&database, &[2, 2]), [1, 2, 2]);
    stop(process);
}

/// The database is dropped and made anew under the same name; a slot of the same name is there again.
#[test]
fn a_database_that_was_made_anew_is_noticed() {
    let database = Database::create("reborn");
    database.sql("CREATE TABLE t(id int PRIMARY KEY)");
    let connector = in_topic(&database);
    run_with_row(&database, &connector, 1);
    let (name, slot) = (&database.name, database.slot());
    let on = |db: &str, sql: &str| database.server.sql(db, sql).expect("SQL runs");
    on(name, &format!("SELECT pg_drop_replication_slot('{slot}')"));
    on("postgres", &format!("DROP DATABASE {name}"));
    on("postgres", &format!("CREATE DATABASE {name}"));
    database.sql("CREATE TABLE t(id int PRIMARY KEY); INSERT INTO t VALUES (7)");
    refused(&database, &connector, &["another database"]);
    let process = streaming(&connector.set("snapshot.mode", "when_needed"));
    assert_eq!(ids(&database, &[7]), [1, 7]);
    stop(process);
}

/// At-least-once, offsets in a topic of its own.
fn in_topic(database: &Database) -> Connector {
    database
        .connector()
        .unset("offset.storage.file.filename")
        .set("offset.storage.topic", &format!("{}-offsets", database.name))
        .set("topic.creation.default.partitions", "1")
        .set("topic.creation.default.replication.factor", "1")
}

/// Streams, delivers one row, and stops.
#[track_caller]
fn run_with_row(database: &Database, connector: &Connector, id: i64) {
    let process = streaming(connector);
    database.sql(&format!("INSERT INTO t VALUES ({id})"));
    ids(database, &[id]);
    stop(process);
}

/// Drops the slot and makes it again, with a row in between that it does not have.
fn make_anew(database: &Database, id: i64) {
    let slot = database.slot();
    database.sql(&format!("SELECT pg_drop_replication_slot('{slot}')"));
    database.sql(&format!("INSERT INTO t VALUES ({id})"));
    database.sql(&format!("SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')"));
}

/// The connector stops by itself and says slot, positions and both ways out.
#[track_caller]
fn refused(database: &Database, connector: &Connector, parts: &[&str]) {
    let mut process = connector.start();
    let status = process.wait_timeout(LONG);
    let said = process.stderr();
    assert_eq!(status.and_then(|status| status.code()), Some(1), "{said}");
    let slot = database.slot();
    let ways = ["snapshot.mode=when_needed", "offset.mismatch.strategy=trust_slot", slot.as_str()];
    for part in ways.iter().chain(parts) {
        assert!(said.contains(part), "{part:?} is missing in {said}");
    }
}

/// Ids of the rows in the topic, in order, once those of `expected` are there, each as often as it stands in the list.
#[track_caller]
fn ids(database: &Database, expected: &[i64]) -> Vec<i64> {
    let mut reader = Reader::new(kafka(), &[&database.topic("t")]);
    let id = |value: Value| value["after"]["id"].as_i64().unwrap_or(-1);
    let all = |records: &[crate::harness::Record]| -> Vec<i64> {
        records.iter().map(|record| id(record.json())).collect()
    };
    all(reader.read_until(Duration::from_secs(60), |records| {
        let found = all(records);
        expected.iter().all(|id| {
            let count = |ids: &[i64]| ids.iter().filter(|other| *other == id).count();
            count(&found) >= count(expected)
        })
    }))
}
