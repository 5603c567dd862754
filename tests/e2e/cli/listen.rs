//! `--listen`: metrics, readiness and status, compared with what was done to the database, to Kafka and to a store.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use pgcdc_testbed::{HttpReceiver, Response};
use serde_json::{Value, json};

use super::expect;
use crate::harness::{
    Database, LONG, eventually, kafka, kafka_options, own_kafka, own_postgres, pgcdc, postgres_options, sink,
    stop,
};
use crate::sinks::rig::{Change, SinkFile, Topic};

/// A port that a process listens on.
struct Port(String);

impl Port {
    fn free() -> Self {
        Self(format!("127.0.0.1:{}", pgcdc_testbed::ports::free().expect("a free port")))
    }

    /// The status and the body of an answer; `None` while nobody listens.
    fn get(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(&self.0).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.0).ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    }

    /// The body of a path that must answer 200.
    #[track_caller]
    fn body(&self, path: &str) -> String {
        let (status, body) = self.get(path).expect("it answers");
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    fn is_ready(&self) -> bool {
        self.get("/readyz").is_some_and(|(status, _)| status == 200)
    }

    /// The value of a sample, by its name and labels as they are written; 0 while it is not there.
    #[track_caller]
    fn metric(&self, sample: &str) -> f64 {
        let text = self.body("/metrics");
        let line = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().expect("a number"))
    }

    #[track_caller]
    fn status(&self) -> Value {
        serde_json::from_str(&self.body("/status")).expect("JSON")
    }
}

#[test]
fn rows_are_counted_and_lag_grows_while_kafka_stands_still() {
    let (mut broker, _) = own_kafka(kafka_options());
    let database = Database::create("listen");
    database.sql("CREATE TABLE a(id int PRIMARY KEY, v int); CREATE TABLE b(id int PRIMARY KEY)");
    database.sql("INSERT INTO a SELECT n, 0 FROM generate_series(1, 50) n");
    let port = Port::free();
    let connector = database.connector().set("database.password", "not-to-be-shown").to(&broker);
    let process = connector.start_with(&["--listen", &port.0]);
    eventually(LONG, "it is ready", || port.is_ready());

    database.sql("INSERT INTO a SELECT n, 0 FROM generate_series(101, 120) n");
    database.sql("UPDATE a SET v = 1 WHERE id <= 5; DELETE FROM a WHERE id <= 3; INSERT INTO b VALUES (1)");
    let name = &database.name;
    let rows = |table: &str, operation: &str| {
        let labels = format!("connector=\"{name}\",table=\"public.{table}\",operation=\"{operation}\"");
        port.metric(&format!("pgcdc_rows_total{{{labels}}}"))
    };
    let counts = || {
        ["read", "create", "update", "delete"].map(|operation| (rows("a", operation), rows("b", operation)))
    };
    let expected = [(50.0, 0.0), (20.0, 1.0), (5.0, 0.0), (3.0, 0.0)];
    eventually(LONG, "every row is counted", || counts() == expected);
    let of = |metric: &str| port.metric(&format!("{metric}{{connector=\"{name}\"}}"));
    eventually(LONG, "all is acknowledged", || of("pgcdc_lag_bytes") + of("pgcdc_lag_seconds") == 0.0);
    assert_eq!(of("pgcdc_connector_ready"), 1.0);
    assert!(of("pgcdc_slot_retained_bytes") > 0.0, "{}", port.body("/metrics"));
    assert!(of("pgcdc_commit_to_acknowledged_seconds_count") >= 2.0, "{}", port.body("/metrics"));

    let process_of_broker = broker.daemon().process();
    process_of_broker.send("STOP").expect("the broker can be stopped");
    database.sql("UPDATE a SET v = v + 1");
    eventually(LONG, "lag grows", || of("pgcdc_lag_bytes") > 0.0 && of("pgcdc_lag_seconds") > 1.0);
    let before = of("pgcdc_lag_seconds");
    eventually(LONG, "lag grows on", || of("pgcdc_lag_seconds") > before + 1.0);
    assert!(of("pgcdc_records_in_flight") > 0.0);
    assert!(port.is_ready(), "a broker that is slow is no failure of the connector");
    process_of_broker.send("CONT").expect("the broker can go on");
    eventually(LONG, "lag is gone", || of("pgcdc_lag_bytes") + of("pgcdc_lag_seconds") == 0.0);

    let shown = &port.status()["connectors"][0];
    assert_eq!((&shown["name"], &shown["state"]), (&json!(name), &json!("streaming")), "{shown}");
    let position = shown["confirmed_lsn"].as_str().expect("a position");
    eventually(LONG, "the server has heard of it", || database.has_confirmed(position));
    for path in ["/metrics", "/status", "/readyz", "/healthz", "/"] {
        let body = port.body(path);
        assert!(!body.contains("not-to-be-shown"), "{path}: {body}");
    }
    stop(process);
    assert_eq!(port.get("/healthz"), None, "the port is closed with the process");
}

