//! Reads points in time, dates, times of day and decimals from each of the forms in which Debezium writes them.
//!
//! All functions here return `None` for a value that does not have the asked meaning: a sink then refuses the record, with the
//! column's name.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::json::Json;
use super::semantic::{Semantic, Unit};
use crate::civil;
use crate::types::{big_endian, decimal_digits, negate, shortest};

/// Microseconds since 1970-01-01 UTC of a value that means a point in time.
///
/// With a meaning from the schema this is exact. Without one, text is read as ISO 8601 (UTC where it has no offset), and a number
/// by its size: below 10¹⁴ it counts milliseconds, below 10¹⁷ microseconds, above that nanoseconds. That is right for every
/// instant between 1973 and 5138.
///
/// `None` for a value that is no point in time, for Postgres' infinities as text, and beyond 64 bits of microseconds
/// (the year 294,246).
///
/// ```
/// use pgcdc_format::decode::{Json, Semantic, Unit, instant_us};
///
/// let noon = Some(1_709_208_000_000_000);
/// assert_eq!(instant_us(&Json::Number("1709208000000"), None), noon);
/// assert_eq!(instant_us(&Json::String("2024-02-29T13:00:00+01:00".into()), None), noon);
/// let days = Some(&Semantic::Date);
/// assert_eq!(instant_us(&Json::Number("1"), days), Some(86_400_000_000));
/// let nanos = Semantic::Timestamp(Unit::Nano);
/// assert_eq!(instant_us(&Json::Number("-1"), Some(&nanos)), Some(-1), "rounded towards the past");
/// ```
#[must_use]
pub fn instant_us(value: &Json<'_>, semantic: Option<&Semantic>) -> Option<i64> {
    match value {
        Json::String(text) => iso_instant_us(text),
        Json::Number(_) => {
            let number = value.as_i64()?;
            match semantic {
                Some(Semantic::Date) => number.checked_mul(86_400_000_000),
                Some(Semantic::Timestamp(unit)) => to_us(number, *unit),
                _ => to_us(number, guess_unit(number)),
            }
        }
        _ => None,
    }
}

/// A number of this unit in microseconds, rounded towards the past; `None` when 64 bits do not hold it.
fn to_us(number: i64, unit: Unit) -> Option<i64> {
    match unit {
        Unit::Milli => number.checked_mul(1_000),
        Unit::Micro => Some(number),
        Unit::Nano => Some(number.div_euclid(1_000)),
    }
}

/// The unit that a number of this size most likely counts.
fn guess_unit(number: i64) -> Unit {
    match number.unsigned_abs() {
        0..100_000_000_000_000 => Unit::Milli,
        100_000_000_000_000..100_000_000_000_000_000 => Unit::Micro,
        _ => Unit::Nano,
    }
}

/// Nanoseconds since midnight of a value that means a time of day: below 86,400,000,000,000.
///
/// A time with an offset is moved to UTC. A number counts the unit of its meaning, without one microseconds. The end of a day,
/// 24:00, is midnight.
///
/// ```
/// use pgcdc_format::decode::{Json, time_of_day_ns};
/// assert_eq!(time_of_day_ns(&Json::String("00:30:00+01:00".into()), None), Some(84_600_000_000_000));
/// assert_eq!(time_of_day_ns(&Json::Number("1500000"), None), Some(1_500_000_000));
/// ```
#[must_use]
pub fn time_of_day_ns(value: &Json<'_>, semantic: Option<&Semantic>) -> Option<i64> {
    const DAY: i64 = 86_400_000_000_000;
    let nanos = match value {
        Json::String(text) => {
            let (time, offset) = split_offset(text);
            let us = clock_us(time)? - i64::from(offset?) * 1_000_000;
            us.rem_euclid(DAY / 1_000) * 1_000
        }
        Json::Number(_) => {
            let number = value.as_i64()?;
            match semantic {
                Some(Semantic::Time(Unit::Milli)) => number.checked_mul(1_000_000)?,
                Some(Semantic::Time(Unit::Nano)) => number,
                _ => number.checked_mul(1_000)?,
            }
        }
        _ => return None,
    };
    match nanos {
        DAY => Some(0),
        nanos => (0..DAY).contains(&nanos).then_some(nanos),
    }
}

