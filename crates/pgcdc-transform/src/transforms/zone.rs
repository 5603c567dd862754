//! A time zone, and the forms of time that Debezium writes.
//!
//! The zones are those of the time zone database that is built into the program (`jiff`), so a result does not depend on
//! the machine. Java's short names that the database does not have (`Zulu`, …) are aliases. Names are case sensitive, as in
//! Java.

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

/// A zone by its name, or an offset.
#[derive(Clone, Debug)]
pub(super) enum Zone {
    /// An offset in seconds, east of Greenwich positive.
    Fixed(i64),
    /// A zone with its history of offsets.
    Named(TimeZone),
}

/// Names that Java knows and the time zone database does not.
const ALIASES: &[(&str, &str)] =
    &[("UTC", "Etc/UTC"), ("GMT", "Etc/GMT"), ("UCT", "Etc/UTC"), ("Zulu", "Etc/UTC")];

impl Zone {
    /// Reads `+08:00`, `+08:00:00` or `America/New_York`; `None` for anything else.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.starts_with(['+', '-']) {
            return offset_seconds(text).map(Self::Fixed);
        }
        let name = ALIASES.iter().find(|(alias, _)| *alias == text).map_or(text, |(_, name)| *name);
        let zone = TimeZone::get(name).ok()?;
        // Java's names are case sensitive.
        (zone.iana_name() == Some(name)).then_some(Self::Named(zone))
    }

    /// The offset at an instant, in seconds.
    pub(super) fn at_instant(&self, seconds: i64) -> i64 {
        match self {
            Self::Fixed(offset) => *offset,
            Self::Named(zone) => Timestamp::from_second(seconds)
                .map_or(0, |instant| i64::from(zone.to_offset(instant).seconds())),
        }
    }

    /// The offset at a local time, given as if it were UTC: the earlier one of two, and within a gap the one before it.
    pub(super) fn at_local(&self, seconds: i64) -> i64 {
        let Self::Named(zone) = self else { return self.at_instant(seconds) };
        let epoch = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);
        let Ok(local) = epoch.checked_add(SignedDuration::from_secs(seconds)) else { return 0 };
        let offset = match zone.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset,
            AmbiguousOffset::Gap { before, .. } | AmbiguousOffset::Fold { before, .. } => before,
        };
        i64::from(offset.seconds())
    }
}

/// `+hh:mm` or `+hh:mm:ss`.
fn offset_seconds(text: &str) -> Option<i64> {
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let mut seconds = 0;
    let parts: Vec<&str> = text[1..].split(':').collect();
    if !(2..=3).contains(&parts.len()) {
        return None;
    }
    for (part, unit) in parts.iter().zip([3600, 60, 1]) {
        if part.len() != 2 || !part.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        seconds += part.parse::<i64>().ok()? * unit;
    }
    Some(sign * seconds)
}

/// A time of day or a moment with an offset, as ISO 8601 has it: the forms of `ZonedTime` and `ZonedTimestamp`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Zoned {
    /// The seconds of the local time, since 1970 or since midnight.
    pub(super) local: i64,
    /// The fraction of the second.
    nanos: u32,
    /// The offset from UTC in seconds.
    pub(super) offset: i64,
}

impl Zoned {
    /// Reads `2024-01-01T10:00:00.123Z`.
    pub(super) fn parse_timestamp(text: &str) -> Option<Self> {
        let (date, time) = text.split_once(['T', 't'])?;
        let digits = date.strip_prefix(['-', '+']).unwrap_or(date);
        let mut parts = digits.splitn(3, '-');
        let mut part = || parts.next().and_then(|part| part.parse::<i64>().ok());
        let year = part()?;
        let year = if date.starts_with('-') { -year } else { year };
        let days = crate::java::to_days(year, part()?, part()?);
        let time = Self::parse_time(time)?;
        Some(Self { local: days * 86_400 + time.local, ..time })
    }

    /// Reads a time of day: `10:00:00.123Z`.
    pub(super) fn parse_time(text: &str) -> Option<Self> {
        let zone_at = text.find(['Z', 'z', '+', '-'])?;
        let (time, zone) = text.split_at(zone_at);
        let offset = if zone.eq_ignore_ascii_case("Z") { 0 } else { offset_seconds(zone)? };
        let (clock, fraction) = time.split_once('.').unwrap_or((time, ""));
        let mut local = 0;
        for (part, unit) in clock.split(':').zip([3600, 60, 1]) {
            local += part.parse::<i64>().ok()? * unit;
        }
        let nanos = if fraction.is_empty() { 0 } else { format!("{fraction:0<9}").parse().ok()? };
        Some(Self { local, nanos, offset })
    }

    /// The same instant at another offset.
    pub(super) fn at_offset(self, offset: i64) -> Self {
        Self { local: self.local - self.offset + offset, offset, ..self }
    }

    /// Writes a moment: `2024-01-01T18:00:00.123+08:00`. A year beyond 9999 has a sign before it, as in Java.
    pub(super) fn timestamp(self) -> String {
        let moment = crate::java::Moment::of(self.local * 1000);
        let year = match moment.year {
            year @ 0..=9999 => format!("{year:04}"),
            year if year > 9999 => format!("+{year}"),
            year => format!("-{:04}", -year),
        };
        format!("{year}-{:02}-{:02}T{}", moment.month, moment.day, self.time())
    }

    /// Writes a time of day: `18:00:00.123+08:00`, with no zeros at the end of the fraction.
    pub(super) fn time(self) -> String {
        let clock = self.local.rem_euclid(86_400);
        let mut out = format!("{:02}:{:02}:{:02}", clock / 3600, clock / 60 % 60, clock % 60);
        if self.nanos > 0 {
            let digits = format!("{:09}", self.nanos);
            out.push('.');
            out.push_str(digits.trim_end_matches('0'));
        }
        if self.offset == 0 {
            out.push('Z');
            return out;
        }
        let magnitude = self.offset.abs();
        let sign = if self.offset < 0 { '-' } else { '+' };
        out.push_str(&format!("{sign}{:02}:{:02}", magnitude / 3600, magnitude / 60 % 60));
        if magnitude % 60 != 0 {
            out.push_str(&format!(":{:02}", magnitude % 60));
        }
        out
    }
}
