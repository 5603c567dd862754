//! The forms of a private key's file, told by its first bytes, and the names of the properties that name it.
//!
//! Each form is a sequence in DER, and its first two elements differ:
//!
//! | first | second | form |
//! |---|---|---|
//! | sequence | octets | PKCS#8, encrypted |
//! | 0 or 1 | sequence | PKCS#8 |
//! | 0 or 1 | integer | PKCS#1 |
//! | 1 | octets | SEC 1 |
//! | 3 | sequence | PKCS#12 |
//!
//! Sources: RFC 5208 and 5958 (PKCS#8), RFC 8017 (PKCS#1), RFC 5915 (SEC 1), RFC 7292 (PKCS#12).

use std::path::Path;

use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::tlv::{INTEGER, OCTET_STRING, SEQUENCE, Tlv};
use crate::error::Error;

/// The names of the properties for a client's files, as the user knows them. Errors name them.
#[derive(Clone, Copy, Debug)]
pub struct Properties {
    /// The property that names the certificate's file, such as `sslcert`.
    pub certificate: &'static str,
    /// The property that names the private key's file, or a PKCS#12 file that has both.
    pub key: &'static str,
    /// The property that has the private key's password.
    pub password: &'static str,
}

/// A client's certificate with its chain, its own first, and its private key.
pub type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// The form of a file in DER.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A private key of any algorithm.
    Pkcs8,
    /// A PKCS#8 key behind a password.
    Encrypted,
    /// An RSA key.
    Pkcs1,
    /// A key of an elliptic curve.
    Sec1,
    /// A store of certificates and keys.
    Pkcs12,
    /// None of these forms.
    Other,
}

/// Tells the form of a file by its first bytes.
pub(super) fn kind(bytes: &[u8]) -> Kind {
    let inside = || {
        let mut outer = Tlv::read(bytes)?.0.inside(SEQUENCE)?;
        let (first, rest) = (outer.next()?, outer.next()?);
        Some(match (first.tag, first.body, rest.tag) {
            (SEQUENCE, _, OCTET_STRING) => Kind::Encrypted,
            (INTEGER, [0 | 1], SEQUENCE) => Kind::Pkcs8,
            (INTEGER, [0 | 1], INTEGER) => Kind::Pkcs1,
            (INTEGER, [1], OCTET_STRING) => Kind::Sec1,
            (INTEGER, [3], SEQUENCE) => Kind::Pkcs12,
            _ => Kind::Other,
        })
    };
    inside().unwrap_or(Kind::Other)
}

/// Decodes base64 with white space in it, as PEM has it.
pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    use ::base64::Engine as _;
    let packed: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    ::base64::engine::general_purpose::STANDARD.decode(packed).ok()
}

/// The error of a file that holds no key that can be read.
pub(super) fn unreadable(names: &Properties, path: &Path) -> Error {
    let path = path.display();
    Error::new(format!("{}: {path} is not a private key that can be read", names.key))
        .with_hint(format!("make it a PEM file: openssl pkey -in {path} -out {path}.pem"))
}
