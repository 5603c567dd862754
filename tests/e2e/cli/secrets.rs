//! Secrets in a configuration are in no output, however much is logged.

use std::time::Duration;

use pgcdc_testbed::Process;

use super::STRICT;
use crate::harness::{Connector, Database, Finished, LONG, kafka, pgcdc_in, scratch_dir};

const KAFKA_SECRET: &str = "k4fka-s3cret";

#[track_caller]
fn expect_no_secret(said: &str, what: &str) {
    for secret in ["s3cret", "right"] {
        // The word, not the letters: "copyright" would be none.
        let told = said.split(|c: char| !(c.is_alphanumeric() || c == '-')).any(|word| word.contains(secret));
        assert!(!told, "{what} tells {secret:?}:\n{said}");
    }
}

fn run(args: &[&str]) -> Finished {
    pgcdc_in(&[("PGCDC_LOG", "trace")], args)
}

fn connector(database: &Database) -> Connector {
    database.sql(
        "CREATE TABLE IF NOT EXISTS t(id int PRIMARY KEY); INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING",
    );
    database.connector().set("database.user", "pw")
}

#[test]
fn when_all_goes_well() {
    let database = Database::create_on(&STRICT, "secret_ok");
    let connector = connector(&database).set("database.password", "right");
    let file = connector.write();
    let file = file.to_string_lossy();
    let finished = run(&["stream", "--stdout", "--until-idle", "0.5", "--config", &file]);
    assert_eq!(finished.code, 0, "{}", finished.text());
    assert!(finished.stderr.contains("DEBUG"), "it did log: {}", finished.stderr);
    expect_no_secret(&finished.text(), "stream --stdout");
    let finished = run(&["check", "--config", &file, "--bootstrap-servers", &kafka().bootstrap()]);
    assert_eq!(finished.code, 0, "{}", finished.text());
    expect_no_secret(&finished.text(), "check");
    let url = format!("postgres://pw:right@127.0.0.1:{}/{}", STRICT.port(), database.name);
    let finished = run(&["check", "--source", &url, "--tables", "public.t"]);
    assert_eq!(finished.code, 0, "{}", finished.text());
    expect_no_secret(&finished.text(), "check --source");
}

#[test]
fn when_the_server_refuses() {
    let database = Database::create_on(&STRICT, "secret_no");
    let file = connector(&database).set("database.password", "s3cret").write();
    let file = file.to_string_lossy();
    for args in [["stream", "--stdout", "--config", &file], ["check", "--log-format=json", "--config", &file]]
    {
        let finished = run(&args);
        assert_ne!(finished.code, 0, "{}", finished.text());
        assert!(finished.text().contains("password authentication failed"), "{}", finished.text());
        expect_no_secret(&finished.text(), args[0]);
    }
    let url = format!("postgres://pw:s3cret@127.0.0.1:{}/{}", STRICT.port(), database.name);
    let finished = run(&["stream", "--stdout", "--source", &url, "--tables", "public.t"]);
    assert_eq!(finished.code, 2, "{}", finished.text());
    expect_no_secret(&finished.text(), "stream --source");
}

