//! The forms of a private key's file, told by its first bytes, and what errors call the properties that name it.

use std::path::Path;

use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::tlv::{INTEGER, OCTET_STRING, SEQUENCE, Tlv};
use crate::error::Error;

/// What errors call the properties that name a client's files.
#[derive(Clone, Copy, Debug)]
pub struct Properties {
    /// The property with the certificate.
    pub certificate: &'static str,
    /// The property with the private key, or with a PKCS#12 file that has both.
    pub key: &'static str,
    /// The property with the private key's password.
    pub password: &'static str,
}

/// A certificate with its chain, its own first, and its key.
pub type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// What a file in DER holds, by its first elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Pkcs8,
    Encrypted,
    Pkcs1,
    Sec1,
    Pkcs12,
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

/// Decodes Base64 with white space in it.
pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    use ::base64::Engine as _;
    let packed: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    ::base64::engine::general_purpose::STANDARD.decode(packed).ok()
}

/// The file holds no key that can be read.
pub(super) fn unreadable(names: &Properties, path: &Path) -> Error {
    let path = path.display();
    Error::new(format!("{}: {path} is not a private key that can be read", names.key))
        .with_hint(format!("make it a PEM file: openssl pkey -in {path} -out {path}.pem"))
}
