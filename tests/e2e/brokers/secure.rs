//! TLS, logins and access control lists: capture's own producer reaches the brokers by each of them, and says what is wrong
//! within ten seconds when it may not.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use pgcdc_testbed::certificates::STORE_PASSWORD;
use pgcdc_testbed::{Authority, ClusterOptions, KafkaCluster, Listener, Security};

use crate::harness::{Connector, Database, LONG, Reader, eventually, scratch_dir, stop, streaming};

/// How soon a refusal must end the program.
const SOON: Duration = Duration::from_secs(10);
/// What the log says when the producer is our own.
const OWN_PRODUCER: &str = "pgcdc's own Kafka producer sends the records";

static CLUSTER: LazyLock<KafkaCluster> = LazyLock::new(|| {
    let dir = scratch_dir("secure");
    let security = Security::create(dir.join("certificates")).expect("certificates");
    let options =
        ClusterOptions { nodes: 1, security: Some(security), proxied: false, ..ClusterOptions::default() };
    let cluster = KafkaCluster::start_with(dir.join("cluster"), &options).expect("a broker starts");
    let all = ["--operation", "All", "--topic", "*", "--group", "*", "--transactional-id", "*", "--cluster"];
    security_of(&cluster).allow(&cluster.bootstrap(), "alice", &all).expect("the rights are granted");
    cluster
});

pub(super) fn security_of(cluster: &KafkaCluster) -> &Security {
    cluster.security().expect("the cluster has certificates")
}

pub(super) type Properties = Vec<(String, String)>;

