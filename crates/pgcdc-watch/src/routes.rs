//! The paths, and what they answer.

use axum::Router;
use axum::extract::State;
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use pgcdc_metrics::{CONTENT_TYPE as OPEN_METRICS, PLAIN_CONTENT_TYPE};

use crate::{Kind, Watch, status};

const TEXT: &str = "text/plain; charset=utf-8";

const INDEX: &str = "pgcdc\n\n/metrics  metrics for Prometheus\n/healthz  200 while the process lives\n\
                     /readyz   200 while everything is ready, else 503 and the reason\n/status   states, positions and lag as JSON\n";

impl Watch {
    /// The paths `/metrics`, `/healthz`, `/readyz` and `/status`.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/metrics", get(metrics))
            .route("/healthz", get(|| async { answer(StatusCode::OK, TEXT, "alive\n".to_owned()) }))
            .route("/readyz", get(ready))
            .route("/status", get(status))
            .with_state(self.clone())
    }

    /// The same paths, and a list of them at `/`.
    pub fn router_with_index(&self) -> Router {
        let index = || async { answer(StatusCode::OK, TEXT, INDEX.to_owned()) };
        self.router().route("/", get(index))
    }
}

async fn metrics(State(watch): State<Watch>, headers: HeaderMap) -> Response {
    let registry = &watch.0.registry;
    for look in watch.look() {
        let ready = u64::from(look.obstacle.is_none());
        match look.kind {
            Kind::Connector => registry.capture(&look.name).ready.set(ready),
            Kind::Sink => registry.sink(&look.name).ready.set(ready),
        }
    }
    let accepts = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    if accepts.into_iter().any(|accept| accept.contains("application/openmetrics-text")) {
        answer(StatusCode::OK, OPEN_METRICS, registry.encode())
    } else {
        answer(StatusCode::OK, PLAIN_CONTENT_TYPE, registry.encode_plain())
    }
}

async fn ready(State(watch): State<Watch>) -> Response {
    let mut reasons = String::new();
    for look in watch.look() {
        if let Some(obstacle) = &look.obstacle {
            reasons.push_str(&format!("{} {}: {obstacle}\n", look.kind.name(), look.name));
        }
    }
    if reasons.is_empty() {
        answer(StatusCode::OK, TEXT, "ready\n".to_owned())
    } else {
        answer(StatusCode::SERVICE_UNAVAILABLE, TEXT, reasons)
    }
}

async fn status(State(watch): State<Watch>) -> Response {
    let document = status::document(&watch.look(), &watch.0.registry);
    answer(StatusCode::OK, "application/json", format!("{document:#}\n"))
}

fn answer(status: StatusCode, content_type: &'static str, body: String) -> Response {
    (status, [(CONTENT_TYPE, content_type), (CACHE_CONTROL, "no-store")], body).into_response()
}
