//! Connect's text form of values, which `SimpleHeaderConverter` writes and `InsertHeader` reads.
//!
//! | text | value |
//! |---|---|
//! | `7`, `300`, `70000` | the smallest of `int8`, `int16`, `int32`, `int64` that holds it |
//! | `1.5` | `float32`, or `float64` when it is too large |
//! | `true`, `false`, `null` | as they are |
//! | `2024-01-31`, `13:14:15.000Z`, `2024-01-31T13:14:15.000Z` | Connect's `Date`, `Time`, `Timestamp` |
//! | `[1,2]`, `{"a":1}` | an array, a map |
//! | anything else | a text |
//!
//! Elements of an array, and keys and values of a map, share the widest of their types. Where they have none in common the
//! schema says nothing of them. Inside of `[…]` and `{…}` a text needs quotes; without them the whole is one text.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::data::{Decimal, Kind, Logical, Schema, SchemaBuilder, Value};
use crate::java::{self, DateFormat};

const DATE: &str = "yyyy-MM-dd";
const TIME: &str = "HH:mm:ss.SSS'Z'";
const TIMESTAMP: &str = "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'";

/// Writes a value as text: a string as it is, but in quotes within a list or a map. Bytes become base64, and a struct is
/// written as a map.
///
/// ```
/// use pgcdc_transform::data::Value;
/// use pgcdc_transform::literal::to_text;
///
/// assert_eq!(to_text(&Value::text("Oslo")), "Oslo");
/// assert_eq!(to_text(&Value::Array(vec![Value::text("Oslo"), Value::Int8(7)].into())), r#"["Oslo",7]"#);
/// ```
#[must_use]
pub fn to_text(value: &Value) -> String {
    let mut out = String::new();
    append(value, false, &mut out);
    out
}

fn append(value: &Value, embedded: bool, out: &mut String) {
    let quoted = |text: &str, out: &mut String| {
        if embedded {
            out.push('"');
            out.push_str(&text.replace('\\', "\\\\").replace('"', "\\\""));
            out.push('"');
        } else {
            out.push_str(text);
        }
    };
    match value {
        Value::String(text) => quoted(text, out),
        Value::Bytes(bytes) => quoted(&STANDARD.encode(bytes), out),
        Value::Date(millis) => out.push_str(&date_text(*millis)),
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                append(item, true, out);
            }
            out.push(']');
        }
        Value::Map(entries) => append_entries(entries.iter().map(|(key, value)| (key, value)), out),
        Value::Struct(inner) => {
            let names: Vec<Value> =
                inner.schema().fields().iter().map(|field| Value::String(Arc::clone(&field.name))).collect();
            append_entries(names.iter().enumerate().map(|(at, name)| (name, inner.at(at))), out);
        }
        other => out.push_str(&java::show(other)),
    }
}

fn append_entries<'a>(entries: impl Iterator<Item = (&'a Value, &'a Value)>, out: &mut String) {
    out.push('{');
    for (at, (key, value)) in entries.enumerate() {
        if at > 0 {
            out.push(',');
        }
        append(key, true, out);
        out.push(':');
        append(value, true, out);
    }
    out.push('}');
}

/// Writes milliseconds since 1970 as Connect does: only the time on 1970-01-01, only the date at midnight, else both.
///
/// A moment before 1970 is taken for one of 1970-01-01: only its time is written, and the date is lost. Kafka does the same.
///
/// ```
/// use pgcdc_transform::literal::date_text;
///
/// assert_eq!(date_text(1_711_843_200_000), "2024-03-31");
/// assert_eq!(date_text(1_711_846_800_123), "2024-03-31T01:00:00.123Z");
/// assert_eq!(date_text(3_600_000), "01:00:00.000Z");
/// ```
#[must_use]
pub fn date_text(millis: i64) -> String {
    let pattern = if millis < 86_400_000 {
        TIME
    } else if millis % 86_400_000 == 0 {
        DATE
    } else {
        TIMESTAMP
    };
    DateFormat::compile(pattern).map(|format| format.format(millis)).unwrap_or_default()
}