#[test]
fn when_the_configuration_is_wrong() {
    let dir = scratch_dir("secret");
    let check = |content: &str| {
        let file = dir.join("connector.json");
        std::fs::write(&file, content).expect("the scratch directory is writable");
        let finished = run(&["stream", "--config", &file.to_string_lossy()]);
        assert_eq!(finished.code, 2, "{}", finished.text());
        expect_no_secret(&finished.text(), content);
    };
    check(r#"{"database.password": "s3cret", "x":}"#);
    check(r#"{"database.password": "s3cret"}"#);
    check(r#"{"database.passwort": "s3cret"}"#);
    check(r#"{"database.password": ["s3cret"]}"#);
    let source = |url: &str| {
        let finished = run(&["stream", "--stdout", "--source", url, "--tables", "a.b"]);
        assert_eq!(finished.code, 2, "{}", finished.text());
        expect_no_secret(&finished.text(), url);
    };
    source("postgres://u:s3cret@h:port/d");
    source("postgres://u:s3cret@h/d?sslmode=x");
    source("mysql://u:s3cret@h/d");
}

/// Kafka's secrets, towards a broker that is not there.
#[test]
fn of_kafka() {
    let database = Database::create_on(&STRICT, "secret_kafka");
    let jaas = format!(
        "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"u\" password=\"{KAFKA_SECRET}\";"
    );
    let port = pgcdc_testbed::ports::free().expect("a free port");
    let connector = connector(&database)
        .set("database.password", "right")
        .set("producer.override.security.protocol", "SASL_PLAINTEXT")
        .set("producer.override.sasl.mechanism", "PLAIN")
        .set("producer.override.sasl.jaas.config", &jaas)
        .set("producer.override.bootstrap.servers", &format!("127.0.0.1:{port}"));
    let file = connector.write();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_pgcdc"));
    command.args(["stream", "--config"]).arg(&file).env("PGCDC_LOG", "trace");
    command.stdout(std::process::Stdio::null());
    let mut process = Process::spawn(command, connector.dir.join("stderr-secret")).expect("pgcdc starts");
    process.wait_for_stderr("Starting metadata fetch", LONG).expect("it turns to Kafka");
    std::thread::sleep(Duration::from_millis(500)); // what a client says of a broker that is not there
    process.kill9().expect("it can be killed");
    expect_no_secret(&process.stderr(), "stream towards a SASL broker");
    let finished = run(&["check", "--config", &file.to_string_lossy()]);
    assert_eq!(finished.code, 1, "{}", finished.text());
    expect_no_secret(&finished.text(), "check towards a SASL broker");
}

/// In `--source` and `--set`, which everybody on the machine can read, and in the file of the sinks.
#[test]
fn providers_stand_where_secrets_would() {
    let database = Database::create_on(&STRICT, "secret_env");
    connector(&database);
    let dir = scratch_dir("providers");
    let file = dir.join("secrets.properties");
    std::fs::write(&file, "pg=right\ntoken=Bearer k4fka-s3cret\n")
        .expect("the scratch directory is writable");
    let path = file.display();
    let url =
        |password: &str| format!("postgres://pw:{password}@127.0.0.1:{}/{}", STRICT.port(), database.name);
    let slot = "slot.name=secret_env";
    let stream = |url: &str, set: &str| {
        let environment = [("PGCDC_LOG", "trace"), ("PGCDC_TEST_PW", "right")];
        let args = [
            "stream",
            "--stdout",
            "--until-idle",
            "0.5",
            "--tables",
            "public.t",
            "--source",
            url,
            // Another test may hold the default slot.
            "--set",
            slot,
            "--set",
            set,
        ];
        pgcdc_in(&environment, &args)
    };
    for (password, set) in [
        ("${env:PGCDC_TEST_PW}", slot.to_owned()),
        (&format!("${{file:{path}:pg}}"), slot.to_owned()),
        ("none", format!("database.password=${{file:{path}:pg}}")),
    ] {
        let finished = stream(&url(password), &set);
        assert_eq!(finished.code, 0, "{}", finished.text());
        expect_no_secret(&finished.stderr, password);
    }
    for (password, set, says) in [
        ("${env:PGCDC_NOPE}", slot, "--source: ${env:PGCDC_NOPE}: the environment has no PGCDC_NOPE"),
        ("right", "slot.name=${file:/nowhere:x}", "--set: slot.name: ${file:/nowhere:x}: cannot be resolved"),
    ] {
        let finished = stream(&url(password), set);
        assert_eq!(finished.code, 2, "{}", finished.text());
        assert!(finished.stderr.contains(says), "{}", finished.stderr);
        expect_no_secret(&finished.text(), says);
    }

    let (topic, receiver) = (
        crate::sinks::rig::Topic::create("providers", 1),
        pgcdc_testbed::HttpReceiver::start(0).expect("it listens"),
    );
    topic.write(&[(0, Some("{\"id\":1}"), Some("{\"id\":1}"))]);
    let headers = format!("headers = {{ Authorization = \"${{file:{path}:token}}\" }}");
    let sinks = crate::sinks::rig::SinkFile::new().http(
        &topic.name,
        &receiver.url("/?a=${env:PGCDC_TEST_PW}"),
        &headers,
    );
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_pgcdc"));
    command.args(["sink", "--config"]).arg(sinks.write());
    command.env("PGCDC_LOG", "trace").env("PGCDC_TEST_PW", "right").stdout(std::process::Stdio::null());
    let sink = Process::spawn(command, dir.join("stderr")).expect("pgcdc starts");
    receiver.wait_for(1, LONG).expect("the record arrives");
    let request = &receiver.requests()[0];
    assert_eq!(request.header("Authorization"), Some("Bearer k4fka-s3cret"));
    assert!(request.path.ends_with("a=right"), "{}", request.path);
    let log = sink.stderr();
    crate::sinks::rig::end(sink);
    assert!(log.contains("TRACE") || log.contains("DEBUG"), "it did log: {log}");
    expect_no_secret(&log, "sink");
}

#[test]
#[should_panic(expected = "the test tells")]
fn a_secret_would_be_seen() {
    expect_no_secret("config={\"database.password\":\"s3cret\"}", "the test");
}
