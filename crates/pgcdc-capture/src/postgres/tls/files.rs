//! Certificates and other files that the configuration names.

use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::certificate::Certificate;
use crate::{Error, Result};

/// Reads the certificates of a file: PEM with any number of them, or DER with one.
pub(super) fn read_certificates(property: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let bytes = read(property, path)?;
    if !is_pem(&bytes) && Certificate::parse(&bytes).is_some() {
        return Ok(vec![CertificateDer::from(bytes)]);
    }
    let unreadable = |what: &str| {
        Error::configuration(format!("{property}: {} {what}", path.display())).with_hint(format!(
            "`openssl x509 -noout -text -in {}` should show a certificate",
            path.display()
        ))
    };
    let found: Vec<_> = CertificateDer::pem_slice_iter(&bytes)
        .collect::<Result<_, _>>()
        .map_err(|error| unreadable("is not a readable PEM file").with_source(error))?;
    if found.is_empty() {
        return Err(unreadable("holds no certificate, neither as PEM nor as DER"));
    }
    Ok(found)
}

/// Reads a file. An error names the property that named the file, and says what to do.
pub(super) fn read(property: &str, path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| {
        let path = path.display();
        let hint = match error.kind() {
            std::io::ErrorKind::NotFound => format!("put the file there, or change {property}"),
            std::io::ErrorKind::PermissionDenied => {
                format!("let the user that runs pgcdc read it: chown or chmod {path}, and the directories above it")
            }
            _ => format!("check that {path} is a file"),
        };
        Error::configuration(format!("{property}: cannot read {path}: {error}")).with_hint(hint).with_source(error)
    })
}

/// Whether it is PEM rather than DER.
pub(super) fn is_pem(bytes: &[u8]) -> bool {
    memchr::memmem::find(bytes, b"-----BEGIN ").is_some()
}
