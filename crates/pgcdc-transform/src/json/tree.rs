use std::sync::Arc;

use super::scan::{DEEPEST, Scanner};
use crate::Fault;
use crate::data::Kind;

/// JSON without a schema: the text of a schema, or of a column.
///
/// Numbers keep their digits, since the reader decides what they become.
///
/// ```
/// use pgcdc_transform::json::Json;
///
/// let json = Json::parse(br#"{"id":7,"tags":["a"],"id":8}"#)?;
/// assert_eq!(json.get("id"), Some(&Json::Number("8".into())));
/// assert!(Json::parse(b"{id:7}").is_err());
/// # Ok::<(), pgcdc_transform::Fault>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as it was written.
    Number(Box<str>),
    /// A string.
    String(Arc<str>),
    /// An array.
    Array(Vec<Json>),
    /// An object, in order. A name that stands twice has its last value at its first position.
    Object(Vec<(Arc<str>, Json)>),
}

impl Json {
    /// Parses the value at the beginning of a text, as Jackson's `readTree` does: what follows the value is ignored.
    ///
    /// # Errors
    /// When the text does not begin with JSON, or is nested deeper than 1000 levels.
    pub fn parse(text: &[u8]) -> Result<Self, Fault> {
        let mut scanner = Scanner::new(text);
        Self::read(&mut scanner, 0)
    }

    pub(super) fn read(scanner: &mut Scanner<'_>, depth: usize) -> Result<Self, Fault> {
        if depth > DEEPEST {
            return Err(Fault::data(format!("JSON nested deeper than {DEEPEST} levels")));
        }
        Ok(match scanner.peek() {
            Some(b'"') => Self::String(scanner.string()?.into()),
            Some(b'{') => {
                scanner.expect(b'{')?;
                let mut entries: Vec<(Arc<str>, Self)> = Vec::new();
                while !scanner.eat(b'}') {
                    if !entries.is_empty() {
                        scanner.expect(b',')?;
                    }
                    let name: Arc<str> = scanner.string()?.into();
                    scanner.expect(b':')?;
                    let value = Self::read(scanner, depth + 1)?;
                    match entries.iter_mut().find(|(known, _)| *known == name) {
                        Some((_, slot)) => *slot = value,
                        None => entries.push((name, value)),
                    }
                }
                Self::Object(entries)
            }
            Some(b'[') => {
                scanner.expect(b'[')?;
                let mut items = Vec::new();
                while !scanner.eat(b']') {
                    if !items.is_empty() {
                        scanner.expect(b',')?;
                    }
                    items.push(Self::read(scanner, depth + 1)?);
                }
                Self::Array(items)
            }
            _ if scanner.word("true") => Self::Bool(true),
            _ if scanner.word("false") => Self::Bool(false),
            _ if scanner.word("null") => Self::Null,
            _ => Self::Number(scanner.number()?.into()),
        })
    }

    /// The value of this name in an object.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        let Self::Object(entries) = self else { return None };
        entries.iter().find(|(key, _)| &**key == name).map(|(_, value)| value)
    }

    /// A string's text.
    #[must_use]
    pub fn as_str(&self) -> Option<&Arc<str>> {
        if let Self::String(text) = self { Some(text) } else { None }
    }
}

/// Jackson's types of numbers: those with a point or an exponent are doubles, and so are those beyond 64 bits as
/// far as the schema goes.
pub(crate) fn number_kind(digits: &str) -> Kind {
    if digits.parse::<i32>().is_ok() {
        Kind::Int32
    } else if digits.parse::<i64>().is_ok() {
        Kind::Int64
    } else {
        Kind::Float64
    }
}
