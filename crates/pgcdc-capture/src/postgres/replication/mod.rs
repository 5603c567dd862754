//! The replication session: commands first, then the stream, whose messages are parsed in the
//! buffer that they were read into.
//!
//! Three parts share it. The reader is polled by the stream's loop; [`feedback`] writes from a task
//! of its own; [`silence`] decides what to do when nothing comes. Source: PostgreSQL documentation,
//! "Streaming Replication Protocol" and "Logical Streaming Replication Protocol" (version 1 of its
//! parameters, so that only committed transactions come).

mod feedback;
mod notices;
mod silence;

use std::ops::Range;
use std::time::Duration;

use futures_util::FutureExt;
use pgcdc_event::Lsn;
use tokio::io::{AsyncReadExt, ReadHalf};
use tokio::time::Instant;

use self::feedback::Feedback;
use self::silence::Silence;
use super::pins::Session;
use super::watch::{Backend, Kind, watched};
use super::wire::{Duplex, Inbox, LARGE_MESSAGE, Next, login, open};
use super::{quote_identifier, quote_literal};
use crate::config::Settings;
use crate::{Error, Result};

/// The receive buffer for a server on the same host, in bytes.
///
/// A walsender sends each change by itself. While the TCP window is open, each send goes through
/// the whole network stack, on the walsender's CPU time. While the window is closed, sends are
/// appended to those that wait, and arrive in large pieces when it opens. On one host a small
/// window saves the walsender a third of its CPU time; across a network it would cost throughput.
const NEAR: u32 = 192 * 1024;

/// A message of the stream, as far as the session itself understands it.
#[derive(Debug)]
pub(crate) enum Wal {
    /// A pgoutput message.
    Data {
        /// Position of the change; zero for a message without one.
        lsn: Lsn,
        /// Where the message lies, for [`Replication::bytes`]; valid until the next message is received.
        data: Range<usize>,
    },
    /// The server has sent everything that it has for us up to here.
    KeepAlive {
        /// The server's position.
        wal_end: Lsn,
    },
    /// A message of several megabytes is next. Call [`Replication::admit`] once there is room for it.
    Large,
}

/// A replication session, from its login to its end.
pub(crate) struct Replication {
    /// The connection, in its state.
    link: Link,
    /// The buffer, cut into messages.
    inbox: Inbox,
    /// The `START_REPLICATION` command.
    start_sql: String,
    /// How often statuses are sent.
    status_interval: Duration,
    /// The position that was confirmed last.
    confirmed: Lsn,
    /// `lsn.flush.mode=manual`: nothing is ever confirmed. A position of zero in a status leaves
    /// the slot where it is.
    manual: bool,
    /// The session's server process; `None` when the server does not say.
    backend: Option<Backend>,
    /// Since when nothing came, and what was done about it.
    silence: Silence,
    /// Whether the stream has ended or broken.
    ended: bool,
    /// The slot's name, for errors.
    slot: String,
    /// The publication's name, for errors.
    publication: String,
    /// Whether the log has said that the server skips changes.
    warned: bool,
}

/// What the session does.
enum Link {
    /// It takes commands.
    Idle(Box<dyn Duplex>),
    /// It streams: one half is read here, the other is the feedback's.
    Streaming { reader: ReadHalf<Box<dyn Duplex>>, feedback: Feedback },
    /// The start failed.
    Closed,
}

impl std::fmt::Debug for Replication {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replication").field("confirmed", &self.confirmed).finish_non_exhaustive()
    }
}

impl Replication {
    /// A message of more bytes than this is announced by [`Wal::Large`] first.
    pub(crate) const LARGE: usize = LARGE_MESSAGE;

    /// Connects and logs in. Commands may be run then, before [`start`](Self::start). The stream
    /// will begin at `start`; zero means the slot's own position.
    ///
    /// # Errors
    /// Those of the login.
    pub(crate) async fn connect(settings: &Settings, slot: &str, start: Lsn) -> Result<Self> {
        let mut stream = open::session(&settings.connection, Session::Replication, Some(NEAR)).await?.stream;
        let pid =
            login::command(&mut stream, "ask for the session's process", "SELECT pg_backend_pid()").await?;
        let pid = pid.first().and_then(|row| row.first()?.as_ref()?.parse().ok());
        let publication = quote_literal(&quote_identifier(&settings.publication.name));
        let mut options = format!("proto_version '1', publication_names {publication}, messages 'true'");
        for (name, value) in &settings.slot.stream_params {
            options.push_str(&format!(", {} '{}'", quote_identifier(name), value.replace('\'', "''")));
        }
        Ok(Self {
            link: Link::Idle(stream),
            inbox: Inbox::new(),
            start_sql: format!(
                "START_REPLICATION SLOT {} LOGICAL {start} ({options})",
                quote_identifier(slot)
            ),
            status_interval: settings.report_interval(),
            confirmed: if settings.slot.manual { Lsn::ZERO } else { start },
            manual: settings.slot.manual,
            backend: pid.map(|pid| Backend {
                connection: settings.connection.clone(),
                pid,
                kind: Kind::Command,
            }),
            silence: Silence::new(settings.silence),
            ended: false,
            slot: slot.to_owned(),
            publication: settings.publication.name.clone(),
            warned: false,
        })
    }

