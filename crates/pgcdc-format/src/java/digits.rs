//! A decimal number's digits, and Java's rules of where the point and the exponent go.
//!
//! This spares most floating point numbers the way through their value: the digits that Postgres prints are the ones that Java
//! prints, and only their arrangement differs.

use crate::json::write_int;

/// A decimal number taken apart: `0.d₁d₂d₃… × 10^point`, with d₁ and the last digit not zero.
pub(crate) struct Digits {
    negative: bool,
    /// The digits as ASCII; the first `count` of them are in use. A double has at most 17.
    digits: [u8; 17],
    /// How many digits count; none for zero.
    pub(crate) count: usize,
    /// Where the point stands, counted from the first digit.
    point: i32,
}

impl Digits {
    /// Reads `[-]digits[.digits][e[±]digits]`; `None` for any other text, and for more than 17 digits that count.
    pub(crate) fn read(text: &[u8]) -> Option<Self> {
        let (negative, rest) = match text.split_first()? {
            (b'-', rest) => (true, rest),
            _ => (false, text),
        };
        let mut read = Self { negative, digits: [0; 17], count: 0, point: 0 };
        let mut at = 0;
        let mut zeros = 0usize; // zeros seen after the last digit that counts
        let mut seen_point = false;
        let mut any = false;
        while let Some(&byte) = rest.get(at) {
            match byte {
                b'0'..=b'9' => {
                    any = true;
                    if byte == b'0' {
                        if read.count == 0 {
                            read.point -= i32::from(seen_point);
                        } else {
                            zeros += 1;
                            read.point += i32::from(!seen_point);
                        }
                    } else {
                        let end = read.count + zeros;
                        if end >= read.digits.len() {
                            return None;
                        }
                        read.digits[read.count..end].fill(b'0');
                        read.digits[end] = byte;
                        read.count = end + 1;
                        zeros = 0;
                        read.point += i32::from(!seen_point);
                    }
                }
                b'.' if !seen_point => seen_point = true,
                b'e' | b'E' => {
                    read.point = read.point.checked_add(exponent(&rest[at + 1..])?)?;
                    at = rest.len();
                    break;
                }
                _ => return None,
            }
            at += 1;
        }
        (any && at == rest.len()).then_some(read)
    }

    /// Whether Java prints these shortest digits, too: not for the smallest numbers, where it prints two digits at least,
    /// and not for the largest. `single`: the number is a float, not a double.
    pub(crate) fn are_javas(&self, single: bool) -> bool {
        let (smallest, largest, longest) = if single { (-36, 7, 9) } else { (-300, 15, 17) };
        self.count <= longest && (smallest..=largest).contains(&self.point)
    }

    /// Appends the number as Java does: plain from 10⁻³ up to 10⁷, else with an exponent, and always with a digit behind the
    /// point.
    pub(crate) fn write_java(&self, out: &mut Vec<u8>) {
        if self.negative {
            out.push(b'-');
        }
        let digits = &self.digits[..self.count];
        if digits.is_empty() {
            return out.extend_from_slice(b"0.0");
        }
        let point = self.point;
        match point {
            // 10⁻³ ≤ value < 10⁷
            -2..=0 => {
                out.extend_from_slice(b"0.");
                out.resize(out.len() + usize::try_from(-point).unwrap_or(0), b'0');
                out.extend_from_slice(digits);
            }
            1..=7 => {
                let whole = usize::try_from(point).unwrap_or(0);
                if digits.len() <= whole {
                    out.extend_from_slice(digits);
                    out.resize(out.len() + whole - digits.len(), b'0');
                    out.extend_from_slice(b".0");
                } else {
                    out.extend_from_slice(&digits[..whole]);
                    out.push(b'.');
                    out.extend_from_slice(&digits[whole..]);
                }
            }
            _ => {
                out.extend_from_slice(&[digits[0], b'.']);
                out.extend_from_slice(if digits.len() > 1 { &digits[1..] } else { b"0" });
                out.push(b'E');
                write_int(point - 1, out);
            }
        }
    }
}

/// Reads an exponent of at most six digits.
fn exponent(text: &[u8]) -> Option<i32> {
    let (negative, digits) = match text.split_first()? {
        (b'-', rest) => (true, rest),
        (b'+', rest) => (false, rest),
        _ => (false, text),
    };
    if digits.is_empty() || digits.len() > 6 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits.iter().fold(0, |sum, digit| sum * 10 + i32::from(digit - b'0'));
    Some(if negative { -value } else { value })
}
