//! Queries: a SQL session that is watched, and limits for its answers.

use std::time::Duration;

use super::blockers::{self, Blocker};
use super::sql_session::{Row, SqlSession};
use super::watch::{Backend, Kind, watched};
use crate::config::Connection;
use crate::{Error, Result};

/// A session that answers queries: [`Query`], or a session that reads a snapshot and sees that
/// snapshot's catalog. So the catalog is read by the same code for both.
pub(crate) trait Ask {
    /// Runs statements and returns the rows of all of them. `what` says in logs and errors what
    /// they are for.
    async fn rows(&mut self, what: &str, sql: &str) -> Result<Vec<Row>>;
}

impl Ask for &Query {
    async fn rows(&mut self, what: &str, sql: &str) -> Result<Vec<Row>> {
        Query::rows(self, what, sql).await
    }
}

/// One SQL session. Everything goes by the simple protocol: values come as text, as pgoutput sends
/// them, and no statement is prepared, since poolers may not support that.
///
/// When an answer does not come, another session looks why ([`watched`]): the log names who holds
/// it up after some seconds.
#[derive(Debug)]
pub(crate) struct Query {
    /// The session itself.
    session: SqlSession,
    /// The server's process; `None` where the server does not say.
    backend: Option<Backend>,
    /// `database.query.timeout.ms`; `None` waits as long as it takes.
    timeout: Option<Duration>,
}

impl Query {
    /// Connects, fixes the session's settings, and runs `database.initial.statements`.
    ///
    /// # Errors
    /// Those of connection and login, and of the user's statements.
    pub(crate) async fn connect(connection: &Connection) -> Result<Self> {
        let session = SqlSession::open(connection).await?;
        let pid = session.rows("ask for the session's process", "SELECT pg_backend_pid()").await?;
        let pid = pid.first().and_then(|row| row.get(0)?.parse().ok());
        let backend = pid.map(|pid| Backend { connection: connection.clone(), pid, kind: Kind::Sql });
        let query = Self { session, backend, timeout: connection.query_timeout };
        for statement in &connection.initial_statements {
            query.execute("database.initial.statements", statement).await?;
        }
        Ok(query)
    }

    /// Runs statements for their effect.
    pub(crate) async fn execute(&self, what: &str, sql: &str) -> Result<()> {
        self.limited(what, self.session.execute(what, sql)).await
    }

    /// Runs statements and returns the rows of all of them.
    pub(crate) async fn rows(&self, what: &str, sql: &str) -> Result<Vec<Row>> {
        self.limited(what, self.session.rows(what, sql)).await
    }

    /// The first column of the first row; `None` for NULL or no row.
    pub(crate) async fn value(&self, what: &str, sql: &str) -> Result<Option<String>> {
        let rows = self.rows(what, sql).await?;
        Ok(rows.first().and_then(|row| row.get(0)).map(str::to_owned))
    }

    /// The sessions and prepared transactions that process `pid` of the server waits for.
    pub(crate) async fn blockers(&self, pid: i32) -> Result<Vec<Blocker>> {
        self.limited("look who holds a session up", blockers::of(&self.session, pid)).await
    }

    /// Whether the session has ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.session.is_closed()
    }

    /// Waits for an answer under the watch and the limit.
    async fn limited<T>(&self, what: &str, run: impl Future<Output = Result<T>>) -> Result<T> {
        within(self.timeout, what, watched(self.backend.as_ref(), what, run)).await
    }
}

/// Waits for an answer no longer than `limit`, which is `database.query.timeout.ms`; `None` waits
/// as long as it takes. An answer that is given up may still come, and holds up the next statement
/// of its session until then.
pub(super) async fn within<T>(
    limit: Option<Duration>,
    what: &str,
    run: impl Future<Output = Result<T>>,
) -> Result<T> {
    match limit {
        None => run.await,
        Some(limit) => tokio::time::timeout(limit, run).await.unwrap_or_else(|_| {
            Err(Error::transient(format!("{what}: no answer within {} s", limit.as_secs()))
                .with_hint("database.query.timeout.ms is the limit"))
        }),
    }
}
