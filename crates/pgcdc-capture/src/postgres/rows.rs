//! Reads many rows: a session for `COPY … TO STDOUT`, whose rows are read in the buffer that the
//! socket filled.
//!
//! tokio-postgres would allocate a message for each row. Here a row is a range of the buffer, and
//! is copied once, to the line that a snapshot keeps back. Source: PostgreSQL documentation,
//! "Frontend/Backend Protocol", section "COPY Operations".

use std::ops::Range;
use std::time::Duration;

use tokio::io::AsyncReadExt;

use super::pins::Session;
use super::query::within;
use super::watch::{Backend, Kind, watched};
use super::wire::{Duplex, Inbox, LARGE_MESSAGE, Next, login, open};
use super::{Ask, Row};
use crate::config::Connection;
use crate::{Error, Result};

/// The next part of a `COPY`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// A row: [`RowReader::take`] it before anything else.
    Row,
    /// A message of several megabytes is next, with a row or the beginning of one. Call
    /// [`RowReader::admit`] once there is room for it.
    Large,
    /// There are no more rows.
    End,
}

/// A session that reads tables. It also answers queries, as the session that sees the snapshot.
pub(crate) struct RowReader {
    /// The connection, logged in.
    stream: Box<dyn Duplex>,
    /// The buffer, cut into messages.
    inbox: Inbox,
    /// `database.query.timeout.ms`: how long an answer may take. It does not hold for `COPY`.
    limit: Option<Duration>,
    /// The session's server process, which is looked at when nothing comes; `None` when the server
    /// does not say.
    backend: Option<Backend>,
    /// The server's error, returned once the server is ready for the next statement.
    refusal: Option<Error>,
    /// Where the current row lies in the inbox, or its last part.
    row: Range<usize>,
    /// The bytes behind that row in the same message. The server sends one row in each message, but
    /// the protocol does not promise it.
    rest: Range<usize>,
    /// The first part of the current row, if earlier messages had it.
    beginning: Vec<u8>,
}

impl std::fmt::Debug for RowReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RowReader").field("row", &self.row).field("rest", &self.rest).finish_non_exhaustive()
    }
}

impl Ask for RowReader {
    async fn rows(&mut self, what: &str, sql: &str) -> Result<Vec<Row>> {
        within(self.limit, what, self.run(what, sql)).await
    }
}

impl RowReader {
    /// A row of more bytes than this is taken with its memory, not copied.
    pub(crate) const LARGE: usize = LARGE_MESSAGE;

    /// Connects, authenticates, and runs `database.initial.statements`.
    pub(crate) async fn connect(connection: &Connection) -> Result<Self> {
        let stream = open::session(connection, Session::Snapshot, None).await?.stream;
        let mut reader = Self::over(stream, connection.query_timeout);
        let pid = reader.value("ask for the session's process", "SELECT pg_backend_pid()").await?;
        let pid = pid.and_then(|pid| pid.parse().ok());
        reader.backend = pid.map(|pid| Backend { connection: connection.clone(), pid, kind: Kind::Sql });
        for statement in &connection.initial_statements {
            reader.execute("database.initial.statements", statement).await?;
        }
        Ok(reader)
    }

    /// A reader over a connection that is logged in.
    fn over(stream: Box<dyn Duplex>, limit: Option<Duration>) -> Self {
        Self {
            stream,
            inbox: Inbox::new(),
            limit,
            backend: None,
            refusal: None,
            row: 0..0,
            rest: 0..0,
            beginning: Vec::new(),
        }
    }

    /// Runs statements for their effect.
    pub(crate) async fn execute(&mut self, what: &str, sql: &str) -> Result<()> {
        self.rows(what, sql).await.map(drop)
    }

    /// The first column of the first row.
    pub(crate) async fn value(&mut self, what: &str, sql: &str) -> Result<Option<String>> {
        let rows = self.rows(what, sql).await?;
        Ok(rows.first().and_then(|row| row.get(0)).map(str::to_owned))
    }

    // Not by `login::command`: notices that the server sends unasked may be in the inbox already.
    async fn run(&mut self, what: &str, sql: &str) -> Result<Vec<Row>> {
        login::query(&mut self.stream, what, sql).await?;
        let mut rows = Vec::new();
        loop {
            match self.message(what).await? {
                Some((b'D', body)) => {
                    rows.push(Row(login::row(self.inbox.bytes(body))
                        .ok_or_else(|| Error::fatal(format!("{what}: the server sent a malformed row")))?));
                }
                Some((b'Z', _)) => return self.refusal.take().map_or(Ok(rows), Err),
                Some(_) => {}
                None => self.inbox.admit(),
            }
        }
    }

