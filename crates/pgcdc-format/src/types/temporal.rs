//! `date`, `time`, `timetz`, `timestamp` and `timestamptz` under every `time.precision.mode`. The table at
//! [`TimePrecision`] shows the usual values. These values need care:
//!
//! | value | streamed | read by a snapshot, or in a list |
//! |---|---|---|
//! | `date` `infinity`, days | 2146033979 | -622191234 |
//! | `date` before year 1 | the date | the year loses its `BC` |
//! | `timestamp` `infinity`, µs or ns | the largest 64-bit number | the same |
//! | `timestamptz` `infinity` | `"infinity"` | the same |
//! | any infinity, structured | `specialValue`, all else null | the same |
//! | `time` 24:00:00 | the end of the day, as text `00:00:00Z` | in a list midnight |
//! | `timestamp` in ns beyond 1677 to 2262 | none: null or an error | the same |
//!
//! The odd numbers come from Java's dates, which Debezium passes them through, cut to 32 bits.
//!
//! Source: Debezium's documentation of the PostgreSQL connector, "Temporal types"; recordings (`types/testdata`).

use super::calendar::{Date, DateTime, Time};
use super::fault::Fault;
use super::options::TimePrecision;
use crate::json::write_int;

/// The two infinities of dates and timestamps.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Infinity {
    Positive,
    Negative,
}

impl Infinity {
    /// Reads Postgres' word; `None` for any other text.
    const fn read(text: &[u8]) -> Option<Self> {
        match text {
            b"infinity" => Some(Self::Positive),
            b"-infinity" => Some(Self::Negative),
            _ => None,
        }
    }

    /// Debezium's word in the structured forms, in quotes.
    const fn word(self) -> &'static [u8] {
        match self {
            Self::Positive => b"\"POSITIVE_INFINITY\"",
            Self::Negative => b"\"NEGATIVE_INFINITY\"",
        }
    }

    const fn pick<T: Copy>(self, positive: T, negative: T) -> T {
        match self {
            Self::Positive => positive,
            Self::Negative => negative,
        }
    }
}

/// How a `date` is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DateForm {
    /// Days since 1970-01-01.
    Days,
    /// ISO 8601 with a `Z`: `2024-02-29Z`.
    Iso,
    /// An object of year, month and day.
    Structured,
}

impl DateForm {
    pub(super) const fn new(mode: TimePrecision) -> Self {
        match mode {
            TimePrecision::IsoString => Self::Iso,
            TimePrecision::Structured => Self::Structured,
            _ => Self::Days,
        }
    }

    /// The JSON of an infinite default: Java's last or first day, its days cut to 32 bits.
    pub(super) const fn extreme(self, last: bool) -> Option<&'static str> {
        match (self, last) {
            (Self::Days, true) => Some("169560311"),
            (Self::Days, false) => Some("-170999002"),
            (Self::Iso, true) => Some("\"+999999999-12-31Z\""),
            (Self::Iso, false) => Some("\"-999999999-01-01Z\""),
            (Self::Structured, _) => None,
        }
    }

    /// Appends a date as Debezium gets it from its JDBC driver, in snapshots and in lists: a year BC loses the `BC`, and of an
    /// infinity only the lowest 32 bits are left.
    pub(super) fn append_from_driver(self, text: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        match (self, Infinity::read(text)) {
            (Self::Days, Some(infinity)) => write_int(infinity.pick(-622_191_234, -625_821_272), out),
            (Self::Iso, Some(infinity)) => {
                out.extend_from_slice(infinity.pick(b"\"+292278994-08-16Z\"", b"\"+292269055-12-02Z\""));
            }
            _ => return self.append(text.strip_suffix(b" BC").unwrap_or(text), out),
        }
        Ok(())
    }

    /// Appends a streamed date.
    pub(super) fn append(self, text: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        if let Some(infinity) = Infinity::read(text) {
            match self {
                Self::Days => write_int(infinity.pick(2_146_033_979, -2_147_472_691), out),
                Self::Iso => {
                    out.extend_from_slice(infinity.pick(b"\"+5877611-06-21Z\"", b"\"-5877611-06-22Z\""));
                }
                Self::Structured => {
                    out.extend_from_slice(b"{\"year\":null,\"month\":null,\"day\":null,\"specialValue\":");
                    out.extend_from_slice(infinity.word());
                    out.push(b'}');
                }
            }
            return Ok(());
        }
        let date = Date::read(text)?;
        match self {
            Self::Days => write_int(date.epoch_days(), out),
            Self::Iso => {
                out.push(b'"');
                date.append_iso(out);
                out.extend_from_slice(b"Z\"");
            }
            Self::Structured => {
                out.push(b'{');
                append_date_fields(date, out);
                out.extend_from_slice(b",\"specialValue\":null}");
            }
        }
        Ok(())
    }
}

/// How a `time` is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimeForm {
    unit: TimeUnit,
    /// For the structured form: the column's digits of fraction.
    precision: i32,
    /// Whether the time is an element of a list, where Debezium's driver cuts it to milliseconds.
    in_list: bool,
}

