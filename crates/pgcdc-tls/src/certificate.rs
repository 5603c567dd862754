//! Reads certificates of any version of X.509, and checks what rustls does not check for old versions: who signed them, when they
//! are valid, and what they may be used for.
//!
//! Source: RFC 5280 (certificates and chains), RFC 5929 (the hash for channel binding).

use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::UnixTime;
use sha2::{Digest, Sha256, Sha384, Sha512};
use x509_cert::certificate::{CertificateInner, Raw, Version};
use x509_cert::der::{Decode, Encode, Header, Reader, SliceReader};
use x509_cert::ext::pkix::constraints::BasicConstraints;
use x509_cert::ext::pkix::{ExtendedKeyUsage, KeyUsage, KeyUsages, NameConstraints};

/// The hash of a certificate that channel binding of the kind `tls-server-end-point` compares: a login by SCRAM then proves that
/// nobody stands between client and server.
///
/// Its algorithm is that of the certificate's signature, or SHA-256 where that is MD5 or SHA-1. `None` when the bytes are not a
/// certificate in DER, and for signatures without a separate hash, such as Ed25519: channel binding is not possible then.
///
/// Source: RFC 5929, 4.1.
///
/// ```
/// assert_eq!(pgcdc_tls::end_point_hash(b"not a certificate"), None);
/// ```
pub fn end_point_hash(der: &[u8]) -> Option<Vec<u8>> {
    let certificate = Certificate::parse(der)?;
    Some(match certificate.inner.signature_algorithm.oid.to_string().as_str() {
        // MD5, SHA-1 and SHA-256 with RSA; SHA-1 and SHA-256 with ECDSA.
        "1.2.840.113549.1.1.4"
        | "1.2.840.113549.1.1.5"
        | "1.2.840.113549.1.1.11"
        | "1.2.840.10045.4.1"
        | "1.2.840.10045.4.3.2" => Sha256::digest(der).to_vec(),
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => Sha384::digest(der).to_vec(),
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => Sha512::digest(der).to_vec(),
        _ => return None,
    })
}

/// A certificate and its parts. Checks need its bytes as they came: a signature covers them, and encoding them again may give
/// others.
pub(super) struct Certificate<'a> {
    /// All bytes of the certificate.
    der: &'a [u8],
    /// The part that the signature covers.
    tbs: &'a [u8],
    /// The fields, parsed. `Raw` accepts fields that are not quite as RFC 5280 wants them.
    pub(super) inner: CertificateInner<Raw>,
}

impl<'a> Certificate<'a> {
    /// Parses a certificate in DER; `None` when it is not one.
    pub(super) fn parse(der: &'a [u8]) -> Option<Self> {
        let inner = CertificateInner::<Raw>::from_der(der).ok()?;
        let mut reader = SliceReader::new(der).ok()?;
        Header::decode(&mut reader).ok()?;
        let tbs = reader.tlv_bytes().ok()?;
        Some(Self { der, tbs, inner })
    }

    /// Whether rustls refuses the certificate for its form alone: it is older than X.509 v3, or it is an authority's and a server
    /// shows it.
    pub(super) fn is_unusual(&self) -> bool {
        self.inner.tbs_certificate.version != Version::V3 || self.is_authority() == Some(true)
    }

    /// Whether the certificate says that it is an authority's; `None` where it says nothing about that, as in version 1.
    fn is_authority(&self) -> Option<bool> {
        let constraints = self.inner.tbs_certificate.get::<BasicConstraints>().ok()?;
        constraints.map(|(_, constraints)| constraints.ca)
    }

    /// Whether the holder of `issuer` has signed the certificate: the names match, and the signature is by `issuer`'s key.
    fn is_signed_by(&self, issuer: &Certificate<'_>, algorithms: &WebPkiSupportedAlgorithms) -> bool {
        let named = self.inner.tbs_certificate.issuer == issuer.inner.tbs_certificate.subject;
        let (Some(signature), Some(algorithm)) =
            (self.inner.signature.as_bytes(), contents(&self.inner.signature_algorithm))
        else {
            return false;
        };
        let fits = algorithms.all.iter().filter(|known| *known.signature_alg_id() == *algorithm);
        named && issuer.has_signed(fits.copied(), self.tbs, signature)
    }

    /// Whether the certificate's key made the signature, by one of the algorithms.
    pub(super) fn has_signed(
        &self,
        algorithms: impl Iterator<Item = &'static dyn rustls::pki_types::SignatureVerificationAlgorithm>,
        message: &[u8],
        signature: &[u8],
    ) -> bool {
        let key = &self.inner.tbs_certificate.subject_public_key_info;
        let (Some(bits), Some(kind)) = (key.subject_public_key.as_bytes(), contents(&key.algorithm)) else {
            return false;
        };
        algorithms
            .filter(|known| *known.public_key_alg_id() == *kind)
            .any(|known| known.verify_signature(bits, message, signature).is_ok())
    }

    /// Whether `now` is between its two dates, both included.
    pub(super) fn is_valid_at(&self, now: UnixTime) -> bool {
        let validity = &self.inner.tbs_certificate.validity;
        let (from, to) = (validity.not_before.to_unix_duration(), validity.not_after.to_unix_duration());
        (from.as_secs()..=to.as_secs()).contains(&now.as_secs())
    }

