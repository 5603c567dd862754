//! A SQL session beside the stream, for statements that may fail, wait for a lock or take long
//! while the stream goes on.

use std::time::Duration;

use crate::config::Connection;
use crate::postgres::{Query, Row};
use crate::{Error, Result};

/// How long a statement may wait for a lock, and how long it may take.
const LIMITS: &str = "SET lock_timeout = '10s'; SET statement_timeout = '30s'";

/// How long to wait for an answer in all. Longer than the statement's own limit, so it only ends a
/// session whose server is gone.
const NO_ANSWER: Duration = Duration::from_secs(40);

/// A session that connects when it is first needed, and again after it was lost.
#[derive(Debug)]
pub(super) struct Beside {
    /// Where to connect, and as whom.
    connection: Connection,
    /// The open session; `None` before the first statement, after a failure, and while a statement
    /// runs.
    session: Option<Query>,
}

impl Beside {
    /// Connects to nothing yet.
    pub(super) fn new(connection: Connection) -> Self {
        Self { connection, session: None }
    }

    /// Runs statements and returns the rows of all of them. `what` says in errors what they are
    /// for.
    ///
    /// # Errors
    /// Transient when there is no answer within 40 seconds; else those of connection and statement.
    pub(super) async fn rows(&mut self, what: &str, sql: &str) -> Result<Vec<Row>> {
        tokio::time::timeout(NO_ANSWER, self.run(what, sql)).await.unwrap_or_else(|_| {
            Err(Error::transient(format!("{what}: no answer within {} s", NO_ANSWER.as_secs())))
        })
    }

    /// Connects if need be, and runs the statements under [`LIMITS`].
    async fn run(&mut self, what: &str, sql: &str) -> Result<Vec<Row>> {
        // Taken out, so that a session whose answer was not waited for is not used again.
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
