//! A registry behind TLS: its own authority is believed, and nobody else's.

use std::path::{Path, PathBuf};
use std::process::Command;

use pgcdc_testbed::{Registry, tools};
use serde_json::json;

use super::{avro, decode, stop, streaming};
use crate::harness::{Database, LONG, Reader, kafka, pgcdc, scratch_dir};

#[test]
fn the_registry_s_certificate_is_checked_against_the_truststore() {
    let dir = scratch_dir("registry-tls");
    std::fs::create_dir_all(&dir).expect("a directory");
    let authority = authority(&dir, "ours");
    let (certificate, key) = signed(&dir, &authority);
    let registry = Registry::start_tls(dir.join("registry"), &certificate, &key).expect("it starts");
    let url = registry.tls_url().expect("a port with TLS");

    let database = Database::create("avro_tls");
    database.sql("CREATE TABLE t(id int PRIMARY KEY, v text)");
    let trusting = |roots: Option<&Path>| {
        let connector = avro(database.connector(), &url);
        let Some(roots) = roots.map(Path::to_string_lossy) else { return connector };
        connector
            .set("key.converter.schema.registry.ssl.truststore.location", &roots)
            .set("value.converter.schema.registry.ssl.truststore.location", &roots)
    };
    for roots in [None, Some(self::authority(&dir, "other"))] {
        let file = trusting(roots.as_deref()).write();
        let finished = pgcdc(&[
            "check",
            "--config",
            &file.to_string_lossy(),
            "--bootstrap-servers",
            &kafka().bootstrap(),
        ]);
        let text = finished.text();
        assert_ne!(finished.code, 0, "{text}");
        assert!(text.contains(&url) && text.contains("certificate"), "{text}");
    }

    let process = streaming(&trusting(Some(&authority)));
    database.sql("INSERT INTO t VALUES (1, 'one')");
    let records = Reader::new(kafka(), &[&database.topic("t")]).read(1, LONG).to_vec();
    let values = decode(&registry, records.iter().map(|record| record.raw_value.as_deref()));
    assert_eq!(values[0]["after"], json!({"id": 1, "v": "one"}));
    stop(process);
}

/// An authority's certificate; its key lies beside it.
fn authority(dir: &Path, name: &str) -> PathBuf {
    let certificate = dir.join(format!("{name}.pem"));
    openssl(
        dir,
        &format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN={name} -keyout {name}.key -out {name}.pem"
        ),
    );
    certificate
}

/// A certificate of 127.0.0.1 that the authority has signed, and its key.
fn signed(dir: &Path, authority: &Path) -> (PathBuf, PathBuf) {
    let key = authority.with_extension("key");
    std::fs::write(dir.join("extensions"), "subjectAltName=IP:127.0.0.1\n").expect("a file");
    openssl(
        dir,
        "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=registry -keyout server.key -out server.csr",
    );
    openssl(
        dir,
        &format!(
            "x509 -req -in server.csr -days 2 -CA {} -CAkey {} -CAcreateserial -extfile extensions -out server.pem",
            authority.display(),
            key.display()
        ),
    );
    (dir.join("server.pem"), dir.join("server.key"))
}

#[track_caller]
fn openssl(dir: &Path, arguments: &str) {
    let program = tools::ensure("openssl", "openssl").expect("openssl can be had");
    let output = Command::new(program).args(arguments.split(' ')).current_dir(dir).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
