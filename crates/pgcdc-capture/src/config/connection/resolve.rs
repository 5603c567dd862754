//! Reads `database.*` into a [`Connection`].

use std::time::Duration;

use pgcdc_config::Reader;

use super::server::{ChannelBinding, Chosen, Connection, Host, KeepAlive, TargetServer};
use super::ssl;
use crate::config::passfile;
use crate::config::source_url::SOURCE;

/// Reads `database.*`. Mistakes go to the reader. Looks at the password file and at the files of
/// `~/.postgresql`.
pub(in crate::config) fn resolve(reader: &mut Reader<'_>) -> Connection {
    let libpq = is_url(reader);
    let mut hosts = hosts(reader);
    if libpq && reader.secret("database.password").is_none() {
        let (database, user) = (reader.string("database.dbname"), reader.string("database.user"));
        passfile::fill(&mut hosts, reader.path("database.passfile"), &database, &user);
    }
    Connection {
        load_balance: reader.boolean("database.loadBalanceHosts"),
        target: reader.choice("database.targetServerType", TargetServer::WORDS),
        user: reader.string("database.user"),
        password: reader.secret("database.password"),
        dbname: reader.string("database.dbname"),
        ssl: ssl::resolve(reader, libpq),
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
    host.is_some_and(|entry| entry.place.source == SOURCE)
}

/// A number of seconds; `None` for zero and less.
fn seconds(reader: &Reader<'_>, key: &str) -> Option<Duration> {
    u64::try_from(reader.number(key)).ok().filter(|&n| n > 0).map(Duration::from_secs)
}

/// How long one server may take. libpq waits at least two seconds. pgjdbc's `loginTimeout` limits
/// the whole login; the shorter of the two counts.
fn connect_timeout(reader: &Reader<'_>, libpq: bool) -> Option<Duration> {
    let limits = ["database.connectTimeout", "database.loginTimeout"].map(|key| seconds(reader, key));
    let limit = limits.into_iter().flatten().min()?;
    Some(if libpq { limit.max(Duration::from_secs(2)) } else { limit })
}

/// The servers of `database.hostname`: separated by commas, each with or without a port.
/// `database.port` is the port of a server without one. pgjdbc's URLs have the same form.
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
                format!("{text:?} is not a host"),
                "write host, host:port or [address]:port, separated by commas",
            ),
        }
    }
    if hosts.is_empty() {
        hosts.push(Host::new("localhost", port));
    }
    hosts
}

/// Reads `name`, `name:port`, `[address]:port`, an IPv6 address, or a directory; `None` for
/// anything else.
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

/// Splits `database.initial.statements` at `;`; `;;` is a semicolon within a statement.
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
