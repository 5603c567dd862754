//! A registry that says no, or nothing at all.

use std::time::Duration;

use pgcdc_testbed::{HttpReceiver, Registry, Response, ports};
use serde_json::json;

use super::{avro, decode, registry, stop, streaming};
use crate::harness::{Database, LONG, Reader, eventually, kafka, pgcdc, scratch_dir};

#[test]
fn an_incompatible_change_stops_with_the_subject_and_loses_nothing() {
    let database = Database::create("avro_409");
    database.sql("CREATE TABLE t(id int PRIMARY KEY, v int)");
    let connector = avro(database.connector(), &registry().url());
    let mut process = streaming(&connector);
    database.sql("INSERT INTO t VALUES (1, 1)");
    let mut reader = Reader::new(kafka(), &[&database.topic("t")]);
    reader.read(1, LONG);
    let subject = format!("{}-value", database.topic("t"));
    let compatibility = |level: &str| {
        let body = json!({ "compatibility": level });
        let (status, answer) =
            registry().request("PUT", &format!("/config/{subject}"), Some(&body)).expect("it answers");
        assert_eq!(status, 200, "{answer}");
    };
    compatibility("BACKWARD");
    database.sql("ALTER TABLE t ALTER v TYPE text; INSERT INTO t VALUES (2, 'two')");
    let status = process.wait_timeout(LONG).expect("it stops");
    let said = process.stderr();
    assert!(!status.success(), "{said}");
    assert!(
        said.contains(&subject) && said.contains("not compatible") && said.contains("PUT /config/"),
        "{said}"
    );
    compatibility("NONE");
    let process = streaming(&connector);
    let records = reader.read(2, LONG);
    let values = decode(registry(), records.iter().map(|record| record.raw_value.as_deref()));
    assert_eq!(values[1]["after"], json!({"id": 2, "v": "two"}));
    stop(process);
}

#[test]
fn check_asks_the_registry() {
    let database = Database::create("avro_check");
    database.sql("CREATE TABLE t(id int PRIMARY KEY)");
    let check = |url: &str| {
        let file = avro(database.connector(), url).write();
        pgcdc(&["check", "--config", &file.to_string_lossy(), "--bootstrap-servers", &kafka().bootstrap()])
    };
    let url = registry().url();
    let finished = check(&url);
    assert_eq!(finished.code, 0, "{}", finished.text());
    assert!(
        finished.text().contains(&format!("schema registry of values: answers at {url}")),
        "{}",
        finished.text()
    );
    let finished = check("http://127.0.0.1:1");
    assert_ne!(finished.code, 0);
    assert!(
        finished.text().contains("schema registry http://127.0.0.1:1 cannot be reached"),
        "{}",
        finished.text()
    );
    let stdout = avro(database.connector(), &url).start_with(&["--stdout"]).wait_timeout(LONG);
    assert_eq!(stdout.and_then(|status| status.code()), Some(2), "standard output cannot show Avro");
}

#[test]
fn a_registry_that_is_not_there_is_waited_for() {
    let database = Database::create("avro_away");
    database.sql("CREATE TABLE t(id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    let port = ports::free().expect("a port");
    let url = format!("http://127.0.0.1:1,http://127.0.0.1:{port}/apis/ccompat/v7");
    let mut process = avro(database.connector(), &url).start();
    process.wait_for_stderr("cannot be reached for subject", LONG).expect("it says so");
    let late = Registry::start(scratch_dir("late-registry"), port).expect("it starts");
    let mut reader = Reader::new(kafka(), &[&database.topic("t")]);
    let records = reader.read(1, LONG);
    let values = decode(&late, records.iter().map(|record| record.raw_value.as_deref()));
    assert_eq!(values[0]["after"], json!({"id": 1}));
    stop(process);
}

#[test]
fn who_asks_is_told_to_the_registry_and_a_refusal_to_the_user() {
    let database = Database::create("avro_auth");
    database.sql("CREATE TABLE t(id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    let receiver = HttpReceiver::start(0).expect("it listens");
    receiver.respond_with(|request| match request.header("Authorization") {
        // user:secret
        Some("Basic dXNlcjpzZWNyZXQ=") => {
            Response { body: br#"{"id":70000}"#.to_vec(), ..Response::status(200) }
        }
        _ => Response { body: br#"{"error_code":40101,"message":"no"}"#.to_vec(), ..Response::status(401) },
    });
    let connector = avro(database.connector(), &receiver.url(""));
    let mut process = connector.start();
    let status = process.wait_timeout(LONG).expect("it stops");
    let said = process.stderr();
    assert!(!status.success() && said.contains("does not let pgcdc in"), "{said}");
    assert!(said.contains("key.converter.basic.auth.user.info"), "{said}");
    let mut connector = connector;
    for half in ["key", "value"] {
        connector = connector
            .set(&format!("{half}.converter.basic.auth.credentials.source"), "USER_INFO")
            .set(&format!("{half}.converter.basic.auth.user.info"), "user:secret");
    }
    let process = streaming(&connector);
    let mut reader = Reader::new(kafka(), &[&database.topic("t")]);
    let record = reader.read(1, LONG)[0].clone();
    let head = |bytes: &Option<Vec<u8>>| bytes.as_deref().map(|bytes| bytes[..5].to_vec());
    assert_eq!(head(&record.raw_key), Some(vec![0, 0, 1, 0x11, 0x70]));
    assert_eq!(head(&record.raw_value), Some(vec![0, 0, 1, 0x11, 0x70]));
    eventually(Duration::from_secs(5), "both subjects were asked for", || {
        let paths: Vec<String> = receiver.requests().iter().map(|request| request.path.clone()).collect();
        ["key", "value"]
            .iter()
            .all(|half| paths.contains(&format!("/subjects/{}-{half}/versions", database.topic("t"))))
    });
    stop(process);
}
