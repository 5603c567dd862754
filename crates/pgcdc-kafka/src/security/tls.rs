//! TLS by rustls, from the `ssl.*` properties.
//!
//! | property | what it says | |---|---| | `ssl.ca.location`, `ssl.ca.pem` | authorities that are believed: a file, a
//! directory, or the text itself; else the system's | | `ssl.certificate.*` with `ssl.key.*`, or `ssl.keystore.location` | who
//! the client is, where the broker asks (`ssl.client.auth`) | | `ssl.endpoint.identification.algorithm` | `https` compares the
//! host's name with the certificate's; `none` does not | | `enable.ssl.certificate.verification` | `false` believes everybody,
//! for tests only |
//!
//! Versions are TLS 1.2 and 1.3. A broker looks at a client's certificate after the handshake of TLS 1.3 is over for the
//! client, so its refusal comes as an alert in place of the first answer.

use std::path::Path;
use std::sync::Arc;

use pgcdc_event::Secret;
use pgcdc_tls::{Check, Properties, Verifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::CertificateDer;
use rustls::sign::SingleCertAndKey;
use rustls::{CertificateError, ClientConfig};

use crate::{ClientProperties, Code, Error, Result};

/// What errors call a client's certificate and key in PEM files.
const PEM: Properties = Properties {
    certificate: "ssl.certificate.location",
    key: "ssl.key.location",
    password: "ssl.key.password",
};
/// What errors call a client's certificate and key that stand in the properties themselves.
const INLINE: Properties =
    Properties { certificate: "ssl.certificate.pem", key: "ssl.key.pem", password: "ssl.key.password" };
/// What errors call a client's PKCS#12 store.
const STORE: Properties = Properties {
    certificate: "ssl.keystore.location",
    key: "ssl.keystore.location",
    password: "ssl.keystore.password",
};

/// What every connection's handshake needs. Files are read once.
#[derive(Debug)]
pub(crate) struct Tls {
    /// The cryptography: ring.
    provider: Arc<CryptoProvider>,
    /// What of a broker's certificate is looked at: all, all but its name, nothing.
    check: Check,
    /// Authorities that are believed.
    roots: Vec<CertificateDer<'static>>,
    /// Whether the web's public authorities are trusted: no other is named, and this machine names none.
    public: bool,
    /// The client's own certificate and key; `None` when it shows none.
    identity: Option<Arc<SingleCertAndKey>>,
}

impl Tls {
    /// Reads certificates and key.
    ///
    /// # Errors
    /// When a file or a value cannot be used: says which property, and what to do.
    pub(crate) fn new(properties: &ClientProperties) -> Result<Self> {
        let unchecked = properties
            .get("enable.ssl.certificate.verification")
            .is_some_and(|value| value.eq_ignore_ascii_case("false"));
        let names = properties.get("ssl.endpoint.identification.algorithm").unwrap_or("https");
        let check = match names.to_ascii_lowercase().as_str() {
            _ if unchecked => Check::Nothing,
            "https" => Check::AuthorityAndName,
            _ => Check::Authority,
        };
        let named = roots(properties)?;
        let (roots, public) = match named {
            Some(roots) => (roots, false),
            None => {
                let system = rustls_native_certs::load_native_certs().certs;
                let public = system.is_empty();
                (system, public)
            }
        };
        let identity = identity(properties)?.map(Arc::new);
        let tls = Self { provider: Arc::new(ring::default_provider()), check, roots, public, identity };
        tls.client_config("localhost")?;
        Ok(tls)
    }

    /// The configuration for a connection to `host`.
    ///
    /// # Errors
    /// When none of the trusted certificates can be used.
    pub(crate) fn client_config(&self, host: &str) -> Result<Arc<ClientConfig>> {
        let Self { provider, check, roots, public, identity } = self;
        let verifier = Verifier::new(*check, roots.clone(), *public, host, provider).map_err(|error| {
            Error::configuration(format!("ssl.ca.location holds no usable certificate: {error}"))
        })?;
        let builder = ClientConfig::builder_with_provider(Arc::clone(provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::configuration(format!("ssl.*: TLS cannot be set up: {error}")))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        Ok(Arc::new(match identity {
            Some(identity) => builder.with_client_cert_resolver(Arc::<SingleCertAndKey>::clone(identity)),
            None => builder.with_no_client_auth(),
        }))
    }
}

/// The authorities that the properties name; `None` when they name none.
fn roots(properties: &ClientProperties) -> Result<Option<Vec<CertificateDer<'static>>>> {
    if let Some(text) = properties.get("ssl.ca.pem") {
        let found =
            pgcdc_tls::certificates_of("ssl.ca.pem", text.as_bytes(), Path::new("the property's value"));
        return found.map(Some).map_err(mistake);
    }
    let Some(location) = properties.get("ssl.ca.location").filter(|location| *location != "probe") else {
        return Ok(None);
    };
    let path = Path::new(location);
    if !path.is_dir() {
        return pgcdc_tls::read_certificates("ssl.ca.location", path).map(Some).map_err(mistake);
    }
    let mut found = Vec::new();
    let failed = |error: std::io::Error| {
        Error::configuration(format!("ssl.ca.location: cannot read {location}: {error}"))
    };
    for entry in std::fs::read_dir(path).map_err(failed)? {
        // Directories of authorities have other files, too.
        if let Ok(some) = pgcdc_tls::read_certificates("ssl.ca.location", &entry.map_err(failed)?.path()) {
            found.extend(some);
        }
    }
    if found.is_empty() {
        return Err(Error::configuration(format!("ssl.ca.location: {location} has no certificate")));
    }
    Ok(Some(found))
}

/// The client's own certificate and key; `None` when it shows none.
fn identity(properties: &ClientProperties) -> Result<Option<SingleCertAndKey>> {
    let secret = |name: &str| properties.get(name).map(|value| Secret::new(value.to_owned()));
    let certified = if let Some(location) = properties.get("ssl.keystore.location") {
        let path = Path::new(location);
        let bytes = pgcdc_tls::read(STORE.key, path).map_err(mistake)?;
        let password = secret("ssl.keystore.password").or_else(|| secret("ssl.key.password"));
        let identity =
            pgcdc_tls::identity_of_store(&STORE, &bytes, path, password.as_ref()).map_err(mistake)?;
        Some(pgcdc_tls::certified(&STORE, identity).map_err(mistake)?)
    } else if let (Some(chain), Some(key)) =
        (properties.get("ssl.certificate.pem"), properties.get("ssl.key.pem"))
    {
        let place = Path::new("the property's value");
        let chain =
            pgcdc_tls::certificates_of(INLINE.certificate, chain.as_bytes(), place).map_err(mistake)?;
        let password = secret("ssl.key.password");
        let key = key.as_bytes().to_vec();
        let key = pgcdc_tls::private_key(&INLINE, key, place, password.as_ref()).map_err(mistake)?;
        Some(pgcdc_tls::certified(&INLINE, (chain, key)).map_err(mistake)?)
    } else {
        let path = |name: &str| properties.get(name).map(Path::new);
        let password = secret("ssl.key.password");
        let (certificate, key) = (path(PEM.certificate), path(PEM.key));
        pgcdc_tls::client(&PEM, certificate, key, password.as_ref()).map_err(mistake)?
    };
    Ok(certified.map(SingleCertAndKey::from))
}

/// A mistake in a certificate or key, as a mistake in the configuration.
pub(super) fn mistake(error: pgcdc_tls::Error) -> Error {
    let hint = error.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
    Error::configuration(format!("{error}{hint}"))
}

/// What a failed handshake, or an alert after it, means. `None` for a failure that time may mend, such as a connection that is
/// cut.
pub(crate) fn handshake_failed(broker: &str, error: &std::io::Error) -> Option<Error> {
    let cause = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    let (text, hint) = match cause {
        rustls::Error::InvalidCertificate(found) => certificate(found),
        rustls::Error::AlertReceived(alert) => (
            format!("the broker refuses the connection: {alert:?}"),
            "if it asks for a client certificate (ssl.client.auth=required), name one in ssl.keystore.location, or in \
             ssl.certificate.location and ssl.key.location; the broker's ssl.truststore must know its authority",
        ),
        rustls::Error::PeerIncompatible(why) => (
            format!("the broker has no version of TLS or no cipher that both sides know: {why:?}"),
            "the broker needs TLS 1.3, or TLS 1.2 with ECDHE: check its ssl.enabled.protocols and ssl.cipher.suites",
        ),
        rustls::Error::InvalidMessage(_) => (
            format!("the port does not speak TLS: {cause}"),
            "name a port of a listener with TLS in bootstrap.servers, or set security.protocol to PLAINTEXT or SASL_PLAINTEXT",
        ),
        other => (other.to_string(), "check ssl.ca.location and the broker's certificate"),
    };
    Some(Error::denied(format!("TLS to broker {broker}: {text}"), Some(Code::SSL), hint))
}

/// Why a broker's certificate is not taken, and what to do.
fn certificate(found: &CertificateError) -> (String, &'static str) {
    match found {
        CertificateError::UnknownIssuer => (
            "no trusted authority vouches for the broker's certificate".to_owned(),
            "name the certificate of the broker's authority in ssl.ca.location (PEM) or ssl.truststore.location (PKCS12); \
             `openssl s_client -showcerts -connect HOST:PORT` shows what the broker has",
        ),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => (
            "the broker's certificate, or that of its authority, has expired".to_owned(),
            "give the broker a new certificate, and check the clocks of both machines",
        ),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            ("the broker's certificate is not valid yet".to_owned(), "check the clocks of both machines")
        }
        // The check of names has words of its own.
        CertificateError::Other(other) => (
            other.to_string(),
            "use the name that the certificate has in bootstrap.servers and the broker's advertised.listeners, or set \
             ssl.endpoint.identification.algorithm=none, which does not compare names",
        ),
        other => (
            format!("the broker's certificate is not taken: {other}"),
            "check ssl.ca.location and the broker's certificate",
        ),
    }
}
