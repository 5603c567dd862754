//! A session from nothing: which server, by which address, with or without TLS, and the login.

use std::net::SocketAddr;
use std::time::Duration;

use super::authenticate::{Failure, Greeting, Login};
use super::encryption::{Link, encrypt};
use super::refusal;
use super::socket::{self, Duplex};
use crate::config::{Connection, Host, SslMode, TargetServer};
use crate::{Error, Result};

/// How long a server may take until a session is ready, where nobody says another time.
const LIMIT: Duration = Duration::from_secs(30);

/// What a session is for.
#[derive(Clone, Copy, Debug)]
pub(in crate::postgres) struct Purpose<'a> {
    /// Settings of the session, as `-c name=value`.
    pub(in crate::postgres) options: &'a str,
    /// It takes replication commands.
    pub(in crate::postgres) replication: bool,
    /// The receive buffer for a server on the same host, in bytes, where the system's own does not do.
    pub(in crate::postgres) near: Option<u32>,
}

impl Purpose<'_> {
    fn name(&self) -> &'static str {
        if self.replication { "replication connection to" } else { "connect to" }
    }
}

/// A session that is ready for its first command.
pub(in crate::postgres) struct Session {
    pub(in crate::postgres) stream: Box<dyn Duplex>,
    /// What the server said at the login, message by message.
    pub(in crate::postgres) greeting: Vec<u8>,
}

/// What a server must be in one round through all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Any,
    Primary,
    Standby,
    ReadWrite,
    ReadOnly,
}

/// Opens a session: on the server that the attempt's first session found, else on the first that answers and is what
/// `target_session_attrs` wants. A server that is away is passed by; one that refuses us ends the search, as in libpq.
pub(in crate::postgres) async fn open(connection: &Connection, purpose: Purpose<'_>) -> Result<Session> {
    let mut failures: Vec<Error> = Vec::new();
    if let Some((at, address)) = connection.chosen.get()
        && let Some(host) = connection.hosts.get(at)
    {
        return attempt(connection, host, address, purpose).await.map(|(session, _)| session);
    }
    let mut order: Vec<usize> = (0..connection.hosts.len()).collect();
    if connection.load_balance {
        fastrand::shuffle(&mut order);
    }
    for wanted in rounds(connection.target) {
        failures.clear();
        for &at in &order {
            let host = &connection.hosts[at];
            let what = what(connection, host, purpose);
            let addresses = match socket::addresses(host).await {
                Ok(addresses) => addresses,
                Err(error) => {
                    failures.push(unreachable(&what, host, error));
                    continue;
                }
            };
            for address in addresses {
                match attempt(connection, host, address, purpose).await {
                    Ok((session, greeting)) if suits(*wanted, &greeting) => {
                        connection.chosen.set(at, address);
                        return Ok(session);
                    }
                    Ok(_) => {
                        failures
                            .push(Error::transient(format!("{what}: the server is no {}", wanted.name())));
                        break;
                    }
                    Err(error) if error.is_transient() => failures.push(error),
                    Err(error) => return Err(error),
                }
            }
        }
    }
    Err(together(failures))
}

fn what(connection: &Connection, host: &Host, purpose: Purpose<'_>) -> String {
    format!("{} {host}/{} as {}", purpose.name(), connection.dbname, connection.user)
}

/// One address: with and without TLS, as `sslmode` allows.
async fn attempt(
    connection: &Connection,
    host: &Host,
    address: Option<SocketAddr>,
    purpose: Purpose<'_>,
) -> Result<(Session, Greeting)> {
    let what = what(connection, host, purpose);
    let limit = connection.connect_timeout.unwrap_or(LIMIT);
    let ways: &[bool] = match connection.ssl.mode {
        _ if host.is_unix() => &[false],
        SslMode::Disable => &[false],
        SslMode::Allow => &[false, true],
        SslMode::Prefer => &[true, false],
        SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => &[true],
    };
    let mut first: Option<Error> = None;
    for (at, &encrypted) in ways.iter().enumerate() {
        let session = one(connection, host, address, encrypted, purpose, &what);
        let (failure, had_tls) = match tokio::time::timeout(limit, session).await {
            Ok(Ok(session)) => return Ok(session),
            Ok(Err(failure)) => failure,
            Err(_) => {
                let text = format!("{what}: no answer within {} s", limit.as_secs_f32());
                return Err(Error::transient(text).with_hint("is the server up, and does a firewall let us through? database.connectTimeout is the limit"));
            }
        };
        // The other way is for a server that wants it, or whose TLS does not work out.
        let other = match &failure {
            Failure::Refused { sqlstate, .. } => sqlstate.starts_with("28"),
            Failure::Tls(_) => true,
            Failure::Other(_) => false,
        };
        let again = other && at + 1 < ways.len() && (!encrypted || had_tls);
        let error = failure.into_error(&what, purpose.replication);
        if !again {
            return Err(match first {
                Some(first) if first.to_string() != error.to_string() => both(first, error, encrypted),
                _ => error,
            });
        }
        tracing::debug!(%error, encrypted, "tried the other way, as database.sslmode allows");
        first = Some(error);
    }
    Err(first.unwrap_or_else(|| Error::transient(format!("{what}: no way to connect"))))
}

