//! TLS for every session, by rustls: how the server's certificate is checked, and our own certificate.
//!
//! rustls is stricter about the form of a certificate than libpq and Java. pgcdc accepts a certificate when those two accept it:
//! see [`verifier`].

mod certificate;
mod files;
mod key;
mod names;
mod verifier;

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::sign::SingleCertAndKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};

pub(super) use self::certificate::end_point_hash;
use self::files::read_certificates;
use self::verifier::Verifier;
use crate::config::{Ssl, SslNegotiation, TlsVersion, Verify};
use crate::{Error, Result};

/// The protocol's name in a TLS handshake without an SSLRequest before it. Source: PostgreSQL manual, "Direct TLS".
const ALPN: &[u8] = b"postgresql";

/// Builds the client's configuration for a server called `host`.
pub(super) fn client_config(ssl: &Ssl, host: &str) -> Result<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let tls =
        |error: rustls::Error| Error::configuration("database.ssl*: TLS cannot be set up").with_source(error);
    let versions = versions(ssl)?;
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&versions)
        .map_err(tls)?;
    let algorithms = provider.signature_verification_algorithms;
    let roots = if ssl.verify == Verify::Nothing { Vec::new() } else { roots(ssl)? };
    let chain = match ssl.verify {
        Verify::Nothing => None,
        _ => Some(chain(ssl, &roots, provider)?),
    };
    let verifier = Verifier { verify: ssl.verify, chain, roots, algorithms, host: host.to_owned() };
    let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match key::client(ssl)? {
        Some(identity) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity))),
        None => builder.with_no_client_auth(),
    };
    config.enable_sni = !ssl.no_sni;
    if ssl.negotiation == SslNegotiation::Direct {
        config.alpn_protocols = vec![ALPN.to_vec()];
    }
    Ok(config)
}

fn versions(ssl: &Ssl) -> Result<Vec<&'static SupportedProtocolVersion>> {
    let newest = ssl.max_version.unwrap_or(TlsVersion::V13);
    let all = [(TlsVersion::V13, &TLS13), (TlsVersion::V12, &TLS12)];
    let wanted = all.into_iter().filter(|(version, _)| (ssl.min_version..=newest).contains(version));
    let versions: Vec<_> = wanted.map(|(_, version)| version).collect();
    if versions.is_empty() {
        return Err(Error::configuration(
            "ssl_min_protocol_version is above ssl_max_protocol_version: no version of TLS is left",
        ));
    }
    Ok(versions)
}

/// The server's name in the handshake. A name that cannot be in DNS is not sent.
pub(super) fn server_name(host: &str) -> ServerName<'static> {
    let nobody = ServerName::IpAddress(std::net::IpAddr::from([0, 0, 0, 0]).into());
    ServerName::try_from(host.to_owned()).unwrap_or(nobody)
}

fn chain(
    ssl: &Ssl,
    roots: &[CertificateDer<'static>],
    provider: Arc<rustls::crypto::CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(roots.iter().cloned());
    if ssl.root_cert.is_none() && !ssl.system_roots {
        store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider).build().map_err(|error| {
        Error::configuration("database.sslrootcert holds no usable certificate").with_source(error)
    })
}

/// The root certificates: those of `database.sslrootcert`, or those that the machine trusts.
fn roots(ssl: &Ssl) -> Result<Vec<CertificateDer<'static>>> {
    if ssl.system_roots {
        let found = rustls_native_certs::load_native_certs();
        if found.certs.is_empty() {
            let error = Error::configuration("sslrootcert=system: this machine has no root certificates");
            return Err(error.with_hint("install ca-certificates, or name a file in sslrootcert"));
        }
        return Ok(found.certs);
    }
    match &ssl.root_cert {
        Some(path) => read_certificates("database.sslrootcert", path),
        // Without a file, verify-ca would accept a certificate that a public authority gave to anybody. libpq and pgjdbc want a
        // file here, too.
        None if ssl.verify == Verify::Authority => Err(Error::configuration(
            "database.sslmode=verify-ca: there is no file of root certificates to check the server's against",
        )
        .with_hint(
            "name the file in database.sslrootcert (or put it to ~/.postgresql/root.crt), or set database.sslmode=verify-full for a certificate of a public authority",
        )),
        None => Ok(Vec::new()),
    }
}
