//! TLS for every session, by rustls: how the server's certificate is checked, and our own
//! certificate.
//!
//! rustls is stricter about the form of a certificate than libpq and Java. pgcdc accepts a
//! certificate when those two accept it: see [`Verifier`]. Source: PostgreSQL documentation,
//! "libpq", section "SSL Support".

use std::sync::Arc;

use pgcdc_tls::{Check, Properties, Verifier, read_certificates};
pub(super) use pgcdc_tls::{end_point_hash, server_name};
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::sign::SingleCertAndKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, SupportedProtocolVersion};

use crate::config::{Ssl, SslNegotiation, TlsVersion, Verify};
use crate::{Error, Result};

/// The protocol's name in a TLS handshake without an `SSLRequest` before it. Source: PostgreSQL
/// documentation, "Message Flow", section "SSL Session Encryption".
const ALPN: &[u8] = b"postgresql";

/// The properties' names, for errors about the client's files.
const NAMES: Properties =
    Properties { certificate: "database.sslcert", key: "database.sslkey", password: "database.sslpassword" };

/// Builds rustls's configuration for a session with a server called `host`. Reads the files anew,
/// so that a renewed certificate is used at the next connection.
///
/// # Errors
/// A configuration error that names the property whose file cannot be read or does not fit.
pub(super) fn client_config(ssl: &Ssl, host: &str) -> Result<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let tls =
        |error: rustls::Error| Error::configuration("database.ssl*: TLS cannot be set up").with_source(error);
    let versions = versions(ssl)?;
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&versions)
        .map_err(tls)?;
    let (check, roots) = match ssl.verify {
        Verify::Nothing => (Check::Nothing, Vec::new()),
        Verify::Authority => (Check::Authority, roots(ssl)?),
        Verify::AuthorityAndName => (Check::AuthorityAndName, roots(ssl)?),
    };
    let public = ssl.root_cert.is_none() && !ssl.system_roots;
    let verifier = Verifier::new(check, roots, public, host, &provider).map_err(|error| {
        Error::configuration("database.sslrootcert holds no usable certificate").with_source(error)
    })?;
    let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    let identity =
        pgcdc_tls::client(&NAMES, ssl.cert.as_deref(), ssl.key.as_deref(), ssl.key_password.as_ref());
    let mut config = match identity.map_err(mistake)? {
        Some(identity) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity))),
        None => builder.with_no_client_auth(),
    };
    config.enable_sni = !ssl.no_sni;
    if ssl.negotiation == SslNegotiation::Direct {
        config.alpn_protocols = vec![ALPN.to_vec()];
    }
    Ok(config)
}

/// The versions of TLS between the configured limits.
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
        Some(path) => read_certificates("database.sslrootcert", path).map_err(mistake),
        // Without a file, `verify-ca` would accept a certificate that a public authority gave to
        // anybody. libpq and pgjdbc want a file here, too.
        None if ssl.verify == Verify::Authority => Err(Error::configuration(
            "database.sslmode=verify-ca: there is no file of root certificates to check the server's against",
        )
        .with_hint(
            "name the file in database.sslrootcert (or put it to ~/.postgresql/root.crt), or set database.sslmode=verify-full for a certificate of a public authority",
        )),
        None => Ok(Vec::new()),
    }
}

/// An error of `pgcdc-tls` as one of ours, with its hint and cause.
fn mistake(error: pgcdc_tls::Error) -> Error {
    let mut ours = Error::configuration(error.to_string());
    if let Some(hint) = error.hint() {
        ours = ours.with_hint(hint.to_owned());
    }
    match error.into_source() {
        Some(source) => ours.with_source(source),
        None => ours,
    }
}
