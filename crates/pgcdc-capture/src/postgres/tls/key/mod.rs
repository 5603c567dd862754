//! The client's certificate and private key: `database.sslcert` and `database.sslkey`, in every form that libpq and
//! pgjdbc read.

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

use self::form::{Identity, KEY, Kind, base64, kind, unreadable};
use super::files::{is_pem, read, read_certificates};
use crate::config::Ssl;
use crate::{Error, Result};

const CERT: &str = "database.sslcert";

/// Reads the client's certificate and key; `None` when none is configured.
pub(super) fn client(ssl: &Ssl) -> Result<Option<CertifiedKey>> {
    let Some((chain, key)) = identity(ssl)? else { return Ok(None) };
    let key = any_supported_type(&key).map_err(|error| {
        Error::configuration(format!("{KEY}: the private key is of a kind that cannot be used"))
            .with_hint("use RSA of 2048 bits or more, P-256, P-384 or Ed25519")
            .with_source(error)
    })?;
    // rustls checks that certificate and key belong together, but not for certificates older than X.509 v3.
    let public = key.public_key();
    let belongs =
        |certificate: &CertificateDer<'_>, public: &[u8]| memchr::memmem::find(certificate, public).is_some();
    if let (Some(certificate), Some(public)) = (chain.first(), public)
        && !belongs(certificate, &public)
    {
        return Err(Error::configuration(format!("{CERT} and {KEY}: the key is not the certificate's"))
            .with_hint(
                "compare `openssl x509 -noout -pubkey -in CERT` with `openssl pkey -pubout -in KEY`",
            ));
    }
    Ok(Some(CertifiedKey::new(chain, key)))
}

fn identity(ssl: &Ssl) -> Result<Option<Identity>> {
    let password = ssl.key_password.as_ref();
    match (&ssl.cert, &ssl.key) {
        (None, None) => Ok(None),
        (Some(cert), None) => {
            Err(Error::configuration(format!("{CERT} is {}, and {KEY} is not set", cert.display()))
                .with_hint(format!("name the certificate's private key in {KEY}")))
        }
        (cert, Some(path)) => {
            let bytes = read(KEY, path)?;
            if kind(&bytes) == Kind::Pkcs12 {
                return pkcs12::identity(&bytes, path, password).map(Some);
            }
            let Some(cert) = cert else {
                return Err(Error::configuration(format!(
                    "{KEY} is {}, and {CERT} is not set",
                    path.display()
                ))
                .with_hint(format!("name the key's certificate in {CERT}")));
            };
            let key = if is_pem(&bytes) { pem(&bytes, path, password)? } else { der(bytes, path, password)? };
            Ok(Some((read_certificates(CERT, cert)?, key)))
        }
    }
}

fn der(bytes: Vec<u8>, path: &Path, password: Option<&Secret>) -> Result<PrivateKeyDer<'static>> {
    match kind(&bytes) {
        Kind::Pkcs8 => Ok(PrivatePkcs8KeyDer::from(bytes).into()),
        Kind::Pkcs1 => Ok(PrivatePkcs1KeyDer::from(bytes).into()),
        Kind::Sec1 => Ok(PrivateSec1KeyDer::from(bytes).into()),
        Kind::Encrypted => encrypted::pkcs8(&bytes, path, password),
        Kind::Pkcs12 | Kind::Other => Err(unreadable(path)),
    }
}

fn pem(bytes: &[u8], path: &Path, password: Option<&Secret>) -> Result<PrivateKeyDer<'static>> {
    let text = String::from_utf8_lossy(bytes);
    if let Some(block) = block(&text, "ENCRYPTED PRIVATE KEY") {
        let der = base64(block).ok_or_else(|| unreadable(path))?;
        return encrypted::pkcs8(&der, path, password);
    }
    for label in ["RSA PRIVATE KEY", "EC PRIVATE KEY"] {
        if let Some(block) = block(&text, label).filter(|block| block.contains("DEK-Info:")) {
            let der = encrypted::traditional(block, path, password)?;
            return self::der(der, path, None);
        }
    }
    PrivateKeyDer::from_pem_slice(bytes).map_err(|error| unreadable(path).with_source(error))
}

/// The text between the BEGIN and END lines of `label` in a PEM file; `None` when there are none.
fn block<'t>(text: &'t str, label: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(&format!("-----BEGIN {label}-----"))?;
    rest.split_once(&format!("-----END {label}-----")).map(|(inside, _)| inside)
}
