//! Avro's binary encoding of numbers, texts and bytes.
//!
//! Source: the Avro specification, "Binary encoding". A number is written in zigzag form, so that numbers near zero are
//! short whatever their sign: 0, -1, 1, -2 become 0, 1, 2, 3. Then seven bits go into each byte, the lowest first, and the
//! high bit says that another byte follows.
//!
//! | number | bytes |
//! |---|---|
//! | 0 | `00` |
//! | -1 | `01` |
//! | 64 | `80 01` |

/// Appends an Avro `int` or `long`: 1 to 10 bytes.
#[inline]
pub(crate) fn put_long(value: i64, out: &mut Vec<u8>) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    if rest < 0x80 {
        out.push(rest as u8);
        return;
    }
    let mut bytes = [0_u8; 10];
    let mut length = 0;
    while rest >= 0x80 {
        bytes[length] = rest as u8 | 0x80;
        rest >>= 7;
        length += 1;
    }
    bytes[length] = rest as u8;
    out.extend_from_slice(&bytes[..=length]);
}

/// How many bytes [`put_long`] takes for a length, which is not negative.
#[inline]
pub(crate) const fn long_length(value: usize) -> usize {
    let bits = 64 - ((value as u64) << 1 | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

/// Appends an Avro `string` or `bytes`: the length in bytes, then the bytes. A string must be UTF-8, which is not checked.
#[inline]
pub(crate) fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    out.reserve(bytes.len() + 10);
    put_long(i64::try_from(bytes.len()).unwrap_or(i64::MAX), out);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_zigzag() {
        for (value, expect) in [
            (0, &[0_u8][..]),
            (-1, &[1]),
            (1, &[2]),
            (-64, &[0x7f]),
            (64, &[0x80, 1]),
            (i64::MAX, &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
            (i64::MIN, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
        ] {
            let mut out = Vec::new();
            put_long(value, &mut out);
            assert_eq!(out, expect, "{value}");
        }
        for length in [0_usize, 1, 63, 64, 8191, 8192, 1 << 30] {
            let mut out = Vec::new();
            put_long(length as i64, &mut out);
            assert_eq!(out.len(), long_length(length), "{length}");
        }
    }
}