/// What came of both ways, with TLS and without. The way out is that of the one with TLS, which is to be preferred.
fn both(first: Error, second: Error, second_encrypted: bool) -> Error {
    let words = if second_encrypted { ("without TLS", "with TLS") } else { ("with TLS", "without TLS") };
    let text = format!("{}: {first}; {}: {second}", words.0, words.1);
    let hint = if second_encrypted { &second } else { &first }.hint().map(str::to_owned);
    let error = if first.is_transient() || second.is_transient() {
        Error::transient(text)
    } else {
        Error::configuration(text)
    };
    match hint {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

/// One session, in one way. A failure tells whether TLS was on.
async fn one(
    connection: &Connection,
    host: &Host,
    address: Option<SocketAddr>,
    encrypted: bool,
    purpose: Purpose<'_>,
    what: &str,
) -> Result<(Session, Greeting), (Failure, bool)> {
    let mut link = match address {
        Some(address) => {
            let stream = socket::dial(address, purpose.near, &connection.keepalive)
                .await
                .map_err(|error| (Failure::Other(unreachable(what, host, error)), false))?;
            if encrypted {
                let optional = connection.ssl.mode == SslMode::Prefer;
                encrypt(stream, &connection.ssl, &host.name, optional, what)
                    .await
                    .map_err(|failure| (failure, true))?
            } else {
                Link::plain(stream)
            }
        }
        None => unix(host, what).await.map_err(|error| (Failure::Other(error), false))?,
    };
    let mut parameters = vec![
        ("user", connection.user.as_str()),
        ("database", connection.dbname.as_str()),
        ("client_encoding", "UTF8"),
        ("application_name", connection.application_name.as_str()),
    ];
    let options = format!("{} {}", connection.options, purpose.options);
    // A pooler that takes no options must not see even an empty one.
    if !options.trim().is_empty() {
        parameters.push(("options", options.trim()));
    }
    if purpose.replication {
        parameters.push(("replication", "database"));
    }
    let login = Login { connection, host, parameters: &parameters, what };
    let greeting = login.run(&mut link).await.map_err(|failure| (failure, link.encrypted))?;
    if let Some((name, asked, found)) = lost_setting(purpose.options, &greeting) {
        let error = refusal::settings_lost(what, name, asked, found);
        return Err((Failure::Other(error), link.encrypted));
    }
    Ok((Session { stream: link.stream, greeting: greeting.messages.clone() }, greeting))
}

/// The first setting that the server reports with another value than we asked for: name, asked value, reported value.
fn lost_setting<'a>(options: &'a str, greeting: &'a Greeting) -> Option<(&'a str, &'a str, &'a str)> {
    let same = |a: &str, b: &str| {
        let plain = |text: &str| text.replace([' ', '\\'], "").to_ascii_lowercase();
        plain(a) == plain(b)
    };
    options
        .split_whitespace()
        .filter_map(|word| word.split_once('='))
        .filter(|(name, _)| {
            ["timezone", "datestyle", "intervalstyle"].iter().any(|n| name.eq_ignore_ascii_case(n))
        })
        .find_map(|(name, asked)| {
            let reported = greeting.parameters.iter().find(|(n, _)| n.eq_ignore_ascii_case(name))?;
            (!same(asked, &reported.1)).then_some((name, asked, reported.1.as_str()))
        })
}

#[cfg(unix)]
async fn unix(host: &Host, what: &str) -> Result<Link> {
    let stream = socket::dial_unix(host).await.map_err(|error| unreachable(what, host, error))?;
    Ok(Link::plain(stream))
}

#[cfg(not(unix))]
async fn unix(host: &Host, what: &str) -> Result<Link> {
    let error = std::io::Error::other("this system has no unix sockets");
    Err(unreachable(what, host, error))
}

fn unreachable(what: &str, host: &Host, error: std::io::Error) -> Error {
    let hint = if host.is_unix() {
        format!("is the server up, and {} among its unix_socket_directories?", host.name)
    } else {
        "is the server up, and database.hostname and database.port right?".to_owned()
    };
    Error::transient(format!("{what}: {error}")).with_hint(hint).with_source(error)
}

fn rounds(target: TargetServer) -> &'static [Wanted] {
    match target {
        TargetServer::Any => &[Wanted::Any],
        TargetServer::ReadWrite => &[Wanted::ReadWrite],
        TargetServer::ReadOnly => &[Wanted::ReadOnly],
        TargetServer::Primary => &[Wanted::Primary],
        TargetServer::Standby => &[Wanted::Standby],
        TargetServer::PreferPrimary => &[Wanted::Primary, Wanted::Any],
        TargetServer::PreferStandby => &[Wanted::Standby, Wanted::Any],
    }
}