/// Reads a literal and finds its schema. The schema is `None` for the text `null`.
///
/// ```
/// use pgcdc_transform::data::Value;
/// use pgcdc_transform::literal::parse;
///
/// assert_eq!(parse("7").1, Value::Int8(7));
/// assert_eq!(parse("[1, 300]").1, Value::Array(vec![Value::Int16(1), Value::Int16(300)].into()));
/// assert_eq!(parse("[1, two]").1, Value::text("[1, two]"));
/// ```
#[must_use]
pub fn parse(text: &str) -> (Option<Schema>, Value) {
    let string = || (Some(Schema::plain(Kind::String, false)), Value::text(text));
    if text.is_empty() {
        return string();
    }
    let chars: Vec<char> = text.chars().collect();
    let mut parser = Parser { chars: &chars, at: 0, next: None, previous: None };
    match parser.parse(false) {
        Ok(Some((schema, value))) => (schema, value),
        Ok(None) => (None, Value::Null),
        Err(Reverted) => string(),
    }
}

/// The error of a text that is no literal: its reader goes back to the beginning and takes it for a string.
struct Reverted;

/// A value with its schema.
type Literal = (Option<Schema>, Value);

/// Splits a text into tokens: single delimiters, and the text between two of them. It follows Kafka's `Values` step by step,
/// since the odd texts (a lone bracket, a colon in a time) are decided by those steps.
struct Parser<'a> {
    chars: &'a [char],
    /// The position behind the last token that was read.
    at: usize,
    /// A token that was read and not taken.
    next: Option<String>,
    previous: Option<String>,
}

