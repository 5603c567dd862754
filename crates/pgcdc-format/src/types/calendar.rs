//! Dates and times taken apart: Postgres' ISO output in; days, microseconds and Java's ISO text out.
//!
//! | Postgres prints | |
//! |---|---|
//! | date | `2024-02-29`, `0044-03-15 BC`, up to `5874897-12-31` |
//! | time | `10:34:56`, `10:34:56.789012`, `24:00:00` |
//! | timestamp | `2024-02-29 10:34:56.5`, `0044-03-15 10:34:56 BC` |
//! | with time zone | an offset behind the time: `+00`, in `timetz` also `-05:30` or `+01:02:03` |
//!
//! Here and in Java 1 BC is the year 0, and 44 BC is -43. The infinities are words, which the callers know.
//!
//! Source: PostgreSQL manual, "Date/Time Output" (DateStyle ISO, TimeZone UTC).

use super::fault::Fault;
use crate::civil;
use crate::json::write_int;

const BAD: Fault = Fault::Bad("not a date or time of the ISO style");

/// A day of the proleptic Gregorian calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Date {
    /// Astronomical: year 0 is 1 BC.
    pub(super) year: i32,
    pub(super) month: u8,
    pub(super) day: u8,
}

/// A time of day, to the microsecond. 24:00:00, the end of a day, is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Time {
    pub(super) hour: u8,
    pub(super) minute: u8,
    pub(super) second: u8,
    pub(super) micros: u32,
}

/// A date and a time without a zone; a `timestamptz` is moved to UTC when it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DateTime {
    pub(super) date: Date,
    pub(super) time: Time,
}

/// Reads a text from its beginning. Each method steps over the bytes that it reads, and every unexpected byte gives the same
/// error.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    /// Two digits.
    fn two(&mut self) -> Result<u8, Fault> {
        match self.0 {
            [tens @ b'0'..=b'9', ones @ b'0'..=b'9', rest @ ..] => {
                self.0 = rest;
                Ok((tens - b'0') * 10 + (ones - b'0'))
            }
            _ => Err(BAD),
        }
    }

    /// Steps over this byte.
    fn expect(&mut self, byte: u8) -> Result<(), Fault> {
        match self.0.split_first() {
            Some((&first, rest)) if first == byte => {
                self.0 = rest;
                Ok(())
            }
            _ => Err(BAD),
        }
    }

    /// A year of four to seven digits.
    fn year(&mut self) -> Result<i32, Fault> {
        let length = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if !(4..=7).contains(&length) {
            return Err(BAD);
        }
        let (digits, rest) = self.0.split_at(length);
        self.0 = rest;
        Ok(digits.iter().fold(0, |year, digit| year * 10 + i32::from(digit - b'0')))
    }

    /// `YYYY-MM-DD`. The day is at most 31 in each month: Postgres prints no others.
    fn date(&mut self) -> Result<Date, Fault> {
        let year = self.year()?;
        self.expect(b'-')?;
        let month = self.two()?;
        self.expect(b'-')?;
        let day = self.two()?;
        if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return Err(BAD);
        }
        Ok(Date { year, month, day })
    }

    /// `HH:MM[:SS[.ffffff]]`.
    fn time(&mut self) -> Result<Time, Fault> {
        let hour = self.two()?;
        self.expect(b':')?;
        let minute = self.two()?;
        let mut second = 0;
        let mut micros = 0;
        if self.0.first() == Some(&b':') {
            self.expect(b':')?;
            second = self.two()?;
            if let Some((b'.', rest)) = self.0.split_first() {
                let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
                if !(1..=6).contains(&length) {
                    return Err(BAD);
                }
                for digit in rest[..length].iter().chain(&[b'0'; 6]).take(6) {
                    micros = micros * 10 + u32::from(digit - b'0');
                }
                self.0 = &rest[length..];
            }
        }
        if hour > 24 || minute > 59 || second > 59 || (hour == 24 && (minute, second, micros) != (0, 0, 0)) {
            return Err(BAD);
        }
        Ok(Time { hour, minute, second, micros })
    }

    /// `±HH[:MM[:SS]]` as seconds east of UTC.
    fn offset(&mut self) -> Result<i32, Fault> {
        let sign = match self.0.split_first() {
            Some((b'+', rest)) => (1, rest),
            Some((b'-', rest)) => (-1, rest),
            _ => return Err(BAD),
        };
        self.0 = sign.1;
        let mut seconds = i32::from(self.two()?) * 3600;
        for unit in [60, 1] {
            if self.0.first() != Some(&b':') {
                break;
            }
            self.expect(b':')?;
            seconds += i32::from(self.two()?) * unit;
        }
        Ok(sign.0 * seconds)
    }

    /// Moves the date into its era, after which nothing may follow.
    fn end(&self, mut date: Date) -> Result<Date, Fault> {
        match self.0 {
            b"" => Ok(date),
            b" BC" => {
                date.year = 1 - date.year;
                Ok(date)
            }
            _ => Err(BAD),
        }
    }
}

