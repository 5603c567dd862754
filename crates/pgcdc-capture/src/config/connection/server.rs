//! Which servers there are, and how to connect to them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pgcdc_event::Secret;

use super::ssl::Ssl;

/// How to reach the database. Every session is opened from it. Clones share
/// [`chosen`](Self::chosen), so that all sessions of an attempt go to one server.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The servers to try, in this order; at least one.
    pub hosts: Vec<Host>,
    /// Whether to try the servers in random order instead.
    pub load_balance: bool,
    /// Which kind of server to take, when there are several.
    pub target: TargetServer,
    /// `database.user`: the role that all sessions log in as.
    pub user: String,
    /// `database.password`; `None` when the server needs none, or the password file has it.
    pub password: Option<Secret>,
    /// `database.dbname`: the one database that is captured.
    pub dbname: String,
    /// `database.ssl*`.
    pub ssl: Ssl,
    /// `database.channelBinding`.
    pub channel_binding: ChannelBinding,
    /// `database.connectTimeout`: how long one server may take until the session is ready; `None`
    /// for 30 seconds.
    pub connect_timeout: Option<Duration>,
    /// `database.ApplicationName`: the name in `pg_stat_activity`; `pgcdc` by default.
    pub application_name: String,
    /// `database.options`: settings of the session beside our own, as `-c name=value`.
    pub options: String,
    /// `database.query.timeout.ms`; `None` for no limit.
    pub query_timeout: Option<Duration>,
    /// `database.initial.statements`, for every session except the replication session.
    pub initial_statements: Vec<String>,
    /// `database.tcpKeepAlive`, and the times of libpq's parameters.
    pub keepalive: KeepAlive,
    /// The server that the sessions of this attempt are connected to.
    pub chosen: Chosen,
}

impl Connection {
    /// The servers, as messages name them: `host:port`, separated by commas.
    #[must_use]
    pub fn address(&self) -> String {
        let each: Vec<String> = self.hosts.iter().map(Host::to_string).collect();
        each.join(",")
    }

    /// The whole connection, as messages name it: `host:port/database as user`. Never the password.
    #[must_use]
    pub fn describe(&self) -> String {
        format!("{}/{} as {}", self.address(), self.dbname, self.user)
    }
}

/// One server, by its name or address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// The name, an IP address, or the directory of a unix socket.
    pub name: String,
    /// libpq's `hostaddr`: the address to connect to; the name then only has to match the certificate.
    pub address: Option<String>,
    /// The port.
    pub port: u16,
    /// The password file's entry for this server, when no password is given.
    pub password: Option<Secret>,
}

impl Host {
    /// A server by its name and port.
    pub fn new(name: impl Into<String>, port: u16) -> Self {
        Self { name: name.into(), address: None, port, password: None }
    }

    /// Whether it is reached by a unix socket.
    #[must_use]
    pub fn is_unix(&self) -> bool {
        self.address.is_none() && self.name.starts_with(['/', '@'])
    }
}

impl std::fmt::Display for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.name.contains(':') {
            write!(f, "[{}]:{}", self.name, self.port)
        } else {
            write!(f, "{}:{}", self.name, self.port)
        }
    }
}

/// The server that the first session of an attempt found, shared by all clones of a [`Connection`].
/// Later sessions go to the same one: a slot read on one server beside a snapshot of another would
/// lose rows.
#[derive(Clone, Debug, Default)]
pub struct Chosen(Arc<Mutex<Option<ChosenHost>>>);

/// The server's number among the hosts, and its address; `None` for a unix socket.
type ChosenHost = (usize, Option<SocketAddr>);

impl Chosen {
    /// The server that was found, if one was.
    pub(crate) fn get(&self) -> Option<ChosenHost> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the server that the first session found.
    pub(crate) fn set(&self, host: usize, address: Option<SocketAddr>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((host, address));
    }

    /// Lets the next session try all servers again.
    pub(crate) fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Which kind of server to take: libpq's `target_session_attrs`, pgjdbc's `targetServerType`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TargetServer {
    /// Any server that accepts the connection.
    #[default]
    Any,
    /// A server that takes writes.
    ReadWrite,
    /// A server that takes no writes.
    ReadOnly,
    /// A server that is not in recovery.
    Primary,
    /// A server that is in recovery.
    Standby,
    /// A primary if there is one, else any.
    PreferPrimary,
    /// A standby if there is one, else any.
    PreferStandby,
}

impl TargetServer {
    /// The words of libpq, then those of pgjdbc.
    pub(super) const WORDS: &[(&str, Self)] = &[
        ("any", Self::Any),
        ("read-write", Self::ReadWrite),
        ("read-only", Self::ReadOnly),
        ("primary", Self::Primary),
        ("standby", Self::Standby),
        ("prefer-standby", Self::PreferStandby),
        ("master", Self::Primary),
        ("secondary", Self::Standby),
        ("slave", Self::Standby),
        ("preferSecondary", Self::PreferStandby),
        ("preferSlave", Self::PreferStandby),
        ("preferPrimary", Self::PreferPrimary),
    ];
}

/// libpq's `channel_binding`: whether the login proves that the TLS session ends at the server that
/// knows the password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChannelBinding {
    /// Never.
    Disable,
    /// When the server offers it.
    #[default]
    Prefer,
    /// Always; any other way to log in is refused.
    Require,
}

/// How TCP finds out that the other side of a quiet connection is gone. `None` stands for our own
/// values (`postgres/wire/keepalive.rs`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepAlive {
    /// Whether probes are sent.
    pub on: bool,
    /// How long the connection is quiet before the first probe.
    pub idle: Option<Duration>,
    /// The time between probes.
    pub interval: Option<Duration>,
    /// How many probes go without an answer until the connection counts as dead.
    pub count: Option<u32>,
    /// libpq's `tcp_user_timeout`: how long sent data may stay unacknowledged.
    pub user_timeout: Option<Duration>,
}
