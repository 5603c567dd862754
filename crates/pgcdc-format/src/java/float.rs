//! Floating point numbers as `Double.toString` and `Float.toString` of Java 17 write them.
//!
//! | number | text |
//! |---|---|
//! | 1 | `1.0` |
//! | 0.001 | `0.001` |
//! | 0.0001 | `1.0E-4` |
//! | 9999999 | `9999999.0` |
//! | 10000000 | `1.0E7` |
//! | the smallest double | `4.9E-324` |

use super::digits::Digits;
use crate::json::write_int;

/// Appends a double as Java's `Double.toString` writes it; NaN and the infinities in quotes, as Connect's JSON has them.
///
/// ```
/// let mut json = Vec::new();
/// for value in [1.0, 1e10, f64::NAN] {
///     pgcdc_format::types::append_f64(value, &mut json);
///     json.push(b' ');
/// }
/// assert_eq!(json, br#"1.0 1.0E10 "NaN" "#);
/// ```
pub fn append_f64(value: f64, out: &mut Vec<u8>) {
    if (9_007_199_254_740_992.0..9.2e18).contains(&value.abs()) {
        return append_large_integer(value.abs() as i64, value < 0.0, 53, out);
    }
    append_finite(
        value,
        value.is_nan(),
        value.is_infinite(),
        value.is_sign_negative(),
        out,
        |shown: &Shown| shown.as_str().parse() == Ok(value),
    );
}

/// Appends a float as Java's `Float.toString` writes it; NaN and the infinities in quotes. Its digits are fewer than those of the
/// same number as a double:
///
/// ```
/// let mut json = Vec::new();
/// pgcdc_format::types::append_f32(0.1, &mut json);
/// assert_eq!(json, b"0.1");
/// ```
pub fn append_f32(value: f32, out: &mut Vec<u8>) {
    if (16_777_216.0..9.2e18).contains(&value.abs()) {
        return append_large_integer(value.abs() as i64, value < 0.0, 24, out);
    }
    append_finite(
        value,
        value.is_nan(),
        value.is_infinite(),
        value.is_sign_negative(),
        out,
        |shown: &Shown| shown.as_str().parse() == Ok(value),
    );
}

/// Appends an integer so large that not each of its neighbours is a floating point number, as Java before 19 prints it: without
/// the last digits that the bits below its precision could hold (JDK-4511638). `precision` is 53 bits for a double, 24 for a
/// float.
///
/// Debezium's recordings are made on Java 17. Java 19 and later print the shortest digits.
fn append_large_integer(magnitude: i64, negative: bool, precision: u32, out: &mut Vec<u8>) {
    let spare_bits = magnitude.checked_ilog2().unwrap_or(0).saturating_sub(precision + 1);
    let spare_digits = if spare_bits > 1 { (1u64 << spare_bits).ilog10() } else { 0 };
    let unit = 10i64.pow(spare_digits);
    let rounded = magnitude / unit + i64::from(spare_digits > 0 && magnitude % unit >= unit / 2);
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(rounded).as_bytes();
    let exponent = digits.len() - 1 + spare_digits as usize;
    let kept = digits.iter().rposition(|&digit| digit != b'0').map_or(1, |at| at + 1);
    if negative {
        out.push(b'-');
    }
    out.extend_from_slice(&[digits[0], b'.']);
    out.extend_from_slice(if kept > 1 { &digits[1..kept] } else { b"0" });
    out.push(b'E');
    write_int(exponent, out);
}

/// Appends a number by the shortest digits that read back, at least two, and the nearest of those.
fn append_finite<T: std::fmt::LowerExp>(
    value: T,
    nan: bool,
    infinite: bool,
    negative: bool,
    out: &mut Vec<u8>,
    reads_back: impl Fn(&Shown) -> bool,
) {
    use std::fmt::Write as _;
    if nan {
        return out.extend_from_slice(b"\"NaN\"");
    }
    if infinite {
        return out.extend_from_slice(if negative { b"\"-Infinity\"" } else { b"\"Infinity\"" });
    }
    let mut shown = Shown::default();
    let _ = write!(shown, "{value:e}");
    // Java takes the nearest of the shortest forms, the even one when two are equally near, and at least two digits.
    let count = Digits::read(shown.as_bytes()).map_or(1, |digits| digits.count);
    let mut rounded = Shown::default();
    let _ = write!(rounded, "{value:.*e}", count.saturating_sub(1).max(1));
    if reads_back(&rounded) {
        shown = rounded;
    }
    if let Some(digits) = Digits::read(shown.as_bytes()) {
        digits.write_java(out);
    }
}

/// A number formatted on the stack: `{:e}` of a double takes at most 24 bytes.
#[derive(Default)]
struct Shown {
    bytes: [u8; 32],
    length: usize,
}

impl Shown {
    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or("")
    }
}

impl std::fmt::Write for Shown {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.length + text.len();
        let room = self.bytes.get_mut(self.length..end).ok_or(std::fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}
