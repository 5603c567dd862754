//! The properties that our own producer knows, and their values.
//!
//! A property that changes nothing for this producer, such as `retries`, is known as well: an idempotent producer tries again
//! until `delivery.timeout.ms` is over, whatever the number. A property that it does not know means librdkafka, with the
//! property's name in the log, so nothing that a user set is ever lost.

use std::time::Duration;

use super::compression::Compression;
use crate::let_in::LetIn;
use crate::security::{self, Security};
use crate::{ClientProperties, Error, Result};

/// So long that it does not end.
const NEVER: Duration = Duration::from_secs(u32::MAX as u64);

/// The properties' values.
#[derive(Debug)]
pub(super) struct Options {
    /// `host:port` of each server in `bootstrap.servers`, at least one.
    pub(super) bootstrap: Vec<String>,
    /// `client.id`, cut to 200 characters; brokers log and count by it.
    pub(super) client_id: String,
    /// The transactional id, and how long a transaction may be open.
    pub(super) transactional: Option<(String, Duration)>,
    /// Codec and level of `compression.type`; LZ4 when it is not set.
    pub(super) compression: Compression,
    /// How long a broker may wait for other replicas (`request.timeout.ms`, 30 s).
    pub(super) request_timeout: Duration,
    /// How long a batch may wait until it is durable (`delivery.timeout.ms`, 300 s); then the producer fails.
    pub(super) delivery_timeout: Duration,
    /// After so long all topics are asked for again, to find partitions that were added (`metadata.max.age.ms`, 300 s).
    pub(super) metadata_age: Duration,
    /// A connection over which nothing went for so long is closed; `None` for never.
    pub(super) idle: Option<Duration>,
    /// The shortest and the longest pause before a broker is connected to again.
    pub(super) reconnect: (Duration, Duration),
    /// Whether the system probes connections that are not used (`socket.keepalive.enable`).
    pub(super) keepalive: bool,
    /// TLS and login.
    pub(super) security: Security,
    /// Whether brokers let this client in before.
    pub(super) let_in: LetIn,
}

impl Options {
    /// Reads the properties.
    ///
    /// # Errors
    /// When `bootstrap.servers` names no server.
    pub(super) fn new(properties: &ClientProperties) -> Result<Self> {
        // A value that is not a number was refused when the properties were parsed.
        let set = |name: &str| properties.get(name).and_then(|value| value.parse::<u64>().ok());
        let millis = |name: &str, default: u64| Duration::from_millis(set(name).unwrap_or(default));
        let bootstrap = bootstrap(properties);
        if bootstrap.is_empty() {
            return Err(Error::configuration("property \"bootstrap.servers\" names no server"));
        }
        // Zero is never.
        let delivery = set("delivery.timeout.ms").or_else(|| set("message.timeout.ms")).unwrap_or(300_000);
        Ok(Self {
            bootstrap,
            client_id: properties.get("client.id").unwrap_or("pgcdc").chars().take(200).collect(),
            transactional: properties
                .get("transactional.id")
                .map(|id| (id.chars().take(8000).collect(), millis("transaction.timeout.ms", 60_000))),
            compression: Compression::new(properties).unwrap_or(Compression::Lz4),
            request_timeout: millis("request.timeout.ms", 30_000),
            delivery_timeout: if delivery == 0 { NEVER } else { Duration::from_millis(delivery) },
            metadata_age: millis("topic.metadata.refresh.interval.ms", 300_000),
            // Zero is never. The default is that of Java's producer: a minute less than a broker's.
            idle: Some(millis("connections.max.idle.ms", 540_000)).filter(|idle| !idle.is_zero()),
            reconnect: (
                millis("reconnect.backoff.ms", 100).clamp(Duration::from_millis(1), Duration::from_secs(600)),
                millis("reconnect.backoff.max.ms", 1_000).min(Duration::from_secs(600)),
            ),
            keepalive: keepalive(properties),
            security: Security::new(properties)?,
            let_in: properties.let_in().clone(),
        })
    }
}

/// Properties that this producer honours, or that change nothing for it, under librdkafka's names.
const KNOWN: &[&str] = &[
    "acks",
    "batch.size",
    "bootstrap.servers",
    "client.id",
    "compression.codec",
    "compression.level",
    "compression.type",
    "connections.max.idle.ms",
    "delivery.timeout.ms",
    "enable.idempotence",
    "max.in.flight",
    "max.in.flight.requests.per.connection",
    "message.max.bytes",
    "message.send.max.retries",
    "message.timeout.ms",
    "metadata.broker.list",
    "queue.buffering.max.kbytes",
    "reconnect.backoff.max.ms",
    "reconnect.backoff.ms",
    "request.required.acks",
    "request.timeout.ms",
    "retries",
    "retry.backoff.ms",
    "socket.keepalive.enable",
    "topic.metadata.refresh.interval.ms",
    "transaction.timeout.ms",
    "transactional.id",
];

/// A property that this producer does not know, or whose value it does not know; `None` when it can be used.
pub(in super::super) fn why_not(properties: &ClientProperties) -> Option<String> {
    let is_known = |name: &str| KNOWN.contains(&name) || security::is_known(name);
    if let Some(other) = properties.names().find(|name| !is_known(name)) {
        return Some(other.to_owned());
    }
    if let Some(other) = security::why_not(properties) {
        return Some(other.to_owned());
    }
    Compression::new(properties).is_none().then(|| "compression.type".to_owned())
}

/// Whether TCP probes connections that are not used: unless `socket.keepalive.enable` is false.
pub(super) fn keepalive(properties: &ClientProperties) -> bool {
    properties.get("socket.keepalive.enable") != Some("false")
}

/// The addresses of `bootstrap.servers`, each as `host:port`.
pub(super) fn bootstrap(properties: &ClientProperties) -> Vec<String> {
    let servers = properties.get("bootstrap.servers").or_else(|| properties.get("metadata.broker.list"));
    servers.unwrap_or_default().split(',').filter_map(address).collect()
}

/// `host:port` of an entry of `bootstrap.servers`, which may name a protocol and leave out the port.
fn address(entry: &str) -> Option<String> {
    let entry = entry.trim();
    let entry = entry.split_once("://").map_or(entry, |(_, rest)| rest);
    let has_port = entry.rsplit_once(':').is_some_and(|(host, port)| {
        port.parse::<u16>().is_ok() && (!host.contains(':') || host.ends_with(']'))
    });
    match entry {
        "" => None,
        _ if has_port => Some(entry.to_owned()),
        _ => Some(format!("{entry}:9092")),
    }
}

#[cfg(test)]
mod addresses {
    #[test]
    fn have_a_port() {
        let of = |entry| super::address(entry);
        assert_eq!(of(" k:19092 ").as_deref(), Some("k:19092"));
        assert_eq!(of("PLAINTEXT://k:1").as_deref(), Some("k:1"));
        assert_eq!(of("k").as_deref(), Some("k:9092"));
        assert_eq!(of("[::1]:9093").as_deref(), Some("[::1]:9093"));
        assert_eq!(of("[::1]").as_deref(), Some("[::1]:9092"));
        assert_eq!(of(""), None);
    }
}
