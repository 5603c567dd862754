//! `/connectors/{name}/status`, `/tasks` and `/tasks/{id}/status`.

use axum::extract::{Path, State};

use super::{Answer, Reply, Shared};
use crate::Fault;

/// The states of the connector and its task.
pub(super) async fn status(State(worker): Shared, Path(name): Path<String>) -> Answer {
    Reply::ok(worker.status(&name)?)
}

/// The task and its configuration.
pub(super) async fn list(State(worker): Shared, Path(name): Path<String>) -> Answer {
    Reply::ok(worker.tasks(&name)?)
}

/// The state of a task.
pub(super) async fn task_status(State(worker): Shared, Path((name, id)): Path<(String, String)>) -> Answer {
    Reply::ok(worker.task_status(&name, number(&id)?)?)
}

/// The number of a task; anything else is no path at all.
pub(super) fn number(id: &str) -> Result<i64, Fault> {
    let number = id.parse::<i32>().map(i64::from);
    number.map_err(|_| Fault::not_found("HTTP 404 Not Found"))
}
