//! `money`, printed with a currency sign and grouping commas (`lc_monetary` C or en_US).

use super::fault::Fault;
use super::json::{write_base64, write_int};
use super::number::append_f64;
use super::numeric::{Numeric, shortest};
use super::options::{DecimalFormat, DecimalMode, TypeOptions};

/// How money is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MoneyForm {
    mode: DecimalMode,
    format: DecimalFormat,
    /// `money.fraction.digits`.
    digits: u8,
}

impl MoneyForm {
    pub(super) const fn new(options: &TypeOptions) -> Self {
        Self { mode: options.decimal, format: options.decimal_format, digits: options.money_fraction_digits }
    }

    pub(super) fn append(self, text: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        const BAD: Fault = Fault::Bad("not an amount of money in the style of C or en_US");
        let negative = text.iter().any(|byte| matches!(byte, b'-' | b'('));
        let (mut value, mut scale, mut seen, mut point) = (0i128, 0usize, 0usize, false);
        for &byte in text {
            match byte {
                b'0'..=b'9' => {
                    seen += 1;
                    if seen > 30 {
                        return Err(BAD);
                    }
                    value = value * 10 + i128::from(byte - b'0');
                    scale += usize::from(point);
                }
                b'.' if point => return Err(BAD),
                b'.' => point = true,
                _ => {}
            }
        }
        if seen == 0 {
            return Err(BAD);
        }
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

/// Java's `setScale(digits, HALF_UP)` of a magnitude; `None` beyond 38 digits.
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

/// A magnitude with its point.
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
