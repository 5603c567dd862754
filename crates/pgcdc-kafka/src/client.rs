//! The properties of a Kafka client: from what a user wrote to librdkafka's configuration.
//!
//! ```text what a user wrote ─▶ Java's names translated ─▶ stores read ─▶ each value tried on librdkafka ─▶ ClientProperties ├▶
//! our own producer: Options └▶ librdkafka: ClientConfig ``` Every mistake is found before anything is connected, and all of
//! them are told at once. A value is tried on librdkafka also where our own producer will run: topics and offsets of the same
//! connector may need it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use pgcdc_config::Reach;
use rdkafka::ClientConfig;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;
use rdkafka::producer::{DeliveryResult, ProducerContext};

use crate::java::{self, Translation};
use crate::known::{LIBRDKAFKA, is_secret};
use crate::let_in::LetIn;
use crate::security::token::Tokens;
use crate::security::{self, jaas, stores};
use crate::{Error, Result};

/// The validated properties of one Kafka client, under librdkafka's names.
///
/// `Debug` shows names only: values may be secrets.
///
/// ```
/// use pgcdc_kafka::ClientProperties;
/// let java = [("bootstrap.servers", "kafka:9092"), ("buffer.memory", "33554432"), ("compression.type", "lz4")];
/// let client = ClientProperties::parse(java)?;
/// assert_eq!(client.get("queue.buffering.max.kbytes"), Some("32768"));
/// # Ok::<(), pgcdc_kafka::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct ClientProperties {
    /// Names and values as librdkafka has them, in the order of the names. Java's names are gone here.
    entries: BTreeMap<String, String>,
    /// Sentences about properties that were left out, for the user.
    warnings: Vec<String>,
    /// Shared with clones.
    let_in: LetIn,
}

impl ClientProperties {
    /// Whether a broker has let a client with these properties, or with a clone of them, in.
    pub(crate) const fn let_in(&self) -> &LetIn {
        &self.let_in
    }

    /// Reads properties: Java's names are translated, librdkafka's are kept, and librdkafka checks every value.
    ///
    /// # Errors
    /// Names *all* properties that are unknown (with the nearest known name), that are refused, or whose value librdkafka does
    /// not accept, one a line. [`Error::is_configuration`] is true.
    pub fn parse<K: AsRef<str>, V: AsRef<str>>(properties: impl IntoIterator<Item = (K, V)>) -> Result<Self> {
        let (parsed, unknown) = Self::parse_known(properties)?;
        if unknown.is_empty() { Ok(parsed) } else { Err(Error::configuration(unknown.join("\n"))) }
    }

    /// As [`parse`](Self::parse), but leaves unknown properties out, as Java's clients do. The second part of the answer says
    /// which they were, each with the nearest known name.
    ///
    /// # Errors
    /// Names all properties that are refused or whose value librdkafka does not accept, one a line, and the unknown ones
    /// after them.
    pub fn parse_known<K: AsRef<str>, V: AsRef<str>>(
        properties: impl IntoIterator<Item = (K, V)>,
    ) -> Result<(Self, Vec<String>)> {
        let mut parsed = Self::default();
        let mut unknown = Vec::new();
        let mut mistakes = Vec::new();
        for (name, value) in properties {
            if let Err(mistake) = parsed.add(name.as_ref(), value.as_ref()) {
                mistakes.push(mistake);
            }
        }
        if let Err(more) = stores::translate(&mut parsed.entries) {
            mistakes.extend(more);
        }
        for (name, value) in parsed.entries.iter().filter(|(name, _)| !security::OWN.contains(&name.as_str()))
        {
            let mut one = ClientConfig::new();
            one.set(name, value);
            match one.create_native_config() {
                Ok(_) => {}
                // Our own producer has it. A client of librdkafka's says that it has not, when one is made.
                Err(error) if is_ours(name) && is_left_out(&error) => {}
                Err(error) if is_unknown(&error) => unknown.push(name.clone()),
                Err(error) => mistakes.push(Error::client("configure the client", error).to_string()),
            }
        }
        parsed.entries.retain(|name, _| !unknown.contains(name));
        let unknown: Vec<String> = unknown.iter().map(|name| unknown_property(name)).collect();
        if mistakes.is_empty() {
            return Ok((parsed, unknown));
        }
        mistakes.extend(unknown);
        Err(Error::configuration(mistakes.join("\n")))
    }

