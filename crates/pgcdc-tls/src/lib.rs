//! TLS for connections to Postgres and Kafka, by rustls: the check of a server's certificate, and the client's own
//! certificate and key, in every form that users have.
//!
//! rustls is stricter than OpenSSL and Java about the form of a certificate. A user who moves from them has files that
//! worked for years. So a certificate is accepted here when OpenSSL and Java accept it. The checks of who signed it, for
//! whom, and until when stay the same:
//!
//! | a server's certificate | rustls alone | OpenSSL, Java, here |
//! |---|---|---|
//! | X.509 version 1 (`openssl x509 -req`) | refused | accepted |
//! | is an authority itself (`openssl req -x509`) | refused | accepted |
//! | names the host only in its common name | refused | accepted |
//! | expired, for another host, or without a chain to a trusted root | refused | refused |
//!
//! This crate does no I/O but reading files; the handshake is rustls' own. No private key or password is in an error.
//!
//! In reading order: [`read_certificates`] reads PEM and DER; [`client`] reads a client's certificate and key, also from PKCS#12
//! ([`store`]); [`Verifier`] checks a server.
//!
//! ```
//! use std::path::Path;
//! let error = pgcdc_tls::read_certificates("ssl.ca.location", Path::new("/nowhere/ca.pem")).unwrap_err();
//! assert!(error.to_string().starts_with("ssl.ca.location: cannot read /nowhere/ca.pem"));
//! assert_eq!(error.hint(), Some("put the file there, or change ssl.ca.location"));
//! ```

mod certificate;
mod error;
mod files;
mod key;
mod names;
mod verifier;

use rustls::pki_types::ServerName;

pub use self::certificate::end_point_hash;
pub use self::error::{Error, Result};
pub use self::files::{certificates_of, is_pem, read, read_certificates};
pub use self::key::{
    Identity, Properties, Store, certified, client, identity_of_store, is_pkcs12, private_key, store,
};
pub use self::verifier::Verifier;

/// How much is checked of a server's certificate. Users name it by libpq's `sslmode` or by Kafka's
/// `ssl.endpoint.identification.algorithm`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Nothing: the connection is encrypted, but anybody may be at its other end (`sslmode=require`).
    Nothing,
    /// A trusted authority vouches for the certificate (`sslmode=verify-ca`).
    Authority,
    /// As `Authority`, and the certificate is for the host that was asked for (`sslmode=verify-full`).
    AuthorityAndName,
}

/// The name that the handshake tells the server (SNI). For a host that DNS cannot have as a name it is an address, since rustls
/// tells no addresses.
///
/// ```
/// use rustls::pki_types::ServerName;
/// assert!(matches!(pgcdc_tls::server_name("db.example.org"), ServerName::DnsName(_)));
/// assert!(matches!(pgcdc_tls::server_name("a host"), ServerName::IpAddress(_)));
/// ```
#[must_use]
pub fn server_name(host: &str) -> ServerName<'static> {
    let nobody = ServerName::IpAddress(std::net::IpAddr::from([0, 0, 0, 0]).into());
    ServerName::try_from(host.to_owned()).unwrap_or(nobody)
}
