//! The replication connection: the only file that names `pgwire-replication`.

use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use pgcdc_event::Lsn;
use pgwire_replication::{
    PgWireError, ReplicationClient, ReplicationConfig, ReplicationEvent, SslMode as WireSslMode, TlsConfig,
};
use tokio::time::Instant;

use super::sqlstate::from_suffix;
use super::{SESSION_OPTIONS, classify, quote_identifier};
use crate::config::{Connection, Settings, SslMode};
use crate::{Error, Result};

/// Microseconds between 1970-01-01 and 2000-01-01, Postgres' epoch.
const POSTGRES_EPOCH_US: i64 = 946_684_800_000_000;

/// How long the server waits for a sign of life, and so how often it gives one.
const WAL_SENDER_TIMEOUT: Duration = Duration::from_secs(30);

/// Events that may wait between the socket and us. Few, because rows may be large: it bounds memory.
const BUFFERED_EVENTS: usize = 64;

/// What the stream says.
#[derive(Debug)]
pub(crate) enum Wal {
    /// A transaction begins.
    Begin { final_lsn: Lsn, xid: u32, commit_time_us: i64 },
    /// It ends; `end` may be confirmed once its records are durable.
    Commit { end: Lsn },
    /// A pgoutput message inside of it.
    Data { lsn: Lsn, data: Bytes },
    /// A logical message, possibly outside of any transaction.
    Message { transactional: bool, lsn: Lsn, prefix: String, content: Bytes },
    /// The server is alive and has sent everything up to here.
    KeepAlive { wal_end: Lsn },
}

/// A replication session.
pub(crate) struct Replication {
    client: ReplicationClient,
    confirmed: Lsn,
    /// START_REPLICATION was sent.
    started: bool,
    /// Since when nothing was there to read; `None` while there is.
    quiet_since: Option<Instant>,
    /// The client has reported its end, after which it must not be asked again.
    ended: bool,
}

impl std::fmt::Debug for Replication {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replication").field("confirmed", &self.confirmed).finish_non_exhaustive()
    }
}

impl Replication {
    /// Connects and authenticates, and waits there: commands may be run before [`start`](Self::start).
    pub(crate) async fn connect(settings: &Settings, slot: &str, start: Lsn) -> Result<Self> {
        const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
        let connection = &settings.connection;
        let password = connection.password.as_ref().map_or("", |password| password.expose());
        let status = settings.status_interval.min(Duration::from_millis(500)).max(Duration::from_millis(10));
        let options = format!("{SESSION_OPTIONS} -c wal_sender_timeout={}", WAL_SENDER_TIMEOUT.as_millis());
        let config = ReplicationConfig::new(
            connection.host.clone(),
            connection.user.clone(),
            password.to_owned(),
            connection.dbname.clone(),
            slot.to_owned(),
            quote_identifier(&settings.publication.name),
        )
        .with_port(connection.port)
        .with_tls(tls(connection))
        .with_start_lsn(pgwire_replication::Lsn::from_u64(start.as_u64()))
        .with_status_interval(status)
        .with_wakeup_interval(WAL_SENDER_TIMEOUT)
        .with_buffer_size(BUFFERED_EVENTS)
        .with_options(options)
        .with_application_name("pgcdc");
        let what = format!("replication connection to {}:{}", connection.host, connection.port);
        let client = tokio::time::timeout(CONNECT_TIMEOUT, ReplicationClient::connect_gated(config))
            .await
            .map_err(|_| Error::transient(format!("{what}: no answer within 30 s")))?
            .map_err(|error| wire_error(&what, &error))?;
        let mut session = Self { client, confirmed: start, started: false, quiet_since: None, ended: false };
        // Connecting is lazy: a first command brings refusals to light here.
        session.command("IDENTIFY_SYSTEM", "IDENTIFY_SYSTEM").await?;
        Ok(session)
    }

    /// Runs a command on the session before it streams; each row's columns as text.
    pub(crate) async fn command(&mut self, what: &str, sql: &str) -> Result<Vec<Vec<Option<String>>>> {
        let rows = self.client.simple_query(sql).await.map_err(|error| wire_error(what, &error))?;
        let text = |value: Option<Bytes>| value.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        Ok(rows.into_iter().map(|row| row.into_iter().map(text).collect()).collect())
    }

    /// Starts streaming and waits until the server has agreed.
    pub(crate) async fn start(&mut self) -> Result<()> {
        const START_TIMEOUT: Duration = Duration::from_secs(300);
        let what = "START_REPLICATION";
        self.client.start().await.map_err(|error| wire_error(what, &error))?;
        self.started = true;
        tokio::time::timeout(START_TIMEOUT, self.client.wait_started())
            .await
            .map_err(|_| Error::transient("START_REPLICATION: no answer within 300 s"))?
            .map_err(|error| wire_error(what, &error))
    }

    /// The next event.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped, except after the stream has ended.
    pub(crate) async fn receive(&mut self) -> Result<Wal> {
        loop {
            // Callers give up waiting and come again, so the time is kept here.
            let since = *self.quiet_since.get_or_insert_with(Instant::now);
            let Ok(event) = tokio::time::timeout_at(since + WAL_SENDER_TIMEOUT * 2, self.client.recv()).await
            else {
                return Err(Error::transient("the server has been silent for 60 s"));
            };
            self.quiet_since = None;
            if let Some(wal) = self.translate(event)? {
                return Ok(wal);
            }
        }
    }

