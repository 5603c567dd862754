//! Hashes that replace texts: `column.mask.hash.…` and `column.mask.hash.v2.…`.
//!
//! The hash is over the salt and then the text. `v2` hashes the text's UTF-8 bytes. The first form hashes the text as Java
//! serializes it:
//!
//! | bytes | what |
//! |---|---|
//! | `ac ed 00 05` | magic and version of the stream |
//! | `74` and 2 bytes, or `7c` and 8 bytes | a string, and its length in bytes, big-endian |
//! | the rest | the text in Java's "modified UTF-8" |
//!
//! Source: Debezium's documentation, `column.mask.hash.hashAlgorithm.with.salt.salt`; Java's "Object Serialization Stream
//! Protocol".

use sha2::Digest;

/// Hashes texts with a salt. Equal texts have equal hashes, so that masked columns can still be joined and counted.
///
/// The salt is part of a property's name in the connector's configuration; `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct HashMask {
    algorithm: Algorithm,
    /// Hashed before the text.
    salt: Box<[u8]>,
    /// Whether the text alone is hashed (`v2`), not its Java serialization.
    bare: bool,
}

/// Without the salt: whoever knows it can try texts until a hash fits.
impl std::fmt::Debug for HashMask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { algorithm, bare, .. } = self;
        f.debug_struct("HashMask").field("algorithm", algorithm).field("bare", bare).finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
    Sha512Cut224,
    Sha512Cut256,
    Sha3Of224,
    Sha3Of256,
    Sha3Of384,
    Sha3Of512,
}

impl HashMask {
    /// The algorithms by the names that Java has for them, as an error message lists them.
    pub const ALGORITHMS: &'static [&'static str] = &[
        "MD5",
        "SHA-1",
        "SHA-224",
        "SHA-256",
        "SHA-384",
        "SHA-512",
        "SHA-512/224",
        "SHA-512/256",
        "SHA3-224",
        "SHA3-256",
        "SHA3-384",
        "SHA3-512",
    ];

    /// A mask by Java's name of an algorithm, in any case; `None` when it is not one of [`ALGORITHMS`](Self::ALGORITHMS) or of
    /// Java's other spellings (`SHA1`, `SHA256`, …). `bare` chooses the form of `v2`.
    ///
    /// ```
    /// use pgcdc_format::types::HashMask;
    /// assert!(HashMask::new("sha-256", "a salt", true).is_some());
    /// assert!(HashMask::new("CRC32", "a salt", true).is_none());
    /// ```
    #[must_use]
    pub fn new(algorithm: &str, salt: &str, bare: bool) -> Option<Self> {
        let algorithm = match algorithm.to_ascii_uppercase().as_str() {
            "MD5" => Algorithm::Md5,
            "SHA-1" | "SHA1" | "SHA" => Algorithm::Sha1,
            "SHA-224" | "SHA224" => Algorithm::Sha224,
            "SHA-256" | "SHA256" => Algorithm::Sha256,
            "SHA-384" | "SHA384" => Algorithm::Sha384,
            "SHA-512" | "SHA512" => Algorithm::Sha512,
            "SHA-512/224" | "SHA512/224" => Algorithm::Sha512Cut224,
            "SHA-512/256" | "SHA512/256" => Algorithm::Sha512Cut256,
            "SHA3-224" => Algorithm::Sha3Of224,
            "SHA3-256" => Algorithm::Sha3Of256,
            "SHA3-384" => Algorithm::Sha3Of384,
            "SHA3-512" => Algorithm::Sha3Of512,
            _ => return None,
        };
        Some(Self { algorithm, salt: salt.as_bytes().into(), bare })
    }

    /// Appends the hash's first `at_most` hexadecimal digits, in lower case and without quotes.
    pub(super) fn append_hex(&self, text: &[u8], at_most: usize, out: &mut Vec<u8>) {
        match self.algorithm {
            Algorithm::Md5 => self.append_digest::<md5::Md5>(text, at_most, out),
            Algorithm::Sha1 => self.append_digest::<sha1::Sha1>(text, at_most, out),
            Algorithm::Sha224 => self.append_digest::<sha2::Sha224>(text, at_most, out),
            Algorithm::Sha256 => self.append_digest::<sha2::Sha256>(text, at_most, out),
            Algorithm::Sha384 => self.append_digest::<sha2::Sha384>(text, at_most, out),
            Algorithm::Sha512 => self.append_digest::<sha2::Sha512>(text, at_most, out),
            Algorithm::Sha512Cut224 => self.append_digest::<sha2::Sha512_224>(text, at_most, out),
            Algorithm::Sha512Cut256 => self.append_digest::<sha2::Sha512_256>(text, at_most, out),
            Algorithm::Sha3Of224 => self.append_digest::<sha3::Sha3_224>(text, at_most, out),
            Algorithm::Sha3Of256 => self.append_digest::<sha3::Sha3_256>(text, at_most, out),
            Algorithm::Sha3Of384 => self.append_digest::<sha3::Sha3_384>(text, at_most, out),
            Algorithm::Sha3Of512 => self.append_digest::<sha3::Sha3_512>(text, at_most, out),
        }
    }

    fn append_digest<D: Digest>(&self, text: &[u8], at_most: usize, out: &mut Vec<u8>) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut hash = D::new();
        hash.update(&self.salt);
        if self.bare {
            hash.update(text);
        } else {
            hash.update(serialized(text));
        }
        let hex = hash.finalize();
        let digits = hex.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        out.extend(digits.take(at_most).map(|digit| DIGITS[usize::from(digit)]));
    }
}