/// The unit of a time or a timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimeUnit {
    /// Whole milliseconds.
    Millis,
    /// Whole microseconds.
    Micros,
    /// Whole nanoseconds.
    Nanos,
    /// ISO 8601 text with a `Z`.
    Iso,
    /// An object of the parts.
    Structured,
}

impl TimeUnit {
    /// The unit of a `time` with `precision` digits of fraction.
    pub(super) const fn of_time(mode: TimePrecision, precision: i32) -> Self {
        match mode {
            TimePrecision::Adaptive if precision <= 3 => Self::Millis,
            TimePrecision::Adaptive
            | TimePrecision::AdaptiveTimeMicroseconds
            | TimePrecision::Microseconds => Self::Micros,
            TimePrecision::Connect => Self::Millis,
            TimePrecision::Nanoseconds => Self::Nanos,
            TimePrecision::IsoString => Self::Iso,
            TimePrecision::Structured => Self::Structured,
        }
    }

    /// The JSON of an infinite default: Java's last or first moment, where the unit can hold it.
    pub(super) const fn extreme(self, last: bool) -> Option<&'static str> {
        match (self, last) {
            (Self::Micros, true) => Some("-9223372036853775810"),
            (Self::Micros, false) => Some("-9223372036854775808"),
            (Self::Iso, true) => Some("\"+999999999-12-31T23:59:59.999999999Z\""),
            (Self::Iso, false) => Some("\"-999999999-01-01T00:00:00Z\""),
            _ => None,
        }
    }

    /// The unit of a `timestamp` with `precision` digits of fraction.
    pub(super) const fn of_timestamp(mode: TimePrecision, precision: i32) -> Self {
        match mode {
            TimePrecision::Adaptive | TimePrecision::AdaptiveTimeMicroseconds if precision <= 3 => {
                Self::Millis
            }
            TimePrecision::Adaptive
            | TimePrecision::AdaptiveTimeMicroseconds
            | TimePrecision::Microseconds => Self::Micros,
            TimePrecision::Connect => Self::Millis,
            TimePrecision::Nanoseconds => Self::Nanos,
            TimePrecision::IsoString => Self::Iso,
            TimePrecision::Structured => Self::Structured,
        }
    }
}

impl TimeForm {
    pub(super) const fn new(unit: TimeUnit, precision: i32, in_list: bool) -> Self {
        Self { unit, precision, in_list }
    }

    /// The JSON of a default of 24:00: the last nanosecond of a day.
    pub(super) const fn last(self) -> Option<&'static str> {
        match self.unit {
            TimeUnit::Millis => Some("86399999"),
            TimeUnit::Micros => Some("86399999999"),
            TimeUnit::Nanos => Some("86399999999999"),
            TimeUnit::Iso => Some("\"23:59:59.999999999Z\""),
            TimeUnit::Structured => None,
        }
    }

    pub(super) fn append(self, text: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        let mut time = Time::read(text)?;
        if self.in_list {
            time.micros -= time.micros % 1_000;
            time.hour %= 24;
        }
        match self.unit {
            TimeUnit::Millis => write_int(time.micros_of_day() / 1_000, out),
            TimeUnit::Micros => write_int(time.micros_of_day(), out),
            TimeUnit::Nanos => write_int(time.micros_of_day() * 1_000, out),
            TimeUnit::Iso => {
                time.hour %= 24;
                out.push(b'"');
                time.append_iso(out);
                out.extend_from_slice(b"Z\"");
            }
            TimeUnit::Structured if time.hour == 24 => return Err(Fault::Failed),
            TimeUnit::Structured => {
                out.push(b'{');
                append_time_fields(time, out);
                append_precision(self.precision, out);
            }
        }
        Ok(())
    }
}

/// Appends a `timetz` as ISO 8601 text at UTC. 24:00 at UTC stays 24:00; with any other offset it is the next day's time.
pub(super) fn append_timetz(text: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    let (time, offset) = Time::read_zoned(text)?;
    let time = if (time.hour, offset) == (24, 0) { time } else { time.at_utc(offset) };
    out.push(b'"');
    time.append_iso(out);
    out.extend_from_slice(b"Z\"");
    Ok(())
}

/// Appends a `timetz` in its structured form, with its own offset.
pub(super) fn append_timetz_structured(text: &[u8], precision: i32, out: &mut Vec<u8>) -> Result<(), Fault> {
    let (time, offset) = Time::read_zoned(text)?;
    out.push(b'{');
    append_time_fields(time, out);
    out.extend_from_slice(b",\"offsetSeconds\":");
    write_int(offset, out);
    append_precision(precision, out);
    Ok(())
}

