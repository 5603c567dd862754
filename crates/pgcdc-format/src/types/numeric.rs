//! `numeric`: Connect's `Decimal`, Debezium's `VariableScaleDecimal`, a double, or text.
//!
//! | value | `Decimal`, scale 2 | `VariableScaleDecimal` | double | text |
//! |---|---|---|---|---|
//! | `1.50` | `"AJY="`, or `1.50` with `NUMERIC` | `{"scale":1,"value":"Dw=="}` | `1.5` | `"1.50"` |
//! | `NaN` | none | none | `"NaN"` | `"NAN"` |
//! | `Infinity` | none | none | `"Infinity"` | `"POSITIVE_INFINITY"` |
//!
//! "None" means that the column's default or null stands there, or that the record is refused. A number has up to 131,072
//! digits before the point and 16,383 behind it, so everything here works on text or big integers.
//!
//! Source: Debezium's documentation of the PostgreSQL connector, "Decimal types" (`decimal.handling.mode`).

use super::fault::Fault;
use super::options::{DecimalFormat, DecimalMode};
use crate::avro::put_bytes;
use crate::java::append_f64;
use crate::json::{write_base64, write_int};

/// The largest power of ten that an exponent in a default expression may ask for. A larger one would fill memory with zeros.
const LONGEST: i64 = 20_000;

/// How a `numeric` column's values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numeric {
    /// `Decimal` with this scale.
    Decimal {
        /// Digits after the point.
        scale: u32,
        /// Base64 or a JSON number.
        format: DecimalFormat,
    },
    /// `VariableScaleDecimal`.
    Variable,
    /// A double.
    Double,
    /// Text, padded with zeros to the column's scale where it has one.
    Text {
        /// Digits after the point, padded.
        scale: Option<u32>,
    },
}

impl Numeric {
    /// The form for a column with this scale; `None` for a column without precision and scale.
    pub(super) fn new(scale: Option<u32>, mode: DecimalMode, format: DecimalFormat) -> Self {
        match (mode, scale) {
            (DecimalMode::Precise, Some(scale)) => Self::Decimal { scale, format },
            (DecimalMode::Precise, None) => Self::Variable,
            (DecimalMode::Double, _) => Self::Double,
            (DecimalMode::String, scale) => Self::Text { scale },
        }
    }

    /// Appends a value, which may be NaN or an infinity.
    ///
    /// # Errors
    /// When the text is not a number, when the value has no form, and when it has more digits behind the point than the
    /// column's scale: it was written before the column was altered.
    pub(super) fn append(self, text: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        if let b"NaN" | b"Infinity" | b"-Infinity" = text {
            let word: &[u8] = match (self, text) {
                (Self::Decimal { .. } | Self::Variable, _) => return Err(Fault::Failed),
                (Self::Double, b"NaN") => b"\"NaN\"",
                (Self::Double, b"Infinity") => b"\"Infinity\"",
                (Self::Double, _) => b"\"-Infinity\"",
                (Self::Text { .. }, b"NaN") => b"\"NAN\"",
                (Self::Text { .. }, b"Infinity") => b"\"POSITIVE_INFINITY\"",
                (Self::Text { .. }, _) => b"\"NEGATIVE_INFINITY\"",
            };
            out.extend_from_slice(word);
            return Ok(());
        }
        let number = Number::read(text)?;
        match self {
            Self::Decimal { scale, format } => {
                let pad = scale.checked_sub(number.scale()).ok_or(Fault::Failed)?;
                match format {
                    DecimalFormat::Base64 => number.append_unscaled(pad, out),
                    DecimalFormat::Numeric => number.append_java(pad, out),
                }
            }
            Self::Variable => {
                let number = number.stripped();
                out.extend_from_slice(b"{\"scale\":");
                write_int(number.scale(), out);
                out.extend_from_slice(b",\"value\":");
                number.append_unscaled(0, out);
                out.push(b'}');
            }
            Self::Double => {
                let text = std::str::from_utf8(text).unwrap_or("");
                append_f64(text.parse().map_err(|_| Fault::Bad("not a number"))?, out);
            }
            Self::Text { scale } => {
                let pad = match scale {
                    Some(scale) => scale.checked_sub(number.scale()).ok_or(Fault::Failed)?,
                    None => 0,
                };
                out.push(b'"');
                number.append_plain(pad, out);
                out.push(b'"');
            }
        }
        Ok(())
    }
}