    /// Whether the certificate may be used for a server; true when it does not list purposes.
    pub(super) fn may_serve(&self) -> bool {
        // The purposes "server authentication" and "any".
        const SERVES: [&str; 2] = ["1.3.6.1.5.5.7.3.1", "2.5.29.37.0"];
        match self.inner.tbs_certificate.get::<ExtendedKeyUsage>() {
            Ok(usage) => usage.is_none_or(|(_, usage)| {
                usage.0.iter().any(|purpose| SERVES.contains(&purpose.to_string().as_str()))
            }),
            Err(_) => false,
        }
    }

    /// Whether the certificate may sign others: it is of X.509 v3, says that it is an authority's, may sign certificates,
    /// and has no name constraints, which this check cannot apply. `below` is how many authorities stand between it and the
    /// server's certificate; a certificate may limit that number.
    fn may_vouch(&self, below: usize) -> bool {
        let tbs = &self.inner.tbs_certificate;
        let Ok(Some((_, constraints))) = tbs.get::<BasicConstraints>() else { return false };
        let usage = match tbs.get::<KeyUsage>() {
            Ok(usage) => usage.is_none_or(|(_, usage)| usage.0.contains(KeyUsages::KeyCertSign)),
            Err(_) => false,
        };
        let unlimited = matches!(tbs.get::<NameConstraints>(), Ok(None));
        let short = constraints.path_len_constraint.is_none_or(|most| below <= usize::from(most));
        constraints.ca && usage && unlimited && short && tbs.version == Version::V3
    }
}

/// Whether a chain of signatures leads from a certificate over `others` to one of the `roots`. This is for certificates that
/// rustls' own check refuses for their form.
///
/// A certificate that is itself among the roots is trusted, whoever signed it. Each certificate of the chain must be valid `now`.
pub(super) fn is_vouched_for(
    certificate: &Certificate<'_>,
    others: &[Certificate<'_>],
    roots: &[Certificate<'_>],
    algorithms: &WebPkiSupportedAlgorithms,
    now: UnixTime,
) -> bool {
    Search { others, roots, algorithms, now, left: Search::MOST_CHECKS }.reaches_a_root(0, certificate)
}

/// The search for a chain of signatures.
struct Search<'a, 'c> {
    /// The certificates that the server showed beside its own.
    others: &'a [Certificate<'c>],
    roots: &'a [Certificate<'c>],
    algorithms: &'a WebPkiSupportedAlgorithms,
    now: UnixTime,
    /// How many signatures may still be checked.
    left: u32,
}

impl Search<'_, '_> {
    /// The longest chain of authorities that is followed.
    const MOST_AUTHORITIES: usize = 6;
    /// The most signatures that are checked. A hostile server may show many authorities of one name and key: each of them has
    /// signed each other one, and without this limit all orders of them would be tried.
    const MOST_CHECKS: u32 = 100;

    /// Whether a chain leads from `at` to a root. `below` is how many authorities stand between it and the server's certificate.
    fn reaches_a_root(&mut self, below: usize, at: &Certificate<'_>) -> bool {
        if !at.is_valid_at(self.now) || below > Self::MOST_AUTHORITIES {
            return false;
        }
        let (others, roots) = (self.others, self.roots);
        roots
            .iter()
            .any(|root| root.der == at.der || (root.is_valid_at(self.now) && self.has_signed(root, at)))
            || others.iter().any(|other| {
                other.der != at.der
                    && other.may_vouch(below)
                    && self.has_signed(other, at)
                    && self.reaches_a_root(below + 1, other)
            })
    }

    /// Whether the holder of `issuer` has signed `at`; false when too many signatures were checked already.
    fn has_signed(&mut self, issuer: &Certificate<'_>, at: &Certificate<'_>) -> bool {
        if at.inner.tbs_certificate.issuer != issuer.inner.tbs_certificate.subject || self.left == 0 {
            return false;
        }
        self.left -= 1;
        at.is_signed_by(issuer, self.algorithms)
    }
}

/// The content of an `AlgorithmIdentifier` without its tag and length, the form that rustls has.
fn contents(algorithm: &x509_cert::spki::AlgorithmIdentifierOwned) -> Option<Vec<u8>> {
    let der = algorithm.to_der().ok()?;
    let mut reader = SliceReader::new(&der).ok()?;
    let header = Header::decode(&mut reader).ok()?;
    reader.read_slice(header.length).ok().map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::*;

    /// Eight authorities of one name and one key, none of which is trusted: more than 7⁶ chains lead nowhere.
    #[test]
    fn many_authorities_of_one_name_cost_few_checks() {
        let pem = include_bytes!("same_name.pem");
        let ders = crate::certificates_of("test", pem, Path::new("same_name.pem")).unwrap();
        let all: Vec<_> = ders.iter().map(|der| Certificate::parse(der).unwrap()).collect();
        let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms;
        let now = UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000));
        let mut search =
            Search { others: &all[1..], roots: &[], algorithms: &algorithms, now, left: Search::MOST_CHECKS };
        assert!(!search.reaches_a_root(0, &all[0]));
        assert_eq!(search.left, 0);
        assert!(is_vouched_for(&all[0], &all[1..], &all[7..], &algorithms, now), "one of them is a root");
    }
}
