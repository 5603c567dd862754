//! A connection that is kept for queries that are repeated: starting psql costs more than any of them.

use anyhow::{Context, Result, bail};
use pgcdc_testbed::PostgresClient;
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// A connection to the server's own database.
pub(super) struct Watch {
    client: Client,
    /// Drives the connection while an answer is waited for.
    runtime: Runtime,
}

impl Watch {
    pub(super) fn open(server: PostgresClient) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build().context("cannot make a runtime")?;
        let (client, connection) = runtime
            .block_on(tokio_postgres::connect(&server.url("postgres"), NoTls))
            .context("cannot connect to PostgreSQL")?;
        runtime.spawn(connection);
        Ok(Self { client, runtime })
    }

    /// Runs one statement.
    pub(super) fn run(&self, statement: &str) -> Result<()> {
        self.answer(statement).map(drop)
    }

    /// The first column of the one row that a query answers with.
    pub(super) fn value(&self, query: &str) -> Result<String> {
        for message in &self.answer(query)? {
            if let SimpleQueryMessage::Row(row) = message {
                return Ok(row.get(0).unwrap_or_default().to_owned());
            }
        }
        bail!("no row from {query}")
    }

    fn answer(&self, text: &str) -> Result<Vec<SimpleQueryMessage>> {
        self.runtime.block_on(self.client.simple_query(text)).with_context(|| text.to_owned())
    }
}
