use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::scan::{DEEPEST, Scanner};
use super::{Json, schema};
use crate::Fault;
use crate::data::{Decimal, Kind, Logical, Schema, Struct, Value};

/// How many schemas are kept: a key's and a value's for each table that is busy at a time.
const KEPT: usize = 256;

const HEAD: &[u8] = b"{\"schema\":";
const MIDDLE: &[u8] = b",\"payload\":";

/// Reads what `JsonConverter` writes with schemas, null for null whatever the default.
///
/// A schema is parsed once, and recognised by its bytes after that.
#[derive(Debug, Default)]
pub struct JsonReader {
    /// The most recently used one first.
    known: Vec<(Box<[u8]>, Option<Schema>)>,
}

impl JsonReader {
    /// Reads `{"schema":…,"payload":…}`; of nothing, nothing.
    ///
    /// # Errors
    /// When it is not of that form, or the payload not of the schema.
    pub fn read(&mut self, text: Option<&[u8]>) -> Result<(Option<Schema>, Value), Fault> {
        let Some(text) = text else { return Ok((None, Value::Null)) };
        let body = text.strip_prefix(HEAD).ok_or_else(not_schemaful)?;
        let found = self
            .known
            .iter()
            .position(|(bytes, _)| body.strip_prefix(&**bytes).is_some_and(|rest| rest.starts_with(MIDDLE)));
        match found {
            Some(0) => {}
            Some(at) => self.known[..=at].rotate_right(1),
            None => self.learn(body)?,
        }
        let (bytes, schema) = &self.known[0];
        let mut scanner = Scanner::new(body);
        scanner.skip_to(bytes.len() + MIDDLE.len());
        let value = match schema {
            Some(schema) => read_value(schema, &mut scanner, 0)?,
            None => untyped(&Json::read(&mut scanner, 0)?),
        };
        scanner.expect(b'}')?;
        Ok((schema.clone(), value))
    }

    fn learn(&mut self, body: &[u8]) -> Result<(), Fault> {
        let mut scanner = Scanner::new(body);
        scanner.skip()?;
        let bytes = &body[..scanner.position()];
        if !body[scanner.position()..].starts_with(MIDDLE) {
            return Err(not_schemaful());
        }
        let schema = schema::read(&Json::parse(bytes)?)?;
        self.known.truncate(KEPT - 1);
        self.known.insert(0, (bytes.into(), schema));
        Ok(())
    }
}

fn not_schemaful() -> Fault {
    Fault::data(
        "JsonConverter with schemas.enable requires \"schema\" and \"payload\" fields and may not contain additional fields.",
    )
}

fn null(schema: &Schema) -> Result<Value, Fault> {
    if schema.is_optional() || schema.default_value().is_some() {
        return Ok(Value::Null);
    }
    Err(Fault::data(format!("Invalid null value for required {} field", schema.kind())))
}

fn read_value(schema: &Schema, scanner: &mut Scanner<'_>, depth: usize) -> Result<Value, Fault> {
    if scanner.peek() == Some(b'n') && scanner.word("null") {
        return null(schema);
    }
    if depth > DEEPEST {
        return Err(Fault::data(format!("JSON nested deeper than {DEEPEST} levels")));
    }
    match (schema.kind(), schema.logical(), scanner.peek()) {
        (Kind::Struct, None, Some(b'{')) => read_struct(schema, scanner, depth),
        (Kind::Array, None, Some(b'[')) => {
            let items_schema = schema.value_schema().ok_or_else(|| Fault::data("array without items"))?;
            scanner.expect(b'[')?;
            let mut items = Vec::new();
            while !scanner.eat(b']') {
                if !items.is_empty() {
                    scanner.expect(b',')?;
                }
                items.push(read_value(items_schema, scanner, depth + 1)?);
            }
            Ok(Value::Array(items.into()))
        }
        (Kind::Map, None, Some(b'{')) => {
            let values = schema.value_schema().ok_or_else(|| Fault::data("map without values"))?;
            scanner.expect(b'{')?;
            let mut entries = Vec::new();
            while !scanner.eat(b'}') {
                if !entries.is_empty() {
                    scanner.expect(b',')?;
                }
                let key = Value::String(scanner.string()?.into());
                scanner.expect(b':')?;
                entries.push((key, read_value(values, scanner, depth + 1)?));
            }
            Ok(Value::Map(entries.into()))
        }
        (Kind::String, None, Some(b'"')) => Ok(Value::String(scanner.string()?.into())),
        _ => tree_to_value(schema, &Json::read(scanner, depth)?),
    }
}

fn read_struct(schema: &Schema, scanner: &mut Scanner<'_>, depth: usize) -> Result<Value, Fault> {
    let mut inner = Struct::new(schema.clone())?;
    scanner.expect(b'{')?;
    let mut first = true;
    let mut next = 0;
    while !scanner.eat(b'}') {
        if !first {
            scanner.expect(b',')?;
        }
        first = false;
        let name = scanner.string()?;
        scanner.expect(b':')?;
        // Fields come in the schema's order, so the next one is looked at first.
        let expected = schema.fields().get(next).is_some_and(|field| *field.name == *name);
        let at = if expected { Some(next) } else { schema.position(&name) };
        match at {
            None => scanner.skip()?,
            Some(at) => {
                next = at + 1;
                let value = read_value(&schema.fields()[at].schema, scanner, depth + 1)?;
                if !value.is_null() {
                    inner.put_at(at, value)?;
                }
            }
        }
    }
    Ok(Value::Struct(Arc::new(inner)))
}

