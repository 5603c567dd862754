//! What the operating system does about a peer that is gone without a word.

use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};

/// An idle connection is probed after so long,
pub(in crate::postgres) const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
/// then again and again,
pub(in crate::postgres) const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// so often.
pub(in crate::postgres) const KEEPALIVE_RETRIES: u32 = 3;

/// What was sent and not acknowledged for so long breaks the connection. It is the other host's kernel that acknowledges,
/// so a server process that is busy does not count.
pub(in crate::postgres) const UNACKNOWLEDGED: Duration = Duration::from_secs(60);

/// Sets them; probes only where `database.tcpKeepAlive` wants them.
pub(super) fn set<'a>(socket: impl Into<SockRef<'a>>, probes: bool) -> std::io::Result<()> {
    let socket = socket.into();
    if probes {
        let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_IDLE).with_interval(KEEPALIVE_INTERVAL);
        #[cfg(not(windows))]
        let keepalive = keepalive.with_retries(KEEPALIVE_RETRIES);
        socket.set_tcp_keepalive(&keepalive)?;
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
    Ok(())
}
