//! The properties that our own producer knows, and their values.

use std::time::Duration;

use crate::{ClientProperties, Error, Result};

const NEVER: Duration = Duration::from_secs(u32::MAX as u64);

/// The properties' values.
#[derive(Debug)]
pub(super) struct Options {
    pub(super) bootstrap: Vec<String>,
    pub(super) client_id: String,
    /// The transactional id, and how long a transaction may be open.
    pub(super) transactional: Option<(String, Duration)>,
    pub(super) compress: bool,
    pub(super) request_timeout: Duration,
    pub(super) delivery_timeout: Duration,
    pub(super) metadata_age: Duration,
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
        let servers = properties.get("bootstrap.servers").or_else(|| properties.get("metadata.broker.list"));
        let bootstrap: Vec<String> = servers.unwrap_or_default().split(',').filter_map(address).collect();
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
            compress: compression(properties) != "none",
            request_timeout: millis("request.timeout.ms", 30_000),
            delivery_timeout: if delivery == 0 { NEVER } else { Duration::from_millis(delivery) },
            metadata_age: millis("topic.metadata.refresh.interval.ms", 300_000),
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
    "compression.type",
    "delivery.timeout.ms",
    "enable.idempotence",
    "max.in.flight",
    "max.in.flight.requests.per.connection",
    "message.max.bytes",
    "message.send.max.retries",
    "message.timeout.ms",
    "metadata.broker.list",
    "queue.buffering.max.kbytes",
    "request.required.acks",
    "request.timeout.ms",
    "retries",
    "retry.backoff.ms",
    "topic.metadata.refresh.interval.ms",
    "transaction.timeout.ms",
    "transactional.id",
];

/// A property that this producer does not know, or whose value it does not know; `None` when it can be used.
pub(in super::super) fn why_not(properties: &ClientProperties) -> Option<String> {
    if let Some(other) = properties.names().find(|name| !KNOWN.contains(name)) {
        let plaintext = other == "security.protocol"
            && properties.get(other).is_some_and(|value| value.eq_ignore_ascii_case("plaintext"));
        if !plaintext {
            return Some(other.to_owned());
        }
    }
    match compression(properties) {
        "lz4" | "none" => None,
        _ => Some("compression.type".to_owned()),
    }
}

fn compression(properties: &ClientProperties) -> &str {
    let set = properties.get("compression.type").or_else(|| properties.get("compression.codec"));
    set.unwrap_or("lz4")
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
