//! The client's certificate and private key, in every form that libpq, pgjdbc, Java and OpenSSL write.
//!
//! | form | PEM label | in DER |
//! |---|---|---|
//! | PKCS#8 | `PRIVATE KEY` | yes |
//! | PKCS#8, encrypted | `ENCRYPTED PRIVATE KEY` | yes |
//! | PKCS#1 (RSA) | `RSA PRIVATE KEY` | yes |
//! | SEC 1 (elliptic curves) | `EC PRIVATE KEY` | yes |
//! | the last two, encrypted by OpenSSL | the same, with `DEK-Info` | no |
//! | PKCS#12, with the certificate | | yes |
//!
//! The form is told by the file's content, never by its name. Java's own stores (JKS) are read by `pgcdc-kafka`.

mod encrypted;
mod form;
mod pkcs12;
mod tlv;

use std::path::Path;

use pgcdc_event::Secret;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer,
};
use rustls::sign::CertifiedKey;

use self::form::{Kind, base64, kind, unreadable};
use crate::error::{Error, Result};
use crate::files::{certificates_of, is_pem, read};

pub use self::form::{Identity, Properties};
pub use self::pkcs12::{Store, identity_of_store, store};

/// Reads the files of a client's certificate and key; `None` when neither is named. A PKCS#12 file in place of the key has
/// both, and then the certificate's property is ignored.
///
/// # Errors
/// When only one of the two is named, a file cannot be read, its password is missing or wrong, or the key is not the
/// certificate's.
///
/// ```
/// use std::path::Path;
/// use pgcdc_tls::{Properties, client};
///
/// let names = Properties { certificate: "sslcert", key: "sslkey", password: "sslpassword" };
/// assert!(client(&names, None, None, None)?.is_none());
/// let error = client(&names, Some(Path::new("client.crt")), None, None).unwrap_err();
/// assert_eq!(error.to_string(), "sslcert is client.crt, and sslkey is not set");
/// # Ok::<(), pgcdc_tls::Error>(())
/// ```
pub fn client(
    names: &Properties,
    certificate: Option<&Path>,
    key: Option<&Path>,
    password: Option<&Secret>,
) -> Result<Option<CertifiedKey>> {
    let identity = match (certificate, key) {
        (None, None) => return Ok(None),
        (Some(certificate), None) => {
            let (at, path) = (names.certificate, certificate.display());
            return Err(Error::new(format!("{at} is {path}, and {} is not set", names.key))
                .with_hint(format!("name the certificate's private key in {}", names.key)));
        }
        (certificate, Some(path)) => {
            let bytes = read(names.key, path)?;
            if is_pkcs12(&bytes) {
                identity_of_store(names, &bytes, path, password)?
            } else {
                let Some(certificate) = certificate else {
                    let text =
                        format!("{} is {}, and {} is not set", names.key, path.display(), names.certificate);
                    let hint = format!("name the key's certificate in {}", names.certificate);
                    return Err(Error::new(text).with_hint(hint));
                };
                let key = private_key(names, bytes, path, password)?;
                let found = read(names.certificate, certificate)?;
                (certificates_of(names.certificate, &found, certificate)?, key)
            }
        }
    };
    certified(names, identity).map(Some)
}

/// Puts a certificate and its key together, in the form that rustls signs with.
///
/// # Errors
/// When the key is of a kind that cannot be used, or is not the certificate's.
pub fn certified(names: &Properties, (chain, key): Identity) -> Result<CertifiedKey> {
    let key = any_supported_type(&key).map_err(|error| {
        Error::new(format!("{}: the private key is of a kind that cannot be used", names.key))
            .with_hint("use RSA of 2048 bits or more, P-256, P-384 or Ed25519")
            .with_source(error)
    })?;
    // rustls compares the two itself, but reads no certificate older than X.509 v3 for that.
    let public = key.public_key();
    let belongs =
        |certificate: &CertificateDer<'_>, public: &[u8]| memchr::memmem::find(certificate, public).is_some();
    if let (Some(certificate), Some(public)) = (chain.first(), public)
        && !belongs(certificate, &public)
    {
        return Err(Error::new(format!(
            "{} and {}: the key is not the certificate's",
            names.certificate, names.key
        ))
        .with_hint("compare `openssl x509 -noout -pubkey -in CERT` with `openssl pkey -pubout -in KEY`"));
    }
    Ok(CertifiedKey::new(chain, key))
}

/// Reads a private key as PEM or DER, encrypted or not. `path` is where the bytes came from. The password is not looked at
/// when the key is not encrypted.
///
/// # Errors
/// When the bytes are not a private key, or its password is missing or wrong.
///
/// ```
/// use std::path::Path;
/// use pgcdc_tls::{Properties, private_key};
///
/// let names = Properties { certificate: "sslcert", key: "sslkey", password: "sslpassword" };
/// let error = private_key(&names, b"hello".to_vec(), Path::new("k.der"), None).unwrap_err();
/// assert_eq!(error.hint(), Some("make it a PEM file: openssl pkey -in k.der -out k.der.pem"));
/// ```
pub fn private_key(
    names: &Properties,
    bytes: Vec<u8>,
    path: &Path,
    password: Option<&Secret>,
) -> Result<PrivateKeyDer<'static>> {
    if is_pem(&bytes) { pem(names, &bytes, path, password) } else { der(names, bytes, path, password) }
}

/// Whether bytes are a PKCS#12 store, by their first elements.
#[must_use]
pub fn is_pkcs12(bytes: &[u8]) -> bool {
    kind(bytes) == Kind::Pkcs12
}

/// Reads a private key in DER.
fn der(
    names: &Properties,
    bytes: Vec<u8>,
    path: &Path,
    password: Option<&Secret>,
) -> Result<PrivateKeyDer<'static>> {
    match kind(&bytes) {
        Kind::Pkcs8 => Ok(PrivatePkcs8KeyDer::from(bytes).into()),
        Kind::Pkcs1 => Ok(PrivatePkcs1KeyDer::from(bytes).into()),
        Kind::Sec1 => Ok(PrivateSec1KeyDer::from(bytes).into()),
        Kind::Encrypted => encrypted::pkcs8(names, &bytes, path, password),
        Kind::Pkcs12 | Kind::Other => Err(unreadable(names, path)),
    }
}

/// Reads a private key in PEM: the first block that is one.
fn pem(
    names: &Properties,
    bytes: &[u8],
    path: &Path,
    password: Option<&Secret>,
) -> Result<PrivateKeyDer<'static>> {
    let text = String::from_utf8_lossy(bytes);
    if let Some(block) = block(&text, "ENCRYPTED PRIVATE KEY") {
        let der = base64(block).ok_or_else(|| unreadable(names, path))?;
        return encrypted::pkcs8(names, &der, path, password);
    }
    for label in ["RSA PRIVATE KEY", "EC PRIVATE KEY"] {
        if let Some(block) = block(&text, label).filter(|block| block.contains("DEK-Info:")) {
            let der = encrypted::traditional(names, block, path, password)?;
            return self::der(names, der, path, None);
        }
    }
    PrivateKeyDer::from_pem_slice(bytes).map_err(|error| unreadable(names, path).with_source(error))
}

/// The text between the lines of a PEM file that begin and end a block called `label`.
fn block<'t>(text: &'t str, label: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(&format!("-----BEGIN {label}-----"))?;
    rest.split_once(&format!("-----END {label}-----")).map(|(inside, _)| inside)
}