/// Appends a `timestamp`.
///
/// # Errors
/// When the text is malformed, and as `Null` when 64 bits do not hold the nanoseconds.
pub(super) fn append_timestamp(
    text: &[u8],
    unit: TimeUnit,
    precision: i32,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    if let Some(infinity) = Infinity::read(text) {
        match unit {
            TimeUnit::Millis => {
                write_int(infinity.pick(9_223_372_036_825_200_000i64, -9_223_372_036_832_400_000), out);
            }
            TimeUnit::Micros | TimeUnit::Nanos => write_int(infinity.pick(i64::MAX, i64::MIN), out),
            TimeUnit::Iso => out.extend_from_slice(
                infinity.pick(b"\"+292278994-08-16T23:00:00Z\"", b"\"-292275055-05-16T23:00:00Z\""),
            ),
            TimeUnit::Structured => {
                out.extend_from_slice(b"{\"year\":null,\"month\":null,\"day\":null,\"hour\":null,\"minute\":null,\"second\":null,\"nanos\":null,\"specialValue\":");
                out.extend_from_slice(infinity.word());
                append_precision(precision, out);
            }
        }
        return Ok(());
    }
    let at = DateTime::read(text)?;
    match unit {
        TimeUnit::Millis => write_int(at.epoch_millis(), out),
        TimeUnit::Micros => write_int(at.epoch_micros(), out),
        TimeUnit::Nanos => write_int(at.epoch_nanos().ok_or(Fault::Null)?, out),
        TimeUnit::Iso => {
            out.push(b'"');
            at.date.append_iso(out);
            out.push(b'T');
            at.time.append_iso(out);
            out.extend_from_slice(b"Z\"");
        }
        TimeUnit::Structured => {
            out.push(b'{');
            append_date_fields(at.date, out);
            out.push(b',');
            append_time_fields(at.time, out);
            out.extend_from_slice(b",\"specialValue\":null");
            append_precision(precision, out);
        }
    }
    Ok(())
}

/// Appends a `timestamptz`: ISO 8601 text at UTC with as many digits as the column's precision, zeros included. A precision of 0
/// shows a fraction only where there is one.
pub(super) fn append_timestamptz(text: &[u8], precision: i32, out: &mut Vec<u8>) -> Result<(), Fault> {
    if let Some(infinity) = Infinity::read(text) {
        out.extend_from_slice(infinity.pick::<&[u8]>(b"\"infinity\"", b"\"-infinity\""));
        return Ok(());
    }
    let at = DateTime::read_zoned(text)?;
    let digits = u8::try_from(precision).ok().filter(|digits| (1..=6).contains(digits));
    match (text, digits) {
        // The usual value: a year of four digits, already at UTC. Its text is copied.
        ([.., b'+', b'0', b'0'], Some(digits)) if text[4] == b'-' && text[16] == b':' => {
            let mut json = *b"\"0000-00-00T00:00:00.000000Z\"";
            json[1..11].copy_from_slice(&text[..10]);
            json[12..20].copy_from_slice(&text[11..19]);
            let fraction = text[..text.len() - 3].get(20..).unwrap_or(&[]);
            let shown = fraction.len().min(digits.into());
            json[21..21 + shown].copy_from_slice(&fraction[..shown]);
            let end = 21 + usize::from(digits);
            json[end..end + 2].copy_from_slice(b"Z\"");
            out.extend_from_slice(&json[..end + 2]);
        }
        _ => {
            out.push(b'"');
            at.date.append_iso(out);
            out.push(b'T');
            match u8::try_from(precision) {
                Ok(digits @ 1..=9) => at.time.append_fixed(digits, out),
                _ => at.time.append_iso(out),
            }
            out.extend_from_slice(b"Z\"");
        }
    }
    Ok(())
}

/// Appends a `timestamptz` in its structured form.
pub(super) fn append_timestamptz_structured(
    text: &[u8],
    precision: i32,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    if let Some(infinity) = Infinity::read(text) {
        out.extend_from_slice(b"{\"year\":null,\"month\":null,\"day\":null,\"hour\":null,\"minute\":null,\"second\":null,\"nanos\":null,\"offsetSeconds\":null,\"zoneId\":null,\"specialValue\":");
        out.extend_from_slice(infinity.word());
    } else {
        let at = DateTime::read_zoned(text)?;
        out.push(b'{');
        append_date_fields(at.date, out);
        out.push(b',');
        append_time_fields(at.time, out);
        out.extend_from_slice(b",\"offsetSeconds\":0,\"zoneId\":\"Z\",\"specialValue\":null");
    }
    append_precision(precision, out);
    Ok(())
}

/// Appends the members of a structured date, without braces.
fn append_date_fields(date: Date, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\"year\":");
    write_int(date.year, out);
    out.extend_from_slice(b",\"month\":");
    write_int(date.month, out);
    out.extend_from_slice(b",\"day\":");
    write_int(date.day, out);
}

/// Appends the members of a structured time, without braces.
fn append_time_fields(time: Time, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\"hour\":");
    write_int(time.hour, out);
    out.extend_from_slice(b",\"minute\":");
    write_int(time.minute, out);
    out.extend_from_slice(b",\"second\":");
    write_int(time.second, out);
    out.extend_from_slice(b",\"nanos\":");
    write_int(time.micros * 1_000, out);
}

/// Appends the last member of every structured form, and closes the object.
pub(super) fn append_precision(precision: i32, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"precision\":");
    if precision >= 0 {
        write_int(precision, out);
    } else {
        out.extend_from_slice(b"null");
    }
    out.push(b'}');
}