impl Date {
    /// Reads `YYYY-MM-DD[ BC]`.
    pub(super) fn read(text: &[u8]) -> Result<Self, Fault> {
        let mut reader = Reader(text);
        let date = reader.date()?;
        reader.end(date)
    }

    /// Days since 1970-01-01.
    pub(super) fn epoch_days(self) -> i64 {
        civil::days(self.year.into(), self.month.into(), self.day.into())
    }

    /// The date of a number of days since 1970-01-01.
    pub(super) fn from_epoch_days(days: i64) -> Self {
        let (year, month, day) = civil::date(days);
        Self {
            year: i32::try_from(year).unwrap_or(i32::MAX),
            month: u8::try_from(month).unwrap_or(1),
            day: u8::try_from(day).unwrap_or(1),
        }
    }

    /// Appends Java's `ISO_LOCAL_DATE`: at least four digits of the year, and a sign for years beyond 0 to 9999.
    pub(super) fn append_iso(self, out: &mut Vec<u8>) {
        match self.year {
            0..=9999 => append_padded(self.year.unsigned_abs(), 4, out),
            10_000.. => {
                out.push(b'+');
                write_int(self.year, out);
            }
            _ => {
                out.push(b'-');
                append_padded(self.year.unsigned_abs(), 4, out);
            }
        }
        out.push(b'-');
        append_padded(u32::from(self.month), 2, out);
        out.push(b'-');
        append_padded(u32::from(self.day), 2, out);
    }
}

impl Time {
    /// Reads `HH:MM:SS[.ffffff]`.
    pub(super) fn read(text: &[u8]) -> Result<Self, Fault> {
        let mut reader = Reader(text);
        let time = reader.time()?;
        if reader.0.is_empty() { Ok(time) } else { Err(BAD) }
    }

    /// Reads `HH:MM:SS[.ffffff]±HH[:MM[:SS]]`, with the offset in seconds.
    pub(super) fn read_zoned(text: &[u8]) -> Result<(Self, i32), Fault> {
        let mut reader = Reader(text);
        let time = reader.time()?;
        let offset = reader.offset()?;
        if reader.0.is_empty() { Ok((time, offset)) } else { Err(BAD) }
    }

    /// Microseconds since midnight.
    pub(super) fn micros_of_day(self) -> i64 {
        self.second_of_day() * 1_000_000 + i64::from(self.micros)
    }

    /// Seconds since midnight.
    pub(super) fn second_of_day(self) -> i64 {
        i64::from(self.hour) * 3600 + i64::from(self.minute) * 60 + i64::from(self.second)
    }

    /// The time of day at UTC, for a time with this offset in seconds east of UTC.
    pub(super) fn at_utc(self, offset: i32) -> Self {
        Self::from_second_of_day((self.second_of_day() - i64::from(offset)).rem_euclid(86_400), self.micros)
    }

    fn from_second_of_day(second: i64, micros: u32) -> Self {
        let part = |value: i64| u8::try_from(value).unwrap_or(0);
        Self { hour: part(second / 3600), minute: part(second / 60 % 60), second: part(second % 60), micros }
    }

