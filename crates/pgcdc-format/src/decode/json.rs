//! A JSON value, borrowed from the record.

use std::borrow::Cow;

use super::Error;
use super::scan::Scanner;

/// A JSON value, borrowed from the record.
#[derive(Clone, Debug, PartialEq)]
pub enum Json<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as it was written.
    Number(&'a str),
    /// A string; owned only if it held escapes.
    String(Cow<'a, str>),
    /// An array, as it was written, already checked.
    Array(&'a str),
    /// An object, as it was written, already checked.
    Object(&'a str),
}

impl<'a> Json<'a> {
    /// Parses a whole text.
    ///
    /// # Errors
    /// When the text is not exactly one JSON value.
    pub fn parse(text: &'a str) -> Result<Self, Error> {
        let mut scanner = Scanner::new(text);
        let value = scanner.value()?;
        scanner.end()?;
        Ok(value)
    }

    /// Whether this is `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Json::Null)
    }

    /// The string's text.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Json::String(text) = self { Some(text) } else { None }
    }

    /// The number, if it is a whole one in the range of `i64`.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        if let Json::Number(text) = self { text.parse().ok() } else { None }
    }

    /// The number as a double.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        if let Json::Number(text) = self { text.parse().ok() } else { None }
    }

    /// The elements of an array; `None` for anything else.
    #[must_use]
    pub fn elements(&self) -> Option<Vec<Json<'a>>> {
        let Json::Array(text) = self else { return None };
        let mut elements = Vec::new();
        Scanner::new(text)
            .array(|scanner| {
                elements.push(scanner.value()?);
                Ok(())
            })
            .ok()?;
        Some(elements)
    }

    /// The members of an object, in order; `None` for anything else.
    #[must_use]
    pub fn members(&self) -> Option<Vec<(Cow<'a, str>, Json<'a>)>> {
        let Json::Object(text) = self else { return None };
        let mut members = Vec::new();
        Scanner::new(text)
            .object(|scanner, name| {
                members.push((name, scanner.value()?));
                Ok(())
            })
            .ok()?;
        Some(members)
    }

    /// One member of an object.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<Json<'a>> {
        self.members()?.into_iter().find(|(n, _)| n == name).map(|(_, value)| value)
    }

    /// The value as people and text columns want it: a string's content, everything else as written.
    #[must_use]
    pub fn to_text(&self) -> Option<Cow<'_, str>> {
        match self {
            Json::Null => None,
            Json::Bool(value) => Some(Cow::Borrowed(if *value { "true" } else { "false" })),
            Json::Number(text) | Json::Array(text) | Json::Object(text) => Some(Cow::Borrowed(text)),
            Json::String(text) => Some(Cow::Borrowed(text)),
        }
    }
}