/// Appends a value of a `Decimal` of this scale as Avro's bytes.
pub(super) fn append_avro(scale: u32, text: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    if let b"NaN" | b"Infinity" | b"-Infinity" = text {
        return Err(Fault::Failed);
    }
    let number = Number::read(text)?;
    let pad = scale.checked_sub(number.scale()).ok_or(Fault::Failed)?;
    number.with_unscaled(pad, |bytes| put_bytes(bytes, out));
    Ok(())
}

/// The parts of a decimal number's text: `-whole.fraction`. The digits stay where they are.
#[derive(Clone, Copy)]
pub(super) struct Number<'a> {
    negative: bool,
    whole: &'a [u8],
    fraction: &'a [u8],
}

impl<'a> Number<'a> {
    /// Reads `[-]digits[.digits]`, the form in which Postgres prints every `numeric`. Leading zeros are dropped.
    pub(super) fn read(text: &'a [u8]) -> Result<Self, Fault> {
        const BAD: Fault = Fault::Bad("not a decimal number");
        let (negative, rest) = match text.split_first() {
            Some((b'-', rest)) => (true, rest),
            _ => (false, text),
        };
        let (whole, fraction) = match memchr::memchr(b'.', rest) {
            Some(at) => (&rest[..at], &rest[at + 1..]),
            None => (rest, &rest[rest.len()..]),
        };
        if (whole.is_empty() && fraction.is_empty()) || !whole.iter().chain(fraction).all(u8::is_ascii_digit)
        {
            return Err(BAD);
        }
        // Postgres prints no leading zeros, and JSON does not allow them.
        let zeros = whole.iter().take_while(|&&digit| digit == b'0').count();
        let whole = if whole.len() > 1 { &whole[zeros..] } else { whole };
        Ok(Self { negative, whole, fraction })
    }

    /// How many digits stand behind the point.
    fn scale(&self) -> u32 {
        u32::try_from(self.fraction.len()).unwrap_or(u32::MAX)
    }

    /// Java's `stripTrailingZeros`, but never a negative scale.
    fn stripped(self) -> Self {
        let kept = self.fraction.iter().rposition(|&digit| digit != b'0').map_or(0, |at| at + 1);
        Self { fraction: &self.fraction[..kept], ..self }
    }

    /// The digits of the unscaled integer and `pad` zeros, without leading zeros.
    fn digits(self, pad: u32) -> impl Iterator<Item = u8> + Clone {
        let zeros = std::iter::repeat_n(b'0', pad as usize);
        self.whole.iter().chain(self.fraction).copied().chain(zeros).skip_while(|&digit| digit == b'0')
    }

    /// Appends base64 of the unscaled integer, as a JSON string.
    fn append_unscaled(self, pad: u32, out: &mut Vec<u8>) {
        self.with_unscaled(pad, |bytes| write_base64(bytes, out));
    }

    /// Calls `write` with the unscaled integer in big-endian two's complement, as short as possible. Up to 38 digits fit
    /// into 128 bits, which covers nearly all numbers.
    fn with_unscaled(self, pad: u32, write: impl FnOnce(&[u8])) {
        if self.whole.len() + self.fraction.len() + pad as usize <= 38 {
            let mut value = 0i128;
            for digit in self.whole.iter().chain(self.fraction) {
                value = value * 10 + i128::from(digit - b'0');
            }
            for _ in 0..pad {
                value *= 10;
            }
            let value = if self.negative { -value } else { value };
            let bytes = value.to_be_bytes();
            write(shortest(&bytes));
        } else {
            let mut bytes = big_endian(self.digits(pad));
            if self.negative {
                negate(&mut bytes);
            }
            write(shortest(&bytes));
        }
    }

