//! Files of certificates, and errors that say which property named them.
//!
//! In every function `property` is the name of the property that named the file. It is only used in errors.

use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::certificate::Certificate;
use crate::error::{Error, Result};

/// Reads the certificates of a file: PEM (any number) or DER (one). Text around the PEM blocks is ignored, and so are blocks that
/// are no certificates, such as a private key.
///
/// # Errors
/// When the file cannot be read, or has no certificate.
pub fn read_certificates(property: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    certificates_of(property, &read(property, path)?, path)
}

/// Reads certificates from bytes, as [`read_certificates`] does. `path` is where the bytes came from.
///
/// # Errors
/// When there is no certificate, or the PEM is damaged.
///
/// ```
/// use std::path::Path;
/// let error = pgcdc_tls::certificates_of("sslrootcert", b"hello", Path::new("root.crt")).unwrap_err();
/// assert_eq!(error.to_string(), "sslrootcert: root.crt holds no certificate, neither as PEM nor as DER");
/// ```
pub fn certificates_of(property: &str, bytes: &[u8], path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    if !is_pem(bytes) && Certificate::parse(bytes).is_some() {
        return Ok(vec![CertificateDer::from(bytes.to_vec())]);
    }
    let unreadable = |what: &str| {
        Error::new(format!("{property}: {} {what}", path.display())).with_hint(format!(
            "`openssl x509 -noout -text -in {}` should show a certificate",
            path.display()
        ))
    };
    let found: Vec<_> = CertificateDer::pem_slice_iter(bytes)
        .collect::<Result<_, _>>()
        .map_err(|error| unreadable("is not a readable PEM file").with_source(error))?;
    if found.is_empty() {
        return Err(unreadable("holds no certificate, neither as PEM nor as DER"));
    }
    Ok(found)
}

/// Reads a file's bytes.
///
/// # Errors
/// When the file cannot be read. The error names the property, and the hint says what to do: put the file there, or let pgcdc's
/// user read it.
pub fn read(property: &str, path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| {
        let path = path.display();
        let hint = match error.kind() {
            std::io::ErrorKind::NotFound => format!("put the file there, or change {property}"),
            std::io::ErrorKind::PermissionDenied => {
                format!("let the user that runs pgcdc read it: chown or chmod {path}, and the directories above it")
            }
            _ => format!("check that {path} is a file"),
        };
        Error::new(format!("{property}: cannot read {path}: {error}")).with_hint(hint).with_source(error)
    })
}

/// Whether bytes are PEM: they have the beginning of a block anywhere, since text may stand before it.
///
/// ```
/// assert!(pgcdc_tls::is_pem(b"my key\n-----BEGIN PRIVATE KEY-----\n"));
/// assert!(!pgcdc_tls::is_pem(&[0x30, 0x82]));
/// ```
#[must_use]
pub fn is_pem(bytes: &[u8]) -> bool {
    memchr::memmem::find(bytes, b"-----BEGIN ").is_some()
}