    /// Runs a command on the session before it streams. Returns its rows, each column as text;
    /// `None` is NULL.
    ///
    /// # Errors
    /// The server's, and those of the connection.
    pub(crate) async fn command(&mut self, what: &str, sql: &str) -> Result<Vec<Vec<Option<String>>>> {
        match &mut self.link {
            Link::Idle(stream) => {
                let answer = login::command(stream, what, sql);
                watched(self.backend.as_ref(), what, answer).await
            }
            _ => Err(Error::fatal(format!("{what}: the session streams already"))),
        }
    }

    /// Starts streaming and waits until the server has agreed. The server may first read WAL for a
    /// while, to find where to begin.
    ///
    /// # Errors
    /// The server's; a transient one when it does not answer within five minutes.
    pub(crate) async fn start(&mut self) -> Result<()> {
        const START_TIMEOUT: Duration = Duration::from_secs(300);
        let Link::Idle(mut stream) = std::mem::replace(&mut self.link, Link::Closed) else {
            return Err(Error::fatal("START_REPLICATION: the session streams already"));
        };
        let agreed = login::start(&mut stream, "START_REPLICATION", &self.start_sql);
        let agreed = Box::pin(watched(self.backend.as_ref(), "START_REPLICATION", agreed));
        tokio::time::timeout(START_TIMEOUT, agreed)
            .await
            .map_err(|_| Error::transient("START_REPLICATION: no answer within 300 s"))??;
        let (reader, writer) = tokio::io::split(stream);
        let feedback = Feedback::start(writer, self.status_interval);
        feedback.confirm(self.confirmed);
        self.link = Link::Streaming { reader, feedback };
        if let Some(backend) = &mut self.backend {
            backend.kind = Kind::Stream;
        }
        Ok(())
    }

