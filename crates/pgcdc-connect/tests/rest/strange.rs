//! Input that makes no sense costs a running connector nothing.

use std::time::Duration;

use pgcdc_connect::{Access, Limits, router, serve};
use proptest::prelude::*;
use proptest::test_runner::{Config as Runs, TestRunner};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::script::{Bench, World};

const KEPT: &str = "kept";

async fn with_a_connector() -> Bench {
    let bench = Bench::start(World::default()).await;
    let config = json!({
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector", "database.hostname": "h", "database.user": "u",
        "database.password": "open sesame", "database.dbname": "d", "topic.prefix": "p", "plugin.name": "pgoutput",
    });
    let body = json!({"name": KEPT, "config": config}).to_string().into_bytes();
    let answer = bench.ask("POST", "/connectors", Some("application/json"), Some(body)).await.expect("one");
    assert_eq!(answer.status, 201, "{}", answer.body);
    bench
}

async fn is_untouched(bench: &Bench) -> bool {
    let status = bench.ask("GET", "/connectors/kept/status", None, None).await.expect("one");
    let starts = *bench.world.starts.lock().expect("free");
    status.body["connector"]["state"] == "RUNNING"
        && status.body["tasks"][0]["state"] == "RUNNING"
        && starts == 1
}

/// Parts of paths; none of them names the connector that is kept, but in ways that do not change it.
fn path() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("connectors"),
        Just("other"),
        Just("config"),
        Just("status"),
        Just("offsets"),
        Just("tasks"),
        Just("0"),
        Just("connector-plugins"),
        Just("PostgresConnector"),
        Just("validate"),
        Just("admin"),
        Just("loggers"),
        Just("%2F"),
        Just("%00"),
        Just(".."),
        Just("%ff"),
        Just("kept%20"),
        Just("root"),
        Just("restart"),
        Just("pause"),
        Just("-1"),
        Just("%"),
    ];
    let query = prop_oneof![
        Just(""),
        Just("?expand=status&expand=info"),
        Just("?includeTasks=true&onlyFailed=%ff"),
        Just("?=&&%")
    ];
    (proptest::collection::vec(word, 0..6), query)
        .prop_map(|(words, query)| format!("/{}{query}", words.join("/")))
}

fn body() -> impl Strategy<Value = Option<Vec<u8>>> {
    let part = prop_oneof![
        Just("{"),
        Just("}"),
        Just("["),
        Just("]"),
        Just("\"name\""),
        Just(":"),
        Just(","),
        Just("\"config\""),
        Just("null"),
        Just("1e999"),
        Just("\"offsets\""),
        Just("\"partition\""),
        Just("{\"level\":\"TRACE\"}"),
        Just("\"\\ud800\""),
        Just("{\"connector.class\":\"Postgres\"}"),
        Just("{\"name\":\"x\",\"config\":{\"connector.class\":\"Postgres\",\"slot.name\":5}}"),
    ];
    let json = proptest::collection::vec(part, 0..8).prop_map(|parts| Some(parts.concat().into_bytes()));
    prop_oneof![
        Just(None),
        json,
        proptest::collection::vec(any::<u8>(), 0..60).prop_map(Some),
        Just(Some(vec![b'['; 60_000]))
    ]
}

#[test]
fn random_requests_are_answered_and_change_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let bench = runtime.block_on(with_a_connector());
    let method = prop_oneof![
        Just("GET"),
        Just("POST"),
        Just("PUT"),
        Just("PATCH"),
        Just("DELETE"),
        Just("HEAD"),
        Just("OPTIONS"),
        Just("BREW"),
    ];
    let kind = prop_oneof![Just(Some("application/json")), Just(None), Just(Some("text/plain"))];
    let mut runner = TestRunner::new(Runs::with_cases(3000));
    let ran = runner.run(&(method, path(), kind, body()), |(method, path, kind, body)| {
        let (answer, untouched) = runtime
            .block_on(async { (bench.ask(method, &path, kind, body).await, is_untouched(&bench).await) });
        prop_assert!(untouched, "{method} {path}");
        if let Some(answer) = answer {
            prop_assert!(answer.status < 501, "{}", answer.status);
            prop_assert!(!answer.body.to_string().contains("sesame"));
        }
        Ok(())
    });
    ran.expect("no request costs the connector anything");
    runtime.block_on(bench.worker.close());
}

/// A client that sends its head too slowly is let go, and one too many waits; others are answered meanwhile.
#[tokio::test]
async fn slow_and_many_clients_are_bounded() {
    let bench = with_a_connector().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let limits = Limits { connections: 3, head: Duration::from_millis(700), body: 100 };
    let shutdown = CancellationToken::new();
    let app = router(bench.worker.clone(), Access::open(), limits.body, axum::Router::new());
    let server = tokio::spawn(serve(listener, app, limits, shutdown.clone()));

    let mut slow = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(address).await.expect("connected");
        stream.write_all(b"GET / HT").await.expect("written");
        slow.push(stream);
    }
    let ask = async |request: &str| {
        let mut stream = TcpStream::connect(address).await.expect("connected");
        stream.write_all(request.as_bytes()).await.expect("written");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("read");
        answer
    };
    let answer = ask("GET /connectors HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("[\"kept\"]"), "{answer}");
    let long = format!(
        "POST /connectors HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: 101\r\n\r\n{}",
        "x".repeat(101)
    );
    let answer = ask(&long).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    for mut stream in slow {
        let mut rest = Vec::new();
        let let_go = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut rest)).await;
        assert!(let_go.is_ok(), "a slow client is let go");
    }
    assert!(is_untouched(&bench).await);
    shutdown.cancel();
    server.await.expect("the server ends");
}
