//! `java.text.SimpleDateFormat` in UTC and in English.
//!
//! Letters of a pattern are fields, all other characters are text, and text in `'…'` may have letters, too. The number of
//! letters is the least width of a number; three letters of a month or weekday give its short name, four its long one.
//!
//! Reading is lenient, as in Java: a month 13 is January of the next year, and text behind the last field is ignored.
//!
//! Differences from Java: a Java machine's own time zone and language never matter, `z` reads only `UTC`, `GMT` and
//! offsets, and a two-digit year means one between 1946 and 2045, whatever the present year.

use super::calendar::{Moment, to_days_of_either_calendar};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
/// The letters that are fields.
const LETTERS: &str = "GyMdkHmsSEDFwWahKzZYuXL";

/// The first year that a two-digit year may mean; in Java it is eighty years before the present.
const CENTURY_START: i64 = 1946;

/// A part of a pattern.
#[derive(Clone, Debug, PartialEq)]
enum Token {
    Text(String),
    /// A letter and how often it stands there.
    Field(char, usize),
}

/// A compiled pattern.
#[derive(Clone, Debug)]
pub(crate) struct DateFormat {
    pattern: String,
    parts: Vec<Token>,
}

impl DateFormat {
    /// Compiles a pattern; the error is Java's message.
    pub(crate) fn compile(pattern: &str) -> Result<Self, String> {
        let mut parts: Vec<Token> = Vec::new();
        let literal = |c: char, parts: &mut Vec<Token>| match parts.last_mut() {
            Some(Token::Text(text)) => text.push(c),
            _ => parts.push(Token::Text(c.to_string())),
        };
        let mut chars = pattern.chars().peekable();
        let mut quoted = false;
        while let Some(c) = chars.next() {
            if c == '\'' {
                if chars.peek() == Some(&'\'') {
                    chars.next();
                    literal('\'', &mut parts);
                } else {
                    quoted = !quoted;
                }
            } else if quoted || !c.is_ascii_alphabetic() {
                literal(c, &mut parts);
            } else if !LETTERS.contains(c) {
                return Err(format!("Illegal pattern character '{c}'"));
            } else {
                let mut count = 1;
                while chars.peek() == Some(&c) {
                    chars.next();
                    count += 1;
                }
                if c == 'X' && count > 3 {
                    return Err(format!("invalid ISO 8601 format: length={count}"));
                }
                parts.push(Token::Field(c, count));
            }
        }
        if quoted {
            Err("Unterminated quote".to_owned())
        } else {
            Ok(Self { pattern: pattern.to_owned(), parts })
        }
    }

    /// The pattern as it was written.
    pub(crate) fn pattern(&self) -> &str {
        &self.pattern
    }

    /// Writes a moment, given in milliseconds since 1970.
    pub(crate) fn format(&self, millis: i64) -> String {
        let moment = Moment::of_either_calendar(millis);
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Token::Text(text) => out.push_str(text),
                Token::Field(letter, count) => write_field(*letter, *count, &moment, &mut out),
            }
        }
        out
    }

    /// Reads a moment, in milliseconds since 1970, from the beginning of a text; `None` where the text does not fit.
    pub(crate) fn parse(&self, text: &str) -> Option<i64> {
        let mut reading = Reading::default();
        let mut rest = text;
        for (at, part) in self.parts.iter().enumerate() {
            match part {
                Token::Text(literal) => rest = rest.strip_prefix(literal.as_str())?,
                Token::Field(letter, count) => {
                    // When digits of the next field follow at once, this field takes only as many as its letters.
                    let adjacent = matches!(self.parts.get(at + 1), Some(Token::Field(next, width)) if is_number(*next, *width));
                    let exact = adjacent.then_some(*count);
                    rest = reading.field(*letter, *count, exact, rest.trim_start_matches([' ', '\t']))?;
                }
            }
        }
        reading.millis()
    }
}

/// Whether a field is written as a number.
fn is_number(letter: char, count: usize) -> bool {
    match letter {
        'G' | 'E' | 'a' | 'z' | 'Z' | 'X' => false,
        'M' | 'L' => count < 3,
        _ => true,
    }
}