    /// Adds one property under librdkafka's name.
    fn add(&mut self, name: &str, value: &str) -> Result<(), String> {
        let mut put = |name: &str, value: String| {
            self.entries.insert(name.to_owned(), value);
        };
        match java::translation(name) {
            None => put(name, value_of(name, value)),
            Some(Translation::Rename(to)) => put(to, value.trim().to_owned()),
            Some(Translation::RenameBytesToKib(to)) => {
                let bytes: u64 =
                    value.trim().parse().map_err(|_| format!("property {name:?} must be a whole number"))?;
                put(to, bytes.div_ceil(1024).max(1).to_string());
            }
            Some(Translation::Ignore) => {}
            Some(Translation::Warn(reason)) => {
                self.warnings.push(format!("property {name:?} has no effect: {reason}"))
            }
            Some(Translation::Refuse(remedy)) => {
                return Err(format!("property {name:?} is not supported: {remedy}"));
            }
            Some(Translation::AssignmentStrategy) => put(name, java::assignment_strategy(value)?),
            Some(Translation::Partitioner) => match value.rsplit('.').next().unwrap_or(value) {
                "" | "DefaultPartitioner" => {}
                "RoundRobinPartitioner" => put("partitioner", "random".to_owned()),
                other => {
                    return Err(format!(
                        "property {name:?} is not supported: class {other:?} cannot run here; set librdkafka's `partitioner` instead"
                    ));
                }
            },
            Some(Translation::Jaas) => {
                jaas::properties(value)?.into_iter().for_each(|(name, value)| put(name, value));
            }
            Some(Translation::LoginHandler) if value.trim().ends_with("OAuthBearerLoginCallbackHandler") => {}
            Some(Translation::LoginHandler) => {
                return Err(format!(
                    "property {name:?} is not supported: class {:?} cannot run here; a token comes from \
                     sasl.oauthbearer.token.endpoint.url, sasl.oauthbearer.token.file or sasl.oauthbearer.token.command",
                    value.trim()
                ));
            }
            Some(Translation::Store) => {
                put(name, if is_secret(name) { value.to_owned() } else { value.trim().to_owned() })
            }
        }
        Ok(())
    }

    /// Sets a property, under librdkafka's name, unless the user has.
    pub fn set_default(&mut self, name: &str, value: &str) -> &mut Self {
        self.entries.entry(name.to_owned()).or_insert_with(|| value.to_owned());
        self
    }

    /// Sets a property, under librdkafka's name, whatever the user has set.
    pub fn set(&mut self, name: &str, value: &str) -> &mut Self {
        self.entries.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Removes a property.
    pub fn remove(&mut self, name: &str) -> &mut Self {
        self.entries.remove(name);
        self
    }

    /// The value of a property, by librdkafka's name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.entries.get(name).map(String::as_str)
    }