pub(super) fn own(pairs: &[(&str, &str)]) -> Properties {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A token that is not signed, as Kafka's validator for development takes it.
pub(super) fn token(subject: &str) -> String {
    use base64::Engine as _;
    let encode = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    let now =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
    let claims = format!("{{\"sub\":\"{subject}\",\"iat\":{now},\"exp\":{}}}", now + 3600);
    format!("{}.{}.", encode("{\"alg\":\"none\"}"), encode(&claims))
}

/// A connector whose clients reach the cluster by `listener` with these properties.
fn connector(database: &Database, listener: Listener, properties: &Properties) -> Connector {
    let mut connector = database.connector().at_address(&CLUSTER.bootstrap_of(listener));
    for (name, value) in properties {
        connector = connector.set(&format!("producer.override.{name}"), value);
    }
    connector
}

/// Captures a few rows and finds them in the topic.
fn rows_arrive(case: &str, listener: Listener, properties: &Properties) {
    for transactions in [false, true] {
        let database = Database::create("secure");
        database.sql("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'snapshot')");
        let mut connector = connector(&database, listener, properties);
        if transactions {
            connector = connector.exactly_once();
        }
        let process = streaming(&connector);
        database.sql("INSERT INTO t SELECT n, 'stream' FROM generate_series(2, 200) AS n");
        let end = database.position();
        eventually(LONG, "the slot confirms the rows", || database.has_confirmed(&end));
        let log = process.stderr();
        assert!(log.contains(OWN_PRODUCER), "{case}: another producer runs:\n{log}");
        assert!(
            !log.contains("-secret") && !log.contains(STORE_PASSWORD),
            "{case}: a secret is logged:\n{log}"
        );
        stop(process);
        let mut reader = Reader::at(&CLUSTER.bootstrap(), &[&database.topic("t")]);
        let keys: std::collections::BTreeSet<_> =
            reader.read(200, LONG).iter().map(|record| record.key.clone()).collect();
        assert_eq!(keys.len(), 200, "{case}");
    }
}

#[test]
fn tls_with_and_without_a_client_certificate() {
    let security = security_of(&CLUSTER);
    let pair = security.authority().sign("alice", "").expect("a certificate");
    let store = security.authority().key_store("alice").expect("a key store");
    let trust = security.authority().trust_store().expect("a trust store");
    let text = |path: &std::path::Path| std::fs::read_to_string(path).expect("a file");
    let ca = security.authority().certificate();
    let (ca, trust, store) =
        (ca.display().to_string(), trust.display().to_string(), store.display().to_string());
    let (certificate, key) = (pair.certificate.display().to_string(), pair.key.display().to_string());
    let tls = ("security.protocol", "SSL");
    for (case, properties) in [
        ("authority as a PEM file", own(&[tls, ("ssl.ca.location", &ca)])),
        (
            "PEM files of a client",
            own(&[
                tls,
                ("ssl.ca.location", &ca),
                ("ssl.certificate.location", &certificate),
                ("ssl.key.location", &key),
            ]),
        ),
        (
            "Java's names, PKCS#12",
            own(&[
                tls,
                ("ssl.truststore.type", "PKCS12"),
                ("ssl.truststore.location", &trust),
                ("ssl.truststore.password", STORE_PASSWORD),
                ("ssl.keystore.type", "PKCS12"),
                ("ssl.keystore.location", &store),
                ("ssl.keystore.password", STORE_PASSWORD),
                ("ssl.key.password", STORE_PASSWORD),
            ]),
        ),
        (
            "Java's names, PEM in the properties",
            own(&[
                tls,
                ("ssl.truststore.type", "PEM"),
                ("ssl.truststore.certificates", &text(ca.as_ref())),
                ("ssl.keystore.type", "PEM"),
                ("ssl.keystore.certificate.chain", &text(certificate.as_ref())),
                ("ssl.keystore.key", &text(key.as_ref())),
            ]),
        ),
    ] {
        rows_arrive(case, Listener::Ssl, &properties);
    }
}

#[test]
fn each_login() {
    let ca = security_of(&CLUSTER).authority().certificate().display().to_string();
    let (protected, bare) = (Listener::SaslSsl, Listener::SaslPlaintext);
    let token_file = scratch_dir("token").join("token");
    std::fs::write(&token_file, token("alice")).expect("a file");
    let command = format!("cat {}", token_file.display());
    let plain_module = "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"alice\" password=\"alice-secret\";";
    let scram_module = "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"alice\" password=\"alice-secret\";";
    let password = [("sasl.username", "alice"), ("sasl.password", "alice-secret")];
    for (case, listener, login) in [
        ("PLAIN", protected, [&[("sasl.mechanism", "PLAIN")][..], &password].concat()),
        ("SCRAM-SHA-256", protected, [&[("sasl.mechanism", "SCRAM-SHA-256")][..], &password].concat()),
        ("SCRAM-SHA-512", bare, [&[("sasl.mechanisms", "SCRAM-SHA-512")][..], &password].concat()),
        ("JAAS, PLAIN", bare, vec![("sasl.mechanism", "PLAIN"), ("sasl.jaas.config", plain_module)]),
        (
            "JAAS, SCRAM",
            protected,
            vec![("sasl.mechanism", "SCRAM-SHA-512"), ("sasl.jaas.config", scram_module)],
        ),
        (
            "a token in a file",
            protected,
            vec![
                ("sasl.mechanism", "OAUTHBEARER"),
                ("sasl.oauthbearer.token.file", token_file.to_str().expect("UTF-8")),
            ],
        ),
        (
            "a token of a command",
            bare,
            vec![("sasl.mechanism", "OAUTHBEARER"), ("sasl.oauthbearer.token.command", &command)],
        ),
    ] {
        let mut properties = own(&login);
        properties.push(("security.protocol".to_owned(), listener.protocol().to_owned()));
        if listener == protected {
            properties.push(("ssl.ca.location".to_owned(), ca.clone()));
        }
        rows_arrive(case, listener, &properties);
    }
}

/// Starts capture and expects that it ends within ten seconds and says all of this.
#[track_caller]
pub(super) fn ends(case: &str, connector: &Connector, says: &[&str]) {
    let started = Instant::now();
    let mut process = connector.start();
    let status = process.wait_timeout(LONG);
    let log = process.stderr();
    let Some(status) = status else { panic!("{case}: it goes on:\n{log}") };
    assert!(!status.success(), "{case}: {status}\n{log}");
    for text in says {
        assert!(log.contains(text), "{case}: {text:?} is not said:\n{log}");
    }
    assert!(!log.contains("-secret"), "{case}: a secret is logged:\n{log}");
    assert!(started.elapsed() < SOON, "{case}: it took {:?}\n{log}", started.elapsed());
}

#[test]
fn a_refusal_says_what_where_and_what_to_do_within_ten_seconds() {
    let security = security_of(&CLUSTER);
    let stranger = Authority::create(scratch_dir("stranger"), "stranger").expect("an authority");
    let database = Database::create("refused");
    database.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    let with = |listener, name: &str, value: String| {
        let mut properties = security.client(listener, "alice");
        properties.retain(|(other, _)| other != name);
        properties.push((name.to_owned(), value));
        properties
    };
    let foreign = stranger.certificate().display().to_string();
    let case = |listener, properties: &Properties| connector(&database, listener, properties);
    let ssl = CLUSTER.bootstrap_of(Listener::Ssl);
    let sasl = CLUSTER.bootstrap_of(Listener::SaslSsl);
    let plain = CLUSTER.bootstrap();
    ends(
        "another authority",
        &case(Listener::Ssl, &with(Listener::Ssl, "ssl.ca.location", foreign)),
        &[&ssl, "certificate", "ssl."],
    );
    ends(
        "a wrong password",
        &case(Listener::SaslSsl, &with(Listener::SaslSsl, "sasl.password", "wrong".to_owned())),
        &[&sasl, "alice", "password"],
    );
    ends(
        "TLS to a plaintext port",
        &case(Listener::Plaintext, &security.client(Listener::Ssl, "alice")),
        &[&plain, "security.protocol"],
    );
    ends(
        "plaintext to a TLS port",
        &case(Listener::Ssl, &own(&[("security.protocol", "PLAINTEXT")])),
        &[&ssl, "security.protocol"],
    );
    ends(
        "a login to a port without one",
        &case(Listener::Ssl, &security.client(Listener::SaslSsl, "alice")),
        &[&ssl, "security.protocol"],
    );
}

#[test]
fn a_missing_right_is_named_with_the_line_that_grants_it() {
    let security = security_of(&CLUSTER);
    let database = Database::create("forbidden");
    database.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    let mallory = security.client(Listener::SaslSsl, "mallory");
    let connector = connector(&database, Listener::SaslSsl, &mallory);
    let topic = database.topic("t");
    let line = |grant: &str| format!("--add --allow-principal User:mallory {grant}");
    let tool = "kafka-acls --bootstrap-server";
    let identifier = "--operation IdempotentWrite --cluster";
    ends("no right to a producer id", &connector, &[tool, &line(identifier)]);
    let grant: Vec<&str> = identifier.split(' ').collect();
    security.allow(&CLUSTER.bootstrap(), "mallory", &grant).expect("a right");
    let create = format!("--operation Create --operation Describe --operation Write --topic {topic}");
    ends("no right on the topic", &connector, &[tool, &line(&create)]);
    let write =
        ["--operation", "Describe", "--operation", "Write", "--operation", "Create", "--topic", &topic];
    security.allow(&CLUSTER.bootstrap(), "mallory", &write).expect("a right");
    let process = streaming(&connector);
    let mut reader = Reader::at(&CLUSTER.bootstrap(), &[&topic]);
    reader.read(1, LONG);
    stop(process);
    let offsets = format!("{}-offsets", database.name);
    let all = ["--operation", "All", "--topic", &offsets];
    security.allow(&CLUSTER.bootstrap(), "mallory", &all).expect("a right");
    let connector = connector.exactly_once();
    ends(
        "no right on the transactional id",
        &connector,
        &["kafka-acls", "User:mallory", "--transactional-id"],
    );
}
