//! `bit` and `varbit`: a boolean, or Debezium's `io.debezium.data.Bits`, bytes with the little end first.

use super::fault::Fault;
use super::json::write_base64;

const BAD: Fault = Fault::Bad("not a bit string");

/// Appends a bit string as a boolean: whether any bit is set.
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

/// Appends a bit string as bytes, the last bit lowest, without the zero bytes at the high end.
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