    /// Appends Java's `toPlainString`: all digits, no exponent.
    fn append_plain(self, pad: u32, out: &mut Vec<u8>) {
        if self.negative {
            out.push(b'-');
        }
        out.extend_from_slice(if self.whole.is_empty() { b"0" } else { self.whole });
        if !self.fraction.is_empty() || pad > 0 {
            out.push(b'.');
            out.extend_from_slice(self.fraction);
            out.resize(out.len() + pad as usize, b'0');
        }
    }

    /// Appends Java's `BigDecimal.toString`, as Jackson writes a decimal number: with an exponent below 10⁻⁶.
    fn append_java(self, pad: u32, out: &mut Vec<u8>) {
        let scale = i64::from(self.scale()) + i64::from(pad);
        let digits = self.digits(pad);
        let count = digits.clone().count().max(1);
        let adjusted = i64::try_from(count).unwrap_or(i64::MAX) - 1 - scale;
        if adjusted >= -6 {
            return self.append_plain(pad, out);
        }
        if self.negative {
            out.push(b'-');
        }
        let mut digits = digits;
        out.push(digits.next().unwrap_or(b'0'));
        if count > 1 {
            out.push(b'.');
            out.extend(digits);
        }
        out.push(b'E');
        write_int(adjusted, out);
    }
}

/// The magnitude of a decimal integer as big-endian bytes, with a zero byte in front that has room for a sign bit.
pub(crate) fn big_endian(digits: impl Iterator<Item = u8>) -> Vec<u8> {
    let mut limbs: Vec<u32> = Vec::new(); // little end first
    let mut push = |multiplier: u32, add: u32| {
        let mut carry = u64::from(add);
        for limb in &mut limbs {
            let product = u64::from(*limb) * u64::from(multiplier) + carry;
            *limb = product as u32;
            carry = product >> 32;
        }
        if carry > 0 {
            limbs.push(carry as u32);
        }
    };
    let (mut group, mut scale) = (0u32, 1u32);
    for digit in digits {
        group = group * 10 + u32::from(digit - b'0');
        scale *= 10;
        if scale == 1_000_000_000 {
            push(scale, group);
            (group, scale) = (0, 1);
        }
    }
    push(scale, group);
    let mut bytes = vec![0];
    bytes.extend(limbs.iter().rev().flat_map(|limb| limb.to_be_bytes()));
    bytes
}

/// Two's complement negation in place.
pub(crate) fn negate(bytes: &mut [u8]) {
    let mut carry = true;
    for byte in bytes.iter_mut().rev() {
        let (value, more) = (!*byte).overflowing_add(u8::from(carry));
        *byte = value;
        carry = more;
    }
}

/// The sign and the decimal digits of a big-endian number in two's complement, without leading zeros.
pub(crate) fn decimal_digits(bytes: &[u8]) -> (bool, String) {
    const LIMB: u64 = 1_000_000_000;
    let negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
    let mut magnitude = bytes.to_vec();
    if negative {
        negate(&mut magnitude);
    }
    let mut limbs = vec![0_u32]; // nine digits each, little end first
    let (head, words) = magnitude.split_at(magnitude.len() % 4);
    for word in std::iter::once(head).chain(words.chunks_exact(4)) {
        let mut carry = word.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
        for limb in &mut limbs {
            let value = (u64::from(*limb) << (8 * word.len())) + carry;
            *limb = (value % LIMB) as u32;
            carry = value / LIMB;
        }
        while carry > 0 {
            limbs.push((carry % LIMB) as u32);
            carry /= LIMB;
        }
    }
    let mut digits = String::with_capacity(limbs.len() * 9);
    for limb in limbs.iter().rev() {
        digits.push_str(&format!("{limb:09}"));
    }
    let zeros = digits.bytes().take_while(|&digit| digit == b'0').count().min(digits.len() - 1);
    digits.drain(..zeros);
    (negative, digits)
}

