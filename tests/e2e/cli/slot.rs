//! `pgcdc slot`: what it shows is what the server has, and nothing is dropped or skipped by mistake.

use super::expect;
use crate::harness::{Database, Finished, LONG, eventually, pgcdc};

fn slot(database: &Database, args: &[&str]) -> Finished {
    let file = database.connector().write();
    pgcdc(&[&["slot"], args, &["--config", &file.to_string_lossy()]].concat())
}

fn make(database: &Database, name: &str, plugin: &str) {
    database.sql(&format!("SELECT pg_create_logical_replication_slot('{name}', '{plugin}')"));
}

fn exists(database: &Database, name: &str) -> bool {
    database.sql(&format!("SELECT count(*) FROM pg_replication_slots WHERE slot_name = '{name}'")) == "1"
}

#[test]
fn the_list_is_what_the_server_has() {
    let database = Database::create("slotlist");
    let name = database.slot();
    make(&database, &name, "pgoutput");
    let physical = format!("{name}_physical");
    database.sql(&format!("SELECT pg_create_physical_replication_slot('{physical}', true)"));
    let finished = slot(&database, &["list"]);
    expect(&finished, 0, &["name", "restart_lsn", "confirmed_flush_lsn", "retained_bytes", "wal_status"]);
    let row = database.sql(&format!(
        "SELECT restart_lsn, confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '{name}'"
    ));
    let (restart, confirmed) = row.split_once('|').expect("two columns");
    let line = |name: &str| {
        let found = finished.stdout.lines().find(|line| line.split(' ').next() == Some(name));
        found.unwrap_or_else(|| panic!("{}", finished.stdout)).split_whitespace().collect::<Vec<_>>()
    };
    let shown = line(&name);
    assert_eq!(shown[1..6], ["pgoutput", &database.name, "no", restart, confirmed], "{}", finished.stdout);
    assert!(shown[6].parse::<u64>().is_ok() && shown[7] == "reserved", "{}", finished.stdout);
    assert_eq!(line(&physical)[1..4], ["(physical)", "-", "no"], "{}", finished.stdout);
    // The same by a URL, without naming a table.
    let finished = pgcdc(&["slot", "list", "--source", &database.server.url(&database.name)]);
    expect(&finished, 0, &[&name]);
    database.sql(&format!("SELECT pg_drop_replication_slot('{physical}')"));
}

#[test]
fn a_slot_is_dropped_only_when_it_is_ours_and_idle() {
    let database = Database::create("slotdrop");
    database.sql("CREATE TABLE t(id int PRIMARY KEY)");
    let (name, other) = (database.slot(), format!("{}_other", database.slot()));
    expect(&slot(&database, &["drop", &name]), 1, &[&format!("slot \"{name}\" does not exist")]);

    make(&database, &other, "test_decoding");
    expect(&slot(&database, &["drop", &other]), 1, &["is decoded by test_decoding", "hint: --force"]);
    assert!(exists(&database, &other));
    expect(&slot(&database, &["drop", &other, "--force"]), 0, &[&format!("slot {other} dropped")]);
    assert!(!exists(&database, &other));

    let mut process = database.connector().start_with(&["--stdout"]);
    eventually(LONG, "it streams", || database.is_streaming());
    expect(&slot(&database, &["drop", &name]), 1, &["is read by process", "hint: stop the connector"]);
    assert!(exists(&database, &name) && database.is_streaming(), "nothing was done");
    process.kill9().expect("it can be killed");
    eventually(LONG, "it is free", || !database.is_streaming());
    let finished = slot(&database, &["drop", &name, "--yes"]);
    expect(&finished, 0, &["a new slot needs a new snapshot", &format!("slot {name} dropped")]);
    assert!(!exists(&database, &name));
}

#[test]
fn force_ends_the_session_of_the_reader() {
    let database = Database::create("slotforce");
    database.sql("CREATE TABLE t(id int PRIMARY KEY)");
    let connector = database.connector().set("retriable.restart.connector.wait.ms", "600000");
    let process = connector.start_with(&["--stdout"]);
    eventually(LONG, "it streams", || database.is_streaming());
    let finished = slot(&database, &["drop", &database.slot(), "--force"]);
    expect(&finished, 0, &["its session is ended", "dropped"]);
    assert!(!exists(&database, &database.slot()));
    drop(process);
}

#[test]
fn an_advance_says_what_it_skips_and_never_goes_back() {
    let database = Database::create("slotadvance");
    database.sql("CREATE TABLE t(id int PRIMARY KEY)");
    let name = database.slot();
    make(&database, &name, "pgoutput");
    let confirmed = || {
        database
            .sql(&format!("SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '{name}'"))
    };
    let before = confirmed();
    database.sql("INSERT INTO t SELECT generate_series(1, 1000)");
    let to = database.sql("SELECT pg_current_wal_lsn()");
    let finished = slot(&database, &["advance", &name, "--to", &to]);
    let bytes = database.sql(&format!("SELECT pg_wal_lsn_diff('{to}', '{before}')::bigint"));
    expect(
        &finished,
        0,
        &[
            &format!("slot {name} goes from {before} to {to}"),
            &format!("within these {bytes} bytes of WAL are skipped"),
            "offset.mismatch.strategy=trust_slot",
        ],
    );
    assert_eq!(confirmed(), to);

    expect(&slot(&database, &["advance", &name, "--to", &before]), 1, &["a slot never goes back"]);
    expect(
        &slot(&database, &["advance", &name, "--to", "FFFF/0"]),
        1,
        &["beyond the end of the server's WAL"],
    );
    expect(&slot(&database, &["advance", &name, "--to", "here"]), 2, &["--to"]);
    assert_eq!(confirmed(), to, "nothing was done");
    let elsewhere =
        pgcdc(&["slot", "advance", &name, "--to", &to, "--source", &database.server.url("postgres")]);
    expect(&elsewhere, 1, &[&format!("belongs to database {}", database.name)]);
}
