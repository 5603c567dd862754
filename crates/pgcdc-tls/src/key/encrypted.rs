//! Private keys behind a password.
//!
//! | scheme | written by |
//! |---|---|
//! | `PBES2`: PBKDF2 or scrypt, with AES or triple DES | OpenSSL today, by default |
//! | `pbeWithMD5AndDES-CBC`, `pbeWithSHA1AndDES-CBC` | as pgjdbc's manual asks for |
//! | `pbeWithSHAAnd3-KeyTripleDES-CBC` | PKCS#12 of older releases, Java |
//! | `DEK-Info` with AES, DES or triple DES | OpenSSL's traditional PEM |
//!
//! No scheme but the first is safe by today's standards. They are here since users have such files, and only for reading.
//!
//! Sources: RFC 8018 (PKCS#5), RFC 7292 (PKCS#12), RFC 1421 (`DEK-Info`).

use std::path::Path;

use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockDecryptMut, KeyIvInit};
use md5::{Digest, Md5};
use pgcdc_event::Secret;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use sha1::Sha1;

use super::form::{Kind, Properties, base64, kind, unreadable};
use super::tlv::{OBJECT, OCTET_STRING, SEQUENCE, Tlv};
use crate::error::{Error, Result};

/// The most rounds of hashing that a file may ask for. A file with more would keep us busy for minutes.
const MOST_ROUNDS: u32 = 20_000_000;

// Schemes by their object identifiers. Sources: RFC 8018, appendix A; RFC 7292, appendix C.
/// `PBES2`.
const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d];
/// `pbeWithMD5AndDES-CBC`.
const MD5_DES: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x03];
/// `pbeWithSHA1AndDES-CBC`.
const SHA1_DES: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0a];
/// `pbeWithSHAAnd3-KeyTripleDES-CBC`.
const SHA1_3DES: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x01, 0x03];

/// Why a file could not be decrypted.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The password is wrong: the padding or the content is not that of a key.
    Password,
    /// pgcdc does not have this scheme, given by its object identifier.
    Scheme(String),
    /// The file is malformed.
    Malformed,
}

/// Decrypts an `EncryptedPrivateKeyInfo`: a scheme with its parameters, and the encrypted PKCS#8 key.
pub(super) fn pkcs8(
    names: &Properties,
    der: &[u8],
    path: &Path,
    password: Option<&Secret>,
) -> Result<PrivateKeyDer<'static>> {
    let password = asked_for(names, path, password)?;
    let parts = || {
        let mut parts = Tlv::read(der)?.0.inside(SEQUENCE)?;
        Some((parts.next()?, parts.next()?.bytes(OCTET_STRING)?))
    };
    let (algorithm, data) = parts().ok_or_else(|| unreadable(names, path))?;
    let plain =
        decrypt(algorithm, data, password.expose()).map_err(|failure| refused(names, path, failure))?;
    // With a wrong password the padding is right once in 256 times, so check the content as well.
    if kind(&plain) != Kind::Pkcs8 {
        return Err(refused(names, path, Failure::Password));
    }
    Ok(PrivatePkcs8KeyDer::from(plain).into())
}

/// Decrypts bytes by the scheme that an `AlgorithmIdentifier` names. All schemes pad to whole blocks, by which a wrong
/// password is noticed nearly always.
pub(super) fn decrypt(algorithm: Tlv<'_>, data: &[u8], password: &str) -> Result<Vec<u8>, Failure> {
    let mut parts = algorithm.inside(SEQUENCE).ok_or(Failure::Malformed)?;
    let scheme = parts.next().and_then(|scheme| scheme.bytes(OBJECT)).ok_or(Failure::Malformed)?;
    let parameters = parts.next().ok_or(Failure::Malformed)?;
    if scheme == PBES2 {
        return pbes2(algorithm, data, password);
    }
    let mut parameters = parameters.inside(SEQUENCE).ok_or(Failure::Malformed)?;
    let salt = parameters.next().and_then(|salt| salt.bytes(OCTET_STRING)).ok_or(Failure::Malformed)?;
    let rounds = parameters.next().and_then(Tlv::number).ok_or(Failure::Malformed)?;
    if !(1..=MOST_ROUNDS).contains(&rounds) {
        return Err(Failure::Malformed);
    }
    match scheme {
        MD5_DES => des(&pbkdf1::<Md5>(password, salt, rounds), data),
        SHA1_DES => des(&pbkdf1::<Sha1>(password, salt, rounds), data),
        SHA1_3DES => {
            let derive = |purpose, length| pkcs12_key(password, salt, rounds, purpose, length);
            cbc_decrypt::<des::TdesEde3>(&derive(1, 24), &derive(2, 8), data)
        }
        other => Err(Failure::Scheme(object(other))),
    }
}

