//! `/connectors` and `/connectors/{name}`.

use axum::extract::{Path, Query, State};
use axum::http::header::{HOST, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::body::{self, Body};
use super::{Answer, Reply, Shared};
use crate::{Fault, Target};

const REQUEST: &str = "org.apache.kafka.connect.runtime.rest.entities.CreateConnectorRequest";

/// The names, or with `?expand=status&expand=info` what is asked for of each.
pub(super) async fn list(State(worker): Shared, Query(query): Query<Vec<(String, String)>>) -> Answer {
    let expand: Vec<&str> =
        query.iter().filter(|(key, _)| key == "expand").map(|(_, value)| value.as_str()).collect();
    if expand.is_empty() {
        return Reply::ok(json!(worker.names()));
    }
    let mut all = Map::new();
    for name in worker.names() {
        let mut expanded = Map::new();
        for what in &expand {
            let found = match *what {
                "status" => worker.status(&name),
                "info" => worker.info(&name),
                _ => continue,
            };
            // One that was deleted meanwhile has nothing to show.
            if let Ok(found) = found {
                expanded.insert((*what).to_owned(), found);
            }
        }
        all.insert(name, Value::Object(expanded));
    }
    Reply::ok(Value::Object(all))
}

/// Makes a connector from `{"name","config","initial_state"}`.
pub(super) async fn create(State(worker): Shared, headers: HeaderMap, body: Body) -> Result<Response, Fault> {
    let null = format!("Cannot invoke \"{REQUEST}.name()\" because \"createRequest\" is null");
    let mut members = body.object(REQUEST, &null)?;
    body::known(&members, REQUEST, &["config", "name", "initial_state"])?;
    let name = body::scalar("name", members.remove("name"))?.unwrap_or_default().trim().to_owned();
    let target = match body::scalar("initial_state", members.remove("initial_state"))? {
        None => Target::Running,
        Some(word) => Target::parse(&word).ok_or_else(|| no_state(&word))?,
    };
    let config = Body(members.remove("config").unwrap_or_default()).config()?;
    let answer = worker.create(&name, config, target).await?;
    Ok(created(&headers, &name, answer))
}

fn no_state(word: &str) -> Fault {
    let word = word.to_uppercase();
    Fault::internal(format!(
        "Cannot construct instance of `{REQUEST}$InitialState`, problem: No enum constant {REQUEST}.InitialState.{word}"
    ))
}

/// 201, with the place of the new connector.
pub(super) fn created(headers: &HeaderMap, name: &str, answer: Value) -> Response {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let scheme = if host.is_empty() { String::new() } else { format!("http://{host}") };
    let location = format!("{scheme}/connectors/{}", encoded(name));
    (StatusCode::CREATED, [(LOCATION, location)], Reply(StatusCode::CREATED, answer)).into_response()
}

/// A name as a part of a path.
fn encoded(name: &str) -> String {
    let mut text = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

/// Name, configuration, tasks and type.
pub(super) async fn get(State(worker): Shared, Path(name): Path<String>) -> Answer {
    Reply::ok(worker.info(&name)?)
}

/// Takes a connector away. Its slot and its offsets stay.
pub(super) async fn delete(State(worker): Shared, Path(name): Path<String>) -> Result<StatusCode, Fault> {
    worker.delete(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}