/// Days since 1970-01-01 of a value that means a date. A timestamp gives the day on which it lies at UTC; a time behind a date in
/// a text is not read.
///
/// ```
/// use pgcdc_format::decode::{Json, date_days};
/// assert_eq!(date_days(&Json::Number("19782"), None), Some(19_782));
/// assert_eq!(date_days(&Json::String("2024-02-29Z".into()), None), Some(19_782));
/// assert_eq!(date_days(&Json::String("infinity".into()), None), None);
/// ```
#[must_use]
pub fn date_days(value: &Json<'_>, semantic: Option<&Semantic>) -> Option<i64> {
    match (value, semantic) {
        (Json::Number(_), Some(Semantic::Timestamp(_))) => {
            Some(instant_us(value, semantic)?.div_euclid(86_400_000_000))
        }
        (Json::Number(_), _) => value.as_i64(),
        (Json::String(text), _) => {
            let date = text.split(['T', ' ']).next()?;
            iso_date_days(date.strip_suffix('Z').unwrap_or(date))
        }
        _ => None,
    }
}

/// Microseconds since 1970-01-01 UTC of an ISO 8601 text as Debezium and Postgres write it: `2024-02-29T10:34:56.789012Z`, also
/// with a space in place of the `T`, with an offset `+02:00`, or as a date alone. Digits beyond microseconds are cut off.
///
/// ```
/// use pgcdc_format::decode::iso_instant_us;
/// assert_eq!(iso_instant_us("1970-01-01 00:00:01.5+00"), Some(1_500_000));
/// assert_eq!(iso_instant_us("1969-12-31"), Some(-86_400_000_000));
/// assert_eq!(iso_instant_us("tomorrow"), None);
/// ```
#[must_use]
pub fn iso_instant_us(text: &str) -> Option<i64> {
    let (date, clock) = match text.char_indices().find(|(_, c)| matches!(c, 'T' | 't' | ' ')) {
        Some((at, _)) => (&text[..at], Some(&text[at + 1..])),
        None => (text.strip_suffix('Z').unwrap_or(text), None),
    };
    let days = iso_date_days(date)?;
    let (clock_us, offset) = match clock {
        Some(clock) => {
            let (clock, offset) = split_offset(clock);
            (clock_us(clock)?, offset?)
        }
        None => (0, 0),
    };
    days.checked_mul(86_400_000_000)?.checked_add(clock_us)?.checked_sub(i64::from(offset) * 1_000_000)
}

/// Splits `10:34:56+02:00` into the clock's text and the offset in seconds. A text without an offset is at UTC; the inner
/// `None` is a malformed offset.
fn split_offset(text: &str) -> (&str, Option<i32>) {
    if let Some(clock) = text.strip_suffix(['Z', 'z']) {
        return (clock, Some(0));
    }
    let Some(at) = text.rfind(['+', '-']) else { return (text, Some(0)) };
    let mut parts =
        text[at + 1..].split(':').map(|part| part.parse::<i32>().ok().filter(|n| (0..60).contains(n)));
    let offset = (|| {
        let hours = parts.next()??;
        let minutes = parts.next().unwrap_or(Some(0))?;
        let seconds = parts.next().unwrap_or(Some(0))?;
        Some(hours * 3600 + minutes * 60 + seconds)
    })();
    (&text[..at], if text.as_bytes()[at] == b'-' { offset.map(|o| -o) } else { offset })
}

