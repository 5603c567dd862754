//! `money`: an amount with a currency sign and grouping commas, for example `-$1,234.56`.
//!
//! The server prints an amount as `lc_monetary` says, so one text may mean two amounts. Every session of pgcdc sets
//! `lc_monetary=C`. Then the text always has two digits behind the point. How many digits there really are is the database's own
//! setting: where it has none (yen), `$12.34` means 1234. The server stores smallest units in 64 bits.
//!
//! With `precise` the amount is rounded to `money.fraction.digits`. Source: PostgreSQL manual, "Monetary Types"; Debezium's
//! `money.fraction.digits`.

use super::fault::Fault;
use super::numeric::{Numeric, shortest};
use super::options::{DecimalFormat, DecimalMode, TypeOptions};
use crate::java::append_f64;
use crate::json::{write_base64, write_int};

/// How money is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MoneyForm {
    mode: DecimalMode,
    format: DecimalFormat,
    /// `money.fraction.digits`.
    digits: u8,
    /// How many digits after the point the database's own setting has.
    scale: u8,
}

impl MoneyForm {
    /// The form of all columns of a connector.
    pub(super) const fn new(options: &TypeOptions) -> Self {
        Self {
            mode: options.decimal,
            format: options.decimal_format,
            digits: options.money_fraction_digits,
            scale: options.money_scale,
        }
    }

    pub(super) fn append(self, text: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        const BAD: Fault = Fault::Bad("not an amount of money as lc_monetary=C prints it");
        let (negative, value) = read(text).ok_or(BAD)?;
        let scale = usize::from(self.scale);
        let plain = Plain { negative, value, scale };
        match self.mode {
            DecimalMode::Precise => {
                let digits = usize::from(self.digits);
                let (value, scale) = round_half_up(value, scale, digits).ok_or(Fault::Failed)?;
                match self.format {
                    DecimalFormat::Base64 => {
                        write_base64(shortest(&(if negative { -value } else { value }).to_be_bytes()), out);
                    }
                    DecimalFormat::Numeric => {
                        let mut text = Vec::new();
                        Plain { negative: negative && value != 0, value, scale }.append(&mut text);
                        let scale = u32::try_from(scale).unwrap_or(0);
                        Numeric::Decimal { scale, format: self.format }.append(&text, out)?;
                    }
                }
            }
            DecimalMode::Double => {
                let mut text = Vec::new();
                plain.append(&mut text);
                let number: f64 =
                    std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok()).ok_or(BAD)?;
                append_f64(number, out);
            }
            DecimalMode::String => {
                out.push(b'"');
                plain.append(out);
                out.push(b'"');
            }
        }
        Ok(())
    }
}

/// Reads an amount as `lc_monetary=C` prints it into its sign and its smallest units. Any other form is refused, since in it
/// a comma may be the decimal point.
fn read(text: &[u8]) -> Option<(bool, i128)> {
    let (negative, text) = match text.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let text = text.strip_prefix(b"$").unwrap_or(text);
    let (whole, fraction) = text.split_at_checked(text.len().checked_sub(3)?)?;
    let fraction = fraction.strip_prefix(b".")?;
    let mut value = 0_i128;
    for (at, group) in whole.split(|&byte| byte == b',').enumerate() {
        let fits = if at == 0 { (1..=20).contains(&group.len()) } else { group.len() == 3 };
        if !fits || at > 6 {
            return None;
        }
        value = digits(group, value)?;
    }
    Some((negative, digits(fraction, value)?))
}

/// Appends decimal digits to a number; `None` beyond 128 bits.
fn digits(text: &[u8], value: i128) -> Option<i128> {
    text.iter().try_fold(value, |value, byte| {
        let digit = byte.is_ascii_digit().then(|| i128::from(byte - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })
}

/// Java's `setScale(digits, HALF_UP)` of a magnitude with `scale` digits behind the point; `None` beyond 38 digits.
fn round_half_up(value: i128, scale: usize, digits: usize) -> Option<(i128, usize)> {
    let power = |by: usize| 10i128.checked_pow(u32::try_from(by).ok()?);
    let value = if digits >= scale {
        value.checked_mul(power(digits - scale)?)?
    } else {
        let by = power(scale - digits)?;
        (value + by / 2) / by
    };
    Some((value, digits))
}

/// An amount to be written with its decimal point.
struct Plain {
    negative: bool,
    value: i128,
    scale: usize,
}

impl Plain {
    fn append(&self, out: &mut Vec<u8>) {
        if self.negative {
            out.push(b'-');
        }
        let start = out.len();
        write_int(self.value, out);
        let digits = out.len() - start;
        if digits <= self.scale {
            out.splice(start..start, std::iter::repeat_n(b'0', self.scale + 1 - digits));
        }
        if self.scale > 0 {
            let at = out.len() - self.scale;
            out.insert(at, b'.');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, scale: u8, expect: Option<&str>) {
        let options =
            TypeOptions { decimal: DecimalMode::String, money_scale: scale, ..TypeOptions::default() };
        let mut out = Vec::new();
        let written = MoneyForm::new(&options).append(text.as_bytes(), &mut out);
        let found = written.is_ok().then(|| String::from_utf8_lossy(&out).into_owned());
        assert_eq!(found, expect.map(|text| format!("\"{text}\"")), "{text}");
    }

    #[test]
    fn what_the_c_locale_prints_is_read() {
        check("$1,234.56", 2, Some("1234.56"));
        check("-$0.05", 2, Some("-0.05"));
        check("-$92,233,720,368,547,758.08", 2, Some("-92233720368547758.08"));
        check("$12.34", 0, Some("1234"));
        check("$12.34", 3, Some("1.234"));
        check("$0.01", 3, Some("0.001"));
    }

    #[test]
    fn what_another_locale_prints_is_never_taken_for_a_number() {
        for text in [
            "1 234,56 €",
            "1.234,56 €",
            "19,99 €",
            "￥1,234",
            "$1,23.45",
            "1234",
            "",
            "$",
            "-",
            ".12",
            "1.2",
            "$1.234",
        ] {
            check(text, 2, None);
        }
    }
}