/// The shortest two's complement form: Java's `BigInteger.toByteArray`.
pub(crate) fn shortest(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes;
    while let [first, second, ..] = rest {
        let sign = if second & 0x80 == 0 { 0 } else { 0xff };
        if *first != sign {
            break;
        }
        rest = &rest[1..];
    }
    rest
}

/// Rewrites a number with an exponent (`1.5e3`, as a default expression may have it) without one.
pub(super) fn without_exponent(text: &str) -> Option<String> {
    let text = text.strip_prefix('+').unwrap_or(text);
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else {
        return Some(text.to_owned());
    };
    let exponent: i64 = exponent.parse().ok()?;
    let number = Number::read(mantissa.as_bytes()).ok()?;
    let mut digits: Vec<u8> = number.whole.iter().chain(number.fraction).copied().collect();
    let scale = i64::try_from(number.fraction.len()).ok()?.checked_sub(exponent)?;
    if !(-LONGEST..=LONGEST).contains(&scale) {
        return None;
    }
    match usize::try_from(scale) {
        Ok(scale) => {
            while digits.len() <= scale {
                digits.insert(0, b'0');
            }
            if scale > 0 {
                digits.insert(digits.len() - scale, b'.');
            }
        }
        Err(_) => digits.resize(digits.len() + usize::try_from(-scale).ok()?, b'0'),
    }
    let sign = if number.negative { "-" } else { "" };
    Some(format!("{sign}{}", String::from_utf8(digits).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(numeric: Numeric, text: &str, expect: &str) {
        let mut out = Vec::new();
        numeric.append(text.as_bytes(), &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), expect, "{text}");
    }

    #[test]
    fn decimals() {
        let decimal = |scale| Numeric::Decimal { scale, format: DecimalFormat::Base64 };
        check(decimal(2), "3.14", "\"ATo=\"");
        check(decimal(2), "3", "\"ASw=\"");
        check(decimal(2), "-12345678.99", "\"tmn9JQ==\"");
        check(decimal(10), "-1234567890123456789012345678.0123456789", "\"9rZPCQ/9zOw7tm+xM5i66w==\"");
        check(Numeric::Variable, "1.500", "{\"scale\":1,\"value\":\"Dw==\"}");
        check(
            Numeric::Variable,
            "1000000000000000000000000000000",
            "{\"scale\":0,\"value\":\"DJ8snNBGdO3qQAAAAA==\"}",
        );
        check(
            Numeric::Variable,
            "-12345678901234567890.123456789",
            "{\"scale\":9,\"value\":\"2BvkzblBNk6Rxn7r\"}",
        );
        let json = |scale| Numeric::Decimal { scale, format: DecimalFormat::Numeric };
        check(json(2), "12.5", "12.50");
        check(json(10), "0", "0E-10");
        check(json(10), "0.0000000123", "1.23E-8");
        check(Numeric::Text { scale: Some(3) }, "-1.5", "\"-1.500\"");
    }

    #[test]
    fn long_integers_agree_with_short_ones() {
        for text in ["0", "1", "128", "255", "256", "99999999999999999999", "-1", "-128", "-129", "-32768"] {
            let number = Number::read(text.as_bytes()).unwrap();
            let mut bytes = big_endian(number.digits(0));
            if number.negative {
                negate(&mut bytes);
            }
            let value: i128 = text.parse().unwrap();
            assert_eq!(shortest(&bytes), shortest(&value.to_be_bytes()), "{text}");
        }
    }

    #[test]
    fn exponents_are_written_out() {
        assert_eq!(without_exponent("1.5e3").as_deref(), Some("1500"));
        assert_eq!(without_exponent("-1.5E-3").as_deref(), Some("-0.0015"));
        assert_eq!(without_exponent("7").as_deref(), Some("7"));
        assert_eq!(without_exponent("1e999999999"), None);
    }
}
