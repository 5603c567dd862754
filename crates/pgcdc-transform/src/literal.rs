//! Connect's text form of values, which `SimpleHeaderConverter` writes and `InsertHeader` reads.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::data::{Decimal, Kind, Logical, Schema, SchemaBuilder, Value};
use crate::java::{self, DateFormat};

const DATE: &str = "yyyy-MM-dd";
const TIME: &str = "HH:mm:ss.SSS'Z'";
const TIMESTAMP: &str = "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'";

/// Writes a value as text: a string as it is, but in quotes within a list or a map.
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

/// Reads a literal and finds its schema: `7` is a byte, `1.5` a float, `[1,2]` a list, `2024-01-01` a date, anything else
/// a string.
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

/// The text is no literal, and therefore a string.
struct Reverted;

type Literal = (Option<Schema>, Value);

/// Splits a text into tokens: single delimiters, and the text between two of them.
struct Parser<'a> {
    chars: &'a [char],
    at: usize,
    next: Option<String>,
    previous: Option<String>,
}

impl Parser<'_> {
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

    fn take(&mut self) -> String {
        let token = match self.next.take() {
            Some(token) => token,
            None => self.scan(),
        };
        self.previous = Some(token.clone());
        token
    }

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

    fn word(&mut self, embedded: bool, word: &str) -> bool {
        let start = self.mark();
        if self.consume(word) && (embedded || !self.has_next()) {
            return true;
        }
        self.rewind(start);
        false
    }

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

    fn quoted(&mut self) -> Literal {
        let mut content = String::new();
        while self.has_next() && !self.consume("\"") {
            content.push_str(&self.take());
        }
        temporal(&content)
            .unwrap_or_else(|| (Some(Schema::plain(Kind::String, false)), Value::text(&content)))
    }

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
