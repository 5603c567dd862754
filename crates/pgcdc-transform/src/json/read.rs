use std::sync::Arc;

use super::scan::{DEEPEST, Scanner};
use super::schema;
use super::tree::Json;
use super::typed::{null, tree_to_value, untyped};
use crate::Fault;
use crate::data::{Kind, Schema, Struct, Value};

/// How many schemas are kept: for each busy table, a key's and a value's.
const KEPT: usize = 256;

/// What stands before the schema, and between schema and payload.
const HEAD: &[u8] = b"{\"schema\":";
const MIDDLE: &[u8] = b",\"payload\":";

/// Reads what `JsonConverter` writes with `schemas.enable=true`. Null stays null, even where the schema has a default.
///
/// A schema is parsed once and then recognised by its bytes: a record's schema is often ten times as long as its payload.
/// The 256 most recently used schemas are kept. The members must come in the order `schema`, `payload`, without white space
/// between them, as pgcdc and Kafka write them.
///
/// ```
/// use pgcdc_transform::data::Value;
/// use pgcdc_transform::json::JsonReader;
///
/// let text = br#"{"schema":{"type":"int32","optional":false},"payload":7}"#;
/// let (schema, value) = JsonReader::default().read(Some(text))?;
/// assert_eq!(value, Value::Int32(7));
/// assert!(schema.is_some_and(|schema| !schema.is_optional()));
/// # Ok::<(), pgcdc_transform::Fault>(())
/// ```
#[derive(Debug, Default)]
pub struct JsonReader {
    /// Schemas by their bytes, the most recently used one first.
    known: Vec<(Box<[u8]>, Option<Schema>)>,
}

impl JsonReader {
    /// Reads `{"schema":…,"payload":…}`. No text is a null value without a schema.
    ///
    /// # Errors
    /// When the text does not have that form, or the payload is no value of the schema.
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

    /// Parses the schema at the beginning of a text and puts it first.
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

/// Connect's error for a text of another form.
fn not_schemaful() -> Fault {
    Fault::data(
        "JsonConverter with schemas.enable requires \"schema\" and \"payload\" fields and may not contain additional fields.",
    )
}

/// Reads a value of a schema straight from the text, where its type allows that.
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

/// Reads a struct. Members that the schema does not have are skipped; fields without a member are null.
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
        // Fields usually come in the schema's order, so the next one is tried first.
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
