//! Heartbeats: a record now and then, and `heartbeat.action.query` beside the stream.
//!
//! Both serve a database in which the captured tables rarely change. The record shows readers that
//! the connector lives. The statement writes to a captured table, so that there is a commit to
//! confirm, and the server can remove older WAL. (pgcdc confirms the server's keepalives, too, so
//! that it rarely needs the statement.) Source: Debezium's documentation of the PostgreSQL
//! connector, "WAL disk space consumption".

use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::beside::Beside;
use crate::config::{Connection, Settings};

/// While the statement keeps failing, a warning is logged once in this time.
const TOLD_AGAIN: Duration = Duration::from_secs(60);

/// When the next heartbeat is due.
#[derive(Debug)]
pub(super) struct Heartbeat {
    /// `heartbeat.interval.ms`.
    interval: Duration,
    /// When the next one is due.
    next: Instant,
    /// The statement's task, if a statement is configured.
    action: Option<Action>,
}

impl Heartbeat {
    /// Heartbeats as configured; `None` without an interval.
    pub(super) fn new(settings: &Settings) -> Option<Self> {
        let interval = settings.heartbeat.interval?;
        let statement = settings.heartbeat.action_query.clone();
        let action = statement.map(|statement| Action::start(settings.connection.clone(), statement));
        Some(Self { interval, next: Instant::now() + interval, action })
    }

    /// Waits until the next heartbeat is due; for ever if there are none.
    pub(super) async fn due(heartbeat: Option<&mut Self>) {
        let Some(heartbeat) = heartbeat else { return std::future::pending().await };
        if Instant::now() < heartbeat.next {
            tokio::time::sleep_until(heartbeat.next.into()).await;
        }
    }

    /// Notes that one was sent: the next is due after the interval.
    pub(super) fn sent(&mut self) {
        self.next = Instant::now() + self.interval;
    }

    /// Lets the statement run, unless the call before is not done yet.
    pub(super) fn act(&self) {
        if let Some(action) = &self.action {
            let _ = action.wake.try_send(());
        }
    }
}

/// Runs the statement on a session of its own, in a task of its own. Whatever happens to it, the
/// stream goes on.
#[derive(Debug)]
struct Action {
    /// Wakes the task. Holds one call, since more would only pile up behind a lock.
    wake: mpsc::Sender<()>,
    /// Ended with the stream.
    task: JoinHandle<()>,
}

impl Drop for Action {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Action {
    /// Starts the task. A failure is a warning with the count of failures in a row; the first
    /// success after it is told, too.
    fn start(connection: Connection, statement: String) -> Self {
        let (wake, mut calls) = mpsc::channel(1);
        let task = tokio::spawn(async move {
            let (mut session, mut failures) = (Beside::new(connection), 0_u64);
            let mut told: Option<Instant> = None;
            while calls.recv().await.is_some() {
                let Err(error) = session.rows("heartbeat.action.query", &statement).await else {
                    if failures > 0 {
                        tracing::info!(failures, "heartbeat.action.query works again");
                        (failures, told) = (0, None);
                    }
                    continue;
                };
                failures += 1;
                if told.is_none_or(|at| at.elapsed() >= TOLD_AGAIN) {
                    told = Some(Instant::now());
                    let hint = error.hint();
                    tracing::warn!(%error, hint, failures, "heartbeat.action.query failed; capture goes on");
                }
            }
        });
        Self { wake, task }
    }
}
