//! Recorded requests with their answers, and the comparison of two answers.

use serde_json::{Map, Value, json};

/// One line of a file in `tests/recordings`.
#[derive(Debug)]
pub(crate) struct Recording {
    pub(crate) id: String,
    pub(crate) method: String,
    pub(crate) path: String,
    /// The content type of the request.
    pub(crate) content_type: Option<String>,
    /// What the client takes.
    pub(crate) accept: Option<String>,
    pub(crate) body: Option<String>,
    pub(crate) status: u16,
    pub(crate) headers: Map<String, Value>,
    /// JSON, a text that is none, or `…` for an answer that only its status says something of.
    pub(crate) answer: Value,
}

impl Recording {
    /// Reads a file of recordings.
    pub(crate) fn all(lines: &str) -> Vec<Self> {
        lines.lines().map(|line| Self::of(&serde_json::from_str(line).expect("JSON"))).collect()
    }

    fn of(value: &Value) -> Self {
        let text = |name: &str| value[name].as_str().map(str::to_owned);
        Self {
            id: text("id").expect("an id"),
            method: text("method").expect("a method"),
            path: text("path").expect("a path"),
            content_type: text("type"),
            accept: text("accept"),
            body: text("body"),
            status: value["status"].as_u64().and_then(|code| code.try_into().ok()).expect("a status"),
            headers: value["headers"].as_object().expect("headers").clone(),
            answer: value["answer"].clone(),
        }
    }
}

/// An answer of ours.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Map<String, Value>,
    pub(crate) body: Value,
}

/// Says how an answer differs from the recorded one.
pub(crate) fn difference(recording: &Recording, ours: &Answer) -> Option<String> {
    if recording.status != ours.status {
        return Some(format!("status {} instead of {}: {}", ours.status, recording.status, ours.body));
    }
    for name in ["Content-Type", "Location", "Allow"] {
        let (theirs, own) = (recording.headers.get(name), ours.headers.get(name));
        // A 415 that Connect's own code answers and one that its HTTP layer answers differ in nothing else.
        // HTTP wants the header Allow in a 405, which Connect leaves out.
        let either =
            (name, recording.status) == ("Content-Type", 415) || (name, recording.status) == ("Allow", 405);
        if theirs != own && !either {
            return Some(format!("header {name} is {own:?} instead of {theirs:?}"));
        }
    }
    if recording.answer == json!("…") || is_javas(&recording.answer) {
        return None;
    }
    let theirs = if recording.answer == json!("") { Value::Null } else { masked(&recording.answer) };
    let own = shaped(&recording.answer, masked(&ours.body));
    (theirs != own).then(|| format!("\n  ours    {own}\n  Connect {theirs}"))
}

/// Whether the message is about Java's classes at a place in the body, which we do not know.
fn is_javas(answer: &Value) -> bool {
    let message = answer["message"].as_str().unwrap_or_default();
    let nested = message.contains("through reference chain");
    nested || ["Unexpected ", "Unrecognized token"].iter().any(|start| message.starts_with(start))
}

/// Our validation as the recordings keep them: what is wrong, and the number of properties.
fn shaped(theirs: &Value, own: Value) -> Value {
    if theirs.get("wrong").is_none() {
        return own;
    }
    let configs = own["configs"].as_array().cloned().unwrap_or_default();
    let wrong = configs.iter().map(|config| &config["value"]);
    let wrong: Vec<_> =
        wrong.filter(|value| value["errors"].as_array().is_some_and(|e| !e.is_empty())).collect();
    let names: Vec<_> = configs.iter().map(|config| &config["definition"]["name"]).collect();
    json!({
        "name": own["name"], "error_count": own["error_count"], "groups": own["groups"], "wrong": wrong,
        "names": if theirs["names"].is_null() { Value::Null } else { json!(names) }, "count": configs.len(),
    })
}

/// Classes that one of the two has and the other has not.
const ELSEWHERE: &[&str] = &[
    "io.debezium.connector.postgresql.transforms.timescaledb.TimescaleDb",
    "io.debezium.transforms.EnforceRecordSize",
    "io.debezium.transforms.Neo4jCudConverter",
    "io.debezium.transforms.openlineage.OpenLineage",
    "io.debezium.transforms.tracing.ActivateTracingSpan",
    "io.confluent.connect.avro.AvroConverter",
    "io.apicurio.registry.utils.converter.AvroConverter",
    "pgcdc.CassandraSink",
    "pgcdc.HttpSink",
    "pgcdc.RedisSink",
];

/// An answer without what must differ: descriptions, the list of connectors, classes that only one has, when a logger changed.
fn masked(answer: &Value) -> Value {
    match answer {
        Value::Array(items) => {
            let both =
                |item: &&Value| !item["class"].as_str().is_some_and(|class| ELSEWHERE.contains(&class));
            let mut items: Vec<Value> = items.iter().filter(both).map(masked).collect();
            // Partitions are in no order.
            if items.iter().all(|item| item.get("partition").is_some()) {
                items.sort_by_key(Value::to_string);
            }
            items.into()
        }
        Value::Object(members) => {
            let kept =
                members.iter().filter(|(name, _)| *name != "documentation" && *name != "last_modified");
            Value::Object(kept.map(|(name, value)| (name.clone(), masked(value))).collect())
        }
        // Both list the connectors that they have.
        Value::String(text) => text.split("available connectors are: ").next().unwrap_or_default().into(),
        other => other.clone(),
    }
}
