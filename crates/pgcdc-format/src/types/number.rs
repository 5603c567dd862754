//! Integers and floating point numbers.
//!
//! Integers pass through after a check. Floating point numbers are Java's: Jackson writes what `Double.toString` and
//! `Float.toString` of Java 17 give.
//!
//! | Postgres prints | record |
//! |---|---|
//! | `1` | `1.0` |
//! | `1e+10` | `1.0E10` |
//! | `0.0001` | `1.0E-4` |
//! | `5e-324` | `4.9E-324` |
//! | `NaN`, `Infinity`, `-Infinity` | the word in quotes |
//!
//! Java writes an exponent below 10⁻³ and from 10⁷ on. Source: Java's documentation of `Double.toString`; recordings.

use super::fault::Fault;
use crate::java::{Digits, append_f32, append_f64};

/// Appends an integer as Postgres prints it, after a check: a sign, 1 to 19 digits, no leading zero.
pub(super) fn append_int(text: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    if digits.is_empty()
        || digits.len() > 19
        || (digits[0] == b'0' && digits.len() > 1)
        || !digits.iter().all(u8::is_ascii_digit)
    {
        return Err(Fault::Bad("not an integer"));
    }
    out.extend_from_slice(text);
    Ok(())
}

/// Appends `float8` text as Java's `Double.toString`; NaN and the infinities as quoted words.
pub(super) fn append_float8(text: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    append_float(text, false, out)
}

/// Appends `float4` text as Java's `Float.toString`.
pub(super) fn append_float4(text: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    append_float(text, true, out)
}

fn append_float(text: &[u8], single: bool, out: &mut Vec<u8>) -> Result<(), Fault> {
    if text.first().is_some_and(u8::is_ascii_alphabetic) || text.get(1).is_some_and(u8::is_ascii_alphabetic) {
        let word: &[u8] = match text {
            b"NaN" => b"\"NaN\"",
            b"Infinity" => b"\"Infinity\"",
            b"-Infinity" => b"\"-Infinity\"",
            _ => return append_parsed(text, single, out),
        };
        out.extend_from_slice(word);
        return Ok(());
    }
    if let Some(tail) = missing_tail(text) {
        out.extend_from_slice(text);
        out.extend_from_slice(tail);
        return Ok(());
    }
    // Since version 12 Postgres prints the shortest digits that read back, as Java does. There are two exceptions:
    // numbers so small that they have one digit of precision, where Java prints two, and integers so large that
    // not each of them is a floating point number (`java/float.rs`).
    match Digits::read(text) {
        Some(digits) if digits.are_javas(single) => {
            digits.write_java(out);
            Ok(())
        }
        _ => append_parsed(text, single, out),
    }
}

/// For a number whose Java form begins with Postgres' text: the rest of that form, `.0` or nothing. This is the fast way for the
/// usual numbers, whose digits need not be read.
fn missing_tail(text: &[u8]) -> Option<&'static [u8]> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let point = digits.iter().position(|&byte| byte == b'.').unwrap_or(digits.len());
    let (whole, fraction) = digits.split_at(point);
    let plain = |digits: &[u8]| digits.iter().all(u8::is_ascii_digit);
    let leading_zero = match whole {
        b"0" => fraction.get(1) == Some(&b'0'),
        _ => whole.first() == Some(&b'0'),
    };
    if leading_zero || !(1..=7).contains(&whole.len()) || !plain(whole) {
        return None;
    }
    match fraction.split_first() {
        None => Some(b".0"),
        Some((_, fraction)) => {
            let fits = (1..=16 - whole.len()).contains(&fraction.len()) && plain(fraction);
            (fits && fraction.last() != Some(&b'0')).then_some(b"")
        }
    }
}

/// Appends a number by way of its value: the slow way, for texts whose digits are not Java's.
fn append_parsed(text: &[u8], single: bool, out: &mut Vec<u8>) -> Result<(), Fault> {
    const BAD: Fault = Fault::Bad("not a floating point number");
    let text = std::str::from_utf8(text).map_err(|_| BAD)?;
    if single {
        append_f32(text.parse().map_err(|_| BAD)?, out);
    } else {
        append_f64(text.parse().map_err(|_| BAD)?, out);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn java(text: &str, single: bool) -> String {
        let mut out = Vec::new();
        append_float(text.as_bytes(), single, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn doubles_are_written_as_java_writes_them() {
        for (text, expect) in [
            ("0", "0.0"),
            ("-0", "-0.0"),
            ("1e+10", "1.0E10"),
            ("10000000", "1.0E7"),
            ("9999999", "9999999.0"),
            ("0.001", "0.001"),
            ("0.0001", "1.0E-4"),
            ("1e-05", "1.0E-5"),
            ("100", "100.0"),
            ("5e-324", "4.9E-324"),
            ("1e-323", "9.9E-324"),
            ("1.7976931348623157e+308", "1.7976931348623157E308"),
            ("12345678901234567000", "1.2345678901234567E19"),
            ("3.14159265358979323846", "3.141592653589793"),
            ("NaN", "\"NaN\""),
        ] {
            assert_eq!(java(text, false), expect, "{text}");
        }
        assert_eq!(java("1e-45", true), "1.4E-45");
    }

    #[test]
    fn of_two_forms_as_near_the_even_one_is_taken() {
        let mut out = Vec::new();
        append_parsed(b"70587366952.640625", false, &mut out).unwrap();
        assert_eq!(out, b"7.058736695264062E10");
    }

    #[test]
    fn large_integers_keep_the_digits_of_java_17() {
        for (text, single, expect) in [
            ("1.2345679e+08", true, "1.23456792E8"),
            ("16777216", true, "1.6777216E7"),
            ("9007199254740992", false, "9.007199254740992E15"),
            ("12345678901234567000", false, "1.2345678901234567E19"),
            ("1e+18", false, "1.0E18"),
        ] {
            assert_eq!(java(text, single), expect, "{text}");
        }
    }

    proptest! {
        #[test]
        fn doubles_read_back(value in proptest::num::f64::NORMAL) {
            let mut out = Vec::new();
            append_f64(value, &mut out);
            prop_assert_eq!(std::str::from_utf8(&out).unwrap().parse::<f64>().unwrap(), value);
        }
    }
}
