//! What is said on a session after its login, over its raw connection: statements, commands, and
//! the end. Source: PostgreSQL documentation, "Message Flow", sections "Simple Query" and "COPY
//! Operations".

use pgwire_replication::PgWireError;
use pgwire_replication::protocol::framing::{read_backend_message, write_query};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::refusal;
use crate::{Error, Result};

/// Sends statements by the simple protocol, and does not wait for the answer.
pub(in crate::postgres) async fn query<S>(stream: &mut S, what: &str, sql: &str) -> Result<()>
where
    S: AsyncWrite + Unpin,
{
    write_query(stream, sql).await.map_err(|error| refusal::wire(what, &error))
}

/// Runs a command by the simple protocol and returns its rows, each column as text; `None` is NULL.
///
/// # Errors
/// The server's, after it is ready for the next command; and those of the connection.
pub(in crate::postgres) async fn command<S>(
    stream: &mut S,
    what: &str,
    sql: &str,
) -> Result<Vec<Vec<Option<String>>>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let failed = |error: PgWireError| refusal::wire(what, &error);
    query(stream, what, sql).await?;
    let mut rows = Vec::new();
    let mut failure = None;
    loop {
        let message = read_backend_message(stream).await.map_err(failed)?;
        match message.tag {
            b'D' => rows.push(
                row(&message.payload)
                    .ok_or_else(|| Error::fatal(format!("{what}: the server sent a malformed row")))?,
            ),
            b'E' => failure = Some(refusal::of_command(what, &message.payload)),
            b'Z' => return failure.map_or(Ok(rows), Err),
            _ => {}
        }
    }
}

/// Sends `START_REPLICATION` and waits until the stream begins (`CopyBothResponse`).
pub(in crate::postgres) async fn start<S>(stream: &mut S, what: &str, sql: &str) -> Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let failed = |error: PgWireError| refusal::wire(what, &error);
    query(stream, what, sql).await?;
    loop {
        let message = read_backend_message(stream).await.map_err(failed)?;
        match message.tag {
            b'W' => return Ok(()),
            b'E' => return Err(refusal::of_command(what, &message.payload)),
            _ => {}
        }
    }
}

/// Ends the session by a `Terminate`, so that the server does not log a lost connection.
pub(in crate::postgres) async fn terminate<S: AsyncWrite + Unpin>(stream: &mut S) -> std::io::Result<()> {
    stream.write_all(b"X\0\0\0\x04").await?;
    stream.flush().await
}

/// The columns of a `DataRow`; `None` when the message is malformed. Bytes that are not UTF-8 are
/// replaced.
pub(in crate::postgres) fn row(mut bytes: &[u8]) -> Option<Vec<Option<String>>> {
    let columns = u16::from_be_bytes(*bytes.split_off(..2)?.first_chunk()?);
    let mut row = Vec::with_capacity(columns.into());
    for _ in 0..columns {
        let length = i32::from_be_bytes(*bytes.split_off(..4)?.first_chunk()?);
        row.push(match usize::try_from(length) {
            Err(_) => None,
            Ok(length) => Some(String::from_utf8_lossy(bytes.split_off(..length)?).into_owned()),
        });
    }
    Some(row)
}

/// What an `ErrorResponse` to a statement means.
pub(in crate::postgres) fn refused(what: &str, payload: &[u8]) -> Error {
    refusal::of_statement(what, payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_cut_and_a_short_one_refused() {
        let bytes = [0, 2, 0, 0, 0, 2, b'a', b'b', 0xff, 0xff, 0xff, 0xff];
        assert_eq!(row(&bytes), Some(vec![Some("ab".to_owned()), None]));
        assert_eq!(row(&bytes[..7]), None);
        assert_eq!(row(&[0]), None);
    }
}
