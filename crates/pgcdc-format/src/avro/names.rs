//! Names in Avro: which texts its Java library (1.12) accepts, and how `scrub.invalid.names` changes any other text.
//!
//! The library is more generous than the specification: it takes any Unicode letter or digit, and it checks only the last word
//! of a name with dots, not its namespace.

use std::borrow::Cow;

use super::AvroError;

/// Avro's own types. A name without a namespace must not be one of them.
const PRIMITIVES: [&str; 8] = ["string", "bytes", "int", "long", "float", "double", "boolean", "null"];

/// A name in two parts: its namespace, which is all before the last dot, and its last word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FullName {
    pub(super) space: Option<String>,
    pub(super) name: String,
}

impl FullName {
    /// Splits a Connect schema's name, scrubbed first where `scrub` says so. The namespace is not checked, as in the library.
    pub(super) fn of(text: &str, scrub: bool) -> Result<Self, AvroError> {
        let text = if scrub {
            Cow::Owned(text.split('.').map(scrubbed).collect::<Vec<_>>().join("."))
        } else {
            Cow::Borrowed(text)
        };
        let (space, name) = match text.rsplit_once('.') {
            Some((space, name)) => (Some(space.to_owned()), name.to_owned()),
            None => (None, text.into_owned()),
        };
        check(&name)?;
        if space.is_none() && PRIMITIVES.contains(&&*name) {
            return Err(AvroError::Name { name, reason: "it is the name of one of Avro's own types" });
        }
        Ok(Self { space: space.filter(|space| !space.is_empty()), name })
    }

    /// The name with its namespace, as an error shows it.
    pub(super) fn full(&self) -> String {
        self.space.as_ref().map_or_else(|| self.name.clone(), |space| format!("{space}.{}", self.name))
    }

    /// The name by which a schema within namespace `space` refers to this one: the last word alone when both have the same
    /// namespace, and the word could not be taken for one of Avro's own types.
    pub(super) fn seen_from(&self, space: Option<&str>) -> String {
        let here = self.space.as_deref() == space && !PRIMITIVES.contains(&&*self.name);
        if here { self.name.clone() } else { self.full() }
    }
}

/// The Avro name of a struct's field.
pub(super) fn field(name: &str, scrub: bool) -> Result<Cow<'_, str>, AvroError> {
    let name = if scrub { Cow::Owned(scrubbed(name)) } else { Cow::Borrowed(name) };
    check(&name)?;
    Ok(name)
}

/// Accepts a name as Avro's library does: letters, digits and `_`, and no digit in its first place.
fn check(name: &str) -> Result<(), AvroError> {
    let wrong = |reason| Err(AvroError::Name { name: name.to_owned(), reason });
    let mut letters = name.chars();
    match letters.next() {
        None => return wrong("it is empty"),
        Some(first) if first != '_' && !first.is_alphabetic() => {
            return wrong("it does not begin with a letter or `_`");
        }
        Some(_) => {}
    }
    if letters.all(|letter| letter == '_' || letter.is_alphanumeric()) {
        Ok(())
    } else {
        wrong("it has a character other than letters, digits and `_`")
    }
}

/// Makes a name as `AvroData` does: percent-encodes all but letters, digits and `_`, as in a URL, writes `_` for each percent
/// sign, and puts an `x` before a digit in the first place.
fn scrubbed(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if name.is_empty() || (name.bytes().all(plain) && !name.as_bytes()[0].is_ascii_digit()) {
        return name.to_owned();
    }
    let mut out = String::new();
    for &byte in name.as_bytes() {
        match byte {
            _ if plain(byte) => out.push(char::from(byte)),
            b' ' | b'.' | b'*' | b'-' => out.push('_'),
            _ => out.push_str(&format!("_{byte:02X}")),
        }
    }
    if out.starts_with(|first: char| first.is_ascii_digit()) { format!("x{out}") } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart_and_scrubbed() {
        let name = FullName::of("a-b.c.Value", false).unwrap();
        assert_eq!((name.space.as_deref(), &*name.name), (Some("a-b.c"), "Value"));
        assert_eq!(name.seen_from(Some("a-b.c")), "Value");
        assert_eq!(name.seen_from(None), "a-b.c.Value");
        assert!(FullName::of("a.V-x", false).is_err());
        assert_eq!(FullName::of("a-b.1x.V ü", true).unwrap().full(), "a_b.x1x.V__C3_BC");
        assert!(FullName::of("int", false).is_err() && FullName::of("", false).is_err());
    }
}
