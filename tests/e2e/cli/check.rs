//! `pgcdc check`: what stands in the way of capture, and what mends it.

use super::{STRICT, expect};
use crate::harness::{
    Connector, Database, Finished, LONG, eventually, kafka, next, own_postgres, pgcdc, postgres_options,
};

fn run(connector: &Connector) -> Finished {
    let file = connector.write();
    pgcdc(&["check", "--config", &file.to_string_lossy(), "--bootstrap-servers", &kafka().bootstrap()])
}

fn with_table(database: Database) -> Database {
    database.sql("CREATE TABLE t(id int PRIMARY KEY, v text)");
    database
}

#[test]
fn nothing_in_the_way() {
    let database = with_table(Database::create("ready"));
    let finished = run(&database.connector());
    let (slot, publication, topic) = (database.slot(), database.publication(), database.topic("t"));
    expect(
        &finished,
        0,
        &[
            "ok: wal_level: logical",
            "ok: role: postgres may replicate",
            &format!("ok: slot {slot}: does not exist; it is made at the first start"),
            &format!("ok: publication {publication}: does not exist; it is made"),
            "ok: table public.t: replica identity default",
            &format!("ok: topic {topic}: does not exist; it is made"),
        ],
    );
    assert!(!finished.text().contains("error"), "{}", finished.text());
    let made = format!(
        "SELECT (SELECT count(*) FROM pg_publication) + (SELECT count(*) FROM pg_replication_slots WHERE slot_name = '{slot}')"
    );
    assert_eq!(database.sql(&made), "0", "it only looks");
    assert_eq!(kafka().end_offset(&topic, 0).expect("the broker answers"), None, "it only looks");
}

#[test]
fn without_brokers_only_stdout_can_be_used() {
    let database = with_table(Database::create("nobroker"));
    let url = database.server.url(&database.name);
    let finished = pgcdc(&["check", "--source", &url, "--tables", "public.t"]);
    expect(
        &finished,
        0,
        &["warning: kafka: bootstrap.servers is not set: only --stdout", "--bootstrap-servers"],
    );
}

#[test]
fn wal_level() {
    let (server, _) = own_postgres(postgres_options().setting("wal_level", "replica"));
    let database = with_table(Database::create_on(&server, "level"));
    let finished = run(&database.connector());
    expect(
        &finished,
        1,
        &["error: wal_level: is replica, must be logical", "ALTER SYSTEM SET wal_level = logical;"],
    );
    let mut process = database.connector().start_with(&["--stdout"]);
    let status = process.wait_timeout(LONG).expect("stream ends, too");
    let said = process.stderr();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("hint: ALTER SYSTEM SET wal_level = logical"), "{said}");
}

#[test]
fn privileges() {
    let database = with_table(Database::create("privileges"));
    let role = format!("role_{}", next());
    database.sql(&format!(
        "CREATE ROLE {role} LOGIN; GRANT SELECT ON t TO {role}; CREATE PUBLICATION {} FOR TABLE t",
        database.publication()
    ));
    let connector = database.connector().set("database.user", &role);
    let finished = run(&connector);
    expect(
        &finished,
        1,
        &[&format!("error: role: {role} may not replicate"), &format!("ALTER ROLE \"{role}\" REPLICATION;")],
    );
    database.sql(&format!("ALTER ROLE {role} REPLICATION; REVOKE SELECT ON t FROM {role}"));
    let finished = run(&connector);
    expect(
        &finished,
        1,
        &[
            "error: table public.t: may not be read",
            &format!("GRANT SELECT ON \"public\".\"t\" TO \"{role}\";"),
        ],
    );
    assert!(!finished.text().contains("may not replicate"), "{}", finished.text());
    database.sql(&format!("GRANT SELECT ON t TO {role}"));
    expect(&run(&connector), 0, &["ok: table public.t"]);
    database.sql(&format!("REVOKE ALL ON t FROM {role}; DROP ROLE {role}"));
}

#[test]
fn a_slot_in_use() {
    let database = with_table(Database::create("used"));
    let mut process = database.connector().start_with(&["--stdout"]);
    eventually(LONG, "it streams", || database.is_streaming());
    let finished = run(&database.connector());
    let pid = database
        .sql(&format!("SELECT active_pid FROM pg_replication_slots WHERE slot_name = '{}'", database.slot()));
    expect(
        &finished,
        1,
        &[
            &format!("error: slot {}: is in use by process {pid}", database.slot()),
            &format!("SELECT pg_terminate_backend({pid});"),
        ],
    );
    process.kill9().expect("it can be killed");
    eventually(LONG, "it is free", || !database.is_streaming());
    expect(&run(&database.connector()), 0, &["free, confirmed up to"]);
}

