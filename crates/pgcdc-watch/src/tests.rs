use std::time::Duration;

use pgcdc_lifecycle::{Failure, Reporter, State};
use pgcdc_metrics::Registry;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{Kind, Watch, serve};

/// A server on a port of its own, and the reporters of a connector `shop` and a sink `top`.
struct Bench {
    address: String,
    registry: Registry,
    shop: Reporter,
    top: Reporter,
    watch: Watch,
}

async fn bench() -> Bench {
    let registry = Registry::new();
    let watch = Watch::new(registry.clone(), Duration::from_secs(60));
    let (shop, shop_status) = Reporter::new();
    let (top, top_status) = Reporter::new();
    watch.add(Kind::Connector, "shop", shop_status);
    watch.add(Kind::Sink, "top", top_status);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    tokio::spawn(serve(listener, watch.router_with_index()));
    Bench { address, registry, shop, top, watch }
}

impl Bench {
    /// The status line, the head and the body of an answer.
    async fn get(&self, path: &str, head: &str) -> (String, String, String) {
        let text = self.send(&format!("GET {path} HTTP/1.1\r\nhost: x\r\n{head}\r\n")).await;
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        let (first, head) = head.split_once("\r\n").expect("a status line");
        (first.to_owned(), head.to_ascii_lowercase(), body.to_owned())
    }

    async fn send(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).await.expect("it listens");
        stream.write_all(request.as_bytes()).await.expect("it reads");
        let mut text = String::new();
        stream.read_to_string(&mut text).await.expect("it answers, and closes");
        text
    }

    async fn readiness(&self) -> (String, String) {
        let (first, _, body) = self.get("/readyz", "").await;
        (first, body)
    }
}

#[tokio::test]
async fn readiness_names_whatever_is_not_ready() {
    let bench = bench().await;
    let (first, body) = bench.readiness().await;
    assert_eq!(first, "HTTP/1.1 503 Service Unavailable");
    assert_eq!(body, "connector shop: starting\nsink top: starting\n");
    bench.shop.set(State::Snapshotting);
    assert_eq!(bench.readiness().await.1, "sink top: starting\n");
    bench.top.flows();
    assert_eq!(bench.readiness().await, ("HTTP/1.1 200 OK".to_owned(), "ready\n".to_owned()));
    let hint = Some("drop it".to_owned());
    bench.shop.ended(Some(Failure { error: "the slot is lost".into(), hint }));
    assert_eq!(bench.readiness().await.1, "connector shop: failed: the slot is lost\n");
    assert!(bench.get("/healthz", "").await.0.contains("200"), "the process lives");
    bench.watch.remove(Kind::Connector, "shop");
    assert!(bench.readiness().await.0.contains("200"));
}

#[tokio::test]
async fn metrics_come_in_the_format_that_the_reader_asks_for() {
    let bench = bench().await;
    bench.shop.set(State::Streaming);
    bench.registry.capture("shop").changes.inc_by(7);
    let (first, head, body) = bench.get("/metrics", "").await;
    assert_eq!(first, "HTTP/1.1 200 OK");
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    assert!(body.contains("# TYPE pgcdc_changes_total counter\n"), "{body}");
    assert!(body.contains("\npgcdc_changes_total{connector=\"shop\"} 7\n"), "{body}");
    assert!(body.contains("\npgcdc_connector_ready{connector=\"shop\"} 1\n"), "{body}");
    assert!(body.contains("\npgcdc_sink_ready{sink=\"top\"} 0\n"), "{body}");
    let accept = "accept: application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.2\r\n";
    let (_, head, body) = bench.get("/metrics", accept).await;
    assert!(head.contains("content-type: application/openmetrics-text; version=1.0.0"), "{head}");
    assert!(body.contains("# TYPE pgcdc_changes counter\n") && body.ends_with("# EOF\n"), "{body}");
}

#[tokio::test]
async fn the_status_has_state_reason_and_figures() {
    let bench = bench().await;
    bench.shop.set(State::Streaming);
    let metrics = bench.registry.capture("shop");
    metrics.confirmed_lsn.set(0x1_0000_00A0);
    metrics.lag_bytes.set(64);
    let failure = Failure { error: "no route to host".into(), hint: Some("look at the cable".into()) };
    bench.top.flows();
    bench.top.failed(failure, Duration::from_secs(1));
    bench.registry.sink("top").dead_letters.inc_by(2);
    let (_, head, body) = bench.get("/status", "").await;
    assert!(head.contains("content-type: application/json"), "{head}");
    let status: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(status["ready"], true, "a short retry counts as ready: {body}");
    let shop = &status["connectors"][0];
    assert_eq!((&shop["name"], &shop["state"]), (&"shop".into(), &"streaming".into()));
    assert_eq!((&shop["confirmed_lsn"], &shop["lag_bytes"]), (&"1/A0".into(), &64.into()));
    assert!(shop["reason"].is_null() && shop["server_lsn"].is_null(), "{shop}");
    let since = shop["since"].as_str().expect("a time");
    assert!(since.ends_with('Z') && since.len() == "2026-11-29T16:00:00.000Z".len(), "{since}");
    let top = &status["sinks"][0];
    assert_eq!((&top["state"], &top["reason"]), (&"retrying".into(), &"no route to host".into()));
    assert_eq!((&top["hint"], &top["failures"]), (&"look at the cable".into(), &1.into()));
    assert_eq!(top["dead_letters"], 2, "{top}");
    assert!(top["next_try"].is_string(), "{top}");
}

#[tokio::test]
async fn other_paths_and_methods_are_refused() {
    let bench = bench().await;
    assert!(bench.get("/", "").await.2.contains("/readyz"));
    assert_eq!(bench.get("/connectors", "").await.0, "HTTP/1.1 404 Not Found");
    let post = bench.send("POST /metrics HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n").await;
    assert!(post.starts_with("HTTP/1.1 405"), "{post}");
    assert!(bench.send("no HTTP at all\r\n\r\n").await.starts_with("HTTP/1.1 400"));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_nothing_is_left() {
    let bench = bench().await;
    let mut silent = TcpStream::connect(&bench.address).await.expect("it listens");
    silent.write_all(b"GET /met").await.expect("it reads");
    let mut text = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), silent.read_to_end(&mut text));
    assert!(read.await.is_ok(), "it closes the connection before the whole limit");
}
