//! Logins that stop working while capture runs, and work again: capture goes on, and says what is wrong meanwhile.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use pgcdc_testbed::{Authority, ClusterOptions, KafkaCluster, Listener, Process, Security};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::secure::{Properties, ends, own, security_of, token};
use crate::harness::{Connector, Database, LONG, Reader, scratch_dir, stop, streaming};

/// What the log says of a broker that does not let a client in which it let in before.
const REFUSED: &str = "the connection to a Kafka broker is refused, and was not before";

/// One broker behind a proxy, so that connections can be cut.
static CLUSTER: LazyLock<KafkaCluster> = LazyLock::new(|| {
    let dir = scratch_dir("logins");
    let security = Security::create(dir.join("certificates")).expect("certificates");
    let options =
        ClusterOptions { nodes: 1, security: Some(security), proxied: true, ..ClusterOptions::default() };
    let cluster = KafkaCluster::start_with(dir.join("cluster"), &options).expect("a broker starts");
    let all = ["--operation", "All", "--topic", "*", "--group", "*", "--transactional-id", "*", "--cluster"];
    security_of(&cluster).allow(&cluster.bootstrap(), "alice", &all).expect("the rights are granted");
    cluster
});
/// Tests that cut connections must not meet.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn connector(database: &Database, properties: &Properties) -> Connector {
    let ca = security_of(&CLUSTER).authority().certificate().display().to_string();
    let mut connector = database
        .connector()
        .at_address(&CLUSTER.bootstrap_of(Listener::SaslSsl))
        .set("producer.override.security.protocol", "SASL_SSL")
        .set("producer.override.ssl.ca.location", &ca);
    for (name, value) in properties {
        connector = connector.set(&format!("producer.override.{name}"), value);
    }
    connector
}

/// Takes a login away from a capture that runs, cuts its connections, waits until it warns, and gives the login back: the rows of
/// before and after are in the topic, and capture never restarted.
fn survives(properties: &Properties, take: impl Fn(), give: impl Fn()) {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    for exactly_once in [false, true] {
        let database = Database::create("logins");
        database.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
        let mut connector = connector(&database, properties);
        if exactly_once {
            connector = connector.exactly_once();
        }
        let mut process = streaming(&connector);
        let mut reader = Reader::at(&CLUSTER.bootstrap(), &[&database.topic("t")]);
        reader.read(1, LONG);
        take();
        CLUSTER.proxy(0).cut_once();
        database.sql("INSERT INTO t VALUES (2)");
        process.wait_for_stderr(REFUSED, LONG).expect("it says so");
        give();
        let begin = Instant::now();
        reader.read(2, LONG);
        let took = begin.elapsed();
        assert!(took < Duration::from_secs(10), "it took {took:?} to log in again:\n{}", process.stderr());
        went_on(process);
    }
}

fn went_on(process: Process) {
    let log = process.stderr();
    assert_eq!(log.matches("streaming").count(), 1, "capture started its stream again:\n{log}");
    assert!(!log.contains("-secret"), "a secret is logged:\n{log}");
    stop(process);
}

#[test]
fn a_password_that_is_revoked_and_given_back_costs_a_warning() {
    let login =
        [("sasl.mechanism", "SCRAM-SHA-256"), ("sasl.username", "alice"), ("sasl.password", "alice-secret")];
    let password = |new| {
        let security = security_of(&CLUSTER);
        security.set_password(&CLUSTER.bootstrap(), "alice", new).expect("the password changes");
    };
    survives(&own(&login), || password(None), || password(Some("alice-secret")));
}

#[test]
fn a_token_file_that_is_gone_for_a_moment_costs_a_warning() {
    let file = scratch_dir("token").join("token");
    let write = || std::fs::write(&file, token("alice")).expect("a file");
    write();
    let path = file.to_str().expect("UTF-8");
    let login = [("sasl.mechanism", "OAUTHBEARER"), ("sasl.oauthbearer.token.file", path)];
    survives(&own(&login), || std::fs::remove_file(&file).expect("the file is there"), write);
}

