//! `interval` (IntervalStyle postgres): microseconds, ISO 8601, or its parts.
//!
//! | `1 year -2 mons +3 days -04:05:06.789` as | |
//! |---|---|
//! | microseconds | months count 30.4375 days, days 24 hours |
//! | ISO 8601 | `P1Y-2M3DT-4H-5M-6.789S`: each part is there, even a zero |
//! | structured | `{"years":1,"months":-2,"days":3,"hours":-4,…}` |
//!
//! The parts stay apart, as Postgres keeps them: a month is no fixed number of days. The infinities of PostgreSQL 17 are zero in
//! all their parts, as in Debezium.
//!
//! Source: PostgreSQL manual, "Interval Output"; Debezium's `interval.handling.mode`.

use super::fault::Fault;
use super::options::{IntervalMode, TimePrecision, TypeOptions};
use super::temporal::append_precision;
use crate::json::write_int;

/// How an interval is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IntervalForm {
    /// Microseconds, with months of 30.4375 days.
    Micros,
    /// ISO 8601 text: `P1Y2M3DT4H5M6.789S`.
    Iso,
    /// An object of the parts, with the column's precision as its last member.
    Structured(i32),
}

impl IntervalForm {
    /// The form of a column with `precision` digits of fraction.
    pub(super) const fn new(options: &TypeOptions, precision: i32) -> Self {
        match (options.time, options.interval) {
            (TimePrecision::Structured, _) => Self::Structured(precision),
            (_, IntervalMode::String) => Self::Iso,
            (_, IntervalMode::Numeric) => Self::Micros,
        }
    }

    pub(super) fn append(self, text: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        let parts = Parts::read(text)?;
        match self {
            Self::Micros => write_int(parts.micros_in_all(), out),
            Self::Iso => parts.append_iso(out),
            Self::Structured(precision) => parts.append_structured(precision, out),
        }
        Ok(())
    }
}

/// An interval's parts, each with its sign.
#[derive(Default)]
struct Parts {
    years: i64,
    months: i64,
    days: i64,
    hours: i64,
    minutes: i64,
    seconds: i64,
    micros: i64,
}

impl Parts {
    /// Reads `[n year[s]] [n mon[s]] [n day[s]] [[-]HH:MM:SS[.ffffff]]`, and the infinities as zero.
    fn read(text: &[u8]) -> Result<Self, Fault> {
        const BAD: Fault = Fault::Bad("not an interval of the style postgres");
        let text = std::str::from_utf8(text).map_err(|_| BAD)?;
        let mut parts = Self::default();
        if matches!(text, "infinity" | "-infinity") {
            return Ok(parts);
        }
        let mut words = text.split(' ').filter(|word| !word.is_empty());
        while let Some(word) = words.next() {
            if word.contains(':') {
                parts.read_time(word).ok_or(BAD)?;
                continue;
            }
            let amount: i32 = word.parse().map_err(|_| BAD)?;
            let place = match words.next() {
                Some("year" | "years") => &mut parts.years,
                Some("mon" | "mons") => &mut parts.months,
                Some("day" | "days") => &mut parts.days,
                _ => return Err(BAD),
            };
            *place = i64::from(amount);
        }
        Ok(parts)
    }

    /// Reads `[±]HH:MM[:SS[.ffffff]]`; the sign is that of each part.
    fn read_time(&mut self, word: &str) -> Option<()> {
        let (sign, digits) = match word.as_bytes().first()? {
            b'-' => (-1, &word[1..]),
            b'+' => (1, &word[1..]),
            _ => (1, word),
        };
        let number = |text: &str| {
            let fits = (1..=12).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
            fits.then(|| text.parse::<i64>().ok()).flatten()
        };
        let mut fields = digits.splitn(3, ':');
        self.hours = sign * number(fields.next()?)?;
        self.minutes = sign * number(fields.next()?)?;
        let seconds = fields.next().unwrap_or("0");
        let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
        self.seconds = sign * number(whole)?;
        let width = u32::try_from(fraction.len()).ok().filter(|width| (1..=6).contains(width))?;
        self.micros = sign * number(fraction)? * 10i64.pow(6 - width);
        Some(())
    }

    /// The whole interval in microseconds, by Java's order of floating point operations, whose rounding shows.
    fn micros_in_all(&self) -> i64 {
        const DAYS_PER_MONTH: f64 = 365.25 / 12.0;
        let months = self.years.wrapping_mul(12).wrapping_add(self.months) as i32;
        let days = f64::from(months) * DAYS_PER_MONTH + self.days as f64;
        let second = self.seconds as f64 + self.micros as f64 / 1_000_000.0;
        let seconds = ((days * 24.0 + self.hours as f64) * 60.0 + self.minutes as f64) * 60.0 + second;
        (seconds * 1e6) as i64
    }

    fn append_iso(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\"P");
        for (amount, unit) in [(self.years, b"Y"), (self.months, b"M"), (self.days, b"D")] {
            write_int(amount, out);
            out.extend_from_slice(unit);
        }
        out.push(b'T');
        for (amount, unit) in [(self.hours, b'H'), (self.minutes, b'M')] {
            write_int(amount, out);
            out.push(unit);
        }
        self.append_seconds(out);
        out.extend_from_slice(b"S\"");
    }

    /// The seconds as Java adds them up, in floating point: 1.235 is 1.2349999999999999, of which nine digits stay.
    fn append_seconds(&self, out: &mut Vec<u8>) {
        if self.micros == 0 {
            return write_int(self.seconds, out);
        }
        let text = (self.seconds as f64 + self.micros as f64 / 1_000_000.0).to_string();
        let end = text.find('.').map_or(text.len(), |point| text.len().min(point + 10));
        out.extend_from_slice(text[..end].trim_end_matches('0').trim_end_matches('.').as_bytes());
    }

    fn append_structured(&self, precision: i32, out: &mut Vec<u8>) {
        let fields = [
            ("{\"years\":", self.years),
            (",\"months\":", self.months),
            (",\"days\":", self.days),
            (",\"hours\":", self.hours),
            (",\"minutes\":", self.minutes),
            (",\"seconds\":", self.seconds),
            (",\"nanos\":", self.micros * 1_000),
        ];
        for (name, value) in fields {
            out.extend_from_slice(name.as_bytes());
            write_int(value, out);
        }
        append_precision(precision, out);
    }
}
