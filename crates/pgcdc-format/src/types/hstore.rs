//! `hstore`: `"key"=>"value", "other"=>NULL`, as JSON text or as a map. A backslash escapes a quote or a backslash.
//!
//! Debezium reads it into a Java `HashMap`, whose order shows in the record: see [`java_order`].
//!
//! Source: PostgreSQL manual, "hstore"; Debezium's `hstore.handling.mode`.

use super::fault::Fault;
use crate::java::{java_hash, java_order};
use crate::json::{write_inner_json_string, write_json_string};

const BAD: Fault = Fault::Bad("not an hstore");

/// A key and its value; `None` is NULL.
type Entry = (Vec<u8>, Option<Vec<u8>>);

/// Appends an hstore as a JSON object, its members in the order of a Java `HashMap`.
pub(super) fn append_map(text: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    append_object(text, write_json_string, out)
}

/// Appends an hstore as a JSON object, whose strings `write` escapes.
fn append_object(text: &[u8], write: fn(&[u8], &mut Vec<u8>), out: &mut Vec<u8>) -> Result<(), Fault> {
    let mut entries = read(text)?;
    java_order(&mut entries, 16, |(key, _)| java_hash(key));
    out.push(b'{');
    for (at, (key, value)) in entries.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write(key, out);
        out.push(b':');
        match value {
            Some(value) => write(value, out),
            None => out.extend_from_slice(b"null"),
        }
    }
    out.push(b'}');
    Ok(())
}

/// Appends an hstore as a JSON string that holds a JSON object.
pub(super) fn append_json(text: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    let mut object = Vec::with_capacity(text.len());
    append_object(text, write_inner_json_string, &mut object)?;
    write_json_string(&object, out);
    Ok(())
}

/// Reads the entries. Postgres keeps a key only once.
fn read(text: &[u8]) -> Result<Vec<Entry>, Fault> {
    let mut entries = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        if !entries.is_empty() {
            rest = rest.strip_prefix(b", ").ok_or(BAD)?;
        }
        let (key, after) = quoted(rest)?;
        let after = after.strip_prefix(b"=>").ok_or(BAD)?;
        let (value, after) = match after.strip_prefix(b"NULL") {
            Some(after) => (None, after),
            None => quoted(after).map(|(value, after)| (Some(value), after))?,
        };
        entries.push((key, value));
        rest = after;
    }
    Ok(entries)
}

/// Reads a quoted word; returns it and the text behind it.
fn quoted(text: &[u8]) -> Result<(Vec<u8>, &[u8]), Fault> {
    let mut rest = text.strip_prefix(b"\"").ok_or(BAD)?;
    let mut word = Vec::new();
    loop {
        let stop = memchr::memchr2(b'"', b'\\', rest).ok_or(BAD)?;
        word.extend_from_slice(&rest[..stop]);
        if rest[stop] == b'"' {
            return Ok((word, &rest[stop + 1..]));
        }
        word.push(*rest.get(stop + 1).ok_or(BAD)?);
        rest = &rest[stop + 2..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone() {
        let mut out = Vec::new();
        append_map(br#""a\"b"=>"c\\d", "n"=>NULL"#, &mut out).unwrap();
        assert_eq!(String::from_utf8_lossy(&out), r#"{"a\"b":"c\\d","n":null}"#);
    }
}
