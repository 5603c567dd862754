//! A SQL session, by tokio-postgres on a connection that our own login has opened.
//!
//! So every session, the replication session included, chooses server, TLS and authentication in
//! the same way. [`Handover`] gives the connection to tokio-postgres as if that had logged in
//! itself.

use tokio::task::JoinHandle;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use super::classify;
use super::pins::Session;
use super::wire::{Handover, open};
use crate::config::Connection;
use crate::{Error, Result, SqlState};

/// A row of a query's answer, each column as text; `None` is NULL.
#[derive(Debug)]
pub(crate) struct Row(pub(super) Vec<Option<String>>);

impl Row {
    /// A column's text; `None` is NULL.
    pub(crate) fn get(&self, at: usize) -> Option<&str> {
        self.0.get(at)?.as_deref()
    }
}

/// A SQL session. It waits for an answer as long as it takes; [`Query`](super::Query) adds a watch
/// and limits.
#[derive(Debug)]
pub(super) struct SqlSession {
    /// Sends statements.
    client: Client,
    /// The task that moves the bytes; ended with the session.
    driver: JoinHandle<()>,
}

impl Drop for SqlSession {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl SqlSession {
    /// Connects and logs in.
    ///
    /// # Errors
    /// Those of [`open::session`].
    pub(super) async fn open(connection: &Connection) -> Result<Self> {
        let stream = Handover::new(open::session(connection, Session::Query, None).await?);
        // The login is done already. `Handover` answers this second one.
        let mut config = tokio_postgres::Config::new();
        config.user(&connection.user).ssl_mode(tokio_postgres::config::SslMode::Disable);
        let (client, driver) =
            config.connect_raw(stream, NoTls).await.map_err(|error| query_error("connect", &error))?;
        let driver = tokio::spawn(drive(driver));
        Ok(Self { client, driver })
    }

    /// Whether the session has ended.
    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
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

/// Moves the session's bytes until it ends.
async fn drive<S, T>(connection: tokio_postgres::Connection<S, T>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    if let Err(error) = connection.await {
        tracing::debug!(%error, "SQL connection ended");
    }
}

/// A query's failure as our error. Without a server's error the connection is broken, which may
/// pass.
fn query_error(what: &str, error: &tokio_postgres::Error) -> Error {
    match error.as_db_error() {
        Some(db) => classify(SqlState::parse(db.code().code()), what, db.message()),
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
