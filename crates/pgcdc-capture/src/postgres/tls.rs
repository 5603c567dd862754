//! TLS for SQL and replication connections alike, by rustls.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::config::{Ssl, SslMode};
use crate::{Error, Result};

/// Builds the client's configuration for `database.sslmode` and its files.
pub(super) fn client_config(ssl: &Ssl) -> Result<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let tls =
        |error: rustls::Error| Error::configuration("database.ssl*: TLS cannot be set up").with_source(error);
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(tls)?;
    let chain = || {
        let roots = Arc::new(roots(ssl)?);
        WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider)).build().map_err(|error| {
            Error::configuration("database.sslrootcert holds no usable certificate").with_source(error)
        })
    };
    let verifier: Arc<dyn ServerCertVerifier> = match ssl.mode {
        SslMode::VerifyFull => chain()?,
        SslMode::VerifyCa => Arc::new(Lenient { chain: Some(chain()?), provider }),
        _ => Arc::new(Lenient { chain: None, provider }),
    };
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    match (&ssl.cert, &ssl.key) {
        (Some(cert), Some(key)) => {
            let chain = read_certificates("database.sslcert", cert)?;
            let key = PrivateKeyDer::from_pem_file(key).map_err(|error| {
                Error::configuration(format!("database.sslkey: {} is not a PEM private key", key.display()))
                    .with_source(error)
            })?;
            builder.with_client_auth_cert(chain, key).map_err(tls)
        }
        _ => Ok(builder.with_no_client_auth()),
    }
}

fn roots(ssl: &Ssl) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    match &ssl.root_cert {
        Some(path) => {
            roots.add_parsable_certificates(read_certificates("database.sslrootcert", path)?);
        }
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
    }
    Ok(roots)
}

fn read_certificates(property: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let unreadable = |error| {
        Error::configuration(format!("{property}: {} is not a readable PEM certificate", path.display()))
            .with_source(error)
    };
    CertificateDer::pem_file_iter(path).map_err(unreadable)?.collect::<Result<_, _>>().map_err(unreadable)
}

/// Checks less than rustls does by itself, as libpq defines it: with `verify-ca` the chain and not
/// the name, with `prefer` and `require` nothing.
#[derive(Debug)]
struct Lenient {
    chain: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        use rustls::CertificateError::{NotValidForName, NotValidForNameContext};
        let Some(chain) = &self.chain else { return Ok(ServerCertVerified::assertion()) };
        match chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(rustls::Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. })) => {
                Ok(ServerCertVerified::assertion())
            }
            result => result,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