impl Wanted {
    fn name(self) -> &'static str {
        match self {
            Self::Any => "server",
            Self::Primary => "primary, which target_session_attrs (database.targetServerType) wants",
            Self::Standby => "standby, which target_session_attrs (database.targetServerType) wants",
            Self::ReadWrite => {
                "server that takes writes, which target_session_attrs (database.targetServerType) wants"
            }
            Self::ReadOnly => {
                "server that takes no writes, which target_session_attrs (database.targetServerType) wants"
            }
        }
    }
}

/// Whether a server is what is wanted, by what it reports at the login (PostgreSQL 14 and later).
fn suits(wanted: Wanted, greeting: &Greeting) -> bool {
    let on = |name: &str| greeting.parameters.iter().any(|(n, value)| n == name && value == "on");
    let standby = on("in_hot_standby");
    let read_only = standby || on("default_transaction_read_only");
    match wanted {
        Wanted::Any => true,
        Wanted::Primary => !standby,
        Wanted::Standby => standby,
        Wanted::ReadWrite => !read_only,
        Wanted::ReadOnly => read_only,
    }
}

/// One error of what came of all servers.
fn together(mut failures: Vec<Error>) -> Error {
    if failures.len() == 1 {
        return failures.remove(0);
    }
    let texts: Vec<String> = failures.iter().map(ToString::to_string).collect();
    Error::transient(texts.join("; "))
        .with_hint("none of the servers can be used: are they up, and host names and ports right?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_that_did_not_reach_the_server_is_noticed() {
        let options = "-c timezone=UTC -c datestyle=ISO,MDY -c extra_float_digits=3";
        let check = |reported: &[(&str, &str)], expect: Option<&str>| {
            let parameters = reported.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
            let greeting = Greeting { parameters, ..Greeting::default() };
            assert_eq!(lost_setting(options, &greeting).map(|(name, ..)| name), expect, "{reported:?}");
        };
        check(&[("TimeZone", "UTC"), ("DateStyle", "ISO, MDY"), ("server_version", "15")], None);
        check(&[("TimeZone", "Europe/Zurich"), ("DateStyle", "ISO, MDY")], Some("timezone"));
        check(&[("TimeZone", "UTC"), ("DateStyle", "German, DMY")], Some("datestyle"));
        check(&[], None);
    }

    #[test]
    fn a_server_is_what_it_reports() {
        let check = |wanted, standby: &str, read_only: &str, expect| {
            let parameters = vec![
                ("in_hot_standby".to_owned(), standby.to_owned()),
                ("default_transaction_read_only".to_owned(), read_only.to_owned()),
            ];
            let greeting = Greeting { parameters, ..Greeting::default() };
            assert_eq!(suits(wanted, &greeting), expect, "{wanted:?} {standby} {read_only}");
        };
        check(Wanted::Primary, "off", "on", true);
        check(Wanted::Primary, "on", "off", false);
        check(Wanted::ReadWrite, "off", "on", false);
        check(Wanted::ReadWrite, "off", "off", true);
        check(Wanted::ReadOnly, "on", "off", true);
        check(Wanted::Standby, "off", "on", false);
        check(Wanted::Any, "on", "on", true);
    }
}
