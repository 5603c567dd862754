//! A JSON value that borrows. Numbers stay text, so that no digit is lost on the way to a store with decimals.

use std::borrow::Cow;

/// A JSON value, borrowed from the record. `parse` makes it from text.
#[derive(Clone, Debug, PartialEq)]
pub enum Json<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as it was written: `1.50` and `1.5` differ.
    Number(&'a str),
    /// A string's content; owned only if the JSON had escapes.
    String(Cow<'a, str>),
    /// An array, as it was written, already checked.
    Array(&'a str),
    /// An object, as it was written, already checked.
    Object(&'a str),
}

impl Json<'_> {
    /// Whether this is `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Json::Null)
    }

    /// The string's content; `None` for any other value.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Json::String(text) = self { Some(text) } else { None }
    }

    /// The number, if it is written as a whole number in the range of `i64`. `1.0` and `1e3` are not.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        if let Json::Number(text) = self { text.parse().ok() } else { None }
    }

    /// The number as the nearest double. The strings `"NaN"` and `"Infinity"`, which Connect writes, are not numbers here.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        if let Json::Number(text) = self { text.parse().ok() } else { None }
    }

    /// The value as text, for people and for text columns: a string's content, any other value as it was written; `None`
    /// for null.
    ///
    /// ```
    /// use pgcdc_format::decode::Json;
    /// assert_eq!(Json::Object(r#"{"a":1}"#).to_text().as_deref(), Some(r#"{"a":1}"#));
    /// assert_eq!(Json::Null.to_text(), None);
    /// ```
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
