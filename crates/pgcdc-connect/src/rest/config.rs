//! `/connectors/{name}/config`.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::body::Body;
use super::connectors::created;
use super::{Answer, Reply, Shared};
use crate::Fault;
use crate::worker::Written;

/// The configuration alone.
pub(super) async fn get(State(worker): Shared, Path(name): Path<String>) -> Answer {
    Reply::ok(worker.configuration(&name)?)
}

/// Replaces the configuration, or makes the connector.
pub(super) async fn put(
    State(worker): Shared,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Fault> {
    match worker.put(&name, body.config()?).await? {
        Written::Created(answer) => Ok(created(&headers, &name, answer)),
        Written::Changed(answer) => Reply::ok(answer).map(IntoResponse::into_response),
    }
}

/// Changes some properties; null takes one away.
pub(super) async fn patch(State(worker): Shared, Path(name): Path<String>, body: Body) -> Answer {
    if body.0 == Value::Null {
        // Without a patch Connect looks for the connector only.
        worker.configuration(&name)?;
    }
    Reply::ok(worker.patch(&name, &body.config()?).await?)
}