/// Microseconds since midnight of `HH:MM[:SS[.fraction]]`.
fn clock_us(text: &str) -> Option<i64> {
    let mut parts = text.splitn(3, ':');
    let hours: i64 = parts.next()?.parse().ok()?;
    let minutes: i64 = parts.next()?.parse().ok()?;
    let (seconds, fraction) =
        parts.next().map_or(("0", ""), |rest| rest.split_once('.').unwrap_or((rest, "")));
    let seconds: i64 = seconds.parse().ok()?;
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let micros: i64 = format!("{:0<6.6}", fraction).parse().ok()?;
    let valid = (0..=24).contains(&hours) && (0..60).contains(&minutes) && (0..=60).contains(&seconds);
    valid.then(|| ((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + micros)
}

/// Days since 1970-01-01 of a date such as `2024-02-29` or `-0043-03-15`.
fn iso_date_days(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let mut parts = digits.splitn(3, '-');
    let year: i64 = parts.next()?.parse().ok().filter(|y| (0..=10_000_000).contains(y))?;
    let month: i64 = parts.next()?.parse().ok().filter(|m| (1..=12).contains(m))?;
    let day: i64 = parts.next()?.parse().ok().filter(|d| (1..=31).contains(d))?;
    Some(civil::days(if negative { -year } else { year }, month, day))
}

/// The most digits of a decimal that are read: more than a `numeric` of Postgres can have, which is 131,072 and 16,383.
const MAX_DIGITS: usize = 150_000;

/// A decimal as `unscaled × 10^-scale`. Stores differ in the form that they want, and a double would lose digits.
///
/// ```
/// use pgcdc_format::decode::{Decimal, Json, Semantic};
///
/// // Connect's `Decimal` of scale 2.
/// let price = Decimal::of(&Json::String("BOI=".into()), Some(&Semantic::Decimal(2))).expect("a decimal");
/// assert_eq!(price.to_string(), "12.50");
/// assert_eq!((price.unscaled, price.scale), (vec![0x04, 0xe2], 2));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decimal {
    /// Big-endian two's complement, at least one byte.
    pub unscaled: Vec<u8>,
    /// Digits after the point; negative for trailing zeros before it.
    pub scale: i32,
}

impl Decimal {
    /// Reads every form of a decimal: Connect's base64 with the schema's scale, `VariableScaleDecimal`, a number, or a
    /// number as text. `None` for `NaN`, for the infinities and for any other value.
    ///
    /// Base64 without a schema cannot be told from text; it is refused unless all its characters are digits.
    #[must_use]
    pub fn of(value: &Json<'_>, semantic: Option<&Semantic>) -> Option<Self> {
        match (value, semantic) {
            (Json::String(text), Some(Semantic::Decimal(scale))) => Self::from_base64(text, *scale),
            (Json::Object(_), _) => {
                let scale = i32::try_from(value.member("scale")?.as_i64()?).ok()?;
                Self::from_base64(value.member("value")?.as_str()?, scale)
            }
            (Json::String(text), _) => Self::from_text(text),
            (Json::Number(text), _) => Self::from_text(text),
            _ => None,
        }
    }

    /// Connect's form: base64 of the unscaled number.
    fn from_base64(text: &str, scale: i32) -> Option<Self> {
        let unscaled = STANDARD.decode(text).ok().filter(|bytes| !bytes.is_empty())?;
        Self { unscaled, scale }.within_limits()
    }

    /// Reads `-12.50` or `1.5e-3`. The digits behind the point are the scale, an exponent lessens it: `1e3` has the scale -3.
    ///
    /// ```
    /// use pgcdc_format::decode::Decimal;
    /// let number = Decimal::from_text("-1.5e-3").expect("a number");
    /// assert_eq!((number.unscaled.as_slice(), number.scale), (&[0xf1][..], 4));
    /// assert_eq!(Decimal::from_text("1e3").expect("a number").to_string(), "1000");
    /// assert_eq!(Decimal::from_text("NaN"), None);
    /// ```
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let exponent: i32 = exponent.parse().ok()?;
        let (negative, mantissa) = match mantissa.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = || whole.bytes().chain(fraction.bytes());
        if !(1..=MAX_DIGITS).contains(&(whole.len() + fraction.len()))
            || !digits().all(|b| b.is_ascii_digit())
        {
            return None;
        }
        let mut bytes = big_endian(digits());
        if negative {
            negate(&mut bytes);
        }
        let unscaled = shortest(&bytes).to_vec();
        let scale = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
        Self { unscaled, scale }.within_limits()
    }

    /// Refuses a number far beyond Postgres' own limits, which are 131,072 digits before the point and 16,383 after it. A
    /// record could otherwise fill memory with zeros, and time with long divisions.
    fn within_limits(self) -> Option<Self> {
        (self.scale.unsigned_abs() <= 200_000 && self.unscaled.len() <= MAX_DIGITS / 2).then_some(self)
    }

    /// The nearest double, for stores without decimals; an infinity beyond the range of doubles.
    #[must_use]
    pub fn to_f64(&self) -> f64 {
        self.to_string().parse().unwrap_or(f64::NAN)
    }
}

impl std::fmt::Display for Decimal {
    /// Plain digits, no exponent: `-12.50`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (negative, mut digits) = decimal_digits(&self.unscaled);
        let scale = usize::try_from(self.scale).unwrap_or(0);
        if self.scale < 0 && digits != "0" {
            digits.push_str(&"0".repeat(self.scale.unsigned_abs() as usize));
        }
        if negative {
            f.write_str("-")?;
        }
        let zeros = (scale + 1).saturating_sub(digits.len());
        let digits = "0".repeat(zeros) + &digits;
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        f.write_str(whole)?;
        if scale > 0 {
            f.write_str(".")?;
            f.write_str(fraction)?;
        }
        Ok(())
    }
}
