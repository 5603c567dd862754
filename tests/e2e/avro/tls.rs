//! A registry behind TLS: its own authority is believed, and nobody else's.

use std::path::Path;

use pgcdc_testbed::{Authority, Registry};
use serde_json::json;

use super::{avro, decode, stop, streaming};
use crate::harness::{Database, LONG, Reader, kafka, pgcdc, scratch_dir};

#[test]
fn the_registry_s_certificate_is_checked_against_the_truststore() {
    let dir = scratch_dir("registry-tls");
    let ours = Authority::create(&dir, "ours").expect("an authority");
    let server = ours.sign("server", "IP:127.0.0.1").expect("a certificate");
    let registry =
        Registry::start_tls(dir.join("registry"), &server.certificate, &server.key).expect("it starts");
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
    let other = Authority::create(&dir, "other").expect("an authority").certificate();
    for roots in [None, Some(other)] {
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

    let process = streaming(&trusting(Some(&ours.certificate())));
    database.sql("INSERT INTO t VALUES (1, 'one')");
    let records = Reader::new(kafka(), &[&database.topic("t")]).read(1, LONG).to_vec();
    let values = decode(&registry, records.iter().map(|record| record.raw_value.as_deref()));
    assert_eq!(values[0]["after"], json!({"id": 1, "v": "one"}));
    stop(process);
}
