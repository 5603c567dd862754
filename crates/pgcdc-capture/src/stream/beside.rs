//! A SQL session beside the stream, for statements that may fail, wait for a lock or take long while the stream goes on.

use std::time::Duration;

use crate::config::Connection;
use crate::postgres::{Query, Row};
use crate::{Error, Result};

/// How long a statement may wait for a lock, and how long it may take.
const LIMITS: &str = "SET lock_timeout = '10s'; SET statement_timeout = '30s'";

/// A server that does not answer for so long is not waited for.
const NO_ANSWER: Duration = Duration::from_secs(40);

/// Connects when it is needed, and again after the session was lost.
#[derive(Debug)]
pub(super) struct Beside {
    connection: Connection,
    session: Option<Query>,
}

impl Beside {
    pub(super) fn new(connection: Connection) -> Self {
        Self { connection, session: None }
    }

    /// Runs statements and returns their rows, within half a minute or so.
    pub(super) async fn rows(&mut self, what: &str, sql: &str) -> Result<Vec<Row>> {
        tokio::time::timeout(NO_ANSWER, self.run(what, sql)).await.unwrap_or_else(|_| {
            Err(Error::transient(format!("{what}: no answer within {} s", NO_ANSWER.as_secs())))
        })
    }

    async fn run(&mut self, what: &str, sql: &str) -> Result<Vec<Row>> {
        // Taken, so that a session whose answer was not waited for is not asked again.
        let query = match self.session.take().filter(|query| !query.is_closed()) {
            Some(query) => query,
            None => {
                let query = Query::connect(&self.connection).await?;
                query.execute("limit the time of a session beside the stream", LIMITS).await?;
                query
            }
        };
        let result = query.rows(what, sql).await;
        // After an error of the statement's own the session is as good as before.
        if result.as_ref().map_or_else(|error| !error.is_transient(), |_| true) {
            self.session = Some(query);
        }
        result
    }
}