impl Parser<'_> {
    /// The position to go back to.
    fn mark(&self) -> usize {
        self.at - self.next.as_ref().map_or(0, |token| token.chars().count())
    }

    fn rewind(&mut self, position: usize) {
        self.at = position;
        self.next = None;
        self.previous = None;
    }

    fn has_next(&self) -> bool {
        self.next.is_some() || self.at < self.chars.len()
    }

    /// Takes the next token, whatever it is.
    fn take(&mut self) -> String {
        let token = match self.next.take() {
            Some(token) => token,
            None => self.scan(),
        };
        self.previous = Some(token.clone());
        token
    }

    /// Reads the next token. A backslash before a delimiter makes it part of the text.
    fn scan(&mut self) -> String {
        let start = self.at;
        let mut escaped = false;
        while let Some(c) = self.chars.get(self.at) {
            match c {
                '\\' => escaped = !escaped,
                ':' | ',' | '{' | '}' | '[' | ']' | '"' => {
                    if !escaped {
                        if start == self.at {
                            self.at += 1;
                        }
                        return self.chars[start..self.at].iter().collect();
                    }
                    escaped = false;
                }
                _ => escaped = false,
            }
            self.at += 1;
        }
        self.chars[start..].iter().collect()
    }

    /// Takes the next token if it is this one. Blank tokens before it are skipped.
    fn consume(&mut self, expected: &str) -> bool {
        if self.next.is_none() {
            if !self.has_next() {
                return false;
            }
            self.next = Some(self.scan());
        }
        while self.next.as_ref().is_some_and(|token| token.trim().is_empty()) && self.at < self.chars.len() {
            self.next = Some(self.scan());
        }
        let found = self.next.as_ref().is_some_and(|token| token.trim() == expected);
        if found {
            self.next = None;
        }
        found
    }

    /// Takes a word if it comes next and, outside of arrays and maps, is all that is left.
    fn word(&mut self, embedded: bool, word: &str) -> bool {
        let start = self.mark();
        if self.consume(word) && (embedded || !self.has_next()) {
            return true;
        }
        self.rewind(start);
        false
    }

    /// Reads a value; `None` for null. `embedded` says whether it is within an array or a map.
    fn parse(&mut self, embedded: bool) -> Result<Option<Literal>, Reverted> {
        if !self.has_next() {
            return Ok(None);
        }
        if embedded && self.consume("\"") {
            return Ok(Some(self.quoted()));
        }
        if self.word(embedded, "null") {
            return Ok(None);
        }
        for (word, value) in [("true", true), ("false", false)] {
            if self.word(embedded, word) {
                return Ok(Some((Some(Schema::plain(Kind::Boolean, false)), Value::Boolean(value))));
            }
        }
        let start = self.mark();
        let container = if self.consume("[") {
            self.array()
        } else if self.consume("{") {
            self.map()
        } else {
            Err(Reverted)
        };
        if let Ok(found) = container {
            return Ok(Some(found));
        }
        self.rewind(start);
        let token = self.take();
        if token.trim().is_empty() {
            return Ok(Some((Some(Schema::plain(Kind::String, false)), Value::text(&token))));
        }
        self.scalar(embedded, token.trim()).map(Some)
    }

    /// Reads a date, a number, or (outside of arrays and maps) the whole as a text.
    fn scalar(&mut self, embedded: bool, token: &str) -> Result<Literal, Reverted> {
        let first = token.chars().next().unwrap_or(' ');
        if first.is_ascii_digit()
            && let Some(found) = self.temporal_of_tokens(token)
        {
            return Ok(found);
        }
        if (first.is_ascii_digit() || first == '+' || first == '-')
            && let Some(found) = number(token)
        {
            return Ok(found);
        }
        if embedded {
            return Err(Reverted);
        }
        let original: String = self.chars.iter().collect();
        Ok((Some(Schema::plain(Kind::String, false)), Value::text(&original)))
    }

    /// Reads a time, whose colons have split it into several tokens.
    fn temporal_of_tokens(&mut self, token: &str) -> Option<Literal> {
        let position = self.mark();
        let mut joined = token.to_owned();
        let mut complete = true;
        for _ in 0..4 {
            complete &= self.has_next();
            if complete {
                joined.push_str(&self.take());
            }
        }
        if complete && let Some(found) = temporal(&joined) {
            return Some(found);
        }
        self.rewind(position);
        temporal(token)
    }

    /// Reads a text behind its opening quote. A date in quotes is a date.
    fn quoted(&mut self) -> Literal {
        let mut content = String::new();
        while self.has_next() && !self.consume("\"") {
            content.push_str(&self.take());
        }
        temporal(&content)
            .unwrap_or_else(|| (Some(Schema::plain(Kind::String, false)), Value::text(&content)))
    }

    /// Reads an array behind its opening bracket.
    fn array(&mut self) -> Result<Literal, Reverted> {
        let mut items = Vec::new();
        let mut of = Merger::default();
        while self.has_next() {
            if self.consume("]") {
                let schema = match of.common {
                    Some(common) => {
                        items =
                            items.into_iter().map(|item| align(&common, item)).collect::<Result<_, _>>()?;
                        SchemaBuilder::array(common).build()
                    }
                    None => Schema::plain(Kind::Array, false),
                };
                return Ok((Some(schema), Value::Array(items.into())));
            }
            if self.consume(",") {
                return Err(Reverted);
            }
            let element = self.parse(true)?;
            of.merge(element.as_ref());
            items.push(element.map_or(Value::Null, |(_, value)| value));
            let position = self.mark();
            if self.consume("]") {
                self.rewind(position);
            } else if !self.consume(",") {
                return Err(Reverted);
            }
        }
        Err(Reverted)
    }

    /// Reads a map behind its opening brace. Of two entries with one key the later value counts.
    fn map(&mut self) -> Result<Literal, Reverted> {
        let mut entries: Vec<(Value, Value)> = Vec::new();
        let (mut keys, mut values) = (Merger::default(), Merger::default());
        while self.has_next() {
            if self.consume("}") {
                let schema = match (keys.common, values.common) {
                    (Some(key), Some(value)) => {
                        for entry in &mut entries {
                            *entry = (align(&key, entry.0.clone())?, align(&value, entry.1.clone())?);
                        }
                        SchemaBuilder::map(key, value).build()
                    }
                    (Some(key), None) => {
                        for entry in &mut entries {
                            entry.0 = align(&key, entry.0.clone())?;
                        }
                        SchemaBuilder::new(Kind::Map).keys(key).build()
                    }
                    _ => Schema::plain(Kind::Map, false),
                };
                return Ok((Some(schema), Value::Map(entries.into())));
            }
            if self.consume(",") {
                return Err(Reverted);
            }
            let key = self.parse(true)?.filter(|(_, key)| !key.is_null()).ok_or(Reverted)?;
            if !self.consume(":") {
                return Err(Reverted);
            }
            let value = self.parse(true)?;
            let held = value.as_ref().map_or(Value::Null, |(_, value)| value.clone());
            match entries.iter_mut().find(|(known, _)| *known == key.1) {
                Some((_, slot)) => *slot = held,
                None => entries.push((key.1.clone(), held)),
            }
            self.consume(",");
            keys.merge(Some(&key));
            values.merge(value.as_ref());
        }
        Err(Reverted)
    }
}