/// A text as `ObjectOutputStream.writeObject` writes it. Modified UTF-8 writes a NUL in two bytes, and a character beyond
/// the basic plane as two surrogates of three bytes each.
fn serialized(text: &[u8]) -> Vec<u8> {
    let mut units = Vec::with_capacity(text.len());
    for unit in String::from_utf8_lossy(text).encode_utf16() {
        match unit {
            1..=0x7f => units.push(unit as u8),
            0 | 0x80..=0x7ff => units.extend([0xc0 | (unit >> 6) as u8, 0x80 | (unit & 0x3f) as u8]),
            _ => units.extend([
                0xe0 | (unit >> 12) as u8,
                0x80 | (unit >> 6 & 0x3f) as u8,
                0x80 | (unit & 0x3f) as u8,
            ]),
        }
    }
    let mut out = vec![0xac, 0xed, 0, 5];
    match u16::try_from(units.len()) {
        Ok(length) => {
            out.push(0x74);
            out.extend(length.to_be_bytes());
        }
        Err(_) => {
            out.push(0x7c);
            out.extend((units.len() as u64).to_be_bytes());
        }
    }
    out.extend(units);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(algorithm: &str, salt: &str, bare: bool, text: &str) -> String {
        let mut out = Vec::new();
        HashMask::new(algorithm, salt, bare).unwrap().append_hex(text.as_bytes(), 200, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn known_digests() {
        assert_eq!(hash("MD5", "", true, "abc"), "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(hash("sha-1", "a", true, "bc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
        // Debezium's own output for `sel_mask/md5`.
        assert_eq!(hash("MD5", "x", false, "visible"), "460c7f8a59d05a9a2d7a20e120ae5f14");
        assert_eq!(hash("MD5", "x", false, "é😀long text"), "0b37650d789ddd7cbdf0503b908a5732");
    }

    #[test]
    fn every_algorithm_that_is_offered_is_there() {
        for name in HashMask::ALGORITHMS {
            assert!(!hash(name, "salt", true, "text").is_empty(), "{name}");
        }
        assert_eq!(HashMask::new("CRC32", "", true), None);
    }

    #[test]
    fn debug_hides_the_salt() {
        let shown = format!("{:?}", HashMask::new("MD5", "\u{7b}", true));
        assert!(shown.contains("Md5") && !shown.contains("123"), "{shown}");
    }

    #[test]
    fn long_texts_have_a_long_length() {
        assert_eq!(serialized(b"a")[4..], [0x74, 0, 1, b'a']);
        assert_eq!(serialized(&[b'a'; 70_000])[4..13], [0x7c, 0, 0, 0, 0, 0, 1, 0x11, 0x70]);
    }
}
