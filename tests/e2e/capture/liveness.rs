//! A server that says nothing: one that lives is waited for, one that is gone is noticed.
//!
//! The times are made short by `internal.replication.silence.ms`; with its default a server is asked after 10 s.

use std::time::{Duration, Instant};

use pgcdc_testbed::{FaultProxy, Process};

use super::{stop, streaming, wait_streaming};
use crate::harness::{
    Connector, Database, LONG, Reader, Session, eventually, kafka, own_postgres, postgres_options,
};

const SHORT: (&str, &str) = ("internal.replication.silence.ms", "300");

fn table(name: &str) -> (Database, Connector) {
    table_of(Database::create(name))
}

fn table_of(database: Database) -> (Database, Connector) {
    database.sql("CREATE TABLE t(id int PRIMARY KEY)");
    let connector = database.connector().set(SHORT.0, SHORT.1);
    (database, connector)
}

/// Time in which a watchdog that goes by the clock would have ended the session some times over.
fn quiet_for_long() {
    std::thread::sleep(Duration::from_secs(8)); // silence is what this is about
}

#[track_caller]
fn never_restarted(process: &Process) {
    let said = process.stderr();
    assert!(!said.contains("starts again"), "{said}");
}

/// The walsender's process.
fn walsender(database: &Database) -> String {
    let slot = database.slot();
    database.sql(&format!("SELECT active_pid FROM pg_replication_slots WHERE slot_name = '{slot}'"))
}

