//! How a connection is encrypted, and how the client proves who it is: TLS and SASL for pgcdc's own connections.
//!
//! ```text
//!  properties ─▶ Security ┬ Tls   ─▶ the handshake of TLS, and what its failures mean
//!                         └ Login ─▶ SaslHandshake, SaslAuthenticate: Plain · Scram · OauthBearer (tokens)
//! ```
//! librdkafka's clients get the same properties and use OpenSSL. Java's stores are translated for both ([`stores`]).
//!
//! There is no socket here: `producer/direct/handshake.rs` has it.
//!
//! Certificates, keys and passwords are read once, when a client is made; a new certificate needs a restart of the connector.
//! Tokens are asked for at each login, so a file that is kept fresh is enough.

pub(crate) mod jaas;
mod login;
mod scram;
pub(crate) mod stores;
mod tls;
pub(crate) mod token;

use std::sync::Arc;

pub(crate) use self::login::{Login, Reply};
pub(crate) use self::tls::{Tls, handshake_failed};
use crate::{ClientProperties, Error, Result};

/// Names of properties of this folder that librdkafka does not have, or not in every build. They are never passed on to it.
pub(crate) const OWN: &[&str] = &[
    "https.ca.location",
    "https.ca.pem",
    "sasl.oauthbearer.client.id",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.extensions",
    "sasl.oauthbearer.method",
    "sasl.oauthbearer.scope",
    "sasl.oauthbearer.token",
    "sasl.oauthbearer.token.command",
    "sasl.oauthbearer.token.endpoint.url",
    "sasl.oauthbearer.token.file",
];

/// All properties that this folder honours, under librdkafka's names where it has them.
pub(crate) const KNOWN: &[&str] = &[
    "enable.sasl.oauthbearer.unsecure.jwt",
    "enable.ssl.certificate.verification",
    "sasl.mechanism",
    "sasl.mechanisms",
    "sasl.oauthbearer.config",
    "sasl.password",
    "sasl.username",
    "security.protocol",
    "ssl.ca.location",
    "ssl.ca.pem",
    "ssl.certificate.location",
    "ssl.certificate.pem",
    "ssl.endpoint.identification.algorithm",
    "ssl.key.location",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.keystore.location",
    "ssl.keystore.password",
];

/// Whether this folder honours a property, so that a librdkafka without TLS may refuse it.
pub(crate) fn is_known(name: &str) -> bool {
    KNOWN.contains(&name) || OWN.contains(&name)
}

/// What a connection needs beyond TCP.
#[derive(Clone, Debug, Default)]
pub(crate) struct Security {
    /// TLS; `None` for a connection that is not encrypted.
    pub(crate) tls: Option<Arc<Tls>>,
    /// SASL; `None` when the client does not log in.
    pub(crate) login: Option<Login>,
}

impl Security {
    /// Reads the properties, and the files that they name.
    ///
    /// # Errors
    /// When they contradict each other, or a file cannot be used.
    pub(crate) fn new(properties: &ClientProperties) -> Result<Self> {
        let protocol = protocol(properties)?;
        let tls = matches!(protocol, Protocol::Ssl | Protocol::SaslSsl);
        let sasl = matches!(protocol, Protocol::SaslPlaintext | Protocol::SaslSsl);
        let tls = if tls { Some(Arc::new(Tls::new(properties)?)) } else { None };
        let login = if sasl { Some(Login::new(properties)?) } else { None };
        Ok(Self { tls, login })
    }

    /// The user as brokers know it; `None` where only the brokers do, as they map the name of a certificate.
    pub(crate) fn user(&self) -> Option<&str> {
        match &self.login {
            Some(login) => login.user(),
            None if self.tls.is_some() => None,
            None => Some("ANONYMOUS"),
        }
    }

    /// The value of `security.protocol` that means this.
    pub(crate) const fn protocol(&self) -> &'static str {
        match (self.tls.is_some(), self.login.is_some()) {
            (false, false) => "PLAINTEXT",
            (true, false) => "SSL",
            (false, true) => "SASL_PLAINTEXT",
            (true, true) => "SASL_SSL",
        }
    }
}

/// `security.protocol`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Plaintext,
    Ssl,
    SaslPlaintext,
    SaslSsl,
}

/// Reads `security.protocol`, in any case; PLAINTEXT when it is not set.
fn protocol(properties: &ClientProperties) -> Result<Protocol> {
    let value = properties.get("security.protocol").unwrap_or("PLAINTEXT");
    Ok(match value.to_ascii_uppercase().as_str() {
        "PLAINTEXT" => Protocol::Plaintext,
        "SSL" => Protocol::Ssl,
        "SASL_PLAINTEXT" => Protocol::SaslPlaintext,
        "SASL_SSL" => Protocol::SaslSsl,
        _ => {
            return Err(Error::configuration(format!(
                "property \"security.protocol\": {value:?} is not known; it is PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"
            )));
        }
    })
}

/// Whether our own connections can do what the security properties ask for: the property at fault, if not.
pub(crate) fn why_not(properties: &ClientProperties) -> Option<&'static str> {
    if protocol(properties).is_err() {
        return Some("security.protocol");
    }
    let mechanism = properties.get("sasl.mechanisms").or_else(|| properties.get("sasl.mechanism"));
    let uses_sasl = matches!(protocol(properties), Ok(Protocol::SaslPlaintext | Protocol::SaslSsl));
    (uses_sasl && !mechanism.is_some_and(login::is_known)).then_some("sasl.mechanism")
}
