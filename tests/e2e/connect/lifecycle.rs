//! A connector's life: made, paused, stopped, its offsets changed, its worker killed.

use pgcdc_testbed::request;
use serde_json::{Value, json};

use super::worker::{Worker, configuration};
use crate::harness::{Database, LONG, Reader, eventually, kafka, stop};

/// The ids of the records that were read so far.
fn ids(reader: &Reader) -> Vec<i64> {
    reader.records.iter().filter_map(|record| record.json()["id"].as_i64()).collect()
}

#[track_caller]
fn expect(reader: &mut Reader, wanted: &[i64]) {
    reader.read(wanted.len(), LONG);
    assert_eq!(ids(reader), wanted);
}

/// The request of issue 15, with the testbed's ports and names of the test's own.
#[test]
fn the_curl_of_a_debezium_team_leads_to_rows_in_the_topic() {
    let database = Database::create("engagement");
    database.sql("CREATE TABLE engagement_events (id int PRIMARY KEY, kind text); INSERT INTO engagement_events VALUES (1, 'like')");
    let worker = Worker::start(&[]);
    let body = json!({"name": "engagement-cdc", "config": {
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector", "plugin.name": "pgoutput",
        "database.hostname": "localhost", "database.port": database.server.port, "database.user": "postgres",
        "database.password": "master", "database.dbname": database.name, "database.server.name": database.name,
        "topic.prefix": database.name, "table.include.list": "public.engagement_events",
        "publication.name": database.publication(), "slot.name": database.slot(),
        "transforms": "unwrap", "transforms.unwrap.type": "io.debezium.transforms.ExtractNewRecordState",
    }});
    let answer = worker.ask("POST", "/connectors", Some(&body), 201);
    assert_eq!(answer["tasks"], json!([]));
    worker.wait("engagement-cdc", "RUNNING");
    eventually(LONG, "it streams", || database.is_streaming());
    database.sql("INSERT INTO engagement_events VALUES (2, 'share')");
    let topic = database.topic("engagement_events");
    let mut reader = Reader::new(kafka(), &[&topic]);
    reader.read(2, LONG);
    let values: Vec<Value> = reader.records.iter().map(|record| record.json()).collect();
    assert_eq!(values, [json!({"id": 1, "kind": "like"}), json!({"id": 2, "kind": "share"})]);
    let again = worker.ask("POST", "/connectors", Some(&body), 409);
    assert_eq!(again["message"], "Connector engagement-cdc already exists");
    assert!(!worker.process.stderr().contains("master"), "{}", worker.process.stderr());
    stop(worker.process);
}

#[test]
fn a_connector_is_paused_stopped_and_its_offsets_are_changed() {
    let database = Database::create("lifecycle");
    database.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    let worker = Worker::start(&[]);
    let name = database.name.as_str();
    let path = |end: &str| format!("/connectors/{name}/{end}");
    let body = json!({"name": name, "config": configuration(&database)});
    worker.ask("POST", "/connectors", Some(&body), 201);
    let topic = database.topic("t");
    let mut reader = Reader::new(kafka(), &[&topic]);
    expect(&mut reader, &[1]);

    worker.ask("PUT", &path("pause"), None, 202);
    worker.wait(name, "PAUSED");
    eventually(LONG, "the slot is free", || !database.is_streaming());
    database.sql("INSERT INTO t VALUES (2)");
    worker.ask("PUT", &path("resume"), None, 202);
    worker.wait(name, "RUNNING");
    expect(&mut reader, &[1, 2]);

    let changed = worker.ask(
        "PATCH",
        &path("offsets"),
        Some(&json!({"offsets": [{"partition": {"server": name}, "offset": {"lsn": 1}}]})),
        400,
    );
    assert!(
        changed["message"].as_str().is_some_and(|text| text.contains("must be in the STOPPED state")),
        "{changed}"
    );
    worker.ask("PUT", &path("stop"), None, 204);
    worker.wait(name, "STOPPED");
    let offsets = worker.ask("GET", &path("offsets"), None, 200);
    assert_eq!(offsets["offsets"][0]["partition"], json!({"server": name}), "{offsets}");
    assert_eq!(worker.ask("GET", &path("tasks"), None, 200), json!([]));

    // The offset is moved beyond a change: it is left out.
    database.sql("INSERT INTO t VALUES (3)");
    let lsn: u64 =
        database.sql("SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint").parse().expect("a number");
    let offset = json!({"lsn": lsn, "lsn_proc": lsn, "lsn_commit": lsn, "snapshot_completed": true});
    let patch = json!({"offsets": [{"partition": {"server": name}, "offset": offset}]});
    worker.ask("PATCH", &path("offsets"), Some(&patch), 200);
    let shown = worker.ask("GET", &path("offsets"), None, 200);
    assert_eq!(shown, patch);
    database.sql("INSERT INTO t VALUES (4)");
    worker.ask("PUT", &path("resume"), None, 202);
    expect(&mut reader, &[1, 2, 4]);

    // Without an offset the next start is a first start: a snapshot.
    worker.ask("PUT", &path("stop"), None, 204);
    worker.ask("DELETE", &path("offsets"), None, 200);
    assert_eq!(worker.ask("GET", &path("offsets"), None, 200), json!({"offsets": []}));
    worker.ask("PUT", &path("resume"), None, 202);
    expect(&mut reader, &[1, 2, 4, 1, 2, 3, 4]);

    worker.ask("DELETE", &format!("/connectors/{name}"), None, 204);
    worker.ask("GET", &path("status"), None, 404);
    eventually(LONG, "the slot is free", || !database.is_streaming());
    stop(worker.process);
}

#[test]
fn a_killed_worker_goes_on_where_it_was() {
    let database = Database::create("killed");
    database.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    let mut worker = Worker::start(&[]);
    let name = database.name.as_str();
    let (config, paused) = (configuration(&database), format!("{name}-paused"));
    worker.ask("POST", "/connectors", Some(&json!({"name": name, "config": config})), 201);
    let mut other = config.clone();
    other.insert("slot.name".into(), format!("{}_other", database.slot()).into());
    other.insert("topic.prefix".into(), paused.clone().into());
    let body = json!({"name": paused, "config": other, "initial_state": "PAUSED"});
    worker.ask("POST", "/connectors", Some(&body), 201);
    let topic = database.topic("t");
    let mut reader = Reader::new(kafka(), &[&topic]);
    expect(&mut reader, &[1]);
    eventually(LONG, "it streams", || database.is_streaming());
    database.sql("INSERT INTO t VALUES (2)");
    expect(&mut reader, &[1, 2]);
    let position = database.position();
    eventually(LONG, "it is confirmed", || database.has_confirmed(&position));

    worker.process.kill9().expect("killed");
    database.sql("INSERT INTO t VALUES (3)");
    worker.again();
    let (status, names) = request(worker.port, "GET", "/connectors", None).expect("the worker answers");
    assert_eq!((status, names), (200, json!([name, paused])));
    expect(&mut reader, &[1, 2, 3]);
    worker.wait(name, "RUNNING");
    worker.wait(&paused, "PAUSED");
    stop(worker.process);
}
