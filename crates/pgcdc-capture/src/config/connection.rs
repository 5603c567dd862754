//! How the database is reached: `database.*`, from a registration or from a URL.
//!
//! The two surfaces differ in one thing. A URL means what it means to libpq, which checks the server's certificate
//! whenever a file of root certificates is there. A registration means what it means to pgjdbc, Debezium's driver,
//! which checks it with `verify-ca` and `verify-full` only.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pgcdc_event::Secret;

use super::reader::Reader;

/// How to reach the database.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The servers to try, in this order; at least one.
    pub hosts: Vec<Host>,
    /// Try the servers in random order instead.
    pub load_balance: bool,
    /// What the server must be.
    pub target: TargetServer,
    /// `database.user`.
    pub user: String,
    /// `database.password`.
    pub password: Option<Secret>,
    /// `database.dbname`.
    pub dbname: String,
    /// `database.ssl*`.
    pub ssl: Ssl,
    /// `database.channelBinding`.
    pub channel_binding: ChannelBinding,
    /// `database.connectTimeout`: how long one server may take until the session is ready; `None` for the default.
    pub connect_timeout: Option<Duration>,
    /// `database.ApplicationName`.
    pub application_name: String,
    /// `database.options`: settings of the session beside our own, as `-c name=value`.
    pub options: String,
    /// `database.query.timeout.ms`; `None` for no limit.
    pub query_timeout: Option<Duration>,
    /// `database.initial.statements`, for connections other than the replication one.
    pub initial_statements: Vec<String>,
    /// `database.tcpKeepAlive`, and the times of libpq's parameters.
    pub keepalive: KeepAlive,
    /// Which of the servers the sessions are on.
    pub chosen: Chosen,
}

impl Connection {
    /// The servers, as messages name them: `host:port`, separated by commas.
    #[must_use]
    pub fn address(&self) -> String {
        let each: Vec<String> = self.hosts.iter().map(Host::to_string).collect();
        each.join(",")
    }

    /// How messages name the whole: `host:port/database as user`.
    #[must_use]
    pub fn describe(&self) -> String {
        format!("{}/{} as {}", self.address(), self.dbname, self.user)
    }
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// The name, an IP address, or the directory of a unix socket.
    pub name: String,
    /// libpq's `hostaddr`: the address to connect to, when the name is for the certificate alone.
    pub address: Option<String>,
    /// The port.
    pub port: u16,
    /// What the password file has for this server, when no password is given.
    pub password: Option<Secret>,
}

impl Host {
    /// A server by its name and port.
    pub fn new(name: impl Into<String>, port: u16) -> Self {
        Self { name: name.into(), address: None, port, password: None }
    }

    /// Whether it is reached by a socket in a directory.
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

/// The server that the first session of an attempt found, shared by all clones of a [`Connection`]. Later sessions go
/// to the same one: a slot read on one server beside a snapshot of another would lose rows.
#[derive(Clone, Debug, Default)]
pub struct Chosen(Arc<Mutex<Option<Place>>>);

/// Where a server is: its number among the hosts, and its address; none for a unix socket.
type Place = (usize, Option<SocketAddr>);

impl Chosen {
    pub(crate) fn get(&self) -> Option<Place> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set(&self, host: usize, address: Option<SocketAddr>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((host, address));
    }

