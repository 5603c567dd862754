//! TCP settings by which the operating system notices a peer that is gone without closing the
//! connection, for instance after a power failure or when a firewall forgets the connection.

use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};

use crate::config::KeepAlive;

/// How long a connection is idle before it is probed.
const IDLE: Duration = Duration::from_secs(30);
/// The time between two probes.
const INTERVAL: Duration = Duration::from_secs(10);
/// How many probes go unanswered before the connection counts as broken.
const RETRIES: u32 = 3;

/// How long sent bytes may stay unacknowledged before the connection counts as broken. The other
/// host's kernel acknowledges them, so a busy server process does no harm.
const UNACKNOWLEDGED: Duration = Duration::from_secs(60);

/// Sets these values on a socket; values of the configuration come before ours. With our own, a
/// dead peer is noticed within about a minute.
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