    /// Waits for the next message. The bytes of the message before are gone then.
    ///
    /// # Errors
    /// The server's, and those of the connection.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub(crate) async fn receive(&mut self) -> Result<Wal> {
        loop {
            if let Some(wal) = self.next()? {
                return Ok(wal);
            }
            // Callers drop this future and call again, so `silence` remembers since when nothing
            // came.
            let due = self.silence.due(Instant::now());
            match tokio::time::timeout_at(due, self.read()).await {
                Ok(read) => read?,
                Err(_) => self.silent()?,
            }
        }
    }

    /// Asks a silent server for an answer when that is due.
    fn silent(&mut self) -> Result<()> {
        if self.silence.act(Instant::now(), self.backend.as_ref())?
            && let Link::Streaming { feedback, .. } = &self.link
        {
            feedback.ask();
        }
        Ok(())
    }

    /// The next message if it has arrived already. The bytes of the message before are gone then.
    #[inline]
    pub(crate) fn try_receive(&mut self) -> Result<Option<Wal>> {
        loop {
            if let Some(wal) = self.next()? {
                return Ok(Some(wal));
            }
            // Without tokio's budget: with it, a read would be "pending" after some reads although
            // there is data.
            match tokio::task::unconstrained(self.read()).now_or_never() {
                Some(read) => read?,
                None => {
                    self.silence.begin();
                    return Ok(None);
                }
            }
        }
    }

    /// The bytes of the message that was received last.
    #[inline]
    pub(crate) fn bytes(&self, data: Range<usize>) -> &[u8] {
        self.inbox.bytes(data)
    }

    /// Gives the large message that is next its memory.
    pub(crate) fn admit(&mut self) {
        self.inbox.admit();
    }

    /// Frees the memory of a large message, once it was applied.
    pub(crate) fn release(&mut self) {
        self.inbox.release();
    }

    /// Confirms to the server that everything up to `lsn` is durable; sent with the next status.
    /// Does nothing with `lsn.flush.mode=manual`, and for a position that is not further than the
    /// last.
    pub(crate) fn confirm(&mut self, lsn: Lsn) {
        if lsn > self.confirmed && !self.manual {
            self.confirmed = lsn;
            if let Link::Streaming { feedback, .. } = &self.link {
                feedback.confirm(lsn);
            }
        }
    }

    /// Ends the session, once the last confirmation was sent. Takes at most three seconds.
    pub(crate) async fn stop(mut self) {
        const LIMIT: Duration = Duration::from_secs(3);
        match &mut self.link {
            Link::Streaming { feedback, .. } => feedback.stop(),
            Link::Idle(stream) => {
                let _ = tokio::time::timeout(LIMIT, login::terminate(stream)).await;
                return;
            }
            Link::Closed => return,
        }
        // Closing a socket that has unread data resets the connection, and the confirmation may be
        // lost with it. So everything is read until the server ends the copy.
        let _ = tokio::time::timeout(LIMIT, async {
            while !self.ended {
                match self.receive().await {
                    Ok(Wal::Large) => break,
                    Ok(_) => {}
                    Err(_) => self.ended = true,
                }
            }
        })
        .await;
        if let Link::Streaming { feedback, .. } = &self.link
            && !feedback.is_sent(self.confirmed)
        {
            tracing::warn!("the last confirmation did not reach the server; its tail will be sent again");
        }
    }

    /// Waits for more bytes.
    async fn read(&mut self) -> Result<()> {
        let Link::Streaming { reader, feedback } = &mut self.link else {
            return Err(Error::fatal("the replication stream was not started"));
        };
        match reader.read(self.inbox.room()).await {
            Ok(0) => {
                self.ended = true;
                Err(Error::transient("the server ended the replication stream"))
            }
            Ok(bytes) => {
                self.inbox.filled(bytes);
                if self.silence.end() {
                    feedback.heard();
                }
                Ok(())
            }
            Err(error) => {
                self.ended = true;
                Err(Error::transient(format!("replication stream: {error}")).with_source(error))
            }
        }
    }

    /// The next message in the bytes that were read; `None` when more have to be read first.
    /// Source: PostgreSQL documentation, "Streaming Replication Protocol".
    #[inline]
    fn next(&mut self) -> Result<Option<Wal>> {
        loop {
            let (tag, body) = match self.inbox.next() {
                Next::Message(tag, body) => (tag, body),
                Next::Incomplete => return Ok(None),
                Next::Large => return Ok(Some(Wal::Large)),
                Next::Malformed(length) => {
                    return Err(Error::fatal(format!(
                        "replication stream: the server sent a message whose length is {length}, which breaks the protocol"
                    )));
                }
            };
            match (tag, self.inbox.bytes(body.clone())) {
                // XLogData: where the WAL begins, the server's end of it, its clock, the message.
                (b'd', [b'w', rest @ ..]) if rest.len() >= 24 => {
                    let lsn = lsn(rest);
                    if let Link::Streaming { feedback, .. } = &self.link {
                        feedback.received(lsn);
                    }
                    return Ok(Some(Wal::Data { lsn, data: body.start + 25..body.end }));
                }
                // Keepalive: the server's position, its clock, whether it wants an answer.
                (b'd', [b'k', rest @ ..]) if rest.len() >= 17 => {
                    let (wal_end, urgent) = (lsn(rest), rest[16] != 0);
                    if let Link::Streaming { feedback, .. } = &self.link {
                        feedback.received(wal_end);
                        if urgent {
                            feedback.send_now();
                        }
                    }
                    return Ok(Some(Wal::KeepAlive { wal_end }));
                }
                (b'd', _) => {
                    return Err(Error::fatal(
                        "replication stream: the server sent a message that is neither data nor a keepalive",
                    ));
                }
                (b'E', payload) => {
                    self.ended = true;
                    return Err(notices::refused(payload, &self.slot, &self.publication));
                }
                (b'c' | b'C', _) => {
                    self.ended = true;
                    return Err(Error::transient("the server ended the replication stream"));
                }
                (b'N', payload) => notices::log(payload, &mut self.warned, &self.slot, &self.publication),
                // Changes of parameters.
                _ => {}
            }
        }
    }
}

/// The position in the first eight bytes, big-endian.
#[inline]
fn lsn(bytes: &[u8]) -> Lsn {
    Lsn::new(bytes.first_chunk().map_or(0, |eight| u64::from_be_bytes(*eight)))
}