    /// The next session looks through all servers again.
    pub(crate) fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// libpq's `target_session_attrs`, pgjdbc's `targetServerType`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TargetServer {
    /// Any server that takes the connection.
    #[default]
    Any,
    /// One that takes writes.
    ReadWrite,
    /// One that takes no writes.
    ReadOnly,
    /// One that is not in recovery.
    Primary,
    /// One that is in recovery.
    Standby,
    /// A primary if there is one, else any.
    PreferPrimary,
    /// A standby if there is one, else any.
    PreferStandby,
}

impl TargetServer {
    /// The words of libpq, then those of pgjdbc.
    const WORDS: &[(&str, Self)] = &[
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

/// libpq's `channel_binding`: whether SCRAM proves that the TLS session ends at the server that knows the password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChannelBinding {
    /// Never.
    Disable,
    /// When the server offers it.
    #[default]
    Prefer,
    /// Always: any other way to log in is refused.
    Require,
}

/// TCP's own watch over a connection on which nothing is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepAlive {
    /// Probes are sent.
    pub on: bool,
    /// Quiet time before the first probe.
    pub idle: Option<Duration>,
    /// Time between probes.
    pub interval: Option<Duration>,
    /// Probes without an answer until the connection is dead.
    pub count: Option<u32>,
    /// libpq's `tcp_user_timeout`: how long sent data may stay without an answer.
    pub user_timeout: Option<Duration>,
}

/// `database.ssl*`.
#[derive(Clone, Debug, Default)]
pub struct Ssl {
    /// `database.sslmode`.
    pub mode: SslMode,
    /// What is checked of the server's certificate.
    pub verify: Verify,
    /// How TLS begins.
    pub negotiation: SslNegotiation,
    /// `database.sslrootcert`, or the default file.
    pub root_cert: Option<PathBuf>,
    /// `sslrootcert=system`: the roots that this machine trusts.
    pub system_roots: bool,
    /// `database.sslcert`, or the default file.
    pub cert: Option<PathBuf>,
    /// `database.sslkey`, or the default file.
    pub key: Option<PathBuf>,
    /// `database.sslpassword`: the private key's.
    pub key_password: Option<Secret>,
    /// The oldest version of TLS.
    pub min_version: TlsVersion,
    /// The newest version of TLS.
    pub max_version: Option<TlsVersion>,
    /// The host's name is told to the server when the handshake begins (SNI).
    pub no_sni: bool,
}

/// `database.sslmode`, with libpq's meanings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SslMode {
    /// Never encrypted.
    Disable,
    /// Encrypted only when the server insists.
    Allow,
    /// Encrypted when the server can.
    #[default]
    Prefer,
    /// Encrypted; the certificate is not checked.
    Require,
    /// Encrypted; the certificate's authority is checked.
    VerifyCa,
    /// Encrypted; authority and host name are checked.
    VerifyFull,
}

/// What is checked of the server's certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verify {
    /// Nothing.
    #[default]
    Nothing,
    /// That a root certificate vouches for it.
    Authority,
    /// That, and that it names the host.
    AuthorityAndName,
}

/// libpq's `sslnegotiation`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SslNegotiation {
    /// The server is asked first whether it has TLS.
    #[default]
    Postgres,
    /// TLS begins at once (PostgreSQL 17 and later).
    Direct,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// TLS 1.2.
    #[default]
    V12,
    /// TLS 1.3.
    V13,
}

/// Reads `database.*`; what is wrong is noted with the reader.
pub(super) fn resolve(reader: &mut Reader<'_>) -> Connection {
    let libpq = is_url(reader);
    let mut hosts = hosts(reader);
    if libpq && reader.secret("database.password").is_none() {
        let (database, user) = (reader.string("database.dbname"), reader.string("database.user"));
        super::passfile::fill(&mut hosts, reader.path("database.passfile"), &database, &user);
    }
    Connection {
        load_balance: reader.boolean("database.loadBalanceHosts"),
        target: reader.choice("database.targetServerType", TargetServer::WORDS),
        user: reader.string("database.user"),
        password: reader.secret("database.password"),
        dbname: reader.string("database.dbname"),
        ssl: ssl(reader, libpq),
        channel_binding: reader.choice(
            "database.channelBinding",
            &[
                ("disable", ChannelBinding::Disable),
                ("prefer", ChannelBinding::Prefer),
                ("require", ChannelBinding::Require),
            ],
        ),
        connect_timeout: connect_timeout(reader, libpq),
        application_name: reader.string("database.ApplicationName"),
        options: reader.string("database.options"),
        query_timeout: Some(reader.millis("database.query.timeout.ms")).filter(|d| !d.is_zero()),
        initial_statements: statements(&reader.string("database.initial.statements")),
        keepalive: KeepAlive {
            on: reader.boolean("database.tcpKeepAlive"),
            idle: seconds(reader, "database.keepalives_idle"),
            interval: seconds(reader, "database.keepalives_interval"),
            count: u32::try_from(reader.number("database.keepalives_count")).ok().filter(|&n| n > 0),
            user_timeout: Some(reader.millis("database.tcp_user_timeout")).filter(|d| !d.is_zero()),
        },
        hosts,
        chosen: Chosen::default(),
    }
}

