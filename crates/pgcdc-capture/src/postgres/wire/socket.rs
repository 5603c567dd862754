use std::sync::Arc;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;

use crate::config::{Connection, SslMode};
use crate::postgres::tls;
use crate::postgres::wire::keepalive;
use crate::{Error, Result};

/// What a session runs over.
pub(in crate::postgres) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// An SSLRequest. Source: PostgreSQL manual, "Message Formats".
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// Connects to the first address that answers.
async fn dial(connection: &Connection, near: Option<u32>) -> std::io::Result<TcpStream> {
    let mut failure = None;
    for address in tokio::net::lookup_host((connection.host.as_str(), connection.port)).await? {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        keepalive::set(&socket, connection.keepalive)?;
        if let Some(bytes) = near.filter(|_| address.ip().is_loopback()) {
            socket.set_recv_buffer_size(bytes)?;
        }
        match socket.connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = Some(error),
        }
    }
    Err(failure.unwrap_or_else(|| std::io::Error::other("the host name has no address")))
}

/// Connects by TCP, with TLS as `database.sslmode` says, or by the unix socket in a directory. `near` is the receive
/// buffer for a server on the same host, in bytes, where the system's own does not do.
pub(in crate::postgres) async fn connect(
    connection: &Connection,
    near: Option<u32>,
    what: &str,
) -> Result<Box<dyn Duplex>> {
    let failed = |error: std::io::Error| Error::transient(format!("{what}: {error}")).with_source(error);
    #[cfg(unix)]
    if connection.host.starts_with('/') {
        let path = format!("{}/.s.PGSQL.{}", connection.host, connection.port);
        return Ok(Box::new(tokio::net::UnixStream::connect(path).await.map_err(failed)?));
    }
    let mut stream = dial(connection, near).await.map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    if connection.ssl.mode == SslMode::Disable {
        return Ok(Box::new(stream));
    }
    stream.write_all(&SSL_REQUEST).await.map_err(failed)?;
    match stream.read_u8().await.map_err(failed)? {
        b'S' => {}
        b'N' if matches!(connection.ssl.mode, SslMode::Allow | SslMode::Prefer) => {
            return Ok(Box::new(stream));
        }
        b'N' => {
            return Err(Error::configuration(format!("{what}: the server does not offer TLS"))
                .with_hint("set ssl = on at the server, or database.sslmode=prefer or disable here"));
        }
        other => {
            return Err(Error::transient(format!("{what}: answer {other:#04x} to the request for TLS")));
        }
    }
    let name = ServerName::try_from(connection.host.clone()).map_err(|error| {
        Error::configuration(format!("database.hostname: {:?} is no host name", connection.host))
            .with_source(error)
    })?;
    let connector = TlsConnector::from(Arc::new(tls::client_config(&connection.ssl)?));
    match connector.connect(name, stream).await {
        Ok(stream) => Ok(Box::new(stream)),
        // A handshake that a restarting server cuts short passes; a certificate that is wrong does not.
        Err(error) if error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) => {
            Err(Error::configuration(format!("{what}: TLS: {error}"))
                .with_hint("check database.sslmode, database.sslrootcert and the server's certificate"))
        }
        Err(error) => Err(failed(error)),
    }
}
