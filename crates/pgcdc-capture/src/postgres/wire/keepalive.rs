//! What the operating system does about a peer that is gone without a word.

use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};

use crate::config::KeepAlive;

/// An idle connection is probed after so long,
const IDLE: Duration = Duration::from_secs(30);
/// then again and again,
const INTERVAL: Duration = Duration::from_secs(10);
/// so often.
const RETRIES: u32 = 3;

/// What was sent and not acknowledged for so long breaks the connection. It is the other host's kernel that acknowledges,
/// so a server process that is busy does not count.
const UNACKNOWLEDGED: Duration = Duration::from_secs(60);

/// Sets them, where the configuration does not have its own.
pub(super) fn set<'a>(socket: impl Into<SockRef<'a>>, wanted: &KeepAlive) -> std::io::Result<()> {
    let socket = socket.into();
    if wanted.on {
        let probes = TcpKeepalive::new()
            .with_time(wanted.idle.unwrap_or(IDLE))
            .with_interval(wanted.interval.unwrap_or(INTERVAL));
        #[cfg(not(windows))]
        let probes = probes.with_retries(wanted.count.unwrap_or(RETRIES));
        socket.set_tcp_keepalive(&probes)?;
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    socket.set_tcp_user_timeout(Some(wanted.user_timeout.unwrap_or(UNACKNOWLEDGED)))?;
    Ok(())
}