/// Whether the host came from a URL, whose words mean what they mean to libpq.
fn is_url(reader: &Reader<'_>) -> bool {
    let host = reader.document.entry("database.hostname");
    host.is_some_and(|entry| entry.place.source == super::source_url::SOURCE)
}

fn seconds(reader: &Reader<'_>, key: &str) -> Option<Duration> {
    u64::try_from(reader.number(key)).ok().filter(|&n| n > 0).map(Duration::from_secs)
}

/// libpq waits two seconds where one is asked for. `loginTimeout` of pgjdbc is the limit of the whole.
fn connect_timeout(reader: &Reader<'_>, libpq: bool) -> Option<Duration> {
    let limits = ["database.connectTimeout", "database.loginTimeout"].map(|key| seconds(reader, key));
    let limit = limits.into_iter().flatten().min()?;
    Some(if libpq { limit.max(Duration::from_secs(2)) } else { limit })
}

/// Servers separated by commas, each with or without a port; `database.port` is that of those without. pgjdbc has them
/// so in its URL.
fn hosts(reader: &mut Reader<'_>) -> Vec<Host> {
    const HOST: &str = "database.hostname";
    const PORT: &str = "database.port";
    let port = u16::try_from(reader.number(PORT)).ok().filter(|&p| p > 0);
    if port.is_none() {
        let message = format!("The '{PORT}' value is invalid: A port between 1 and 65535 is expected");
        reader.mistake(PORT, message, "the default is 5432");
    }
    let port = port.unwrap_or(5432);
    let names = reader.string(HOST);
    let each: Vec<&str> = names.split(',').map(str::trim).collect();
    let addresses = reader.string("database.hostaddr");
    let addresses: Vec<&str> = addresses.split(',').map(str::trim).collect();
    if addresses != [""] && addresses.len() != each.len() {
        let message = format!("has {} addresses for {} hosts", addresses.len(), each.len());
        reader.mistake("database.hostaddr", message, "name as many as there are hosts");
    }
    let mut hosts = Vec::with_capacity(each.len());
    for (at, text) in each.iter().enumerate() {
        match host(text, port) {
            Some(mut host) => {
                host.address = addresses.get(at).filter(|a| !a.is_empty()).map(|a| (*a).to_owned());
                hosts.push(host);
            }
            None => reader.mistake(
                HOST,
                format!("{text:?} is no host"),
                "write host, host:port or [address]:port, separated by commas",
            ),
        }
    }
    if hosts.is_empty() {
        hosts.push(Host::new("localhost", port));
    }
    hosts
}

/// `name`, `name:port`, `[address]:port`, an IPv6 address, or a directory.
fn host(text: &str, default: u16) -> Option<Host> {
    let port = |text: &str| match text {
        "" => Some(default),
        text => text.parse().ok().filter(|&port| port > 0),
    };
    if let Some(rest) = text.strip_prefix('[') {
        let (address, after) = rest.split_once(']')?;
        let number = if after.is_empty() { Some(default) } else { port(after.strip_prefix(':')?) };
        return (!address.is_empty()).then_some(Host::new(address, number?));
    }
    if text.is_empty() {
        return None;
    }
    if text.starts_with(['/', '@']) || text.matches(':').count() > 1 {
        return Some(Host::new(text, default));
    }
    let (name, number) = text.split_once(':').unwrap_or((text, ""));
    (!name.is_empty()).then_some(Host::new(name, port(number)?))
}

