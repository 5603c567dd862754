//! A session from nothing: which server, by which address, with or without TLS, and the login.
//!
//! ```text
//!  open: for each round and host ─▶ on_host: for each address ─▶ attempt: with TLS, without ─▶ one
//! ```
//!
//! The order and the meaning of each step are libpq's. Source: PostgreSQL documentation, "Database
//! Connection Control Functions", section "Specifying Multiple Hosts", and `target_session_attrs`,
//! `load_balance_hosts`, `sslmode`.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use super::authenticate::{Greeting, Login};
use super::encryption::{Link, encrypt};
use super::failure::Failure;
use super::refusal;
use super::socket::{self, Duplex};
use crate::config::{Connection, Host, SslMode, TargetServer};
use crate::postgres::pins;
use crate::{Error, Result};

/// How long a server may take until a session is ready, unless the configuration says otherwise.
const LIMIT: Duration = Duration::from_secs(30);

/// What a session is for.
#[derive(Clone, Copy, Debug)]
pub(in crate::postgres) struct Purpose<'a> {
    /// Settings of the session, as `-c name=value`.
    pub(in crate::postgres) options: &'a str,
    /// Whether it takes replication commands.
    pub(in crate::postgres) replication: bool,
    /// The receive buffer for a server on the same host, in bytes; `None` leaves the system's own.
    pub(in crate::postgres) near: Option<u32>,
}

impl Purpose<'_> {
    /// The beginning of a sentence about the connection.
    fn name(&self) -> &'static str {
        if self.replication { "replication connection to" } else { "connect to" }
    }
}

/// A session that is ready for its first command.
pub(in crate::postgres) struct Session {
    /// The connection, logged in.
    pub(in crate::postgres) stream: Box<dyn Duplex>,
    /// The messages that the server sent at the login.
    pub(in crate::postgres) greeting: Vec<u8>,
}

/// Which servers are taken, in one round through all servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Any,
    Primary,
    Standby,
    ReadWrite,
    ReadOnly,
}

/// Opens a session on the server that the first session of this attempt has found; otherwise on the
/// first server that answers and is as `target_session_attrs` wants it. The search goes on past a
/// server that cannot be reached, and ends at one that refuses us, as in libpq.
pub(in crate::postgres) async fn open(connection: &Connection, purpose: Purpose<'_>) -> Result<Session> {
    if let Some((at, address)) = connection.chosen.get()
        && let Some(host) = connection.hosts.get(at)
    {
        return attempt(connection, host, address, purpose).await.map(|(session, _)| session);
    }
    let mut order: Vec<usize> = (0..connection.hosts.len()).collect();
    if connection.load_balance {
        fastrand::shuffle(&mut order);
    }
    let mut failures: Vec<Error> = Vec::new();
    for &wanted in rounds(connection.target) {
        failures.clear();
        for &at in &order {
            match on_host(connection, at, wanted, purpose, &mut failures).await? {
                Some(session) => return Ok(session),
                None => continue,
            }
        }
    }
    Err(together(failures))
}

