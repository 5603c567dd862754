//! `/connectors/{name}/pause`, `/resume`, `/stop` and `/restart`, and the restart of a task.

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::tasks::number;
use super::{Reply, Shared};
use crate::{Fault, Target};

type Done = Result<StatusCode, Fault>;

/// The connector captures no more for now, and its slot is free.
pub(super) async fn pause(State(worker): Shared, Path(name): Path<String>) -> Done {
    worker.aim(&name, Target::Paused).await?;
    Ok(StatusCode::ACCEPTED)
}

/// The connector captures again, after a pause or a stop.
pub(super) async fn resume(State(worker): Shared, Path(name): Path<String>) -> Done {
    worker.aim(&name, Target::Running).await?;
    Ok(StatusCode::ACCEPTED)
}

/// The connector ends; its configuration stays.
pub(super) async fn stop(State(worker): Shared, Path(name): Path<String>) -> Done {
    worker.aim(&name, Target::Stopped).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Starts again what `includeTasks` and `onlyFailed` name. Without both, the connector's task stays as it is.
pub(super) async fn restart(
    State(worker): Shared,
    Path(name): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Response, Fault> {
    let is = |name: &str| {
        query.iter().find(|(key, _)| key == name).is_some_and(|(_, value)| value.eq_ignore_ascii_case("true"))
    };
    let (tasks, only_failed) = (is("includeTasks"), is("onlyFailed"));
    let status = worker.restart(&name, tasks, only_failed).await?;
    if tasks || only_failed {
        return Ok(Reply(StatusCode::ACCEPTED, status).into_response());
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Starts a task again.
pub(super) async fn restart_task(State(worker): Shared, Path((name, id)): Path<(String, String)>) -> Done {
    worker.restart_task(&name, number(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
