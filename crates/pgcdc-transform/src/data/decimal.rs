use std::fmt;

use num_bigint::{BigInt, Sign};

/// A decimal number of any size: an integer, and how many of its digits are after the point (`BigDecimal`).
///
/// The scale counts: `1.5` and `1.50` are different values, as Java's `equals` has it. A negative scale stands for zeros
/// before the point: `12E3` is 12 with scale -3.
///
/// ```
/// use pgcdc_transform::data::Decimal;
/// let price = Decimal::parse("-12.50").expect("a number");
/// assert_eq!((price.scale(), price.to_string()), (2, "-12.50".to_owned()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decimal {
    unscaled: BigInt,
    scale: i32,
}

impl Decimal {
    /// A number from Connect's bytes: the unscaled integer in two's complement, the highest byte first.
    #[must_use]
    pub fn from_bytes(bytes: &[u8], scale: i32) -> Self {
        Self { unscaled: BigInt::from_signed_bytes_be(bytes), scale }
    }

    /// Zero, with scale 0.
    #[must_use]
    pub fn zero() -> Self {
        Self { unscaled: BigInt::ZERO, scale: 0 }
    }

    /// Parses a text as Java's `new BigDecimal(text)`; `None` where Java would throw.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            None => (text, 0),
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = whole.strip_prefix(['+', '-']).unwrap_or(whole);
        if (digits.is_empty() && fraction.is_empty())
            || !digits.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit())
        {
            return None;
        }
        let unsigned: BigInt = format!("{digits}{fraction}").parse().ok()?;
        let unscaled = if whole.starts_with('-') { -unsigned } else { unsigned };
        let scale = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
        Some(Self { unscaled, scale })
    }

    /// The bytes that Connect writes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.unscaled.to_signed_bytes_be()
    }

    /// How many digits are after the point.
    #[must_use]
    pub const fn scale(&self) -> i32 {
        self.scale
    }

    /// Whether it is zero.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.unscaled.sign() == Sign::NoSign
    }

    /// Its whole part, whatever its size: the fraction is cut off.
    #[must_use]
    pub fn whole(&self) -> BigInt {
        let ten = BigInt::from(10);
        match u32::try_from(self.scale) {
            Ok(scale) => &self.unscaled / ten.pow(scale),
            Err(_) => &self.unscaled * ten.pow(self.scale.unsigned_abs()),
        }
    }

    /// Whether all digits after the point are zeros.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.scale <= 0 || {
            let unit = BigInt::from(10).pow(self.scale.unsigned_abs());
            (&self.unscaled % unit).sign() == Sign::NoSign
        }
    }

    /// Its whole part in 64 bits, the higher ones cut off, as Java's `longValue`.
    #[must_use]
    pub fn to_i64(&self) -> i64 {
        let whole = self.whole();
        let bytes = whole.to_signed_bytes_le();
        // A number between 0 and -1 becomes zero, without a sign.
        let fill = if whole.sign() == Sign::Minus { 0xff } else { 0 };
        let mut low = [fill; 8];
        for (to, from) in low.iter_mut().zip(&bytes) {
            *to = *from;
        }
        i64::from_le_bytes(low)
    }

    /// The nearest double.
    #[must_use]
    pub fn to_f64(&self) -> f64 {
        format!("{}e{}", self.unscaled, -i64::from(self.scale)).parse().unwrap_or(f64::NAN)
    }

    /// The nearest float.
    #[must_use]
    pub fn to_f32(&self) -> f32 {
        format!("{}e{}", self.unscaled, -i64::from(self.scale)).parse().unwrap_or(f32::NAN)
    }

    /// Java's `hashCode`. `PartitionRouting` chooses partitions by it, so it must be Java's to the bit.
    #[must_use]
    pub fn java_hash(&self) -> i32 {
        if let Ok(small) = i64::try_from(&self.unscaled)
            && small != i64::MIN
        {
            let magnitude = small.unsigned_abs();
            let folded = ((magnitude >> 32) as i32)
                .wrapping_mul(31)
                .wrapping_add((magnitude & 0xffff_ffff) as u32 as i32);
            let signed = if small < 0 { folded.wrapping_neg() } else { folded };
            return signed.wrapping_mul(31).wrapping_add(self.scale);
        }
        let (sign, words) = self.unscaled.to_u32_digits();
        let folded =
            words.iter().rev().fold(0i32, |hash, word| hash.wrapping_mul(31).wrapping_add(*word as i32));
        let signed = if sign == Sign::Minus { folded.wrapping_neg() } else { folded };
        signed.wrapping_mul(31).wrapping_add(self.scale)
    }
}

/// Java's `toString`: with an exponent where a plain number would lose the scale.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.unscaled.magnitude().to_string();
        if self.unscaled.sign() == Sign::Minus {
            f.write_str("-")?;
        }
        let count = i64::try_from(digits.len()).unwrap_or(i64::MAX);
        let adjusted = -i64::from(self.scale) + (count - 1);
        if self.scale == 0 {
            return f.write_str(&digits);
        }
        if self.scale > 0 && adjusted >= -6 {
            let scale = self.scale.unsigned_abs() as usize;
            return match digits.len().checked_sub(scale) {
                Some(point @ 1..) => write!(f, "{}.{}", &digits[..point], &digits[point..]),
                _ => write!(f, "0.{}{digits}", "0".repeat(scale - digits.len())),
            };
        }
        f.write_str(&digits[..1])?;
        if digits.len() > 1 {
            write!(f, ".{}", &digits[1..])?;
        }
        if adjusted != 0 { write!(f, "E{adjusted:+}") } else { Ok(()) }
    }
}