/// Tries the addresses of the host with number `at`. `None` when none of them gives a session on a
/// wanted server; the reasons are added to `failures`.
///
/// # Errors
/// A failure that does not pass, such as a wrong password: no other server is tried then.
async fn on_host(
    connection: &Connection,
    at: usize,
    wanted: Wanted,
    purpose: Purpose<'_>,
    failures: &mut Vec<Error>,
) -> Result<Option<Session>> {
    let host = &connection.hosts[at];
    let what = what(connection, host, purpose);
    let addresses = match socket::addresses(host).await {
        Ok(addresses) => addresses,
        Err(error) => {
            failures.push(unreachable(&what, host, error));
            return Ok(None);
        }
    };
    for address in addresses {
        match attempt(connection, host, address, purpose).await {
            Ok((session, greeting)) if suits(wanted, &greeting) => {
                connection.chosen.set(at, address);
                return Ok(Some(session));
            }
            Ok(_) => {
                failures.push(Error::transient(format!("{what}: the server is no {}", wanted.name())));
                return Ok(None);
            }
            Err(error) if error.is_transient() => failures.push(error),
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// The connection in words, for errors: purpose, server, database, user.
fn what(connection: &Connection, host: &Host, purpose: Purpose<'_>) -> String {
    format!("{} {host}/{} as {}", purpose.name(), connection.dbname, connection.user)
}

/// Connects to one address: with TLS, without, or first one and then the other, as `sslmode`
/// allows. When a pooler refuses the settings that we send with the login, logs in without them.
async fn attempt(
    connection: &Connection,
    host: &Host,
    address: Option<SocketAddr>,
    mut purpose: Purpose<'_>,
) -> Result<(Session, Greeting)> {
    let what = what(connection, host, purpose);
    let mut ways: VecDeque<bool> = ways(connection, host).iter().copied().collect();
    let mut first: Option<Error> = None;
    while let Some(encrypted) = ways.pop_front() {
        let session = one(connection, host, address, encrypted, purpose, &what);
        let (failure, had_tls) = match in_time(connection, &what, session).await? {
            Ok(session) => return Ok(session),
            Err(failure) => failure,
        };
        if failure.refuses_options() && !purpose.options.is_empty() {
            pins::say_refused();
            purpose.options = "";
            ways.push_front(encrypted);
            continue;
        }
        // The other way is for a server that insists on it, or whose TLS does not work.
        let again = failure.may_go_another_way() && (!encrypted || had_tls) && !ways.is_empty();
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

/// The ways to connect to a host, in their order: whether with TLS.
fn ways(connection: &Connection, host: &Host) -> &'static [bool] {
    match connection.ssl.mode {
        _ if host.is_unix() => &[false],
        SslMode::Disable => &[false],
        SslMode::Allow => &[false, true],
        SslMode::Prefer => &[true, false],
        SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => &[true],
    }
}

/// Waits for a session no longer than `database.connectTimeout` allows.
async fn in_time<T>(connection: &Connection, what: &str, session: impl Future<Output = T>) -> Result<T> {
    let limit = connection.connect_timeout.unwrap_or(LIMIT);
    tokio::time::timeout(limit, session).await.map_err(|_| {
        Error::transient(format!("{what}: no answer within {} s", limit.as_secs_f32())).with_hint(
            "is the server up, and does a firewall let us through? database.connectTimeout is the limit",
        )
    })
}

/// One error for both ways, with TLS and without. Hint and SQLSTATE are those of the way with TLS,
/// which is to be preferred.
fn both(first: Error, second: Error, second_encrypted: bool) -> Error {
    let words = if second_encrypted { ("without TLS", "with TLS") } else { ("with TLS", "without TLS") };
    let text = format!("{}: {first}; {}: {second}", words.0, words.1);
    let (with_tls, without) = if second_encrypted { (&second, &first) } else { (&first, &second) };
    let hint = with_tls.hint().map(str::to_owned);
    let sqlstate = with_tls.sqlstate().or(without.sqlstate());
    let error = if first.is_transient() || second.is_transient() {
        Error::transient(text)
    } else {
        Error::configuration(text)
    };
    match hint {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
    .with_sqlstate(sqlstate)
}

/// Connects in one way. A failure comes with whether TLS was on.
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

/// The first setting that the server reports with another value than we asked for: name, asked
/// value, reported value.
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

/// Connects by a unix socket.
#[cfg(unix)]
async fn unix(host: &Host, what: &str) -> Result<Link> {
    let stream = socket::dial_unix(host).await.map_err(|error| unreachable(what, host, error))?;
    Ok(Link::plain(stream))
}

/// There are no unix sockets on this system.
#[cfg(not(unix))]
async fn unix(host: &Host, what: &str) -> Result<Link> {
    let error = std::io::Error::other("this system has no unix sockets");
    Err(unreachable(what, host, error))
}

/// The error for a server that cannot be reached, which may pass.
fn unreachable(what: &str, host: &Host, error: std::io::Error) -> Error {
    let hint = if host.is_unix() {
        format!("is the server up, and {} among its unix_socket_directories?", host.name)
    } else {
        "is the server up, and database.hostname and database.port right?".to_owned()
    };
    Error::transient(format!("{what}: {error}")).with_hint(hint).with_source(error)
}

/// The rounds through all servers: a preference is a first round for the preferred kind, and a
/// second for any.
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
    /// The kind of server, for errors.
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

/// Whether a server is of the wanted kind, by the parameters that it reports at the login
/// (PostgreSQL 14 and later).
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

/// One error for all servers that were tried. Its SQLSTATE is that of the first server that gave one.
fn together(mut failures: Vec<Error>) -> Error {
    if failures.len() == 1 {
        return failures.remove(0);
    }
    let texts: Vec<String> = failures.iter().map(ToString::to_string).collect();
    let sqlstate = failures.iter().find_map(Error::sqlstate);
    Error::transient(texts.join("; "))
        .with_sqlstate(sqlstate)
        .with_hint("none of the servers can be used: are they up, and host names and ports right?")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SqlState;

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
    fn the_code_survives_when_failures_become_one() {
        let refused = |code| Error::configuration(format!("no ({code})")).with_sqlstate(code);
        let error = both(refused(SqlState::INVALID_PASSWORD), refused(SqlState::UNDEFINED_OBJECT), false);
        assert_eq!(error.sqlstate(), Some(SqlState::INVALID_PASSWORD), "the one with TLS");
        let error = both(Error::transient("no TLS"), refused(SqlState::INVALID_PASSWORD), false);
        assert_eq!(error.sqlstate(), Some(SqlState::INVALID_PASSWORD));
        let error = together(vec![Error::transient("away"), refused(SqlState::TOO_MANY_CONNECTIONS)]);
        assert_eq!(error.sqlstate(), Some(SqlState::TOO_MANY_CONNECTIONS));
        assert_eq!(together(vec![Error::transient("away"), Error::transient("away")]).sqlstate(), None);
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
