use std::borrow::Cow;

/// A JSON value, borrowed from the record. `parse` makes it from text.
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

impl Json<'_> {
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

    /// The number, if it is a whole number in the range of `i64`.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        if let Json::Number(text) = self { text.parse().ok() } else { None }
    }

    /// The number as a double.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        if let Json::Number(text) = self { text.parse().ok() } else { None }
    }

    /// The value as text, for people and text columns: a string's content, anything else as written; `None` for null.
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
