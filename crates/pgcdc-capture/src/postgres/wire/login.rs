use pgwire_replication::PgWireError;
use pgwire_replication::auth::scram::ScramClient;
use pgwire_replication::protocol::framing::{
    read_backend_message, write_password_message, write_query, write_startup_message,
};
use pgwire_replication::protocol::messages::auth;
use pgwire_replication::protocol::{parse_auth_request, parse_error_response};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use crate::config::Connection;
use crate::postgres::classify;
use crate::postgres::sqlstate::from_suffix;
use crate::{Error, Result};

/// Protocol 3.0.
const VERSION: i32 = 196_608;

/// Starts a session: startup parameters, `more` among them, authentication, until the server is ready.
pub(in crate::postgres) async fn log_in<S>(
    stream: &mut S,
    connection: &Connection,
    more: &[(&str, &str)],
    what: &str,
) -> Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let failed = |error: PgWireError| wire_error(what, &error);
    let mut parameters = vec![
        ("user", connection.user.as_str()),
        ("database", connection.dbname.as_str()),
        ("client_encoding", "UTF8"),
        ("application_name", "pgcdc"),
    ];
    parameters.extend_from_slice(more);
    write_startup_message(stream, VERSION, &parameters).await.map_err(failed)?;
    loop {
        let message = read_backend_message(stream).await.map_err(failed)?;
        match message.tag {
            b'Z' => return Ok(()),
            b'E' => return Err(refused(what, &message.payload)),
            b'R' => {
                let (kind, data) = parse_auth_request(&message.payload).map_err(failed)?;
                authenticate(stream, connection, kind, data, what).await?;
            }
            _ => {}
        }
    }
}

async fn authenticate<S>(
    stream: &mut S,
    connection: &Connection,
    kind: i32,
    data: &[u8],
    what: &str,
) -> Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let failed = |error: PgWireError| wire_error(what, &error);
    let password = connection.password.as_ref().map_or("", |password| password.expose());
    match kind {
        auth::OK => Ok(()),
        auth::CLEARTEXT_PASSWORD => {
            let mut payload = password.as_bytes().to_vec();
            payload.push(0);
            write_password_message(stream, &payload).await.map_err(failed)
        }
        auth::SASL if data.split(|&byte| byte == 0).any(|name| name == b"SCRAM-SHA-256") => {
            let scram = ScramClient::new(&connection.user);
            let mut first = b"SCRAM-SHA-256\0".to_vec();
            first.extend_from_slice(&u32::try_from(scram.client_first.len()).unwrap_or(0).to_be_bytes());
            first.extend_from_slice(scram.client_first.as_bytes());
            write_password_message(stream, &first).await.map_err(failed)?;
            let challenge = answer(stream, auth::SASL_CONTINUE, what).await?;
            let (last, message, salted) = scram.client_final(password, &challenge).map_err(failed)?;
            write_password_message(stream, last.as_bytes()).await.map_err(failed)?;
            let proof = answer(stream, auth::SASL_FINAL, what).await?;
            ScramClient::verify_server_final(&proof, &salted, &message).map_err(failed)
        }
        auth::MD5_PASSWORD => {
            let text = format!("{what}: the server asks for an MD5 password, which is not supported");
            Err(Error::configuration(text).with_hint(
                "SET password_encryption = 'scram-sha-256', set the role's password again, and say scram-sha-256 in pg_hba.conf",
            ))
        }
        other => {
            let text =
                format!("{what}: the server asks for authentication of kind {other}, which is not supported");
            Err(Error::configuration(text)
                .with_hint("use scram-sha-256, password, cert or trust in pg_hba.conf"))
        }
    }
}

/// The server's part of a SASL exchange.
async fn answer<S: AsyncRead + Unpin>(stream: &mut S, expected: i32, what: &str) -> Result<String> {
    let failed = |error: PgWireError| wire_error(what, &error);
    loop {
        let message = read_backend_message(stream).await.map_err(failed)?;
        match message.tag {
            b'E' => return Err(refused(what, &message.payload)),
            b'R' => {
                let (kind, data) = parse_auth_request(&message.payload).map_err(failed)?;
                if kind != expected {
                    return Err(Error::fatal(format!(
                        "{what}: authentication step {kind} in place of {expected}"
                    )));
                }
                return Ok(String::from_utf8_lossy(data).into_owned());
            }
            _ => {}
        }
    }
}

/// Sends statements by the simple protocol.
pub(in crate::postgres) async fn query<S>(stream: &mut S, what: &str, sql: &str) -> Result<()>
where
    S: AsyncWrite + Unpin,
{
    write_query(stream, sql).await.map_err(|error| wire_error(what, &error))
}

/// Runs a command by the simple protocol; each row's columns as text.
pub(in crate::postgres) async fn command<S>(
    stream: &mut S,
    what: &str,
    sql: &str,
) -> Result<Vec<Vec<Option<String>>>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let failed = |error: PgWireError| wire_error(what, &error);
    query(stream, what, sql).await?;
    let mut rows = Vec::new();
    let mut refusal = None;
    loop {
        let message = read_backend_message(stream).await.map_err(failed)?;
        match message.tag {
            b'D' => rows.push(
                row(&message.payload)
                    .ok_or_else(|| Error::fatal(format!("{what}: the server sent a malformed row")))?,
            ),
            b'E' => refusal = Some(refused(what, &message.payload)),
            b'Z' => return refusal.map_or(Ok(rows), Err),
            _ => {}
        }
    }
}

/// Sends START_REPLICATION and waits until the stream begins.
pub(in crate::postgres) async fn start<S>(stream: &mut S, what: &str, sql: &str) -> Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let failed = |error: PgWireError| wire_error(what, &error);
    query(stream, what, sql).await?;
    loop {
        let message = read_backend_message(stream).await.map_err(failed)?;
        match message.tag {
            b'W' => return Ok(()),
            b'E' => return Err(refused(what, &message.payload)),
            _ => {}
        }
    }
}

/// Says goodbye, so that the server does not log a lost connection.
pub(in crate::postgres) async fn terminate<S: AsyncWrite + Unpin>(stream: &mut S) -> std::io::Result<()> {
    stream.write_all(b"X\0\0\0\x04").await?;
    stream.flush().await
}

/// The columns of a DataRow.
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

/// What an ErrorResponse means.
pub(in crate::postgres) fn refused(what: &str, payload: &[u8]) -> Error {
    wire_error(what, &PgWireError::Server(parse_error_response(payload)))
}

fn wire_error(what: &str, error: &PgWireError) -> Error {
    match error {
        PgWireError::Server(text) => classify(from_suffix(text), what, text),
        PgWireError::Auth(text) => classify(Some(from_suffix(text).unwrap_or("28000")), what, text),
        PgWireError::Protocol(_) | PgWireError::MessageTooLarge { .. } => {
            Error::fatal(format!("{what}: {error}"))
        }
        _ => Error::transient(format!("{what}: {error}")),
    }
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
