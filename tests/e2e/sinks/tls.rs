//! Cassandra behind TLS, with certificates on both sides, users and rights.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pgcdc_testbed::certificates::Pair;
use pgcdc_testbed::{Authority, Cassandra, CassandraOptions, CassandraTls};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use scylla::client::session_builder::SessionBuilder;
use serde_json::json;

use super::rig::{Change, SinkFile, Topic, end};
use crate::harness::{LONG, eventually, pgcdc_in, scratch_dir};
use crate::services::Cql;

/// Certificates of a node, and those of a client.
struct Certificates {
    ca: PathBuf,
    client: Pair,
    node: CassandraTls,
}

/// The node's certificate has this name.
fn certificates(dir: &Path, name: &str) -> Certificates {
    let authority = Authority::create(dir, "ca").expect("an authority");
    let ca = authority.certificate();
    let Pair { certificate, key } = authority.sign("node", name).expect("a certificate");
    let both = dir.join("node-both.pem");
    let text = |path: &Path| std::fs::read_to_string(path).expect("PEM");
    std::fs::write(&both, text(&key) + &text(&certificate)).expect("a file");
    let node = CassandraTls { key_and_certificate: both, clients: ca.clone() };
    Certificates { client: authority.sign("client", "DNS:client").expect("a certificate"), ca, node }
}

/// The test's own connection, as the superuser.
fn connect(store: &Cassandra, certificates: &Certificates) -> Cql {
    let mut roots = RootCertStore::empty();
    let pem = |path: &Path| CertificateDer::from_pem_file(path).expect("a certificate");
    roots.add(pem(&certificates.ca)).expect("an authority");
    let Pair { certificate, key } = &certificates.client;
    let key = PrivateKeyDer::from_pem_file(key).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![pem(certificate)], key)
        .expect("they go together");
    let builder = SessionBuilder::new()
        .known_node(store.contact_point())
        .user("cassandra", "cassandra")
        .tls_context(Some(Arc::new(config)));
    Cql::open(builder)
}

#[test]
fn cassandra_with_certificates_on_both_sides_users_and_rights() {
    let dir = scratch_dir("cassandra-tls");
    let certificates = certificates(&dir, "IP:127.0.0.1");
    let options = CassandraOptions {
        heap_mb: 400,
        authenticated: true,
        tls: Some(certificates.node.clone()),
        ..CassandraOptions::default()
    };
    let store = Cassandra::start(dir.join("node"), 0, options).expect("Cassandra starts");
    let cql = connect(&store, &certificates);
    cql.make_keyspace("k");
    cql.run("CREATE TABLE k.events (id bigint PRIMARY KEY, n bigint)");
    cql.run("CREATE ROLE sink WITH PASSWORD = 's3cret' AND LOGIN = true");
    cql.run("GRANT SELECT ON KEYSPACE k TO sink");

    let topic = Topic::create("cassandra_tls", 1);
    let rows = |from: i64, to: i64| -> Vec<Change> {
        (from..to).map(|id| Change::new("c", id, 100 + id as u64, json!({"n": id}))).collect()
    };
    topic.rows(0, &rows(0, 50));
    let other =
        Authority::create(scratch_dir("cassandra-tls-other"), "other").expect("an authority").certificate();
    let Pair { certificate, key } = &certificates.client;
    let lines = |tls: &str, password: &str| {
        format!(
            "contact_points = [\"{}\"]\nkeyspace = \"k\"\nusername = \"sink\"\npassword = \"{password}\"\n{tls}",
            store.contact_point()
        )
    };
    let file = |tls: &str, password: &str| {
        SinkFile::new().sink("events", "cassandra", &topic.name, &lines(tls, password))
    };
    let tls = |ca: &Path, more: &str| format!("tls = {{ ca = \"{}\"{more} }}", ca.display());
    let client = format!(", certificate = \"{}\", key = \"{}\"", certificate.display(), key.display());
    // Without TLS, without a certificate of one's own, with another authority, with another password: it waits.
    for (tls, password, says) in [
        (String::new(), "s3cret", "cannot connect to Cassandra"),
        (tls(&certificates.ca, ""), "s3cret", "cannot connect to Cassandra"),
        (tls(&other, &client), "s3cret", "UnknownIssuer"),
        (tls(&certificates.ca, &client), "wr0ng", "incorrect"),
    ] {
        let mut sink = file(&tls, password).start();
        sink.wait_for_stderr(says, LONG).expect("it says so");
        let log = sink.stderr();
        assert!(!log.contains("s3cret") && !log.contains("wr0ng"), "{log}");
        end(sink);
    }
    let mut sink = file(&tls(&certificates.ca, &client), "s3cret").start();
    // A right that is missing says nothing about the rows.
    sink.wait_for_stderr("GRANT MODIFY", LONG).expect("it says what to do");
    cql.run("GRANT MODIFY ON KEYSPACE k TO sink");
    eventually(LONG, "the rows are there", || cql.rows("k", "events").len() == 50);
    assert!(!sink.stderr().contains("record sent to the dead letters"), "{}", sink.stderr());
    end(sink);
}

#[test]
fn the_name_in_cassandra_s_certificate_is_checked_unless_that_is_switched_off() {
    let dir = scratch_dir("cassandra-tls-name");
    let certificates = certificates(&dir, "DNS:localhost");
    let options = CassandraOptions {
        heap_mb: 400,
        tls: Some(certificates.node.clone()),
        ..CassandraOptions::default()
    };
    let store = Cassandra::start(dir.join("node"), 0, options).expect("Cassandra starts");
    let topic = Topic::create("cassandra_tls_name", 1);
    topic.rows(0, &[Change::new("c", 1, 100, json!({"n": 1}))]);
    let Pair { certificate, key } = &certificates.client;
    let file = |host: &str, more: &str| {
        let (ca, certificate, key) = (certificates.ca.display(), certificate.display(), key.display());
        let tls =
            format!("tls = {{ ca = \"{ca}\", certificate = \"{certificate}\", key = \"{key}\"{more} }}");
        let points = format!("contact_points = [\"{host}:{}\"]", store.port());
        let lines = format!("{points}\nkeyspace = \"k\"\ncreate = true\n{tls}");
        SinkFile::new().sink("events", "cassandra", &topic.name, &lines)
    };
    let mut sink = file("127.0.0.1", "").start();
    sink.wait_for_stderr("not valid for name", LONG).expect("it says so");
    end(sink);
    // The name that the file gives the node, or none at all.
    for file in [file("localhost", ""), file("127.0.0.1", ", verify_hostname = false")] {
        let mut sink = file.start();
        sink.wait_for_stderr("partition assigned", LONG).expect("it is connected");
        end(sink);
    }
}

#[test]
fn a_file_that_is_missing_is_a_mistake_with_its_place() {
    let lines = "contact_points = [\"127.0.0.1:1\"]\nkeyspace = \"k\"\ntls = { ca = \"/nowhere/ca.pem\" }\npassword = \"${env:NOPE}\"";
    let file = SinkFile::new().sink("events", "cassandra", "t", lines).write();
    let finished = pgcdc_in(&[], &["sink", "--check", "--config", &file.to_string_lossy()]);
    assert_eq!(finished.code, 2, "{}", finished.text());
    for part in [
        "\"events\": \"tls\": \"ca\": cannot read \"/nowhere/ca.pem\"",
        "the environment has no NOPE",
        "export NOPE",
    ] {
        assert!(finished.stderr.contains(part), "{part:?} is missing in:\n{}", finished.stderr);
    }
}
