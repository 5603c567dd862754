//! `bytea`, and unknown types as bytes, under every `binary.handling.mode`.
//!
//! Postgres prints `bytea` as `\xdeadbeef` (bytea_output hex). Records have base64, or with `hex` the digits without `\x`.
//! For an unknown type the bytes are those of its text form.

use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use super::fault::Fault;
use super::options::BinaryMode;
use crate::json::append_base64;

/// How bytes are written: always a JSON string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BinaryForm(pub(super) BinaryMode);

impl BinaryForm {
    /// Appends a `bytea` in Postgres' hex format: `\x` and two digits for each byte.
    pub(super) fn append_bytea(self, text: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        const BAD: Fault = Fault::Bad("not bytea in the hex format");
        let hex = text.strip_prefix(b"\\x").ok_or(BAD)?;
        if hex.len() % 2 != 0 {
            return Err(BAD);
        }
        if self.0 == BinaryMode::Hex {
            if !hex.iter().all(u8::is_ascii_hexdigit) {
                return Err(BAD);
            }
            out.push(b'"');
            out.extend_from_slice(hex);
            out.push(b'"');
            return Ok(());
        }
        out.push(b'"');
        // Pieces of a multiple of three bytes join without padding between them.
        for piece in hex.chunks(2 * 384) {
            let mut bytes = [0u8; 384];
            for (byte, pair) in bytes.iter_mut().zip(piece.chunks_exact(2)) {
                *byte = nibble(pair[0]).ok_or(BAD)? << 4 | nibble(pair[1]).ok_or(BAD)?;
            }
            self.append_encoded(&bytes[..piece.len() / 2], out);
        }
        out.push(b'"');
        Ok(())
    }

    /// Appends bytes as they are.
    pub(super) fn append(self, bytes: &[u8], out: &mut Vec<u8>) {
        out.push(b'"');
        if self.0 == BinaryMode::Hex {
            for byte in bytes {
                const DIGITS: &[u8; 16] = b"0123456789abcdef";
                out.push(DIGITS[usize::from(byte >> 4)]);
                out.push(DIGITS[usize::from(byte & 15)]);
            }
        } else {
            self.append_encoded(bytes, out);
        }
        out.push(b'"');
    }

    /// Appends base64 in the mode's alphabet.
    fn append_encoded(self, bytes: &[u8], out: &mut Vec<u8>) {
        match self.0 {
            BinaryMode::Base64UrlSafe => append_base64(bytes, &URL_SAFE, out),
            _ => append_base64(bytes, &STANDARD, out),
        }
    }
}

/// A hexadecimal digit's value; `None` for any other byte.
pub(super) const fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}
