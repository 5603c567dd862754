//! SQL through psql: no driver to compile, and the same on every version.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use anyhow::{Context, Result, bail};

use crate::tools;

/// Statements for a PostgreSQL on 127.0.0.1 as user `postgres`, whoever started it.
#[derive(Debug, Clone, Copy)]
pub struct PostgresClient {
    /// The port.
    pub port: u16,
}

impl PostgresClient {
    /// `postgres://postgres@127.0.0.1:PORT/db`.
    pub fn url(&self, db: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{db}", self.port)
    }

    /// Runs `text` (any number of statements, each its own transaction) and returns what psql -qAtX prints: a line per
    /// row, `|` between columns, nothing for null, no line break at the end.
    ///
    /// # Errors
    /// When the server cannot be reached or a statement fails; later statements are not run.
    pub fn sql(&self, db: &str, text: &str) -> Result<String> {
        let mut child =
            self.psql(db).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let child = child.as_mut().map_err(|error| anyhow::anyhow!("cannot run psql: {error}"))?;
        let mut stdin = child.stdin.take().context("psql has no standard input")?;
        let stdout = child.stdout.take().context("psql has no standard output")?;
        let stderr = child.stderr.take().context("psql has no standard error")?;
        let text_bytes = text.as_bytes();
        // Three pipes at once: either side may fill its buffer before the other has finished.
        let (out, err) = std::thread::scope(|scope| {
            scope.spawn(move || stdin.write_all(text_bytes));
            let err = scope.spawn(move || std::io::read_to_string(stderr).unwrap_or_default());
            (std::io::read_to_string(stdout), err.join().unwrap_or_default())
        });
        let status = child.wait().context("cannot wait for psql")?;
        if !status.success() {
            let head: String = text.trim().chars().take(300).collect();
            bail!("psql on port {}, database {db}: {}\n  in: {head}", self.port, err.trim());
        }
        Ok(out.context("psql did not answer in UTF-8")?.trim_end_matches('\n').to_owned())
    }

    /// Runs a file of SQL.
    ///
    /// # Errors
    /// As [`PostgresClient::sql`], and when the file cannot be read.
    pub fn sql_file(&self, db: &str, file: impl AsRef<Path>) -> Result<String> {
        let file = file.as_ref();
        let text =
            std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        self.sql(db, &text).with_context(|| format!("in {}", file.display()))
    }

    /// Creates a database unless there is one of that name.
    ///
    /// # Errors
    /// As [`PostgresClient::sql`].
    pub fn create_database(&self, name: &str) -> Result<()> {
        let known = self.sql(
            "postgres",
            &format!("SELECT 1 FROM pg_database WHERE datname = '{}'", name.replace('\'', "''")),
        )?;
        if known.is_empty() {
            self.sql("postgres", &format!("CREATE DATABASE \"{}\"", name.replace('"', "\"\"")))?;
        }
        Ok(())
    }

    /// A psql command for `db`, for callers that stream.
    pub fn psql(&self, db: &str) -> Command {
        static PROGRAM: LazyLock<PathBuf> =
            LazyLock::new(|| tools::postgres_client("psql").unwrap_or_else(|_| "psql".into()));
        let mut command = Command::new(&*PROGRAM);
        command.args(["-qAtX", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", "postgres"]);
        command.args(["-p", &self.port.to_string(), "-d", db]);
        command
            .env("PGCLIENTENCODING", "UTF8")
            .env("PGCONNECT_TIMEOUT", "5")
            .env("PGOPTIONS", "-c client_min_messages=warning");
        command
    }

    pub(super) fn is_ready(&self) -> bool {
        self.sql("postgres", "SELECT 1").is_ok_and(|answer| answer == "1")
    }
}
