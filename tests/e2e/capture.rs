//! Capture: Postgres to Kafka, with everything that may happen on the way.

mod catalog;
mod conversion;
mod delivery;
mod embedded;
mod exactly_once;
mod exactly_once_messages;
mod faults;
mod history;
mod limits;
mod liveness;
mod locks;
mod metrics;
mod pause;
mod pause_kafka;
mod pooler;
mod position;
mod publication_age;
mod reselect;
mod schema;
mod slot;
mod slot_mismatch;
mod snapshot;
mod snapshot_parallel;
mod topics;

use std::path::Path;

use serde_json::Value;

use crate::harness::{Connector, LONG, stop, streaming, wait_streaming};

/// Runs a connector with `--stdout` until idle; the values of its records, and what it said.
#[track_caller]
fn run_until_idle(connector: &Connector) -> (Vec<Value>, String) {
    let mut process = connector.start_with(&["--stdout", "--until-idle", "0.5"]);
    let status = process.wait_timeout(LONG);
    let said = process.stderr();
    assert!(status.is_some_and(|status| status.success()), "{status:?}: {said}");
    (values(&connector.dir.join("stdout")), said)
}

/// The values of what `--stdout` wrote; null for a tombstone.
fn values(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).expect("standard output's file");
    let lines = text.lines().map(|line| {
        let record: Value = serde_json::from_str(line).expect("a line of JSON");
        record["value"]
            .as_str()
            .map_or(Value::Null, |value| serde_json::from_str(value).expect("the value is JSON"))
    });
    lines.collect()
}

/// `r1 r2 c3`: operation and id of each value.
fn ops(values: &[Value]) -> String {
    let one = |value: &Value| {
        let row = if value["after"].is_null() { &value["before"] } else { &value["after"] };
        format!("{}{}", value["op"].as_str().unwrap_or("-"), row["id"])
    };
    values.iter().map(one).collect::<Vec<_>>().join(" ")
}