    /// Appends Java's `ISO_LOCAL_TIME`: a fraction only where there is one, without trailing zeros.
    pub(super) fn append_iso(self, out: &mut Vec<u8>) {
        self.append_seconds(out);
        if self.micros > 0 {
            out.push(b'.');
            append_padded(self.micros, 6, out);
            while out.last() == Some(&b'0') {
                out.pop();
            }
        }
    }

    /// Appends the time with a fraction of exactly `digits` digits (1 to 9).
    pub(super) fn append_fixed(self, digits: u8, out: &mut Vec<u8>) {
        self.append_seconds(out);
        out.push(b'.');
        let end = out.len() + usize::from(digits);
        append_padded(self.micros, 6, out);
        out.resize(end, b'0');
    }

    fn append_seconds(self, out: &mut Vec<u8>) {
        append_padded(u32::from(self.hour), 2, out);
        out.push(b':');
        append_padded(u32::from(self.minute), 2, out);
        out.push(b':');
        append_padded(u32::from(self.second), 2, out);
    }
}

impl DateTime {
    /// Reads `YYYY-MM-DD HH:MM:SS[.ffffff][ BC]`.
    pub(super) fn read(text: &[u8]) -> Result<Self, Fault> {
        let mut reader = Reader(text);
        let date = reader.date()?;
        reader.expect(b' ')?;
        let time = reader.time()?;
        Ok(Self { date: reader.end(date)?, time })
    }

    /// Reads `YYYY-MM-DD HH:MM:SS[.ffffff]±HH[:MM[:SS]][ BC]` and moves it to UTC.
    pub(super) fn read_zoned(text: &[u8]) -> Result<Self, Fault> {
        let mut reader = Reader(text);
        let date = reader.date()?;
        reader.expect(b' ')?;
        let time = reader.time()?;
        let offset = reader.offset()?;
        let local = Self { date: reader.end(date)?, time };
        Ok(if offset == 0 { local } else { local.at_utc(offset) })
    }

    fn at_utc(self, offset: i32) -> Self {
        let second = self.epoch_second() - i64::from(offset);
        Self {
            date: Date::from_epoch_days(second.div_euclid(86_400)),
            time: Time::from_second_of_day(second.rem_euclid(86_400), self.time.micros),
        }
    }

    /// Seconds since 1970-01-01 00:00, the fraction cut off towards the past.
    pub(super) fn epoch_second(self) -> i64 {
        self.date.epoch_days() * 86_400 + self.time.second_of_day()
    }

    /// Milliseconds since 1970-01-01 00:00, rounded towards the past.
    pub(super) fn epoch_millis(self) -> i64 {
        self.epoch_second() * 1_000 + i64::from(self.time.micros / 1_000)
    }

    /// Microseconds since 1970-01-01 00:00 as Debezium counts them: seconds are converted with
    /// saturation and the fraction then added with overflow, which shows past the year 294246.
    pub(super) fn epoch_micros(self) -> i64 {
        self.epoch_second().saturating_mul(1_000_000).wrapping_add(i64::from(self.time.micros))
    }

    /// Nanoseconds since 1970-01-01 00:00; `None` where 64 bits do not hold them.
    pub(super) fn epoch_nanos(self) -> Option<i64> {
        let day = self.date.epoch_days().checked_mul(86_400_000_000_000)?;
        day.checked_add(self.time.micros_of_day() * 1_000)
    }
}

/// Appends an integer with leading zeros to at least `width` digits, which is 1 to 10.
fn append_padded(value: u32, width: usize, out: &mut Vec<u8>) {
    let mut digits = [b'0'; 10];
    let mut at = digits.len();
    let mut rest = value;
    while rest > 0 {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    out.extend_from_slice(&digits[at.min(digits.len() - width)..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_days() {
        let days = |text: &str| Date::read(text.as_bytes()).unwrap().epoch_days();
        assert_eq!(days("1970-01-01"), 0);
        assert_eq!(days("2024-02-29"), 19_782);
        assert_eq!(days("0044-03-15 BC"), -735_160);
        assert_eq!(days("5874897-12-31"), 2_145_042_905);
    }

    proptest! {
        #[test]
        fn days_go_both_ways(days in -2_500_000i64..2_145_042_906) {
            prop_assert_eq!(Date::from_epoch_days(days).epoch_days(), days);
        }
    }
}
