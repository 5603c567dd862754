//! A PKCS#12 file (`.p12`, `.pfx`): certificates and a key in one, as OpenSSL and Java write it.
//!
//! ```text
//! PFX ─ AuthenticatedSafe ┬ data          ┬ bag: a key
//!                         │               └ bag: an encrypted key
//!                         └ encryptedData ─ bag: a certificate …
//! ```
//!
//! A safe is a list of bags, plain or encrypted. The file's checksum (MAC) is not looked at: a damaged file does not parse,
//! and a wrong password shows when a safe is decrypted.
//!
//! Source: RFC 7292.

use std::path::Path;

use pgcdc_event::Secret;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::encrypted::{Failure, asked_for, decrypt, refused};
use super::form::{Identity, Properties};
use super::tlv::{EXPLICIT_0, Elements, OBJECT, OCTET_STRING, SEQUENCE, Tlv};
use crate::error::{Error, Result};

/// The object identifier of a plain safe (`data`).
const DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01];
/// The object identifier of an encrypted safe (`encryptedData`).
const ENCRYPTED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x06];
/// The object identifier of the bags without its last number: 1 is a key, 2 an encrypted key, 3 a certificate.
const BAG: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x0a, 0x01];

/// The contents of a PKCS#12 file. A file may have certificates alone: then it is a trust store.
#[derive(Default)]
pub struct Store {
    /// The private key, as PKCS#8 in DER and not encrypted. If the file has several, the last one.
    pub key: Option<Vec<u8>>,
    /// All certificates, in the file's order.
    pub certificates: Vec<CertificateDer<'static>>,
}

/// Without the key.
impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let key = self.key.as_ref().map(|_| "hidden");
        f.debug_struct("Store").field("key", &key).field("certificates", &self.certificates.len()).finish()
    }
}

/// Reads a PKCS#12 file. `path` is where the bytes came from.
///
/// # Errors
/// When it is not such a file, its scheme is not known, or its password is missing or wrong. There must be a password, if only an
/// empty one.
pub fn store(names: &Properties, bytes: &[u8], path: &Path, password: Option<&Secret>) -> Result<Store> {
    let password = asked_for(names, path, password)?;
    let (key, shown) = (names.key, path.display());
    contents(bytes, password.expose()).map_err(|failure| match failure {
        Failure::Malformed => {
            Error::new(format!("{key}: {shown} is not a PKCS#12 file that can be read"))
                .with_hint(format!("make it PEM: openssl pkcs12 -in {shown} -nodes -out {shown}.pem"))
        }
        Failure::Scheme(scheme) => {
            Error::new(format!("{key}: {shown} is encrypted by {scheme}, which pgcdc does not have")).with_hint(
                format!(
                    "make it anew: openssl pkcs12 -legacy -in {shown} -nodes -out ALL.pem; openssl pkcs12 -export -in ALL.pem -out NEW.p12"
                ),
            )
        }
        other => refused(names, path, other),
    })
}

/// Reads a client's certificate and key from a PKCS#12 file. `path` is where the bytes came from.
///
/// # Errors
/// As [`store`], and when it has no key, or no certificate.
pub fn identity_of_store(
    names: &Properties,
    bytes: &[u8],
    path: &Path,
    password: Option<&Secret>,
) -> Result<Identity> {
    let found = store(names, bytes, path, password)?;
    let key = found.key.map(|key| PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key)));
    let Some(key) = key.filter(|_| !found.certificates.is_empty()) else {
        return Err(Error::new(format!("{}: {} has no certificate with its key", names.key, path.display()))
            .with_hint("openssl pkcs12 -export -inkey KEY -in CERT -certfile CHAIN -out FILE makes one"));
    };
    Ok((in_order(found.certificates, &key), key))
}

/// Moves the key's own certificate to the front: files may have the chain before it.
fn in_order(
    mut certificates: Vec<CertificateDer<'static>>,
    key: &PrivateKeyDer<'static>,
) -> Vec<CertificateDer<'static>> {
    let public = rustls::crypto::ring::sign::any_supported_type(key)
        .ok()
        .and_then(|key| key.public_key().map(|public| public.as_ref().to_vec()));
    let own = public
        .and_then(|public| certificates.iter().position(|der| memchr::memmem::find(der, &public).is_some()));
    if let Some(at) = own {
        certificates.swap(0, at);
    }
    certificates
}