#[test]
fn a_token_comes_from_an_endpoint_over_https() {
    let authority = Authority::create(scratch_dir("endpoint"), "authority").expect("an authority");
    let endpoint = Endpoint::start(&authority);
    let url = format!("https://127.0.0.1:{}/token", endpoint.port);
    let ca = authority.certificate().display().to_string();
    let mut login = own(&[
        ("sasl.mechanism", "OAUTHBEARER"),
        ("sasl.oauthbearer.token.endpoint.url", &url),
        ("sasl.oauthbearer.client.credentials.client.id", "pgcdc"),
        ("sasl.oauthbearer.client.credentials.client.secret", "endpoint-secret"),
        ("sasl.oauthbearer.scope", "kafka write"),
    ]);
    let database = Database::create("endpoint");
    database.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    // Nobody vouches for the endpoint: the authority of the brokers is another one.
    ends("an unknown authority", &connector(&database, &login), &[&url, "https.ca.location"]);
    login.extend(own(&[("https.ca.location", &ca)]));
    let process = streaming(&connector(&database, &login));
    Reader::at(&CLUSTER.bootstrap(), &[&database.topic("t")]).read(1, LONG);
    went_on(process);
    let asked = endpoint.asked.lock().expect("no panic").clone();
    // `pgcdc:endpoint-secret` in base64.
    assert!(asked.contains("Basic cGdjZGM6ZW5kcG9pbnQtc2VjcmV0"), "{asked}");
    assert!(asked.contains("grant_type=client_credentials&scope=kafka%20write"), "{asked}");
    // The endpoint does not know the client: a mistake in the properties.
    *endpoint.answer.lock().expect("no panic") =
        ("401 Unauthorized", r#"{"error":"invalid_client"}"#.to_owned());
    let says = [&url, "401", "invalid_client", "sasl.oauthbearer.client.secret"];
    ends("a client that the endpoint does not know", &connector(&database, &login), &says);
}

/// An endpoint that gives alice's tokens to everybody, over TLS.
struct Endpoint {
    port: u16,
    /// All requests so far.
    asked: Arc<Mutex<String>>,
    /// Status and body.
    answer: Arc<Mutex<(&'static str, String)>>,
}

impl Endpoint {
    fn start(authority: &Authority) -> Self {
        let pair = authority.sign("endpoint", "IP:127.0.0.1").expect("a certificate");
        let chain = vec![CertificateDer::from_pem_file(Path::new(&pair.certificate)).expect("PEM")];
        let key = PrivateKeyDer::from_pem_file(Path::new(&pair.key)).expect("PEM");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("they go together");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let body = format!("{{\"access_token\":\"{}\",\"expires_in\":3600}}", token("alice"));
        let endpoint = Self { port, asked: Arc::default(), answer: Arc::new(Mutex::new(("200 OK", body))) };
        let (config, asked, answer) =
            (Arc::new(config), Arc::clone(&endpoint.asked), Arc::clone(&endpoint.answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that does not trust the endpoint hangs up.
                let _ = serve(stream, &config, &asked, &answer);
            }
        });
        endpoint
    }
}

fn serve(
    stream: TcpStream,
    config: &Arc<ServerConfig>,
    asked: &Mutex<String>,
    answer: &Mutex<(&'static str, String)>,
) -> std::io::Result<()> {
    stream.set_read_timeout(Some(LONG))?;
    let connection = ServerConnection::new(Arc::clone(config)).map_err(std::io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    let (mut request, mut buffer) = (String::new(), [0; 4096]);
    // The body is the last line.
    while !request.contains("grant_type=") || !request.contains("scope=") {
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        request.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
    asked.lock().expect("no panic").push_str(&request);
    let (status, body) = answer.lock().expect("no panic").clone();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )?;
    stream.flush()
}
