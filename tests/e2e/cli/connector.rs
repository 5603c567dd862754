//! `pgcdc connector` against a real worker of Kafka Connect.

use pgcdc_testbed::{Connect, ConnectOptions};
use serde_json::json;

use super::expect;
use crate::harness::{Database, Finished, LONG, eventually, kafka, pgcdc, scratch_dir};

#[test]
fn connectors_of_a_worker_are_seen_and_ordered_about() {
    let connect =
        Connect::start(scratch_dir("connector"), 0, &kafka().bootstrap(), &ConnectOptions::default())
            .expect("Connect starts");
    let url = connect.url();
    let run = |args: &[&str]| -> Finished { pgcdc(&[&["connector"], args, &["--url", &url]].concat()) };
    expect(&run(&["list"]), 0, &["the worker has no connectors"]);
    expect(&run(&["status", "a b"]), 1, &["answered 404", "a b"]);

    let database = Database::create("cliconnector");
    database.sql("CREATE TABLE t(id int PRIMARY KEY)");
    let config = json!({
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
        "plugin.name": "pgoutput",
        "database.hostname": "127.0.0.1",
        "database.port": database.server.port.to_string(),
        "database.user": "postgres",
        "database.password": "unused-with-trust",
        "database.dbname": database.name,
        "topic.prefix": database.name,
        "slot.name": database.slot(),
        "publication.name": database.publication(),
    });
    connect.create("shop", config.as_object().expect("an object")).expect("it is created");
    let shows = |state: &str| run(&["status", "shop"]).stdout.contains(state);
    eventually(LONG, "it runs", || shows("shop  RUNNING  task 0 RUNNING  on "));
    expect(&run(&["list"]), 0, &["shop  RUNNING  task 0 RUNNING"]);
    expect(&run(&["pause", "shop"]), 0, &["connector shop pauses"]);
    eventually(LONG, "it is paused", || shows("shop  PAUSED  task 0 PAUSED"));
    expect(&run(&["resume", "shop"]), 0, &["connector shop resumes"]);
    eventually(LONG, "it runs again", || shows("shop  RUNNING  task 0 RUNNING"));
    expect(&run(&["restart", "shop"]), 0, &["connector shop restarts"]);
    eventually(LONG, "it runs again", || shows("shop  RUNNING  task 0 RUNNING"));
    expect(&run(&["stop", "shop"]), 0, &["connector shop stops"]);
    eventually(LONG, "it is stopped", || shows("shop  STOPPED  no tasks"));
    expect(&run(&["delete", "shop"]), 0, &["connector shop is deleted"]);
    eventually(LONG, "it is gone", || run(&["status", "shop"]).code == 1);
}

#[test]
fn a_worker_that_is_not_there_and_an_address_that_is_none() {
    let port = pgcdc_testbed::ports::free().expect("a free port");
    let url = format!("http://me:secret-word@127.0.0.1:{port}");
    let finished = pgcdc(&["connector", "list", "--url", &url]);
    expect(&finished, 1, &["the worker at 127.0.0.1 does not answer"]);
    assert!(!finished.text().contains("secret-word"), "{}", finished.text());
    expect(&pgcdc(&["connector", "list", "--url", "localhost"]), 2, &["hint: write --url http://HOST:PORT"]);
}
