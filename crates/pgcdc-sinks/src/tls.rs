//! TLS to stores, by rustls: the same keys for Cassandra, Redis and HTTP.
//!
//! ```toml
//! tls = true                       # the system's authorities
//! tls = { ca = "/etc/ssl/ca.pem", certificate = "/etc/ssl/me.pem", key = "/etc/ssl/me.key", verify_hostname = false }
//! ```
//! Each of the three is the path of a PEM file, or the PEM itself (`"${dir:/run/secrets:ca.pem}"`).

use std::fmt;
use std::sync::Arc;

use pgcdc_config::Section;
use pgcdc_event::Secret;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use toml::Value;

use crate::store::{Key, key};

/// The key `tls`, for the tables of the stores.
pub(crate) const TLS: Key = key(
    "tls",
    "boolean or table",
    "false",
    "Encrypts connections: true, or { ca, certificate, key, verify_hostname }. The first three are paths of PEM files, or the PEM itself; without `ca` the system's authorities count.",
);

/// How connections to a store are encrypted, ready for use.
///
/// Certificates are checked against the system's authorities, or only against `ca` when it is set. `Debug` shows neither keys
/// nor certificates.
#[derive(Clone)]
pub struct Tls {
    client: Arc<ClientConfig>,
    verify_hostname: bool,
}

/// What the table says, before files are read.
#[derive(Default)]
struct Keys {
    ca: Option<String>,
    certificate: Option<String>,
    key: Option<Secret>,
    verify_hostname: Option<bool>,
}

impl Tls {
    /// Reads `tls`, and the files that it names. A server's certificate may be of the host that is connected to, or of one
    /// of `names`.
    pub(crate) fn parse(section: &mut Section<'_, '_>, names: &[String]) -> Option<Self> {
        let keys = match section.raw("tls") {
            None | Some(Value::Boolean(false)) => return None,
            Some(Value::Boolean(true)) => Keys::default(),
            Some(_) => section.inner("tls", |tls| Keys {
                ca: tls.optional_text("ca"),
                certificate: tls.optional_text("certificate"),
                key: tls.optional_text("key").map(Secret::new),
                verify_hostname: tls.optional_flag("verify_hostname"),
            })?,
        };
        match build(&keys, names) {
            Ok(client) => {
                let verify_hostname = keys.verify_hostname.unwrap_or(true);
                Some(Self { client: Arc::new(client), verify_hostname })
            }
            Err(mistake) => {
                section.mistake_at("tls", &format!("\"tls\": {mistake}"));
                None
            }
        }
    }

    /// The settings of rustls, which all clients of the stores take.
    pub(crate) fn client(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.client)
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("verify_hostname", &self.verify_hostname).finish_non_exhaustive()
    }
}

/// The provider of cryptography in use.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Reads the files and puts the settings together. The error names the key, and never quotes a file's content.
fn build(keys: &Keys, names: &[String]) -> Result<ClientConfig, String> {
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots(keys)?), provider())
        .build()
        .map_err(|e| format!("no authority to check the server's certificate with: {e}"))?;
    let names = names.iter().filter_map(|name| ServerName::try_from(name.clone()).ok()).collect();
    let verify_hostname = keys.verify_hostname.unwrap_or(true);
    let verifier = Arc::new(Verifier { inner: verifier, names, verify_hostname });
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    match (&keys.certificate, &keys.key) {
        (None, None) => Ok(builder.with_no_client_auth()),
        (Some(certificate), Some(key)) => {
            let chain = certificates("certificate", certificate)?;
            let pem = pem_of("key", key.expose())?;
            // The parser's error may quote what it found.
            let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| {
                "\"key\" holds no private key in PEM; one with a passphrase has to be decrypted (openssl pkey)".to_owned()
            })?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|e| format!("\"certificate\" and \"key\" do not go together: {e}"))
        }
        _ => Err("\"certificate\" and \"key\" go together".to_owned()),
    }
}

/// The authorities that a server's certificate may come from.
fn roots(keys: &Keys) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let Some(ca) = &keys.ca else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return Ok(roots);
    };
    for certificate in certificates("ca", ca)? {
        roots
            .add(certificate)
            .map_err(|e| format!("\"ca\" holds a certificate that is not one of an authority: {e}"))?;
    }
    Ok(roots)
}

/// The certificates of a PEM; at least one.
fn certificates(key: &str, text: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem = pem_of(key, text)?;
    let found = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(format!("{key:?} holds no certificate in PEM")),
    }
}

/// The PEM that stands there, or that is in the file whose path stands there.
fn pem_of(key: &str, text: &str) -> Result<Vec<u8>, String> {
    if text.contains("-----BEGIN") {
        return Ok(text.as_bytes().to_vec());
    }
    std::fs::read(text).map_err(|e| format!("{key:?}: cannot read {text:?}: {e}"))
}

/// Checks a server's certificate, its name too unless that is switched off.
#[derive(Debug)]
struct Verifier {
    /// The ordinary check.
    inner: Arc<WebPkiServerVerifier>,
    /// Names that are right beside the host that is connected to: a driver that connects to an address of a node must accept the
    /// name under which the configuration has the node.
    names: Vec<ServerName<'static>>,
    verify_hostname: bool,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verify = |name: &ServerName<'_>| {
            self.inner.verify_server_cert(end_entity, intermediates, name, ocsp_response, now)
        };
        let verified = verify(server_name);
        // A wrong name is the last error that rustls finds: authority, dates and use are right when it is reported.
        match &verified {
            Err(error) if is_name(error) && !self.verify_hostname => Ok(ServerCertVerified::assertion()),
            Err(error) if is_name(error) => {
                self.names.iter().find_map(|name| verify(name).ok()).map_or(verified, Ok)
            }
            _ => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Whether only the name in the certificate is wrong.
fn is_name(error: &rustls::Error) -> bool {
    matches!(
        error,
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
        )
    )
}

#[cfg(test)]
mod tests {
    use pgcdc_config::TomlFile;

    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        let file = TomlFile::parse("s.toml", text).expect("TOML");
        let mut mistakes = Vec::new();
        Tls::parse(&mut Section::new("s: ", file.root(), &mut mistakes), &[]);
        assert!(mistakes.first().is_some_and(|mistake| mistake.message.contains(expect)), "{mistakes:?}");
    }

    #[test]
    fn mistakes() {
        check(
            "tls = { ca = \"/nowhere/ca.pem\" }",
            "s: \"tls\": \"ca\": cannot read \"/nowhere/ca.pem\": No such file",
        );
        check("tls = { ca = \"-----BEGIN x\" }", "\"ca\" holds no certificate in PEM");
        check("tls = { certificate = \"/x\" }", "\"certificate\" and \"key\" go together");
        check("tls = { cert = \"/x\" }", "unknown key \"cert\"");
        check("tls = \"yes\"", "\"tls\" must be a table, not string");
        check("tls = { verify_hostname = \"no\" }", "\"verify_hostname\" must be true or false");
    }
}