/// Waits for the record of a row that is inserted now; how long it took.
fn next_row(database: &Database, reader: &mut Reader, id: u32) -> Duration {
    let begun = Instant::now();
    database.sql(&format!("INSERT INTO t VALUES ({id})"));
    let key = format!(r#"{{"id":{id}}}"#);
    reader.read_until(LONG, |records| records.iter().any(|record| record.key.as_deref() == Some(&*key)));
    begun.elapsed()
}

#[test]
fn an_idle_server_keeps_its_session_and_the_slot_advances() {
    let (database, connector) = table("idle");
    let other = Database::create("idle_other");
    let process = streaming(&connector);
    let mut reader = Reader::new(kafka(), &[&database.topic("t")]);
    next_row(&database, &mut reader, 1);
    let sender = walsender(&database);
    quiet_for_long();
    other.sql("CREATE TABLE big AS SELECT repeat('x', 1000) AS x FROM generate_series(1, 20000)");
    let position = other.position();
    eventually(Duration::from_secs(20), "another database's WAL is confirmed", || {
        database.has_confirmed(&position)
    });
    next_row(&database, &mut reader, 2);
    assert_eq!(walsender(&database), sender, "the session is the one that began");
    never_restarted(&process);
    stop(process);
}

/// Decoding stands still behind a lock on a catalog: no answer comes, and nobody is at fault but the one who is named.
#[test]
fn a_walsender_that_waits_for_a_lock_is_waited_for() {
    // Autovacuum of a catalog makes new sessions read all catalogs, the locked ones too, and then nobody can log in.
    let (server, _dir) = own_postgres(postgres_options().setting("autovacuum", "off"));
    let (database, connector) = table_of(Database::create_on(&server, "held_decoding"));
    // A new session has to read catalogs here, which takes its time on a busy machine.
    let mut process = streaming(&connector.set(SHORT.0, "1000"));
    let mut reader = Reader::new(kafka(), &[&database.topic("t")]);
    let mut holder = Session::open(&database);
    holder.run("BEGIN; LOCK TABLE pg_publication_rel, pg_publication IN ACCESS EXCLUSIVE MODE; SELECT 1");
    database.sql("INSERT INTO t VALUES (1)");
    process
        .wait_for_stderr(&format!("replication stream: waits for process {}", holder.pid), LONG)
        .expect("it says who holds it up");
    quiet_for_long();
    drop(holder);
    reader.read(1, LONG);
    never_restarted(&process);
    stop(process);
}

/// No packet comes back, and no connection is refused or reset: as when a network goes away.
#[test]
fn a_network_that_is_gone_is_noticed_and_its_return_too() {
    let (database, connector) = table("held_network");
    let proxy = FaultProxy::start(0, database.server.port).expect("a proxy");
    let mut process = streaming(&connector.set("database.port", &proxy.port().to_string()));
    let mut reader = Reader::new(kafka(), &[&database.topic("t")]);
    next_row(&database, &mut reader, 1);
    proxy.hold();
    process.wait_for_stderr("the server cannot be reached", LONG).expect("it notices");
    database.sql("INSERT INTO t VALUES (2)");
    // What is held is lost with its connections, as in a network that drops packets.
    proxy.cut_once();
    let key = |record: &crate::harness::Record| record.key.as_deref() == Some(r#"{"id":2}"#);
    reader.read_until(LONG, |records| records.iter().any(key));
    stop(process);
}

/// A proxy or a firewall that keeps one connection and forgets where it leads to.
#[test]
fn a_session_whose_process_is_gone_is_noticed() {
    let (database, connector) = table("held_session");
    let proxy = FaultProxy::start(0, database.server.port).expect("a proxy");
    let mut process = streaming(&connector.set("database.port", &proxy.port().to_string()));
    let mut reader = Reader::new(kafka(), &[&database.topic("t")]);
    next_row(&database, &mut reader, 1);
    let sender = walsender(&database);
    proxy.hold();
    database.sql(&format!("SELECT pg_terminate_backend({sender})"));
    process.wait_for_stderr("starts again", LONG).expect("it notices");
    proxy.cut_once();
    eventually(LONG, "it streams again", || database.is_streaming() && walsender(&database) != sender);
    next_row(&database, &mut reader, 2);
    stop(process);
}

fn heartbeat(name: &str) -> (Database, Connector) {
    let (database, connector) = table(name);
    database.sql("CREATE TABLE hb(id int PRIMARY KEY, n bigint NOT NULL); INSERT INTO hb VALUES (1, 0)");
    let connector = connector
        .set("table.include.list", "public.t")
        .set("heartbeat.interval.ms", "200")
        .set("heartbeat.action.query", "UPDATE public.hb SET n = n + 1 WHERE id = 1");
    (database, connector)
}

fn beats(database: &Database) -> u64 {
    database.sql("SELECT n FROM hb").parse().expect("a number")
}

#[test]
fn a_heartbeat_that_waits_for_a_lock_does_not_hold_up_the_stream() {
    let (database, connector) = heartbeat("hb_lock");
    let mut process = streaming(&connector);
    let mut reader = Reader::new(kafka(), &[&database.topic("t")]);
    eventually(LONG, "the action runs", || beats(&database) > 1);
    let mut holder = Session::open(&database);
    holder.run("BEGIN; LOCK TABLE hb IN ACCESS EXCLUSIVE MODE; SELECT 1");
    std::thread::sleep(Duration::from_millis(500)); // a heartbeat or two begin to wait
    for id in 1..=3 {
        assert!(next_row(&database, &mut reader, id) < Duration::from_secs(20));
    }
    process.wait_for_stderr("heartbeat.action.query failed", LONG).expect("the lock's limit is told");
    drop(holder);
    let before = beats(&database);
    eventually(LONG, "the action runs again", || beats(&database) > before);
    never_restarted(&process);
    stop(process);
}

#[test]
fn a_heartbeat_whose_session_was_ended_takes_another() {
    let (database, connector) = heartbeat("hb_ended");
    let process = streaming(&connector);
    eventually(LONG, "the action runs", || beats(&database) > 1);
    for _ in 0..3 {
        let ended = database.sql(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
             WHERE datname = current_database() AND application_name = 'pgcdc' AND query LIKE '%public.hb%'",
        );
        assert_eq!(ended, "1");
        let before = beats(&database);
        eventually(LONG, "the action runs again", || beats(&database) > before);
    }
    never_restarted(&process);
    stop(process);
}

/// A server may take its time for a row; one whose network is gone is noticed, and the snapshot is taken again.
#[test]
fn a_snapshot_waits_for_a_slow_server_and_not_for_one_that_is_gone() {
    let (database, connector) = table("slow_copy");
    database.sql("INSERT INTO t SELECT generate_series(1, 3)");
    let proxy = FaultProxy::start(0, database.server.port).expect("a proxy");
    // 40 s before the first row, and as many before the second.
    let slow = "SELECT id FROM public.t WHERE pg_sleep(40) IS NOT NULL";
    let connector = connector
        .set("database.port", &proxy.port().to_string())
        .set("snapshot.select.statement.overrides", "public.t")
        .set("snapshot.select.statement.overrides.public.t", slow);
    let mut process = connector.start();
    let copies = || database.sql("SELECT coalesce(sum(tuples_processed), -1) FROM pg_stat_progress_copy");
    eventually(LONG, "the first row is read", || copies() == "1");
    never_restarted(&process);
    proxy.hold();
    process.wait_for_stderr("starts again", LONG).expect("it notices");
    assert!(process.stderr().contains("read table public.t: no answer for"), "{}", process.stderr());
    proxy.cut_once();
    eventually(LONG, "the table is read again", || {
        database.sql(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgcdc'
             AND datname = current_database() AND query LIKE 'COPY%' AND state = 'active'",
        ) != "0"
    });
    let _ = process.sigterm_and_wait(Duration::from_secs(30));
}

/// The source block has the slot's xmin as Debezium 3.7 writes it: null in a snapshot, then what the server says.
#[test]
fn the_slots_xmin_is_in_the_source_block() {
    let (database, connector) = table("xmin");
    database.sql("INSERT INTO t VALUES (1)");
    let process = streaming(&connector.set("xmin.fetch.interval.ms", "50"));
    let mut reader = Reader::new(kafka(), &[&database.topic("t")]);
    let (slot, mut id) = (database.slot(), 1);
    let xmin = || {
        let xmin = database
            .sql(&format!("SELECT catalog_xmin FROM pg_replication_slots WHERE slot_name = '{slot}'"));
        xmin.parse::<u64>().expect("a logical slot has an xmin")
    };
    let first = xmin();
    assert!(reader.read(1, LONG)[0].json()["source"]["xmin"].is_null());
    // It moves with the server's notes of running transactions.
    let mut later = 0;
    eventually(LONG, "the xmin that the records have moves with the slot's", || {
        id += 1;
        database.sql(&format!("SELECT txid_current(); CHECKPOINT; INSERT INTO t VALUES ({id})"));
        let found = reader.read(id as usize, LONG).last().expect("a record").json();
        later = found["source"]["xmin"].as_u64().expect("a number");
        assert!((first..=xmin()).contains(&later), "{later} is not between {first} and {}", xmin());
        later > first
    });
    stop(process);
}

#[test]
fn the_parameters_of_the_stream_reach_the_server() {
    let (database, connector) = table("params");
    let mut process = connector.set("slot.stream.params", "binary=false;messages=false").start();
    wait_streaming(&mut process);
    let sender = walsender(&database);
    let command = database.sql(&format!("SELECT query FROM pg_stat_activity WHERE pid = {sender}"));
    assert!(command.contains(r#""binary" 'false'"#) && command.contains("messages 'true'"), "{command}");
    stop(process);
}
