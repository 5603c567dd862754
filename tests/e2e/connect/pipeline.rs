//! A source and a sink behind one interface.

use pgcdc_testbed::{HttpReceiver, request};
use serde_json::{Value, json};

use super::worker::{Worker, configuration};
use crate::harness::{Database, LONG, eventually, stop};

#[test]
fn rows_go_from_postgres_to_an_endpoint_by_one_interface() {
    let database = Database::create("pipeline");
    database.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    let receiver = HttpReceiver::start(0).expect("it listens");
    let worker = Worker::start(&[]);
    let (source, sink) = (database.name.as_str(), format!("{}-api", database.name));
    let body = json!({"name": source, "config": configuration(&database)});
    worker.ask("POST", "/connectors", Some(&body), 201);
    let wrong =
        json!({"name": sink, "config": {"connector.class": "pgcdc.HttpSink", "topics": database.topic("t")}});
    let refused = worker.ask("POST", "/connectors", Some(&wrong), 400);
    assert!(refused["message"].as_str().is_some_and(|text| text.contains("url")), "{refused}");
    let config = json!({"connector.class": "pgcdc.HttpSink", "topics": database.topic("t"), "url": receiver.url("/api")});
    let made = worker.ask("POST", "/connectors", Some(&json!({"name": sink, "config": config})), 201);
    assert_eq!(made["type"], "sink");
    let posted = || -> Vec<i64> {
        let id = |body: &[u8]| serde_json::from_slice::<Value>(body).ok()?["id"].as_i64();
        receiver.with_requests(|requests| requests.iter().filter_map(|request| id(&request.body)).collect())
    };
    eventually(LONG, "the first row is posted", || posted() == [1]);
    worker.wait(&sink, "RUNNING");
    worker.ask("PUT", &format!("/connectors/{sink}/pause"), None, 202);
    worker.wait(&sink, "PAUSED");
    database.sql("INSERT INTO t VALUES (2)");
    worker.ask("PUT", &format!("/connectors/{sink}/resume"), None, 202);
    eventually(LONG, "the second row is posted once", || posted() == [1, 2]);
    let (code, metrics) = request(worker.port, "GET", "/metrics", None).expect("the worker answers");
    let text = metrics.as_str().unwrap_or_default();
    assert!(code == 200 && text.contains(source) && text.contains(&sink), "{code} {text}");
    eventually(LONG, "it is ready", || {
        request(worker.port, "GET", "/readyz", None).is_ok_and(|(code, _)| code == 200)
    });
    stop(worker.process);
}