/// All keys and certificates of a file. Bags of other kinds (revocation lists, secrets) are stepped over.
fn contents(bytes: &[u8], password: &str) -> Result<Store, Failure> {
    let mut found = Store::default();
    let safes = safes(bytes).ok_or(Failure::Malformed)?;
    for safe in safes {
        let mut parts = safe.inside(SEQUENCE).ok_or(Failure::Malformed)?;
        let kind = parts.next().and_then(|kind| kind.bytes(OBJECT)).ok_or(Failure::Malformed)?;
        let content = parts.next().and_then(|c| c.inside(EXPLICIT_0)?.next()).ok_or(Failure::Malformed)?;
        let plain;
        let bags = if kind == DATA {
            content.bytes(OCTET_STRING).ok_or(Failure::Malformed)?
        } else if kind == ENCRYPTED_DATA {
            let (algorithm, data) = encrypted_content(content).ok_or(Failure::Malformed)?;
            plain = decrypt(algorithm, data, password)?;
            &plain
        } else {
            return Err(Failure::Malformed);
        };
        let bags = Tlv::read(bags).and_then(|(bags, _)| bags.inside(SEQUENCE)).ok_or(Failure::Password)?;
        for bag in bags {
            self::bag(bag, password, &mut found)?;
        }
    }
    Ok(found)
}

/// The sequence of safes within the file.
fn safes(bytes: &[u8]) -> Option<Elements<'_>> {
    let mut pfx = Tlv::read(bytes)?.0.inside(SEQUENCE)?;
    pfx.next()?;
    let mut content = pfx.next()?.inside(SEQUENCE)?;
    let kind = content.next()?.bytes(OBJECT)?;
    let data = content.next()?.inside(EXPLICIT_0)?.next()?.bytes(OCTET_STRING)?;
    if kind != DATA {
        return None;
    }
    Tlv::read(data)?.0.inside(SEQUENCE)
}

/// The algorithm and the bytes of an `EncryptedData`.
fn encrypted_content(content: Tlv<'_>) -> Option<(Tlv<'_>, &[u8])> {
    /// `[0]`, implicit.
    const IMPLICIT_0: u8 = 0x80;
    let mut data = content.inside(SEQUENCE)?;
    data.next()?;
    let mut info = data.next()?.inside(SEQUENCE)?;
    info.next()?;
    Some((info.next()?, info.next()?.bytes(IMPLICIT_0)?))
}

/// Takes a bag's key or certificate over into `found`.
fn bag(bag: Tlv<'_>, password: &str, found: &mut Store) -> Result<(), Failure> {
    let parts = || {
        let mut parts = bag.inside(SEQUENCE)?;
        let kind = parts.next()?.bytes(OBJECT)?.strip_prefix(BAG)?;
        Some((kind, parts.next()?.bytes(EXPLICIT_0)?))
    };
    let (kind, value) = parts().ok_or(Failure::Malformed)?;
    match kind {
        [1] => found.key = Some(value.to_vec()),
        [2] => {
            let parts = || {
                let mut parts = Tlv::read(value)?.0.inside(SEQUENCE)?;
                Some((parts.next()?, parts.next()?.bytes(OCTET_STRING)?))
            };
            let (algorithm, data) = parts().ok_or(Failure::Malformed)?;
            found.key = Some(decrypt(algorithm, data, password)?);
        }
        [3] => {
            let certificate = || {
                let mut parts = Tlv::read(value)?.0.inside(SEQUENCE)?;
                parts.next()?;
                parts.next()?.inside(EXPLICIT_0)?.next()?.bytes(OCTET_STRING)
            };
            let der = certificate().ok_or(Failure::Malformed)?;
            found.certificates.push(CertificateDer::from(der.to_vec()));
        }
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_hides_the_key() {
        let store = Store { key: Some(vec![123, 45]), certificates: Vec::new() };
        assert_eq!(format!("{store:?}"), r#"Store { key: Some("hidden"), certificates: 0 }"#);
    }
}
