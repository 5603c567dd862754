//! Java's key stores and trust stores, as librdkafka's and our own properties have them.
//!
//! Java names a store's file, type and password; what the file really is decides here, as it does in Java since version 9.
//!
//! | the file | as a trust store | as a key store | |---|---|---| | PKCS#12 | its certificates become `ssl.ca.pem` |
//! `ssl.keystore.location` stays, and is read by pgcdc-tls | | PEM | `ssl.ca.location` | certificates and key become
//! `ssl.certificate.*` and `ssl.key.*` | | JKS, JCEKS | refused, with the `keytool` line that converts it | the same |
//!
//! The type that a property names is not believed, since Java does not believe it either.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pgcdc_event::Secret;
use pgcdc_tls::Properties;

/// The first bytes of a JKS file.
const JKS: [u8; 4] = [0xfe, 0xed, 0xfe, 0xed];
/// The first bytes of a JCEKS file.
const JCEKS: [u8; 4] = [0xce, 0xce, 0xce, 0xce];

/// What errors call a trust store.
const TRUST: Properties = Properties {
    certificate: "ssl.truststore.location",
    key: "ssl.truststore.location",
    password: "ssl.truststore.password",
};

/// Replaces the properties of Java's stores among `entries`.
///
/// # Errors
/// Names the property, and what to do with a file that cannot be used.
pub(crate) fn translate(entries: &mut BTreeMap<String, String>) -> Result<(), Vec<String>> {
    let mistakes: Vec<String> =
        [trust(entries), keys(entries)].into_iter().filter_map(std::result::Result::err).collect();
    if mistakes.is_empty() { Ok(()) } else { Err(mistakes) }
}

/// Translates the trust store: whom the client believes.
fn trust(entries: &mut BTreeMap<String, String>) -> Result<(), String> {
    let password = entries.remove("ssl.truststore.password").map(Secret::new);
    entries.remove("ssl.truststore.type");
    let Some(location) = entries.remove("ssl.truststore.location") else { return Ok(()) };
    let path = Path::new(&location);
    let bytes = pgcdc_tls::read("ssl.truststore.location", path).map_err(with_hint)?;
    refuse_jks("ssl.truststore", &bytes, path)?;
    if !pgcdc_tls::is_pkcs12(&bytes) {
        // PEM, which librdkafka reads by itself.
        pgcdc_tls::certificates_of("ssl.truststore.location", &bytes, path).map_err(with_hint)?;
        entries.entry("ssl.ca.location".to_owned()).or_insert(location);
        return Ok(());
    }
    let store = pgcdc_tls::store(&TRUST, &bytes, path, password.as_ref()).map_err(with_hint)?;
    if store.certificates.is_empty() {
        return Err(format!("property \"ssl.truststore.location\": {location} has no certificate"));
    }
    let pem = store.certificates.iter().map(|der| pem("CERTIFICATE", der)).collect();
    entries.entry("ssl.ca.pem".to_owned()).or_insert(pem);
    Ok(())
}

/// Translates the key store: who the client is.
fn keys(entries: &mut BTreeMap<String, String>) -> Result<(), String> {
    entries.remove("ssl.keystore.type");
    let Some(location) = entries.get("ssl.keystore.location").cloned() else { return Ok(()) };
    let path = Path::new(&location);
    let bytes = pgcdc_tls::read("ssl.keystore.location", path).map_err(with_hint)?;
    refuse_jks("ssl.keystore", &bytes, path)?;
    if pgcdc_tls::is_pem(&bytes) {
        // One file has the chain and the key.
        entries.remove("ssl.keystore.location");
        entries.insert("ssl.certificate.location".to_owned(), location.clone());
        entries.insert("ssl.key.location".to_owned(), location);
        if let Some(password) = entries.remove("ssl.keystore.password") {
            entries.entry("ssl.key.password".to_owned()).or_insert(password);
        }
    }
    Ok(())
}

/// Java's own format: the JDK converts it.
fn refuse_jks(property: &str, bytes: &[u8], path: &Path) -> Result<(), String> {
    if !bytes.starts_with(&JKS) && !bytes.starts_with(&JCEKS) {
        return Ok(());
    }
    let shown = path.display();
    Err(format!(
        "property \"{property}.location\": {shown} is a JKS store, which cannot be read here: convert it by keytool \
         -importkeystore -srckeystore {shown} -destkeystore {shown}.p12 -deststoretype PKCS12 and name {shown}.p12"
    ))
}

/// The error's text with its remedy.
fn with_hint(error: pgcdc_tls::Error) -> String {
    let hint = error.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
    format!("property {error}{hint}")
}

/// A block of PEM.
fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut out = format!("-----BEGIN {label}-----\n");
    for line in text.as_bytes().chunks(64) {
        out.push_str(&String::from_utf8_lossy(line));
        out.push('\n');
    }
    out.push_str(&format!("-----END {label}-----\n"));
    out
}
