//! `/admin/loggers`.

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::body::{self, Body, MAP};
use super::{Answer, Reply, Shared};
use crate::{Fault, Level};

fn shown(level: Level, modified: Option<i64>) -> Value {
    json!({"level": level.name(), "last_modified": modified})
}

/// All loggers with their levels.
pub(super) async fn list(State(worker): Shared) -> Answer {
    let all = worker.loggers().all().into_iter();
    let all: Map<String, Value> = all.map(|(name, level, modified)| (name, shown(level, modified))).collect();
    Reply::ok(Value::Object(all))
}

/// One logger.
pub(super) async fn get(State(worker): Shared, Path(name): Path<String>) -> Answer {
    let (level, modified) =
        worker.loggers().get(&name).ok_or_else(|| Fault::not_found(format!("Logger {name} not found.")))?;
    Reply::ok(shown(level, modified))
}

/// Sets a level from `{"level":"DEBUG"}`: the names of the loggers that have another level now. With `?scope=cluster`, nothing.
pub(super) async fn set(
    State(worker): Shared,
    Path(name): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
    body: Body,
) -> Result<Response, Fault> {
    let null = "Cannot invoke \"java.util.Map.get(Object)\" because \"levelMap\" is null";
    let mut members = body.object(MAP, null)?;
    let word = body::scalar("level", members.remove("level"))?
        .ok_or_else(|| Fault::bad("Desired 'level' parameter was not specified in request."))?;
    if word.is_empty() {
        return Err(Fault::internal("Illegal null or empty Level name."));
    }
    let level =
        Level::parse(&word).ok_or_else(|| Fault::not_found(format!("invalid log level '{word}'.")))?;
    let changed = worker.loggers().set(&name, level);
    let cluster = query.iter().any(|(key, value)| key == "scope" && value.eq_ignore_ascii_case("cluster"));
    if cluster {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    Reply::ok(json!(changed)).map(IntoResponse::into_response)
}