#[test]
fn readiness_follows_the_database() {
    let (mut server, _) = own_postgres(postgres_options());
    let database = Database::create_on(&server, "readyz");
    database.sql("CREATE TABLE t(id int PRIMARY KEY)");
    let port = Port::free();
    let process = database.connector().to(kafka()).start_with(&["--listen", &port.0, "--unready-after", "4"]);
    eventually(LONG, "it is ready", || port.is_ready());
    let mut patient = false;
    std::thread::scope(|scope| {
        // The connector notices the end before the server has ended.
        scope.spawn(|| server.stop().expect("the server can be stopped"));
        eventually(LONG, "it is no longer ready", || {
            let shown = port.status()["connectors"][0].clone();
            patient |= shown["state"] == "retrying" && shown["ready"] == true;
            !port.is_ready()
        });
    });
    assert!(patient, "it is ready for a while after the first failure");
    let (status, reason) = port.get("/readyz").expect("it answers");
    let begins = format!("connector {}: retrying for ", database.name);
    assert!(status == 503 && reason.starts_with(&begins), "{status} {reason}");
    assert!(reason.contains("Connection refused"), "{reason}");
    assert_eq!(port.get("/healthz").map(|(status, _)| status), Some(200));
    assert_eq!(port.metric(&format!("pgcdc_connector_ready{{connector=\"{}\"}}", database.name)), 0.0);
    server.restart().expect("the server starts again");
    eventually(LONG, "it is ready again", || port.is_ready());
    let metrics = port.body("/metrics");
    let restarts = format!("pgcdc_restarts_total{{connector=\"{}\",reason=\"", database.name);
    assert!(metrics.contains(&restarts), "{metrics}");
    stop(process);
}

#[test]
fn a_sink_s_dead_letters_and_breaker_are_shown() {
    let (topic, receiver) = (Topic::create("listen_sink", 1), HttpReceiver::start(0).expect("it listens"));
    receiver.respond_with(|_| Response::status(503));
    let rows: Vec<Change> =
        (0..5).map(|id| Change::new("c", id, 100 + id as u64, json!({"n": id}))).collect();
    topic.rows(0, &rows);
    let file = SinkFile::new().http(&topic.name, &receiver.url("/api"), "").write();
    let port = Port::free();
    let process = sink(&file, &["--listen", &port.0, "--unready-after", "2"]);
    let of = |metric: &str| port.metric(&format!("{metric}{{sink=\"api\"}}"));
    eventually(LONG, "it listens", || port.get("/healthz").is_some());
    eventually(LONG, "the breaker opens", || of("pgcdc_sink_breaker_open") == 1.0);
    eventually(LONG, "it is no longer ready", || {
        port.get("/readyz").is_some_and(|(status, body)| {
            status == 503 && body.starts_with("sink api: retrying for ") && body.contains("503")
        })
    });
    receiver.respond_with(|request| {
        let third = String::from_utf8_lossy(&request.body).contains("\"n\":3");
        Response::status(if third { 422 } else { 204 })
    });
    eventually(LONG, "the dead letter is counted", || of("pgcdc_sink_dead_letters_total") == 1.0);
    eventually(LONG, "it is ready", || port.is_ready());
    eventually(LONG, "all are written", || of("pgcdc_sink_records_total") == 5.0);
    assert_eq!((of("pgcdc_sink_breaker_open"), of("pgcdc_consumer_records_total")), (0.0, 5.0));
    assert_eq!(topic.dead_letters(1).len(), 1);
    let shown = &port.status()["sinks"][0];
    assert_eq!((&shown["state"], &shown["dead_letters"]), (&json!("running"), &json!(1)), "{shown}");
    stop(process);
}

#[test]
fn a_port_that_cannot_be_had_is_a_wrong_configuration() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let url = "postgres://postgres@127.0.0.1:1/nothing";
    let stream = ["stream", "--source", url, "--tables", "public.t", "--stdout"];
    let finished = pgcdc(&[&stream[..], &["--listen", &address]].concat());
    let said = format!("error: --listen {address}: Address already in use");
    expect(&finished, 2, &[&said, "hint: another process listens there"]);
    assert!(!finished.text().contains("connector failed"), "nothing was started: {}", finished.text());
    let finished = pgcdc(&[&stream[..], &["--listen", "9464"]].concat());
    expect(&finished, 2, &["error: --listen 9464: ", "hint: write --listen HOST:PORT"]);
    let finished = pgcdc(&[&stream[..], &["--unready-after", "5"]].concat());
    expect(&finished, 2, &["--listen"]);
}
