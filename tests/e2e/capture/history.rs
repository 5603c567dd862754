//! The server's own history: restored from a backup, and promoted to another timeline.

use std::path::{Path, PathBuf};
use std::process::Command;

use pgcdc_testbed::Postgres;

use super::{exactly_once, stop, streaming};
use crate::harness::{Connector, Database, LONG, Reader, kafka, own_postgres, postgres_options};

/// A standby that was promoted in time has everything: nothing is to be noticed.
#[test]
fn a_standby_that_was_promoted_in_time_is_read_on() {
    let (mut server, _dir) = own_postgres(postgres_options());
    let database = Database::create_on(&server, "promoted");
    database.sql("CREATE TABLE t(id int PRIMARY KEY)");
    let connectors = both(&database);
    for at in 0..2 {
        run_with_row(&database, &connectors, at, at);
    }
    promote(&mut server, &data(&database));
    for at in 0..2 {
        run_with_row(&database, &connectors, at, 10 + at);
        run_with_row(&database, &connectors, at, 20 + at);
    }
}

/// The data directory is set back to a copy, as by a restore or a failover to a standby that was behind.
#[test]
fn a_server_that_was_set_back_is_noticed_on_its_timeline_and_on_the_next() {
    let (mut server, _dir) = own_postgres(postgres_options());
    let database = Database::create_on(&server, "restored");
    database.sql("CREATE TABLE t(id int PRIMARY KEY)");
    let connectors = both(&database);
    for at in 0..2 {
        run_with_row(&database, &connectors, at, at);
    }
    let data = data(&database);
    let copy = data.with_file_name("copy");
    server.stop().expect("it stops");
    run(Command::new("cp").arg("-a").arg(&data).arg(&copy));
    server.restart().expect("it starts");
    for at in 0..2 {
        database.sql("SELECT pg_switch_wal()");
        run_with_row(&database, &connectors, at, 10 + at);
    }

    server.stop().expect("it stops");
    run(Command::new("rm").arg("-r").arg(&data));
    run(Command::new("cp").arg("-a").arg(&copy).arg(&data));
    server.restart().expect("it starts");
    for connector in &connectors {
        refused(connector, &["set back to an earlier state"]);
    }

    promote(&mut server, &data);
    // Beyond the position that was read on the old timeline.
    for _ in 0..4 {
        database.sql("CREATE TABLE IF NOT EXISTS other(); SELECT pg_switch_wal()");
    }
    database.sql("INSERT INTO t VALUES (100), (101)");
    for connector in &connectors {
        refused(connector, &["timeline 1", "timeline 2"]);
    }
    for (at, connector) in connectors.iter().enumerate() {
        let id = 200 + i64::try_from(at).expect("small");
        let process = streaming(&connector.clone().set("offset.mismatch.strategy", "trust_slot"));
        database.sql(&format!("INSERT INTO t VALUES ({id})"));
        // Nothing that the new timeline has is taken for done.
        let mut reader = Reader::new(kafka(), &[&topic(&database, at)]);
        reader.read_until(LONG, |records| {
            let ids: Vec<_> =
                records.iter().filter_map(|record| record.json()["after"]["id"].as_i64()).collect();
            [100, 101, id].iter().all(|id| ids.contains(id))
        });
        stop(process);
        run_with_row(&database, &connectors, at, 300 + at);
    }
}

/// With exactly-once and without, each with a slot, a publication and topics of its own.
fn both(database: &Database) -> [Connector; 2] {
    let once = exactly_once::connector(database);
    [once.clone().set("topic.prefix", &format!("{}_0", database.name)), {
        once.set("exactly.once.support", "requested")
            .set("name", &format!("{}_least", database.name))
            .set("topic.prefix", &format!("{}_1", database.name))
            .set("slot.name", &format!("{}_least", database.slot()))
    }]
}

fn topic(database: &Database, connector: usize) -> String {
    format!("{}_{connector}.public.t", database.name)
}

/// Streams with one of the two, delivers one row, and stops.
#[track_caller]
fn run_with_row(database: &Database, connectors: &[Connector; 2], at: usize, id: usize) {
    let process = streaming(&connectors[at]);
    database.sql(&format!("INSERT INTO t VALUES ({id})"));
    let mut reader = Reader::new(kafka(), &[&topic(database, at)]);
    reader.read_until(LONG, |records| records.iter().any(|record| record.json()["after"]["id"] == id));
    stop(process);
}

fn data(database: &Database) -> PathBuf {
    PathBuf::from(database.sql("SHOW data_directory"))
}

/// Makes the server a standby of nobody, and promotes it: it goes on with the next timeline.
fn promote(server: &mut Postgres, data: &Path) {
    server.stop().expect("it stops");
    std::fs::write(data.join("standby.signal"), "").expect("the data directory is writable");
    run(Command::new("chown").arg("--reference").arg(data).arg(data.join("standby.signal")));
    server.restart().expect("it starts as a standby");
    assert_eq!(server.sql("postgres", "SELECT pg_promote()").expect("it is promoted"), "t");
}

#[track_caller]
fn run(command: &mut Command) {
    let status = command.status().expect("it starts");
    assert!(status.success(), "{command:?}: {status}");
}

#[track_caller]
fn refused(connector: &Connector, parts: &[&str]) {
    let mut process = connector.start();
    let status = process.wait_timeout(LONG);
    let said = process.stderr();
    assert_eq!(status.and_then(|status| status.code()), Some(1), "{said}");
    for part in ["snapshot.mode=when_needed", "offset.mismatch.strategy=trust_slot"].iter().chain(parts) {
        assert!(said.contains(part), "{part:?} is missing in {said}");
    }
}
