//! The check of the server's certificate.
//!
//! rustls' own check comes first. It insists on X.509 v3, on alternative names, and that a server's certificate is not an
//! authority's; libpq and Java do not. `openssl x509 -req`, which PostgreSQL's manual recommends, makes certificates of
//! version 1; `openssl req -x509` makes a certificate that is its own authority.
//!
//! When rustls refuses a certificate, this module checks it once more, but only if its form is unusual in this way, or if it
//! is itself among the roots. Then it checks what rustls would: signatures, dates, purposes, which authorities may sign. The
//! name is always compared here, since libpq looks at the common name, too.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme};

use crate::Check;
use crate::certificate::{Certificate, is_vouched_for};
use crate::names::Names;

/// Checks the certificate that a server shows; given to rustls as its `ServerCertVerifier`.
///
/// ```
/// use std::sync::Arc;
/// use pgcdc_tls::{Check, Verifier};
///
/// let provider = Arc::new(rustls::crypto::ring::default_provider());
/// assert!(Verifier::new(Check::Nothing, Vec::new(), false, "db", &provider).is_ok());
/// assert!(Verifier::new(Check::Authority, Vec::new(), true, "db", &provider).is_ok());
/// let none = Verifier::new(Check::Authority, Vec::new(), false, "db", &provider);
/// assert!(none.is_err(), "nobody could vouch for a server");
/// ```
#[derive(Debug)]
pub struct Verifier {
    /// How much is checked.
    check: Check,
    /// rustls' own check; `None` when nothing is checked.
    chain: Option<Arc<WebPkiServerVerifier>>,
    /// The user's root certificates, for the checks of this module. The web's public ones are not among them: their
    /// authorities sign only certificates that rustls accepts.
    roots: Vec<CertificateDer<'static>>,
    /// The signature algorithms that are accepted.
    algorithms: WebPkiSupportedAlgorithms,
    /// The host that the user gave, with which the certificate's names are compared: rustls may have been told another.
    host: String,
}

impl Verifier {
    /// A check of servers called `host`. `roots` vouch for their certificates, and the web's public authorities, too, when
    /// `public` is true. Roots that rustls cannot parse are left to this module's own check.
    ///
    /// # Errors
    /// When a certificate is to be checked, and there is no root that can be used.
    pub fn new(
        check: Check,
        roots: Vec<CertificateDer<'static>>,
        public: bool,
        host: &str,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, rustls::client::VerifierBuilderError> {
        let algorithms = provider.signature_verification_algorithms;
        let chain = match check {
            Check::Nothing => None,
            Check::Authority | Check::AuthorityAndName => {
                let mut store = RootCertStore::empty();
                store.add_parsable_certificates(roots.iter().cloned());
                if public {
                    store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
                }
                let provider = Arc::clone(provider);
                Some(WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider).build()?)
            }
        };
        Ok(Self { check, chain, roots, algorithms, host: host.to_owned() })
    }
}

/// The error for a certificate of another host. It names the hosts that the certificate is for.
#[derive(Debug, thiserror::Error)]
#[error("the certificate is for {names}, not for {host}")]
struct OtherName {
    names: String,
    host: String,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        use CertificateError::{NotValidForName, NotValidForNameContext};
        let Some(chain) = &self.chain else { return Ok(ServerCertVerified::assertion()) };
        let certificate =
            Certificate::parse(end_entity).ok_or(Error::InvalidCertificate(CertificateError::BadEncoding))?;
        match chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Ok(_) | Err(Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. })) => {}
            Err(error) => {
                let listed = self.roots.iter().any(|root| root == end_entity);
                let trusted = (listed || certificate.is_unusual())
                    && certificate.may_serve()
                    && self.vouches_for(&certificate, intermediates, now);
                if !trusted && !certificate.is_valid_at(now) {
                    return Err(Error::InvalidCertificate(CertificateError::Expired));
                }
                if !trusted {
                    return Err(match error {
                        // The form of the certificate is no reason to refuse it here; a missing chain to a root is.
                        Error::InvalidCertificate(
                            CertificateError::Other(_) | CertificateError::BadEncoding,
                        ) if certificate.is_unusual() => {
                            Error::InvalidCertificate(CertificateError::UnknownIssuer)
                        }
                        error => error,
                    });
                }
            }
        }
        let names = Names::of(&certificate);
        if self.check == Check::AuthorityAndName && !names.contain(&self.host) {
            let other = OtherName { names: names.to_string(), host: self.host.clone() };
            return Err(Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(other)))));
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, cert, dss, usize::MAX)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        use SignatureScheme as Scheme;
        if matches!(
            dss.scheme,
            Scheme::RSA_PKCS1_SHA1
                | Scheme::RSA_PKCS1_SHA256
                | Scheme::RSA_PKCS1_SHA384
                | Scheme::RSA_PKCS1_SHA512
        ) {
            return Err(rustls::PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
        }
        // In TLS 1.3 a scheme names the curve too, so only the first algorithm fits.
        self.check_signature(message, cert, dss, 1)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl Verifier {
    /// Whether the chain that the server showed leads to one of the user's roots.
    fn vouches_for(
        &self,
        certificate: &Certificate<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> bool {
        let others: Vec<_> = intermediates.iter().filter_map(|der| Certificate::parse(der)).collect();
        let roots: Vec<_> = self.roots.iter().filter_map(|der| Certificate::parse(der)).collect();
        is_vouched_for(certificate, &others, &roots, &self.algorithms, now)
    }

    /// Checks that the server holds the key of its certificate: it has signed the handshake. `most` is how many algorithms
    /// of the scheme are tried. rustls' own function for this reads certificates of version 3 only.
    fn check_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
        most: usize,
    ) -> Result<HandshakeSignatureValid, Error> {
        let certificate =
            Certificate::parse(cert).ok_or(Error::InvalidCertificate(CertificateError::BadEncoding))?;
        let scheme = self.algorithms.mapping.iter().find(|(scheme, _)| *scheme == dss.scheme);
        let fits = scheme.map_or(&[][..], |(_, algorithms)| algorithms);
        if certificate.has_signed(fits.iter().copied().take(most), message, dss.signature()) {
            Ok(HandshakeSignatureValid::assertion())
        } else {
            Err(Error::InvalidCertificate(CertificateError::BadSignature))
        }
    }
}