    /// The names of all properties that are set, as librdkafka has them.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Properties that were accepted and have no effect, each as a sentence to show to the user once.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The configuration for a client of librdkafka.
    ///
    /// TCP keepalive is on unless the user set `socket.keepalive.enable`: a firewall that forgets a quiet connection tells
    /// nobody. Properties that only our own connections have, such as `sasl.oauthbearer.token.file`, are left out.
    #[must_use]
    pub fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        for (name, value) in self.entries.iter().filter(|(name, _)| !security::OWN.contains(&name.as_str())) {
            config.set(name, value);
        }
        if self.get("socket.keepalive.enable").is_none() {
            // Firewalls forget connections that are not used.
            config.set("socket.keepalive.enable", "true");
        }
        config.set_log_level(RDKafkaLogLevel::Info);
        config
    }

    /// What a client of librdkafka's is made with: it logs, and gets tokens.
    ///
    /// A mistake in the properties of tokens is kept, and told when librdkafka asks for the first token: this method has no
    /// error.
    pub(crate) fn logging(&self) -> Logging {
        let mechanism = self.get("sasl.mechanisms").or_else(|| self.get("sasl.mechanism"));
        let by_tokens = mechanism.is_some_and(|mechanism| mechanism.eq_ignore_ascii_case("OAUTHBEARER"));
        let tokens = by_tokens.then(|| Arc::new(Tokens::new(self).map_err(|error| error.to_string())));
        Logging { tokens }
    }

    /// Only those properties that any other client of the same cluster needs: where the brokers are, and how to connect and
    /// log in.
    #[must_use]
    pub fn connection(&self) -> Self {
        /// Properties of the connection. Those of a producer, such as `acks`, would be refused by a consumer.
        const SHARED: &[&str] = &[
            "bootstrap.servers",
            "metadata.broker.list",
            "client.id",
            "client.dns.lookup",
            "security.protocol",
            "broker.address.family",
            "broker.address.ttl",
            "debug",
            "enable.ssl.certificate.verification",
            "connections.max.idle.ms",
        ];
        /// What their names begin with, where a whole family counts.
        const PREFIXES: &[&str] = &["ssl.", "sasl.", "socket.", "reconnect.", "https.", "enable.sasl."];
        let shared =
            |name: &str| SHARED.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        Self {
            entries: self
                .entries
                .iter()
                .filter(|(name, _)| shared(name))
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect(),
            warnings: Vec::new(),
            let_in: self.let_in.clone(),
        }
    }
}

impl fmt::Debug for ClientProperties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.entries.keys()).finish()
    }
}

/// Advice on a property that neither Java's clients nor librdkafka has; `None` when it is known.
#[must_use]
pub fn unknown(name: &str) -> Option<String> {
    if java::translation(name).is_some() || security::is_known(name) {
        return None;
    }
    let mut one = ClientConfig::new();
    one.set(name, "");
    let is_unknown = one.create_native_config().is_err_and(|error| is_unknown(&error));
    is_unknown.then(|| match nearest(name) {
        Some(known) => format!("did you mean {known}?"),
        None => "remove it; no Kafka client reads it".to_owned(),
    })
}

/// The value that librdkafka has for a value of Java's.
fn value_of(name: &str, value: &str) -> String {
    match name {
        "ssl.endpoint.identification.algorithm" if value.trim().is_empty() => "none".to_owned(),
        // Java says "never" by a negative number, librdkafka by zero.
        "connections.max.idle.ms" if value.trim().starts_with('-') => "0".to_owned(),
        _ if is_secret(name) => value.to_owned(),
        _ => value.trim().to_owned(),
    }
}

/// Whether our own producer honours a property that some builds of librdkafka do not have.
fn is_ours(name: &str) -> bool {
    security::is_known(name) || matches!(name, "compression.type" | "compression.codec")
}

/// Whether librdkafka was built without what a property needs.
fn is_left_out(error: &KafkaError) -> bool {
    matches!(error, KafkaError::ClientConfig(_, description, ..) if description.contains("at build time") || description.contains("in this build"))
}

/// Whether librdkafka refused a property's name, not its value.
const fn is_unknown(error: &KafkaError) -> bool {
    matches!(error, KafkaError::ClientConfig(rdkafka::types::RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, ..))
}

/// The line about a name that no client has, with the nearest name that one has.
fn unknown_property(name: &str) -> String {
    match nearest(name) {
        Some(known) => format!("unknown property {name:?}; did you mean {known:?}?"),
        None => format!("unknown property {name:?}"),
    }
}

