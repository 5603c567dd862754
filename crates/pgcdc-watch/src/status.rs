//! The document of `/status`.

use std::time::SystemTime;

use jiff::Timestamp;
use pgcdc_event::Lsn;
use pgcdc_lifecycle::State;
use pgcdc_metrics::Registry;
use serde_json::{Map, Value, json};

use crate::Kind;
use crate::ready::Look;

/// States, positions and lag of everything that is watched.
pub(crate) fn document(looks: &[Look], registry: &Registry) -> Value {
    let of = |kind: Kind| -> Vec<Value> {
        looks.iter().filter(|look| look.kind == kind).map(|look| entry(look, registry)).collect()
    };
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "ready": looks.iter().all(|look| look.obstacle.is_none()),
        "connectors": of(Kind::Connector),
        "sinks": of(Kind::Sink),
    })
}

fn entry(look: &Look, registry: &Registry) -> Value {
    let mut entry = Map::new();
    let mut put = |key: &str, value: Value| entry.insert(key.to_owned(), value);
    put("name", look.name.as_str().into());
    put("state", look.present.state.name().into());
    put("since", time(look.present.since));
    put("ready", look.obstacle.is_none().into());
    let failure = look.failure();
    put("reason", failure.map(|failure| failure.error.as_str()).into());
    put("hint", failure.and_then(|failure| failure.hint.as_deref()).into());
    if let State::Retrying(retry) = &look.present.state {
        put("failures", retry.failures.into());
        put("next_try", retry.next.map_or(Value::Null, time));
    }
    let figures = match look.kind {
        Kind::Connector => connector(registry, &look.name),
        Kind::Sink => sink(registry, &look.name),
    };
    if let Value::Object(figures) = figures {
        entry.extend(figures);
    }
    Value::Object(entry)
}

fn connector(registry: &Registry, name: &str) -> Value {
    let metrics = registry.capture(name);
    let position = |lsn: u64| Some(lsn).filter(|lsn| *lsn > 0).map(|lsn| Lsn::new(lsn).to_string());
    json!({
        "confirmed_lsn": position(metrics.confirmed_lsn.get()),
        "server_lsn": position(metrics.server_lsn.get()),
        "lag_bytes": metrics.lag_bytes.get(),
        "lag_seconds": metrics.lag_seconds.get(),
        "records_in_flight": metrics.in_flight.get(),
        "slot_retained_bytes": metrics.slot_retained_bytes.get(),
        "snapshot_rows": metrics.snapshot_rows.get(),
        "changes": metrics.changes.get(),
        "records": metrics.records.get(),
    })
}

fn sink(registry: &Registry, name: &str) -> Value {
    let (metrics, consumer) = (registry.sink(name), registry.consumer(name));
    json!({
        "partitions": consumer.partitions.get(),
        "records_read": consumer.records.get(),
        "records_written": metrics.records.get(),
        "retries": metrics.retries.get(),
        "dead_letters": metrics.dead_letters.get(),
        "breakers_open": metrics.breaker_open.get(),
    })
}

/// A time in UTC as RFC 3339 has it; null beyond the years that it can write.
fn time(at: SystemTime) -> Value {
    Timestamp::try_from(at).map_or(Value::Null, |at| format!("{at:.3}").into())
}