    /// Sends a `COPY … TO STDOUT`. [`next`](Self::next) brings its rows; all of them must be read
    /// before the next statement.
    pub(crate) async fn copy(&mut self, what: &str, sql: &str) -> Result<()> {
        login::query(&mut self.stream, what, sql).await
    }

    /// Waits for the next part of the `COPY`.
    ///
    /// # Errors
    /// The server's, and those of the connection.
    #[inline]
    pub(crate) async fn next(&mut self, what: &str) -> Result<Piece> {
        loop {
            if !self.rest.is_empty() {
                let bytes = self.inbox.bytes(self.rest.clone());
                if let Some(length) = memchr::memchr(b'\n', bytes) {
                    let end = self.rest.start + length;
                    self.row = self.rest.start..end;
                    self.rest.start = end + 1;
                    return Ok(Piece::Row);
                }
                self.beginning.extend_from_slice(bytes);
                self.rest = 0..0;
                self.inbox.release();
            }
            match self.message(what).await? {
                Some((b'd', body)) => self.rest = body,
                Some((b'Z', _)) => return self.end(what),
                // The copy's beginning and end; notices, and changes of parameters.
                Some(_) => {}
                None => return Ok(Piece::Large),
            }
        }
    }

    /// The end of a `COPY`: the server's error, if there was one.
    fn end(&mut self, what: &str) -> Result<Piece> {
        if let Some(refusal) = self.refusal.take() {
            return Err(refusal);
        }
        if self.beginning.is_empty() {
            return Ok(Piece::End);
        }
        Err(Error::fatal(format!("{what}: the copy ended within a row")))
    }

    /// Replaces the content of `line` by the current row, without its newline. A large row comes
    /// with its memory; any other row is copied.
    #[inline]
    pub(crate) fn take(&mut self, line: &mut Vec<u8>) {
        let row = std::mem::take(&mut self.row);
        if row.len() > LARGE_MESSAGE && self.beginning.is_empty() && self.rest.is_empty() {
            *line = self.inbox.take(row);
            return;
        }
        line.clear();
        line.append(&mut self.beginning);
        line.extend_from_slice(self.inbox.bytes(row));
        if self.rest.is_empty() {
            self.inbox.release();
        }
    }

    /// Gives the large message that is next its memory.
    pub(crate) fn admit(&mut self) {
        self.inbox.admit();
    }

    /// The next message: its tag, and where its body lies. `None` when it is a large message with a
    /// row, which is not admitted yet.
    #[inline]
    async fn message(&mut self, what: &str) -> Result<Option<(u8, Range<usize>)>> {
        loop {
            match self.inbox.next() {
                Next::Message(b'E', body) => {
                    self.refusal = Some(login::refused(what, self.inbox.bytes(body)));
                }
                Next::Message(tag, body) => return Ok(Some((tag, body))),
                Next::Incomplete => self.read(what).await?,
                Next::Large if matches!(self.inbox.tag(), Some(b'd' | b'D')) => return Ok(None),
                // A notice or an error with a long text: no row, so it needs no permission.
                Next::Large => self.inbox.admit(),
                Next::Malformed(length) => {
                    return Err(Error::fatal(format!(
                        "{what}: the server sent a message whose length is {length}, which breaks the protocol"
                    )));
                }
            }
        }
    }

    /// Waits for more bytes. While nothing comes, the watch looks at the server's process from
    /// another session.
    async fn read(&mut self, what: &str) -> Result<()> {
        let (stream, room) = (&mut self.stream, self.inbox.room());
        let read = async {
            match stream.read(room).await {
                Ok(0) => Err(Error::transient(format!("{what}: the server closed the connection"))),
                Ok(bytes) => Ok(bytes),
                Err(error) => Err(Error::transient(format!("{what}: {error}")).with_source(error)),
            }
        };
        let lost = match watched(self.backend.as_ref(), what, read).await {
            Ok(bytes) => {
                self.inbox.filled(bytes);
                return Ok(());
            }
            Err(lost) => lost,
        };
        // When an administrator ends the session, the server's error came before the end of the connection.
        Err(self.refusal.take().unwrap_or(lost))
    }