/// Decrypts by `PBES2`, whose parameters name the key derivation and the cipher.
fn pbes2(algorithm: Tlv<'_>, data: &[u8], password: &str) -> Result<Vec<u8>, Failure> {
    use pkcs5::der::Decode as _;
    let mut whole = vec![SEQUENCE];
    length(algorithm.body.len(), &mut whole);
    whole.extend_from_slice(algorithm.body);
    let scheme = pkcs5::EncryptionScheme::from_der(&whole)
        .map_err(|_| Failure::Scheme("PBES2 with parameters that are not known".to_owned()))?;
    scheme.decrypt(password.as_bytes(), data).map_err(|error| match error {
        pkcs5::Error::UnsupportedAlgorithm { oid } => Failure::Scheme(oid.to_string()),
        _ => Failure::Password,
    })
}

/// Appends a length in DER.
fn length(length: usize, out: &mut Vec<u8>) {
    match u8::try_from(length) {
        Ok(short @ 0..=0x7f) => out.push(short),
        _ => {
            let digits = length.to_be_bytes();
            let digits = &digits[digits.iter().take_while(|&&digit| digit == 0).count()..];
            out.push(0x80 | u8::try_from(digits.len()).unwrap_or(0x7f));
            out.extend_from_slice(digits);
        }
    }
}

/// PBKDF1 (RFC 8018, 5.1): eight bytes for the key, and eight for the initialization vector.
fn pbkdf1<D: Digest>(password: &str, salt: &[u8], rounds: u32) -> [u8; 16] {
    let mut digest = D::new().chain_update(password).chain_update(salt).finalize();
    for _ in 1..rounds {
        digest = D::digest(&digest);
    }
    let mut key = [0; 16];
    key.copy_from_slice(&digest[..16]);
    key
}

/// Decrypts by DES with the two halves that [`pbkdf1`] gives.
fn des(key: &[u8; 16], data: &[u8]) -> Result<Vec<u8>, Failure> {
    cbc_decrypt::<des::Des>(&key[..8], &key[8..], data)
}

/// Decrypts by a block cipher in CBC mode, and takes the padding off.
fn cbc_decrypt<C>(key: &[u8], iv: &[u8], data: &[u8]) -> Result<Vec<u8>, Failure>
where
    C: cbc::cipher::BlockCipher + cbc::cipher::BlockDecryptMut + cbc::cipher::KeyInit,
{
    let cipher = cbc::Decryptor::<C>::new_from_slices(key, iv).map_err(|_| Failure::Malformed)?;
    cipher.decrypt_padded_vec_mut::<Pkcs7>(data).map_err(|_| Failure::Password)
}

/// The key derivation of PKCS#12 by SHA-1 (RFC 7292, appendix B.2). `purpose` is 1 for a key, 2 for an initialization vector.
fn pkcs12_key(password: &str, salt: &[u8], rounds: u32, purpose: u8, length: usize) -> Vec<u8> {
    const BLOCK: usize = 64;
    let fill = |bytes: &[u8]| -> Vec<u8> {
        let whole = bytes.len().div_ceil(BLOCK) * BLOCK;
        bytes.iter().copied().cycle().take(if bytes.is_empty() { 0 } else { whole }).collect()
    };
    let wide: Vec<u8> = password.encode_utf16().chain([0]).flat_map(u16::to_be_bytes).collect();
    let mut input = [fill(salt), fill(&wide)].concat();
    let mut out = Vec::with_capacity(length + 20);
    loop {
        let mut digest = Sha1::new().chain_update([purpose; BLOCK]).chain_update(&input).finalize();
        for _ in 1..rounds {
            digest = Sha1::digest(digest);
        }
        out.extend_from_slice(&digest);
        if out.len() >= length {
            out.truncate(length);
            return out;
        }
        // Adds to each block of the input: the digest, repeated to the block's length, and one.
        let add = fill(&digest)[..BLOCK].to_vec();
        for block in input.chunks_mut(BLOCK) {
            let mut carry = 1_u16;
            for (byte, more) in block.iter_mut().zip(&add).rev() {
                carry += u16::from(*byte) + u16::from(*more);
                *byte = u8::try_from(carry & 0xff).unwrap_or(0);
                carry >>= 8;
            }
        }
    }
}

