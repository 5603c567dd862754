//! SQL connections, by tokio-postgres.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use super::blockers::{self, Blocker};
use super::classify;
use super::pins::Session;
use super::watch::{Backend, Kind, watched};
use super::wire::{Handover, open};
use crate::config::Connection;
use crate::{Error, Result};

/// A row of a query's answer.
#[derive(Debug)]
pub(crate) struct Row(pub(super) Vec<Option<String>>);

impl Row {
    /// A column's text; `None` is NULL.
    pub(crate) fn get(&self, at: usize) -> Option<&str> {
        self.0.get(at)?.as_deref()
    }
}

/// A session that answers queries: [`Query`], or one that reads a snapshot and sees the catalog as that does.
pub(crate) trait Ask {
    /// Runs statements and returns the rows of all of them.
    async fn rows(&mut self, what: &str, sql: &str) -> Result<Vec<Row>>;
}

impl Ask for &Query {
    async fn rows(&mut self, what: &str, sql: &str) -> Result<Vec<Row>> {
        Query::rows(self, what, sql).await
    }
}

/// One SQL session. Everything goes by the simple protocol: values come as text, as pgoutput
/// sends them, and nothing is prepared, which poolers would not bear.
///
/// An answer that does not come is looked after ([`watched`]): who holds it up is in the log after some seconds.
#[derive(Debug)]
pub(crate) struct Query {
    session: SqlSession,
    /// The server's process; `None` where the server does not say.
    backend: Option<Backend>,
    timeout: Option<Duration>,
}

impl Query {
    /// Connects, fixes the session's settings, and runs `database.initial.statements`.
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

    /// The first column of the first row.
    pub(crate) async fn value(&self, what: &str, sql: &str) -> Result<Option<String>> {
        let rows = self.rows(what, sql).await?;
        Ok(rows.first().and_then(|row| row.get(0)).map(str::to_owned))
    }

    /// Who holds up process `pid` of the server.
    pub(crate) async fn blockers(&self, pid: i32) -> Result<Vec<Blocker>> {
        self.limited("look who holds a session up", blockers::of(&self.session, pid)).await
    }

    /// Whether the session has ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.session.client.is_closed()
    }

    async fn limited<T>(&self, what: &str, run: impl Future<Output = Result<T>>) -> Result<T> {
        within(self.timeout, what, watched(self.backend.as_ref(), what, run)).await
    }
}

/// A SQL session as it is, without a look at what does not answer.
#[derive(Debug)]
pub(super) struct SqlSession {
    client: Client,
    driver: JoinHandle<()>,
}

impl Drop for SqlSession {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl SqlSession {
    /// Connects.
    pub(super) async fn open(connection: &Connection) -> Result<Self> {
        let stream = Handover::new(open::session(connection, Session::Query, None).await?);
        // Who we are was said at the login, which has been.
        let mut config = tokio_postgres::Config::new();
        config.user(&connection.user).ssl_mode(tokio_postgres::config::SslMode::Disable);
        let (client, driver) =
            config.connect_raw(stream, NoTls).await.map_err(|error| query_error("connect", &error))?;
        let driver = tokio::spawn(drive(driver));
        Ok(Self { client, driver })
    }

    /// Runs statements for their effect.
    pub(super) async fn execute(&self, what: &str, sql: &str) -> Result<()> {
        self.client.batch_execute(sql).await.map_err(|error| query_error(what, &error))
    }

    /// Runs statements and returns the rows of all of them.
    pub(super) async fn rows(&self, what: &str, sql: &str) -> Result<Vec<Row>> {
        let messages = self.client.simple_query(sql).await.map_err(|error| query_error(what, &error))?;
        Ok(messages
            .into_iter()
            .filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => {
                    Some(Row((0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect()))
                }
                _ => None,
            })
            .collect())
    }
}

/// Waits for an answer no longer than `database.query.timeout.ms` says.
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

async fn drive<S, T>(connection: tokio_postgres::Connection<S, T>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    if let Err(error) = connection.await {
        tracing::debug!(%error, "SQL connection ended");
    }
}

/// Turns a query's failure into ours.
fn query_error(what: &str, error: &tokio_postgres::Error) -> Error {
    match error.as_db_error() {
        Some(db) => classify(Some(db.code().code()), what, db.message()),
        None => Error::transient(format!("{what}: {}", chain(error))),
    }
}

/// An error and its causes in one line, each said once.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let next = inner.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = inner.source();
    }
    text
}