#[test]
fn a_lost_slot() {
    let database = with_table(Database::create_on(&STRICT, "lost"));
    let slot = database.slot();
    database.sql(&format!("SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')"));
    let lost = format!("SELECT wal_status = 'lost' FROM pg_replication_slots WHERE slot_name = '{slot}'");
    eventually(LONG, "the server gives the slot up", || {
        database.sql("SELECT pg_logical_emit_message(false, 'x', 'y'); SELECT pg_switch_wal(); CHECKPOINT");
        database.sql(&lost) == "t"
    });
    let finished = run(&database.connector());
    let drop = format!("SELECT pg_drop_replication_slot('{slot}');");
    expect(&finished, 1, &[&format!("error: slot {slot}: is lost"), &drop, "snapshot.mode=when_needed"]);
    let mut process = database.connector().start_with(&["--stdout"]);
    let status = process.wait_timeout(LONG).expect("stream ends, too");
    assert_eq!(status.code(), Some(1), "{}", process.stderr());
    assert!(process.stderr().contains("snapshot.mode=when_needed"), "{}", process.stderr());
    // The remedy works.
    database.sql(&drop);
    let connector = database.connector().set("snapshot.mode", "when_needed");
    let finished = pgcdc(&[
        "stream",
        "--stdout",
        "--until-idle",
        "0.5",
        "--config",
        &connector.write().to_string_lossy(),
    ]);
    expect(&finished, 0, &[]);
}

#[test]
fn tables_without_replica_identity() {
    let database = with_table(Database::create("identity"));
    database.sql("CREATE TABLE nokey(a int); CREATE TABLE nothing(id int PRIMARY KEY); ALTER TABLE nothing REPLICA IDENTITY NOTHING;
                  CREATE TABLE whole(a int); ALTER TABLE whole REPLICA IDENTITY FULL");
    let finished = run(&database.connector());
    expect(
        &finished,
        1,
        &[
            "error: table public.nokey: has no primary key and so no replica identity",
            "ALTER TABLE \"public\".\"nokey\" REPLICA IDENTITY FULL;",
            "error: table public.nothing: has replica identity NOTHING",
            "ALTER TABLE \"public\".\"nothing\" REPLICA IDENTITY FULL;",
            "ok: table public.t: replica identity default",
            "ok: table public.whole: replica identity full",
        ],
    );
}

#[test]
fn a_broker_that_is_not_there() {
    let database = with_table(Database::create("unreachable"));
    let file = database.connector().write();
    let port = pgcdc_testbed::ports::free().expect("a free port");
    let servers = format!("127.0.0.1:{port}");
    let finished = pgcdc(&["check", "--config", &file.to_string_lossy(), "--bootstrap-servers", &servers]);
    expect(
        &finished,
        1,
        &[&format!("error: kafka: no broker answers at {servers}"), "check bootstrap.servers"],
    );
}

#[test]
fn a_topic_that_cannot_be_made() {
    let database = with_table(Database::create("threefold"));
    let connector = database
        .connector()
        .set("topic.creation.default.partitions", "1")
        .set("topic.creation.default.replication.factor", "3");
    let topic = database.topic("t");
    expect(
        &run(&connector),
        1,
        &[&format!("error: topic {topic}: "), "topic.creation.default.replication.factor"],
    );
    assert_eq!(kafka().end_offset(&topic, 0).expect("the broker answers"), None);
}

#[test]
fn a_wrong_password_and_a_server_that_is_not_there() {
    let database = with_table(Database::create_on(&STRICT, "password"));
    let connector = database.connector().set("database.user", "pw").set("database.password", "wrong");
    expect(
        &run(&connector),
        1,
        &["error: database: ", "password authentication failed", "check database.user and database.password"],
    );
    expect(&run(&connector.clone().set("database.password", "right")), 0, &["ok: role: pw may replicate"]);
    let port = pgcdc_testbed::ports::free().expect("a free port").to_string();
    let finished = run(&connector.clone().set("database.port", &port));
    expect(&finished, 1, &["error: database: ", "Connection refused", "database.hostname and database.port"]);
    let finished = run(&connector.set("database.password", "right").set("database.dbname", "nowhere"));
    expect(&finished, 1, &["\"nowhere\" does not exist", "check database.dbname"]);
}