fn ssl(reader: &mut Reader<'_>, libpq: bool) -> Ssl {
    let root = reader.text("database.sslrootcert").map(str::to_owned);
    let system_roots = root.as_deref() == Some("system");
    let mode_set = reader.raw("database.sslmode").is_some_and(|mode| !mode.trim().is_empty());
    let mut mode = reader.choice(
        "database.sslmode",
        &[
            ("disable", SslMode::Disable),
            ("allow", SslMode::Allow),
            ("prefer", SslMode::Prefer),
            ("require", SslMode::Require),
            ("verify-ca", SslMode::VerifyCa),
            ("verify-full", SslMode::VerifyFull),
        ],
    );
    // pgjdbc's older property means the strictest mode.
    if !mode_set && (system_roots || reader.boolean("database.ssl")) {
        mode = SslMode::VerifyFull;
    } else if system_roots && mode != SslMode::VerifyFull {
        let message = "sslrootcert=system vouches for many who are not your server, so that sslmode must be verify-full";
        reader.mistake(
            "database.sslmode",
            message,
            "set sslmode=verify-full, or name a file of root certificates",
        );
    }
    let root_cert = match &root {
        Some(_) if system_roots => None,
        Some(path) => Some(PathBuf::from(path)),
        None => default_file("root.crt"),
    };
    let negotiation = reader.choice(
        "database.sslNegotiation",
        &[("postgres", SslNegotiation::Postgres), ("direct", SslNegotiation::Direct)],
    );
    if negotiation == SslNegotiation::Direct
        && matches!(mode, SslMode::Disable | SslMode::Allow | SslMode::Prefer)
    {
        let message = "direct begins with TLS, so that sslmode must be require, verify-ca or verify-full";
        reader.mistake(
            "database.sslNegotiation",
            message,
            "set sslmode=require, or leave sslnegotiation out",
        );
    }
    let versions = &[("TLSv1.2", Some(TlsVersion::V12)), ("TLSv1.3", Some(TlsVersion::V13))];
    let (cert, key) = client_files(reader, libpq);
    Ssl {
        mode,
        verify: verify(mode, libpq, root_cert.as_deref()),
        negotiation,
        root_cert,
        system_roots,
        cert,
        key,
        key_password: reader.secret("database.sslpassword"),
        min_version: reader.choice("database.ssl_min_protocol_version", versions).unwrap_or_default(),
        max_version: reader.choice("database.ssl_max_protocol_version", versions),
        no_sni: reader.text("database.sslsni") == Some("0"),
    }
}

/// What a mode checks. To libpq a root file that is there means that it is used, whatever the mode.
fn verify(mode: SslMode, libpq: bool, root: Option<&Path>) -> Verify {
    match mode {
        SslMode::VerifyFull => Verify::AuthorityAndName,
        SslMode::VerifyCa => Verify::Authority,
        _ if libpq && root.is_some_and(Path::exists) => Verify::Authority,
        _ => Verify::Nothing,
    }
}

/// The client's certificate and key, by name or from the files that libpq and pgjdbc look for by themselves.
fn client_files(reader: &Reader<'_>, libpq: bool) -> (Option<PathBuf>, Option<PathBuf>) {
    let (cert, key) = (reader.path("database.sslcert"), reader.path("database.sslkey"));
    let cert = cert.or_else(|| if key.is_none() { default_file("postgresql.crt") } else { None });
    let key = key.or_else(|| {
        let own =
            if libpq { ["postgresql.key", "postgresql.pk8"] } else { ["postgresql.pk8", "postgresql.key"] };
        cert.as_ref().and_then(|_| own.into_iter().find_map(default_file))
    });
    (cert, key)
}

/// A file of `~/.postgresql`, if it is there.
fn default_file(name: &str) -> Option<PathBuf> {
    let path = Path::new(&std::env::var_os("HOME")?).join(".postgresql").join(name);
    path.exists().then_some(path)
}

/// Statements separated by `;`, where `;;` stands for a semicolon within one.
fn statements(text: &str) -> Vec<String> {
    let marked = text.replace(";;", "\0");
    let each = marked.split(';').map(|s| s.replace('\0', ";").trim().to_owned());
    each.filter(|s| !s.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_an_address_or_a_directory() {
        let check = |text: &str, expect: Option<(&str, u16)>| {
            let found = host(text, 5432);
            assert_eq!(found.as_ref().map(|h| (&*h.name, h.port)), expect, "{text}");
        };
        check("h", Some(("h", 5432)));
        check("h:1", Some(("h", 1)));
        check("::1", Some(("::1", 5432)));
        check("[::1]:6000", Some(("::1", 6000)));
        check("[::1]", Some(("::1", 5432)));
        check("/var/run/postgresql", Some(("/var/run/postgresql", 5432)));
        check("h:0", None);
        check("h:port", None);
        check("[::1", None);
        check("", None);
        check(":5432", None);
    }
}