/// The common schema of elements: the wider one of two numbers.
#[derive(Default)]
struct Merger {
    common: Option<Schema>,
    /// Whether two elements had nothing in common; then no later one brings a schema back.
    apart: bool,
}

impl Merger {
    fn merge(&mut self, latest: Option<&Literal>) {
        let Some((Some(latest), _)) = latest else { return };
        if self.apart {
            return;
        }
        let merged = match self.common.take() {
            None => Some(latest.clone()),
            Some(common) if common.kind() == latest.kind() => Some(latest.clone()),
            Some(common) if is_number(common.kind()) && is_number(latest.kind()) => {
                Some(if common.kind() > latest.kind() { common } else { latest.clone() })
            }
            Some(_) => None,
        };
        self.apart = merged.is_none();
        self.common = merged;
    }
}

const fn is_number(kind: Kind) -> bool {
    matches!(kind, Kind::Int8 | Kind::Int16 | Kind::Int32 | Kind::Int64 | Kind::Float32 | Kind::Float64)
}

/// An element as a value of the common schema. A required schema allows no null, which makes the whole a text.
fn align(schema: &Schema, value: Value) -> Result<Value, Reverted> {
    if value.is_null() {
        return if schema.is_optional() { Ok(value) } else { Err(Reverted) };
    }
    if schema.logical().is_some() || value.kind() == Some(schema.kind()) {
        return Ok(value);
    }
    let whole = match value {
        Value::Int8(n) => i64::from(n),
        Value::Int16(n) => i64::from(n),
        Value::Int32(n) => i64::from(n),
        Value::Int64(n) => n,
        Value::Float32(n) => return Ok(Value::Float64(f64::from(n))),
        other => return Ok(other),
    };
    Ok(match schema.kind() {
        Kind::Int16 => i16::try_from(whole).map_or(Value::Null, Value::Int16),
        Kind::Int32 => i32::try_from(whole).map_or(Value::Null, Value::Int32),
        Kind::Float32 => Value::Float32(whole as f64 as f32),
        Kind::Float64 => Value::Float64(whole as f64),
        _ => Value::Int64(whole),
    })
}

/// A date, a time or a timestamp, told apart by the length of the text.
fn temporal(token: &str) -> Option<Literal> {
    let token = token.replace("\\:", ":");
    let (logical, kind, pattern) = match token.chars().count() {
        13 => (Logical::Time, Kind::Int32, TIME),
        24 => (Logical::Timestamp, Kind::Int64, TIMESTAMP),
        10 => (Logical::Date, Kind::Int32, DATE),
        _ => return None,
    };
    let millis = DateFormat::compile(pattern).ok()?.parse(&token)?;
    let schema = SchemaBuilder::new(kind).named(logical.name()).version(1).build();
    Some((Some(schema), Value::Date(millis)))
}

/// A number in the smallest type that holds it; `Decimal` where none does.
fn number(token: &str) -> Option<Literal> {
    let decimal = Decimal::parse(token)?;
    let plain = |kind: Kind, value: Value| Some((Some(Schema::plain(kind, false)), value));
    let magnitude = decimal.to_f64().abs();
    let exact = decimal.is_zero() || (1.0..=1e19).contains(&magnitude);
    if exact
        && decimal.is_whole()
        && let Ok(whole) = i64::try_from(decimal.whole())
    {
        return if let Ok(n) = i8::try_from(whole) {
            plain(Kind::Int8, Value::Int8(n))
        } else if let Ok(n) = i16::try_from(whole) {
            plain(Kind::Int16, Value::Int16(n))
        } else if let Ok(n) = i32::try_from(whole) {
            plain(Kind::Int32, Value::Int32(n))
        } else {
            plain(Kind::Int64, Value::Int64(whole))
        };
    }
    if decimal.scale() != 0 && decimal.to_f32().is_finite() {
        return plain(Kind::Float32, Value::Float32(decimal.to_f32()));
    }
    if decimal.scale() != 0 && decimal.to_f64().is_finite() {
        return plain(Kind::Float64, Value::Float64(decimal.to_f64()));
    }
    let scale = ("scale".into(), decimal.scale().to_string().into());
    let schema = SchemaBuilder::new(Kind::Bytes)
        .named(Logical::Decimal.name())
        .version(1)
        .parameters([scale].into())
        .build();
    Some((Some(schema), Value::Decimal(decimal.into())))
}
