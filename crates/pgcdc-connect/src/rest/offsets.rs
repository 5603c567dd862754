//! `/connectors/{name}/offsets`.

use axum::extract::{Path, State};
use serde_json::{Map, Value, json};

use super::body::{self, Body};
use super::{Answer, Reply, Shared};
use crate::{Fault, Offsets};

const OFFSETS: &str = "org.apache.kafka.connect.runtime.rest.entities.ConnectorOffsets";
const OFFSET: &str = "org.apache.kafka.connect.runtime.rest.entities.ConnectorOffset";

/// The stored offsets.
pub(super) async fn get(State(worker): Shared, Path(name): Path<String>) -> Answer {
    Reply::ok(worker.offsets(&name).await?)
}

/// Changes the offsets of a stopped connector.
pub(super) async fn alter(State(worker): Shared, Path(name): Path<String>, body: Body) -> Answer {
    let null = format!("Cannot invoke \"{OFFSETS}.offsets()\" because \"offsets\" is null");
    let mut members = body.object(OFFSETS, &null)?;
    body::known(&members, OFFSETS, &["offsets"])?;
    let changes = changes(members.remove("offsets"))?;
    if changes.is_empty() {
        return Err(Fault::bad("Partitions / offsets need to be provided for an alter offsets request"));
    }
    worker.change_offsets(&name, Some(changes)).await?;
    done("altered")
}

/// Takes all offsets of a stopped connector away.
pub(super) async fn reset(State(worker): Shared, Path(name): Path<String>) -> Answer {
    worker.change_offsets(&name, None).await?;
    done("reset")
}

fn done(word: &str) -> Answer {
    Reply::ok(json!({"message": format!(
        "The Connect framework-managed offsets for this connector have been {word} successfully. However, if this connector manages offsets externally, they will need to be manually {word} in the system that the connector uses."
    )}))
}

/// The pairs of `[{"partition","offset"}]`; a later one of the same partition counts.
fn changes(list: Option<Value>) -> Result<Offsets, Fault> {
    let list = match list {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(list)) => list,
        Some(other) => return Err(Fault::unexpected(&format!("java.util.ArrayList<{OFFSET}>"), &other)),
    };
    let mut changes: Offsets = Vec::new();
    for pair in list {
        let null = format!("Cannot invoke \"{OFFSET}.partition()\" because an offset is null");
        let mut pair = Body(pair).object(OFFSET, &null)?;
        body::known(&pair, OFFSET, &["partition", "offset"])?;
        let partition = primitives(pair.remove("partition"))?.map_or(Value::Null, Value::Object);
        let offset = primitives(pair.remove("offset"))?.map(Value::Object);
        match changes.iter_mut().find(|(known, _)| *known == partition) {
            Some(known) => known.1 = offset,
            None => changes.push((partition, offset)),
        }
    }
    Ok(changes)
}

/// An object of texts, numbers, booleans and nulls; `None` for null.
fn primitives(value: Option<Value>) -> Result<Option<Map<String, Value>>, Fault> {
    let members = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Object(members)) => members,
        Some(other) => {
            return Err(Fault::unexpected(
                "java.util.LinkedHashMap<java.lang.String,java.lang.Object>",
                &other,
            ));
        }
    };
    let nested = members.iter().find_map(|(name, value)| match value {
        Value::Array(_) => Some((name, "ARRAY")),
        Value::Object(_) => Some((name, "MAP")),
        _ => None,
    });
    match nested {
        None => Ok(Some(members)),
        Some((name, kind)) => Err(Fault::internal(format!(
            "Offsets may only contain primitive types as values, but field {name} contains {kind}"
        ))),
    }
}
