//! `bit` and `varbit`: a boolean for `bit(1)`, else Debezium's `io.debezium.data.Bits`, which is bytes with the lowest first.
//!
//! | `bit(9)` | bytes | record |
//! |---|---|---|
//! | `000000001` | `01` | `"AQ=="` |
//! | `100000000` | `00 01` | `"AAE="` |
//! | `000000000` | none | `""` |

use super::fault::Fault;
use crate::json::write_base64;

const BAD: Fault = Fault::Bad("not a bit string");

/// Appends a bit string as a boolean: whether any bit is set. A bit string without bits has no form.
pub(super) fn append_bit(text: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    if !text.iter().all(|digit| matches!(digit, b'0' | b'1')) {
        return Err(BAD);
    }
    if text.is_empty() {
        return Err(Fault::Failed);
    }
    out.extend_from_slice(if text.contains(&b'1') { b"true" } else { b"false" });
    Ok(())
}

/// Appends a bit string as bytes. The string's last bit is the lowest; zero bytes at the high end are left out.
pub(super) fn append_bits(text: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    if !text.iter().all(|digit| matches!(digit, b'0' | b'1')) {
        return Err(BAD);
    }
    let from = text.iter().position(|&digit| digit == b'1').unwrap_or(text.len());
    let bytes = text[from..].rchunks(8).map(|bits| bits.iter().fold(0, |byte, bit| byte << 1 | (bit - b'0')));
    if text.len() - from <= 64 {
        let mut short = [0u8; 8];
        let mut length = 0;
        for (place, byte) in short.iter_mut().zip(bytes) {
            *place = byte;
            length += 1;
        }
        write_base64(&short[..length], out);
    } else {
        let bytes: Vec<u8> = bytes.collect();
        write_base64(&bytes, out);
    }
    Ok(())
}