/// A tree as a value of a schema.
pub(super) fn tree_to_value(schema: &Schema, json: &Json) -> Result<Value, Fault> {
    let bad = || Fault::data(format!("a value that is not of its schema {schema}"));
    if *json == Json::Null {
        return null(schema);
    }
    if let Some(logical) = schema.logical() {
        return match (logical, json) {
            (Logical::Decimal, Json::Number(digits)) => {
                Decimal::parse(digits).map(|d| Value::Decimal(d.into())).ok_or_else(bad)
            }
            (Logical::Decimal, Json::String(text)) => {
                let scale = schema.parameter("scale").and_then(|s| s.parse().ok());
                let scale = scale.ok_or_else(|| Fault::data("Invalid bytes for Decimal field"))?;
                let bytes = STANDARD.decode(&**text);
                let bytes = bytes.map_err(|_| Fault::data("Invalid bytes for Decimal field"))?;
                Ok(Value::Decimal(Decimal::from_bytes(&bytes, scale).into()))
            }
            (Logical::Date, Json::Number(digits)) => digits
                .parse::<i64>()
                .map(|days| Value::Date(days.wrapping_mul(86_400_000)))
                .map_err(|_| bad()),
            (Logical::Time | Logical::Timestamp, Json::Number(digits)) => {
                digits.parse().map(Value::Date).map_err(|_| bad())
            }
            _ => Err(bad()),
        };
    }
    match (schema.kind(), json) {
        (Kind::Boolean, Json::Bool(value)) => Ok(Value::Boolean(*value)),
        (Kind::Int8, Json::Number(n)) => n.parse().map(Value::Int8).map_err(|_| bad()),
        (Kind::Int16, Json::Number(n)) => n.parse().map(Value::Int16).map_err(|_| bad()),
        (Kind::Int32, Json::Number(n)) => n.parse().map(Value::Int32).map_err(|_| bad()),
        (Kind::Int64, Json::Number(n)) => n.parse().map(Value::Int64).map_err(|_| bad()),
        (Kind::Float32, Json::Number(n)) => n.parse().map(Value::Float32).map_err(|_| bad()),
        (Kind::Float64, Json::Number(n)) => n.parse().map(Value::Float64).map_err(|_| bad()),
        (Kind::Float32, Json::String(word)) => {
            special(word).map(|f| Value::Float32(f as f32)).ok_or_else(bad)
        }
        (Kind::Float64, Json::String(word)) => special(word).map(Value::Float64).ok_or_else(bad),
        (Kind::String, Json::String(text)) => Ok(Value::String(Arc::clone(text))),
        (Kind::Bytes, Json::String(text)) => {
            let bytes = STANDARD.decode(&**text).map_err(|_| Fault::data("Invalid bytes field"))?;
            Ok(Value::Bytes(bytes.into()))
        }
        (Kind::Array, Json::Array(items)) => {
            let of = schema.value_schema().ok_or_else(bad)?;
            let items: Result<Vec<_>, _> = items.iter().map(|item| tree_to_value(of, item)).collect();
            Ok(Value::Array(items?.into()))
        }
        (Kind::Map, Json::Object(entries)) => {
            let of = schema.value_schema().ok_or_else(bad)?;
            let entry = |(key, value): &(Arc<str>, Json)| {
                tree_to_value(of, value).map(|value| (Value::String(Arc::clone(key)), value))
            };
            Ok(Value::Map(entries.iter().map(entry).collect::<Result<Vec<_>, _>>()?.into()))
        }
        (Kind::Map, Json::Array(tuples)) => {
            let keys = schema.key_schema().ok_or_else(bad)?;
            let values = schema.value_schema().ok_or_else(bad)?;
            let mut entries = Vec::with_capacity(tuples.len());
            for tuple in tuples {
                let Json::Array(pair) = tuple else { return Err(bad()) };
                let [key, value] = &pair[..] else { return Err(bad()) };
                entries.push((tree_to_value(keys, key)?, tree_to_value(values, value)?));
            }
            Ok(Value::Map(entries.into()))
        }
        (Kind::Struct, Json::Object(_)) => {
            let mut inner = Struct::new(schema.clone())?;
            for (at, field) in schema.fields().iter().enumerate() {
                if let Some(json) = json.get(&field.name) {
                    let value = tree_to_value(&field.schema, json)?;
                    if !value.is_null() {
                        inner.put_at(at, value)?;
                    }
                }
            }
            Ok(Value::Struct(Arc::new(inner)))
        }
        _ => Err(bad()),
    }
}

fn special(word: &str) -> Option<f64> {
    match word {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

/// A tree as Connect has data without a schema: whole numbers in 64 bits, the rest as doubles.
pub(super) fn untyped(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Boolean(*value),
        Json::Number(digits) => match digits.parse() {
            Ok(whole) => Value::Int64(whole),
            Err(_) => Value::Float64(digits.parse().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::String(Arc::clone(text)),
        Json::Array(items) => Value::Array(Arc::new(items.iter().map(untyped).collect())),
        Json::Object(entries) => {
            let entry = |(key, value): &(Arc<str>, Json)| (Value::String(Arc::clone(key)), untyped(value));
            Value::Map(Arc::new(entries.iter().map(entry).collect()))
        }
    }
}