/// Writes one field.
fn write_field(letter: char, count: usize, moment: &Moment, out: &mut String) {
    let mut number = |value: i64| out.push_str(&format!("{value:0count$}"));
    match letter {
        'G' => out.push_str(if moment.year > 0 { "AD" } else { "BC" }),
        'y' | 'Y' => {
            let year = if letter == 'Y' { week_year(moment) } else { moment.year };
            let of_era = if year > 0 { year } else { 1 - year };
            if count == 2 {
                out.push_str(&format!("{:02}", of_era % 100));
            } else {
                number(of_era);
            }
        }
        'M' | 'L' => match (count, usize::try_from(moment.month - 1).ok().and_then(|at| MONTHS.get(at))) {
            (4.., Some(name)) => out.push_str(name),
            (3, Some(name)) => out.push_str(&name[..3]),
            _ => number(moment.month),
        },
        'd' => number(moment.day),
        'D' => number(moment.day_of_year),
        'F' => number((moment.day - 1) / 7 + 1),
        'w' => number(week_of_year(moment)),
        'W' => number((moment.day - 1 + (moment.weekday - (moment.day - 1)).rem_euclid(7)) / 7 + 1),
        'E' => {
            let name = usize::try_from(moment.weekday).ok().and_then(|at| WEEKDAYS.get(at)).unwrap_or(&"");
            out.push_str(if count >= 4 { name } else { &name[..3] });
        }
        'u' => number(if moment.weekday == 0 { 7 } else { moment.weekday }),
        'a' => out.push_str(if moment.hour() < 12 { "AM" } else { "PM" }),
        'H' => number(moment.hour()),
        'k' => number(if moment.hour() == 0 { 24 } else { moment.hour() }),
        'K' => number(moment.hour() % 12),
        'h' => number(if moment.hour() % 12 == 0 { 12 } else { moment.hour() % 12 }),
        'm' => number(moment.minute()),
        's' => number(moment.second()),
        'S' => number(moment.milli()),
        'z' => out.push_str(if count >= 4 { "Coordinated Universal Time" } else { "UTC" }),
        'Z' => out.push_str("+0000"),
        _ => out.push('Z'),
    }
}

/// The week of the year. Weeks begin on Sunday, and the first week has 1 January in it.
fn week_of_year(moment: &Moment) -> i64 {
    if week_year(moment) > moment.year {
        return 1;
    }
    let first = (moment.weekday - (moment.day_of_year - 1)).rem_euclid(7);
    (moment.day_of_year - 1 + first) / 7 + 1
}

/// The year that the week belongs to: the last days of December may be in the first week of the next year.
fn week_year(moment: &Moment) -> i64 {
    let length =
        to_days_of_either_calendar(moment.year + 1, 1, 1) - to_days_of_either_calendar(moment.year, 1, 1);
    let next_new_year = (moment.weekday + (length - moment.day_of_year) + 1).rem_euclid(7);
    moment.year + i64::from(next_new_year != 0 && length - moment.day_of_year < next_new_year)
}

/// The fields read so far. Fields that are missing are those of midnight on 1970-01-01.
#[derive(Debug, Default)]
struct Reading {
    before_christ: bool,
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    hour: Option<i64>,
    half_hour: Option<i64>,
    afternoon: bool,
    minute: i64,
    second: i64,
    milli: i64,
    offset_minutes: i64,
}

impl Reading {
    /// Reads one field and returns the text behind it. `exact` is the width of a number that another number follows at once.
    fn field<'a>(
        &mut self,
        letter: char,
        count: usize,
        exact: Option<usize>,
        text: &'a str,
    ) -> Option<&'a str> {
        match letter {
            'G' => {
                return named(text, &["BC", "AD"]).map(|(at, rest)| (self.before_christ = at == 0, rest).1);
            }
            'a' => return named(text, &["AM", "PM"]).map(|(at, rest)| (self.afternoon = at == 1, rest).1),
            'E' => return weekday(text),
            'M' | 'L' if count >= 3 => {
                let short: Vec<&str> = MONTHS.iter().map(|name| &name[..3]).collect();
                let (at, rest) = named(text, &MONTHS).or_else(|| named(text, &short))?;
                self.month = i64::try_from(at + 1).ok();
                return Some(rest);
            }
            'z' | 'Z' | 'X' => {
                let (minutes, rest) = offset(text, letter, count)?;
                self.offset_minutes = minutes;
                return Some(rest);
            }
            _ => {}
        }
        let (value, width, rest) = digits(text, exact)?;
        match letter {
            'y' | 'Y' => {
                let short = count <= 2 && width == 2 && value >= 0;
                self.year = Some(if short { in_century(value) } else { value });
            }
            'M' | 'L' => self.month = Some(value),
            'd' => self.day = Some(value),
            'D' => self.day_of_year = Some(value),
            'H' => self.hour = Some(value),
            'k' => self.hour = Some(if value == 24 { 0 } else { value }),
            'K' => self.half_hour = Some(value),
            'h' => self.half_hour = Some(if value == 12 { 0 } else { value }),
            'm' => self.minute = value,
            's' => self.second = value,
            'S' => self.milli = value,
            _ => {}
        }
        Some(rest)
    }

    /// The moment. A day of the year counts only where neither month nor day is there.
    /// `None` when it is further away than 64 bits of milliseconds reach.
    fn millis(&self) -> Option<i64> {
        let year = self.year.unwrap_or(1970);
        let year = if self.before_christ { 1 - year } else { year };
        let days = match (self.day_of_year, self.month, self.day) {
            (Some(day), None, None) => to_days_of_either_calendar(year, 1, 1) + day - 1,
            (_, month, day) => to_days_of_either_calendar(year, month.unwrap_or(1), day.unwrap_or(1)),
        };
        let hour =
            self.hour.unwrap_or_else(|| self.half_hour.unwrap_or(0) + if self.afternoon { 12 } else { 0 });
        let minutes = i128::from(days * 1440 + hour * 60 + self.minute - self.offset_minutes);
        i64::try_from((minutes * 60 + i128::from(self.second)) * 1000 + i128::from(self.milli)).ok()
    }
}

