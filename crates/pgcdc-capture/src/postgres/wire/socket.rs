//! The socket below a session: a server's addresses, TCP, and unix sockets.

use std::net::{IpAddr, SocketAddr};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};

use super::keepalive;
use crate::config::{Host, KeepAlive};

/// A connection that a session runs over: a socket, or TLS on one.
pub(in crate::postgres) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// The addresses of a host, each to be tried in this order; a single `None` for a unix socket. With
/// `hostaddr` the name is not looked up.
///
/// # Errors
/// When the name cannot be resolved, or has no address.
pub(super) async fn addresses(host: &Host) -> std::io::Result<Vec<Option<SocketAddr>>> {
    if host.is_unix() {
        return Ok(vec![None]);
    }
    let name = host.address.as_deref().unwrap_or(&host.name);
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(vec![Some(SocketAddr::new(address, host.port))]);
    }
    let found: Vec<_> = tokio::net::lookup_host((name, host.port)).await?.map(Some).collect();
    if found.is_empty() {
        return Err(std::io::Error::other("the host name has no address"));
    }
    Ok(found)
}

/// Connects by TCP, without Nagle's delay. `near` is the size in bytes of the receive buffer when
/// the server is on this host; `None` leaves the system's own.
pub(super) async fn dial(
    address: SocketAddr,
    near: Option<u32>,
    wanted: &KeepAlive,
) -> std::io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    keepalive::set(&socket, wanted)?;
    if let Some(bytes) = near.filter(|_| address.ip().is_loopback()) {
        socket.set_recv_buffer_size(bytes)?;
    }
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Connects by the server's unix socket in a directory. A name that begins with `@` is an abstract
/// socket, which only Linux has.
#[cfg(unix)]
pub(super) async fn dial_unix(host: &Host) -> std::io::Result<tokio::net::UnixStream> {
    let path = format!("{}/.s.PGSQL.{}", host.name, host.port);
    match path.strip_prefix('@') {
        #[cfg(target_os = "linux")]
        Some(name) => tokio::net::UnixStream::connect(format!("\0{name}")).await,
        _ => tokio::net::UnixStream::connect(path).await,
    }
}
