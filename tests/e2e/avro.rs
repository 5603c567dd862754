//! Avro through a real registry, read back by a reader that shares nothing with pgcdc.

mod registry;
mod tls;
pub(crate) mod types;

use std::collections::HashMap;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use pgcdc_testbed::{Registry, python};
use serde_json::{Value, json};

use crate::harness::{Connector, scratch_dir, stop, streaming};

static REGISTRY: LazyLock<Registry> =
    LazyLock::new(|| Registry::start(scratch_dir("registry"), 0).expect("the registry starts"));

/// The registry that all tests share.
fn registry() -> &'static Registry {
    &REGISTRY
}

/// The connector with keys and values in Avro.
fn avro(connector: Connector, url: &str) -> Connector {
    let converter = "io.confluent.connect.avro.AvroConverter";
    connector
        .unset("key.converter.schemas.enable")
        .unset("value.converter.schemas.enable")
        .set("key.converter", converter)
        .set("value.converter", converter)
        .set("key.converter.schema.registry.url", url)
        .set("value.converter.schema.registry.url", url)
}

/// What fastavro makes of keys or values with the schemas that the registry has for their numbers; null stays null.
#[track_caller]
fn decode<'a>(registry: &Registry, records: impl IntoIterator<Item = Option<&'a [u8]>>) -> Vec<Value> {
    let mut schemas: HashMap<u32, String> = HashMap::new();
    let (mut lines, mut nulls) = (String::new(), Vec::new());
    for bytes in records {
        nulls.push(bytes.is_none());
        let Some(bytes) = bytes else { continue };
        assert_eq!(bytes[0], 0, "the wire format begins with a zero: {bytes:?}");
        let id = u32::from_be_bytes(bytes[1..5].try_into().expect("four bytes"));
        let schema = schemas.entry(id).or_insert_with(|| {
            let (status, answer) =
                registry.request("GET", &format!("/schemas/ids/{id}"), None).expect("the registry answers");
            assert_eq!(status, 200, "schema {id}: {answer}");
            answer["schema"].as_str().expect("a schema").to_owned()
        });
        let hex: String = bytes[5..].iter().map(|byte| format!("{byte:02x}")).collect();
        lines.push_str(&json!({"schema": schema, "bytes": hex}).to_string());
        lines.push('\n');
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/e2e/avro/decode.py");
    let python = python::with(&["fastavro==1.9.7"]).expect("fastavro can be had");
    let mut child = Command::new(python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("Python runs");
    let mut input = child.stdin.take().expect("a pipe");
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = child.wait_with_output().expect("Python ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    writer.join().expect("the writer ends").expect("Python reads all");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let mut decoded = text.lines().map(|line| serde_json::from_str(line).expect("JSON"));
    let all =
        nulls.iter().map(|null| if *null { Value::Null } else { decoded.next().expect("a line a value") });
    all.collect()
}