    /// Ends the session as the protocol wants it, within three seconds.
    pub(crate) async fn close(mut self) {
        const LIMIT: Duration = Duration::from_secs(3);
        let _ = tokio::time::timeout(LIMIT, login::terminate(&mut self.stream)).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt, DuplexStream};

    use super::*;
    use crate::postgres::wire::message;

    fn refusal(code: &str) -> Vec<u8> {
        message(b'E', format!("SERROR\0C{code}\0Mno\0\0").as_bytes())
    }

    /// A session with a server that says this and no more, whatever it is asked.
    fn says(answers: &[Vec<u8>]) -> RowReader {
        let (ours, mut theirs): (DuplexStream, DuplexStream) = tokio::io::duplex(1 << 16);
        let answers = answers.concat();
        tokio::spawn(async move {
            theirs.write_all(&answers).await?;
            theirs.shutdown().await?;
            tokio::io::copy(&mut theirs, &mut tokio::io::sink()).await
        });
        RowReader::over(Box::new(ours), None)
    }

    /// The rows of a copy by their lengths, with a mark where a large message was announced.
    async fn copied(reader: &mut RowReader) -> Result<Vec<String>> {
        reader.copy("read", "COPY t TO STDOUT").await?;
        let (mut found, mut line) = (Vec::new(), Vec::new());
        loop {
            match reader.next("read").await? {
                Piece::Row => {
                    reader.take(&mut line);
                    assert!(!line.contains(&b'\n'));
                    found.push(match line.len() {
                        0..10 => String::from_utf8(line.clone()).unwrap(),
                        length => length.to_string(),
                    });
                }
                Piece::Large => {
                    found.push("large".to_owned());
                    reader.admit();
                }
                Piece::End => return Ok(found),
            }
        }
    }

    #[tokio::test]
    async fn rows_come_whole_however_the_messages_are_cut() {
        let large = [&vec![b'x'; LARGE_MESSAGE + 7][..], b"\n"].concat();
        let end = || message(b'Z', b"I");
        let mut reader = says(&[
            message(b'H', b"\0\0\0"),
            message(b'd', b"1\n"),
            message(b'd', b"\n3"),
            message(b'N', &large),
            message(b'd', b""),
            message(b'd', b"3\n4\n"),
            message(b'd', &large),
            message(b'd', &[b"a\n", &large[..]].concat()),
            message(b'd', &large[1..large.len() - 1]),
            message(b'd', b"b\nc\n"),
            message(b'c', b""),
            end(),
            message(b'D', b"\0\x02\0\0\0\x01v\xff\xff\xff\xff"),
            end(),
        ]);
        let (all, cut) = ((LARGE_MESSAGE + 7).to_string(), (LARGE_MESSAGE + 7).to_string());
        let expect = ["1", "", "33", "4", "large", &all, "large", "a", &all, "large", &cut, "c"];
        assert_eq!(copied(&mut reader).await.unwrap(), expect);
        assert_eq!(reader.value("look", "SELECT").await.unwrap().as_deref(), Some("v"));
    }

    #[tokio::test]
    async fn a_refusal_is_said_and_the_session_goes_on() {
        let mut reader =
            says(&[refusal("42703"), message(b'Z', b"I"), message(b'd', b"1\n"), message(b'Z', b"I")]);
        let error = copied(&mut reader).await.unwrap_err();
        assert_eq!((error.to_string().as_str(), error.is_transient()), ("read: no (SQLSTATE 42703)", false));
        assert_eq!(copied(&mut reader).await.unwrap(), ["1"]);
    }

    #[tokio::test]
    async fn an_end_before_the_end_is_an_error() {
        let mut ended = says(&[message(b'd', b"1\n"), refusal("57P01")]);
        let error = copied(&mut ended).await.unwrap_err();
        assert_eq!((error.to_string().as_str(), error.is_transient()), ("read: no (SQLSTATE 57P01)", true));
        let mut lost = says(&[message(b'd', b"1\n")]);
        assert!(copied(&mut lost).await.unwrap_err().is_transient());
        let mut cut = says(&[message(b'd', b"1\n2"), message(b'Z', b"I")]);
        assert!(copied(&mut cut).await.unwrap_err().to_string().contains("within a row"));
    }
}