    /// The next event if it is there already.
    pub(crate) fn try_receive(&mut self) -> Result<Option<Wal>> {
        loop {
            // Outside of tokio's budget, which would answer "not yet" after 128 events.
            let Some(event) = tokio::task::unconstrained(self.client.recv()).now_or_never() else {
                self.quiet_since.get_or_insert_with(Instant::now);
                return Ok(None);
            };
            self.quiet_since = None;
            if let Some(wal) = self.translate(event)? {
                return Ok(Some(wal));
            }
        }
    }

    fn translate(&mut self, event: Result<Option<ReplicationEvent>, PgWireError>) -> Result<Option<Wal>> {
        let lsn = |lsn: pgwire_replication::Lsn| Lsn::new(lsn.as_u64());
        let event = match event {
            Ok(Some(event)) => event,
            Ok(None) => {
                self.ended = true;
                return Err(Error::transient("the server ended the replication stream"));
            }
            Err(error) => {
                self.ended = true;
                return Err(wire_error("replication stream", &error));
            }
        };
        Ok(Some(match event {
            ReplicationEvent::XLogData { wal_start, data, .. } => Wal::Data { lsn: lsn(wal_start), data },
            ReplicationEvent::Begin { final_lsn, xid, commit_time_micros } => Wal::Begin {
                final_lsn: lsn(final_lsn),
                xid,
                commit_time_us: commit_time_micros.saturating_add(POSTGRES_EPOCH_US),
            },
            ReplicationEvent::Commit { end_lsn, .. } => Wal::Commit { end: lsn(end_lsn) },
            ReplicationEvent::Message { transactional, lsn: at, prefix, content } => {
                Wal::Message { transactional, lsn: lsn(at), prefix, content }
            }
            ReplicationEvent::KeepAlive { wal_end, .. } => Wal::KeepAlive { wal_end: lsn(wal_end) },
            ReplicationEvent::StoppedAt { .. } => return Ok(None),
        }))
    }

    /// Tells the server that everything up to `lsn` is durable; sent within half a second.
    pub(crate) fn confirm(&mut self, lsn: Lsn) {
        if lsn > self.confirmed {
            self.confirmed = lsn;
            self.client.update_applied_lsn(pgwire_replication::Lsn::from_u64(lsn.as_u64()));
        }
    }

    /// Ends the session, after the last confirmation has really been sent.
    pub(crate) async fn stop(mut self) {
        const LIMIT: Duration = Duration::from_secs(3);
        if !self.started {
            // Nothing was confirmed, and a client that waits for commands does not answer a shutdown.
            self.client.abort();
            return;
        }
        let metrics = self.client.metrics();
        let target = self.confirmed.as_u64();
        let deadline = tokio::time::Instant::now() + LIMIT;
        while !self.ended && metrics.last_applied_lsn().as_u64() < target {
            if tokio::time::Instant::now() >= deadline {
                tracing::warn!("the last confirmation did not reach the server; its tail will be sent again");
                break;
            }
            // The worker sends only while somebody takes its events.
            match tokio::time::timeout(Duration::from_millis(20), self.client.recv()).await {
                Ok(Ok(Some(_))) | Err(_) => {}
                Ok(_) => self.ended = true,
            }
        }
        if !self.ended {
            let _ = tokio::time::timeout(LIMIT, self.client.shutdown()).await;
        }
    }
}

fn tls(connection: &Connection) -> TlsConfig {
    let ssl = &connection.ssl;
    let mut config = match ssl.mode {
        SslMode::Disable => TlsConfig::disabled(),
        SslMode::Allow | SslMode::Prefer => {
            let mut config = TlsConfig::require();
            config.mode = WireSslMode::Prefer;
            config
        }
        SslMode::Require => TlsConfig::require(),
        SslMode::VerifyCa => TlsConfig::verify_ca(ssl.root_cert.clone()),
        SslMode::VerifyFull => TlsConfig::verify_full(ssl.root_cert.clone()),
    };
    if let (Some(cert), Some(key)) = (&ssl.cert, &ssl.key) {
        config = config.with_client_cert(cert.clone(), key.clone());
    }
    config
}

fn wire_error(what: &str, error: &PgWireError) -> Error {
    let message = error.to_string();
    match error {
        PgWireError::Server(text) => classify(from_suffix(text), what, text),
        PgWireError::Auth(text) => {
            // The crate says "auth" for what the server refused in the course of it, too.
            let code = from_suffix(text);
            classify(Some(code.unwrap_or("28000")), what, text)
        }
        PgWireError::Io(_) | PgWireError::Task(_) => Error::transient(format!("{what}: {message}")),
        // A handshake that a restarting server cuts short passes; a certificate that is wrong does not.
        PgWireError::Tls(text) if !text.contains("certificate") && text.contains("handshake") => {
            Error::transient(format!("{what}: {message}"))
        }
        PgWireError::Tls(_) => Error::configuration(format!("{what}: {message}"))
            .with_hint("check database.sslmode, database.sslrootcert and the server's certificate"),
        PgWireError::MessageTooLarge { .. } => Error::fatal(format!("{what}: {message}")),
        _ => Error::transient(format!("{what}: {message}")),
    }
}
