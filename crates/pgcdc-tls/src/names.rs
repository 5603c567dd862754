//! Whether a certificate names a host, as libpq decides it (`fe-secure-common.c`).
//!
//! | the host is | compared with | else |
//! |---|---|---|
//! | a name | the alternative names of type DNS | the common name, when there are none of that type |
//! | an address | the alternative names of type IP | the common name, when there are none of that type |
//!
//! Names are compared without regard to case. A star stands for one label, the leftmost. rustls compares alternative names only.
//!
//! Source: RFC 6125; PostgreSQL manual, "SSL Client Certificate Verification".

use std::net::IpAddr;

use x509_cert::der::Decode;
use x509_cert::der::asn1::{PrintableStringRef, TeletexStringRef, Utf8StringRef};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use super::certificate::Certificate;

/// The names that a certificate is for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    /// Alternative names of type DNS.
    dns: Vec<String>,
    /// Alternative names of type IP.
    addresses: Vec<IpAddr>,
    /// The subject's common name; the first one, if it has several.
    common: Option<String>,
}

impl Names {
    /// The names of a certificate. One that cannot be read is left out.
    pub(super) fn of(certificate: &Certificate<'_>) -> Self {
        let tbs = &certificate.inner.tbs_certificate;
        let mut names = Self::default();
        if let Ok(Some((_, SubjectAltName(all)))) = tbs.get::<SubjectAltName>() {
            for name in all {
                match name {
                    GeneralName::DnsName(name) => names.dns.push(name.to_string()),
                    GeneralName::IpAddress(bytes) => names.addresses.extend(address(bytes.as_bytes())),
                    _ => {}
                }
            }
        }
        const COMMON_NAME: &str = "2.5.4.3";
        let parts = tbs.subject.0.iter().flat_map(|part| part.0.iter());
        names.common = parts
            .filter(|part| part.oid.to_string() == COMMON_NAME)
            .filter_map(|part| text(&x509_cert::der::Encode::to_der(&part.value).ok()?))
            .next();
        names
    }

    /// Whether `host`, a name or an address, is one of them.
    pub(super) fn contain(&self, host: &str) -> bool {
        let wanted: Option<IpAddr> = host.parse().ok();
        let same_kind = if wanted.is_some() { !self.addresses.is_empty() } else { !self.dns.is_empty() };
        self.dns.iter().any(|name| is_name_of(name, host))
            || wanted.is_some_and(|wanted| self.addresses.contains(&wanted))
            || (!same_kind && self.common.as_ref().is_some_and(|name| is_name_of(name, host)))
    }
}

impl std::fmt::Display for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let addresses = self.addresses.iter().map(ToString::to_string);
        let common = self.common.iter().filter(|_| self.dns.is_empty()).cloned();
        let all: Vec<String> = self.dns.iter().cloned().chain(addresses).chain(common).collect();
        f.write_str(&if all.is_empty() { "nobody".to_owned() } else { all.join(", ") })
    }
}

/// An address of 4 or 16 bytes.
fn address(bytes: &[u8]) -> Option<IpAddr> {
    <[u8; 4]>::try_from(bytes)
        .map(IpAddr::from)
        .or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
        .ok()
}

/// A text of one of the three types that common names have.
fn text(der: &[u8]) -> Option<String> {
    Utf8StringRef::from_der(der)
        .map(|text| text.as_str().to_owned())
        .or_else(|_| PrintableStringRef::from_der(der).map(|text| text.as_str().to_owned()))
        .or_else(|_| TeletexStringRef::from_der(der).map(|text| text.as_str().to_owned()))
        .ok()
}

/// Whether `name` is the host's. A star in it stands for one label, and only as the whole of the leftmost.
fn is_name_of(name: &str, host: &str) -> bool {
    if name.eq_ignore_ascii_case(host) {
        return true;
    }
    let Some(tail) = name.strip_prefix('*').filter(|tail| tail.len() > 1 && tail.starts_with('.')) else {
        return false;
    };
    let Some(label) = host.len().checked_sub(tail.len()).filter(|&at| at > 0 && host.is_char_boundary(at))
    else {
        return false;
    };
    host[label..].eq_ignore_ascii_case(tail) && !host[..label].contains('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_as_libpq_does() {
        let check = |dns: &[&str], addresses: &[&str], common: &str, host: &str, expect: bool| {
            let names = Names {
                dns: dns.iter().map(|name| (*name).to_owned()).collect(),
                addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
                common: Some(common.to_owned()).filter(|name| !name.is_empty()),
            };
            assert_eq!(names.contain(host), expect, "{names:?} {host}");
        };
        check(&["db.example.org"], &[], "", "DB.example.org", true);
        check(&["*.example.org"], &[], "", "db.example.org", true);
        check(&["*.example.org"], &[], "", "a.db.example.org", false);
        check(&["*.example.org"], &[], "", "example.org", false);
        check(&["*.example.org"], &[], "", ".example.org", false);
        check(&["d*.example.org"], &[], "", "db.example.org", false);
        check(&["*"], &[], "", "db", false);
        check(&[], &[], "db", "db", true);
        check(&["other"], &[], "db", "db", false);
        check(&[], &["127.0.0.1"], "", "127.0.0.1", true);
        check(&[], &["127.0.0.1"], "127.0.0.2", "127.0.0.2", false);
        check(&["other"], &[], "127.0.0.1", "127.0.0.1", true);
        check(&[], &["::1"], "", "::1", true);
        check(&[], &["127.0.0.1"], "db", "db", true);
        check(&[], &[], "", "db", false);
        check(&["*.é.org"], &[], "", "dé.é.org", true);
    }
}