/// librdkafka's name that is most like this one; `None` when none is near.
fn nearest(name: &str) -> Option<&'static str> {
    pgcdc_config::nearest(name, LIBRDKAFKA.iter().copied(), Reach::Wide)
}

/// Sends librdkafka's own log to `tracing`, under target `librdkafka`.
///
/// A broker that is away is only a warning: librdkafka connects again by itself, and the call that waits for the broker reports
/// the failure that matters.
///
/// Also gets librdkafka its tokens for OAUTHBEARER.
#[derive(Clone, Debug, Default)]
pub(crate) struct Logging {
    /// `None` when the client does not log in by tokens; an error says why there are none.
    tokens: Option<Arc<Result<Tokens, String>>>,
}

impl Logging {
    /// Whether the client logs in by tokens (`sasl.mechanism=OAUTHBEARER`).
    pub(crate) const fn uses_tokens(&self) -> bool {
        self.tokens.is_some()
    }

    /// A token, for librdkafka. Blocks.
    pub(crate) fn token(&self) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        let tokens = self.tokens.as_ref().ok_or("sasl.mechanism is not OAUTHBEARER")?;
        let tokens = tokens.as_ref().as_ref().map_err(Clone::clone)?;
        let token = tokens.token_blocking()?;
        Ok(OAuthToken {
            token: token.text.expose().to_owned(),
            principal_name: token.principal,
            lifetime_ms: token.expires_ms,
        })
    }
}

impl ClientContext for Logging {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.token()
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(target: "librdkafka", %error, reason, "client error");
    }
}

impl ConsumerContext for Logging {}

impl ProducerContext for Logging {
    type DeliveryOpaque = ();
    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

/// Logs a line of librdkafka's.
fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    use RDKafkaLogLevel as L;
    match level {
        L::Emerg | L::Alert | L::Critical => tracing::error!(target: "librdkafka", facility, "{message}"),
        L::Error | L::Warning => tracing::warn!(target: "librdkafka", facility, "{message}"),
        L::Notice | L::Info => tracing::info!(target: "librdkafka", facility, "{message}"),
        L::Debug => tracing::debug!(target: "librdkafka", facility, "{message}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn java_names_become_librdkafkas() {
        let client = ClientProperties::parse([
            ("max.request.size", "1048576"),
            ("buffer.memory", "33554432"),
            ("key.serializer", "x"),
            ("acks", "all"),
            ("linger.ms", "5"),
            ("max.block.ms", "60000"),
            ("sasl.mechanism", "PLAIN"),
            ("sasl.jaas.config", "o.a.k.PlainLoginModule required username=\"u\" password=\"hunter2\";"),
        ])
        .expect("valid");
        assert_eq!(client.get("message.max.bytes"), Some("1048576"));
        assert_eq!(client.get("queue.buffering.max.kbytes"), Some("32768"));
        assert_eq!(client.get("sasl.username"), Some("u"));
        assert_eq!(client.get("key.serializer"), None);
        assert_eq!(client.warnings().len(), 1);
        assert!(!format!("{client:?}").contains("hunter2"));
    }

    #[test]
    fn all_mistakes_in_one_answer() {
        let error = ClientProperties::parse([
            ("linger.msx", "5"),
            ("acks", "some"),
            ("ssl.truststore.location", "/nowhere/x.p12"),
            ("buffer.memory", "much"),
        ])
        .expect_err("four mistakes");
        assert!(error.is_configuration());
        let text = error.to_string();
        for part in [
            "\"linger.msx\"; did you mean \"linger.ms\"?",
            "\"acks\"",
            "cannot read /nowhere/x.p12",
            "\"buffer.memory\" must be",
        ] {
            assert!(text.contains(part), "{part:?} is missing in {text}");
        }
    }
}