/// The year that two digits mean.
const fn in_century(two_digits: i64) -> i64 {
    let year = CENTURY_START / 100 * 100 + two_digits;
    if year < CENTURY_START { year + 100 } else { year }
}

/// Reads a number: its value, its width in digits, and the text behind it. Java keeps the lower 32 bits of the value.
fn digits(text: &str, exact: Option<usize>) -> Option<(i64, usize, &str)> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let sign = text.len() - unsigned.len();
    let found = unsigned.bytes().take_while(u8::is_ascii_digit).count();
    let width = exact.map_or(found, |width| width.saturating_sub(sign).min(found));
    if width == 0 {
        return None;
    }
    let (number, rest) = text.split_at(sign + width);
    let number: i64 = number.parse().ok()?;
    Some((i64::from(number as i32), width, rest))
}

/// Reads one of these names, in any case: its position, and the text behind it.
fn named<'a>(text: &'a str, names: &[&str]) -> Option<(usize, &'a str)> {
    names.iter().enumerate().find_map(|(at, name)| {
        let head = text.get(..name.len())?;
        head.eq_ignore_ascii_case(name).then(|| (at, &text[name.len()..]))
    })
}

/// Skips the name of a weekday, which says nothing that the date does not say.
fn weekday(text: &str) -> Option<&str> {
    let short: Vec<&str> = WEEKDAYS.iter().map(|name| &name[..3]).collect();
    named(text, &WEEKDAYS).or_else(|| named(text, &short)).map(|(_, rest)| rest)
}

/// Reads a zone: its offset in minutes, and the text behind it.
fn offset(text: &str, letter: char, count: usize) -> Option<(i64, &str)> {
    if letter == 'X' {
        if let Some(rest) = text.strip_prefix('Z') {
            return Some((0, rest));
        }
    } else {
        for zone in ["UTC", "GMT", "UT"] {
            if let Some(rest) = text.strip_prefix(zone) {
                return Some(signed_offset(rest, 3).unwrap_or((0, rest)));
            }
        }
    }
    signed_offset(text, if letter == 'X' { count } else { 2 })
}

/// `+hh` for 1, `+hhmm` for 2, `+hh:mm` for 3.
fn signed_offset(text: &str, form: usize) -> Option<(i64, &str)> {
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let rest = text.strip_prefix(['+', '-'])?;
    let two =
        |text: &str| text.get(..2).filter(|t| t.bytes().all(|b| b.is_ascii_digit()))?.parse::<i64>().ok();
    let hours = two(rest)?;
    let mut rest = &rest[2..];
    let mut minutes = 0;
    if form > 1 {
        if form == 3 {
            rest = rest.strip_prefix(':')?;
        }
        minutes = two(rest)?;
        rest = &rest[2..];
    }
    (hours < 24 && minutes < 60).then_some((sign * (hours * 60 + minutes), rest))
}

#[test]
fn a_year_that_no_number_of_milliseconds_reaches_is_not_read() {
    let format = DateFormat::compile("yyyy-MM-dd").expect("a pattern");
    assert_eq!(format.parse("1970-01-02"), Some(86_400_000));
    assert!(format.parse("292270000-01-01").is_some());
    for text in ["292280000-01-01", "999999999-12-31", "2147483647-01-01"] {
        assert_eq!(format.parse(text), None, "{text}");
    }
    // 2^32 + 1970: Java takes the lower half.
    assert_eq!(format.parse("4294969266-01-01"), Some(0));
}
