//! Arrays: `{1,2,NULL,"quoted \" text"}`, with bounds in front (`[0:1]={1,2}`) where they do not begin at 1.
//!
//! | element | in the list |
//! |---|---|
//! | `NULL` | null; in a list of elements that are never null it makes the whole list null |
//! | a value that Debezium's conversion has no form for | null |
//! | an inner array, of an array of more dimensions | null, since Debezium's lists have one dimension |
//!
//! Only inner arrays of texts differ from Debezium's: they keep their text here, where Debezium writes the name of a Java object.
//!
//! Source: PostgreSQL manual, "Array Input and Output Syntax".

use super::Family;
use crate::json::write_json_string;
use crate::types::fault::Fault;

const BAD: Fault = Fault::Bad("not an array");

/// How the values of an array column are written.
#[derive(Clone, Debug)]
pub(in crate::types) struct ArrayForm {
    /// The form of its elements.
    pub(in crate::types) element: Family,
    /// The separator: `,`, but `;` for `box` and `:` for PostGIS.
    pub(in crate::types) delimiter: u8,
    /// Whether its elements may be null. Where they may not, a null element makes the whole list null.
    pub(in crate::types) nullable: bool,
}

impl ArrayForm {
    /// Appends an array as a JSON list.
    ///
    /// # Errors
    /// When the text is malformed, or an element makes the whole list fail.
    pub(in crate::types) fn append(&self, text: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        let Some(start) = memchr::memchr(b'{', text) else {
            // `int2vector` and `oidvector` print numbers without braces, which Debezium reads as an empty array.
            out.extend_from_slice(b"[]");
            return Ok(());
        };
        let mut rest =
            text[start..].strip_prefix(b"{").and_then(|rest| rest.strip_suffix(b"}")).ok_or(BAD)?;
        out.push(b'[');
        let mut scratch = Vec::new();
        let mut first = true;
        while !rest.is_empty() {
            if !first {
                rest = rest.strip_prefix(&[self.delimiter]).ok_or(BAD)?;
                out.push(b',');
            }
            first = false;
            rest = self.append_next(rest, &mut scratch, out)?;
        }
        out.push(b']');
        Ok(())
    }

    /// Appends the first element of `rest`; returns what follows it.
    fn append_next<'a>(
        &self,
        rest: &'a [u8],
        scratch: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) -> Result<&'a [u8], Fault> {
        match rest.first() {
            Some(b'"') => {
                let (quoted, after) = quoted(&rest[1..], scratch)?;
                self.append_element(quoted, out)?;
                Ok(after)
            }
            Some(b'{') => {
                let length = nested_length(rest).ok_or(BAD)?;
                let (inner, after) = rest.split_at(length);
                match self.element {
                    Family::Text => write_json_string(inner, out),
                    _ => self.append_null(out)?,
                }
                Ok(after)
            }
            Some(_) => {
                let end = memchr::memchr(self.delimiter, rest).unwrap_or(rest.len());
                let (plain, after) = rest.split_at(end);
                match plain {
                    b"" => return Err(BAD),
                    b"NULL" => self.append_null(out)?,
                    _ => self.append_element(plain, out)?,
                }
                Ok(after)
            }
            None => Err(BAD),
        }
    }

    /// Appends an element. Debezium reads lists through its JDBC driver, even while streaming.
    fn append_element(&self, text: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        let start = out.len();
        match self.element.append_from_driver(text, out) {
            Err(Fault::Null) => {
                out.truncate(start);
                self.append_null(out)
            }
            other => other,
        }
    }

    /// Appends a null element.
    fn append_null(&self, out: &mut Vec<u8>) -> Result<(), Fault> {
        if !self.nullable {
            return Err(Fault::Failed);
        }
        out.extend_from_slice(b"null");
        Ok(())
    }
}

/// Reads up to the closing quote; returns the element and the text behind it. An element without escapes is borrowed, any
/// other is put into `scratch`.
fn quoted<'a: 's, 's>(text: &'a [u8], scratch: &'s mut Vec<u8>) -> Result<(&'s [u8], &'a [u8]), Fault> {
    let stop = memchr::memchr2(b'"', b'\\', text).ok_or(BAD)?;
    if text[stop] == b'"' {
        return Ok((&text[..stop], &text[stop + 1..]));
    }
    scratch.clear();
    let mut rest = text;
    loop {
        let stop = memchr::memchr2(b'"', b'\\', rest).ok_or(BAD)?;
        scratch.extend_from_slice(&rest[..stop]);
        if rest[stop] == b'"' {
            return Ok((scratch, &rest[stop + 1..]));
        }
        scratch.push(*rest.get(stop + 1).ok_or(BAD)?);
        rest = &rest[stop + 2..];
    }
}

/// Length of the inner array at the beginning of `text`; braces in quotes do not count.
fn nested_length(text: &[u8]) -> Option<usize> {
    let (mut depth, mut in_quotes, mut escaped) = (0usize, false, false);
    for (at, &byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => in_quotes = !in_quotes,
            b'{' if !in_quotes => depth += 1,
            b'}' if !in_quotes => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}
