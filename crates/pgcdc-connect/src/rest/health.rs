//! `/` and `/health`.

use axum::extract::State;
use serde_json::json;

use super::{Answer, Reply, Shared};
use crate::plugins::CONNECT_VERSION;

/// The version of the interface, which clients look at; the commit says who answers.
pub(super) async fn root(State(worker): Shared) -> Answer {
    let identity = worker.identity();
    Reply::ok(json!({
        "version": CONNECT_VERSION,
        "commit": identity.commit,
        "kafka_cluster_id": identity.cluster_id.get(),
    }))
}

/// The worker answers requests when its store has been read.
pub(super) async fn health() -> Answer {
    Reply::ok(json!({
        "status": "healthy",
        "message": "Worker has completed startup and is ready to handle requests.",
    }))
}
