//! TLS for connections to Postgres and Kafka, by rustls: what is checked of a server's certificate, and the client's own
//! certificate and key, in every form that users have.
//!
//! rustls is stricter than OpenSSL and Java in the form of a certificate. Here a certificate is taken when those two take it: see
//! [`Verifier`]. There is no I/O but reading files.
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

/// What is checked of a server's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Nothing: the connection is only encrypted.
    Nothing,
    /// A trusted authority vouches for it.
    Authority,
    /// As `Authority`, and it is for the host that was asked for.
    AuthorityAndName,
}

/// The name that the handshake tells the server (SNI). A name that DNS cannot have is not told.
#[must_use]
pub fn server_name(host: &str) -> ServerName<'static> {
    let nobody = ServerName::IpAddress(std::net::IpAddr::from([0, 0, 0, 0]).into());
    ServerName::try_from(host.to_owned()).unwrap_or(nobody)
}