/// Decrypts OpenSSL's traditional form: the line `DEK-Info: cipher,iv` before the base64 text. The first eight bytes of the
/// initialization vector are the salt of the key, too.
pub(super) fn traditional(
    names: &Properties,
    block: &str,
    path: &Path,
    password: Option<&Secret>,
) -> Result<Vec<u8>> {
    let password = asked_for(names, path, password)?;
    let inside = || {
        let info = block.lines().find_map(|line| line.strip_prefix("DEK-Info:"))?;
        let (cipher, iv) = info.trim().split_once(',')?;
        let data = block.lines().filter(|line| !line.contains(':')).collect::<String>();
        Some((cipher.to_owned(), hex(iv)?, base64(&data)?))
    };
    let (cipher, iv, data) = inside().ok_or_else(|| unreadable(names, path))?;
    let salt = iv.get(..8).ok_or_else(|| unreadable(names, path))?;
    let key = |length| bytes_to_key(password.expose(), salt, length);
    let plain = match cipher.as_str() {
        "AES-128-CBC" => cbc_decrypt::<aes::Aes128>(&key(16), &iv, &data),
        "AES-192-CBC" => cbc_decrypt::<aes::Aes192>(&key(24), &iv, &data),
        "AES-256-CBC" => cbc_decrypt::<aes::Aes256>(&key(32), &iv, &data),
        "DES-EDE3-CBC" => cbc_decrypt::<des::TdesEde3>(&key(24), &iv, &data),
        "DES-CBC" => cbc_decrypt::<des::Des>(&key(8), &iv, &data),
        other => Err(Failure::Scheme(other.to_owned())),
    };
    let plain = plain.map_err(|failure| refused(names, path, failure))?;
    if !matches!(kind(&plain), Kind::Pkcs1 | Kind::Sec1) {
        return Err(refused(names, path, Failure::Password));
    }
    Ok(plain)
}

/// OpenSSL's `EVP_BytesToKey` by MD5 with one round: each block of the key is the hash of the block before, the password and
/// the salt.
fn bytes_to_key(password: &str, salt: &[u8], length: usize) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(length + 16);
    let mut last: Vec<u8> = Vec::new();
    while out.len() < length {
        last = Md5::new().chain_update(&last).chain_update(password).chain_update(salt).finalize().to_vec();
        out.extend_from_slice(&last);
    }
    out.truncate(length);
    out
}

/// Bytes from hexadecimal digits.
fn hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim().as_bytes();
    let pair = |two: &[u8]| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok();
    digits.len().is_multiple_of(2).then(|| digits.chunks(2).map(pair).collect::<Option<_>>())?
}

/// An object identifier in numbers with dots, as error messages show it.
fn object(bytes: &[u8]) -> String {
    let mut arcs = Vec::new();
    let mut arc = 0_u64;
    for &byte in bytes {
        arc = arc.wrapping_shl(7) | u64::from(byte & 0x7f);
        if byte < 0x80 {
            arcs.push(arc);
            arc = 0;
        }
    }
    let first = arcs.first().copied().unwrap_or(0);
    let head = [(first / 40).min(2), first - (first / 40).min(2) * 40];
    let all: Vec<String> = head.iter().chain(arcs.iter().skip(1)).map(u64::to_string).collect();
    all.join(".")
}

/// The password, which an encrypted file needs; without one, an error that says how to set it.
pub(super) fn asked_for<'p>(
    names: &Properties,
    path: &Path,
    password: Option<&'p Secret>,
) -> Result<&'p Secret> {
    password.ok_or_else(|| {
        let (key, name) = (names.key, names.password);
        Error::new(format!("{key}: {} is encrypted, and {name} is not set", path.display()))
            .with_hint(format!("set {name}, for example to ${{env:NAME}} or ${{file:PATH:KEY}}"))
    })
}

/// The error of a file that could not be decrypted.
pub(super) fn refused(names: &Properties, path: &Path, failure: Failure) -> Error {
    let (key, name) = (names.key, names.password);
    let shown = path.display();
    match failure {
        Failure::Password => Error::new(format!("{key}: {name} is not the password of {shown}"))
            .with_hint(format!("`openssl pkey -in {shown} -noout` asks for the password and tries it")),
        Failure::Scheme(scheme) => {
            Error::new(format!("{key}: {shown} is encrypted by {scheme}, which pgcdc does not have"))
                .with_hint(format!(
                    "encrypt it anew: openssl pkcs8 -topk8 -v2 aes-256-cbc -in {shown} -out NEW"
                ))
        }
        Failure::Malformed => unreadable(names, path),
    }
}
