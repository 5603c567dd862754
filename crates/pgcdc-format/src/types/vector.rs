//! pgvector's types.
//!
//! | type | Postgres prints | record |
//! |---|---|---|
//! | `vector` | `[1,2.5]` | `[1.0,2.5]`, doubles |
//! | `halfvec` | `[1,2.5]` | `[1.0,2.5]`, floats |
//! | `sparsevec` | `{1:1.5,3:2}/5` | `{"dimensions":5,"vector":[[1,1.5],[3,2.0]]}` |
//!
//! Source: pgvector's documentation; Debezium's documentation, "pgvector types".

use super::fault::Fault;
use super::number::append_float4;
use crate::java::{append_f64, java_order};
use crate::json::write_int;

const BAD: Fault = Fault::Bad("not a vector");

/// Appends a dense vector as a list of floats (`single`, for `halfvec`) or doubles (`vector`).
pub(super) fn append_vector(text: &[u8], single: bool, out: &mut Vec<u8>) -> Result<(), Fault> {
    let inner = text.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]")).ok_or(BAD)?;
    out.push(b'[');
    for (at, element) in inner.split(|&byte| byte == b',').enumerate() {
        if at > 0 {
            out.push(b',');
        }
        if single {
            append_float4(element, out)?;
        } else {
            append_f64(number(element)?, out);
        }
    }
    out.push(b']');
    Ok(())
}

/// Appends a sparse vector as a struct. Connect writes a map whose keys are not text as a list of pairs, in the order of the
/// `HashMap` that Debezium made with this many entries as its capacity.
pub(super) fn append_sparse(text: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    let slash = memchr::memrchr(b'/', text).ok_or(BAD)?;
    let inner = text[..slash].strip_prefix(b"{").and_then(|rest| rest.strip_suffix(b"}")).ok_or(BAD)?;
    let dimensions = short(&text[slash + 1..])?;
    let mut entries = Vec::new();
    for entry in inner.split(|&byte| byte == b',').filter(|entry| !entry.is_empty()) {
        let colon = memchr::memchr(b':', entry).ok_or(BAD)?;
        entries.push((short(&entry[..colon])?, number(&entry[colon + 1..])?));
    }
    let capacity = entries.len();
    java_order(&mut entries, capacity, |&(index, _)| i32::from(index) as u32);
    out.extend_from_slice(b"{\"dimensions\":");
    write_int(dimensions, out);
    out.extend_from_slice(b",\"vector\":[");
    for (at, (index, value)) in entries.iter().enumerate() {
        out.extend_from_slice(if at > 0 { b",[" } else { b"[" });
        write_int(*index, out);
        out.push(b',');
        append_f64(*value, out);
        out.push(b']');
    }
    out.extend_from_slice(b"]}");
    Ok(())
}

/// An element of a `vector` or `sparsevec`.
fn number(text: &[u8]) -> Result<f64, Fault> {
    std::str::from_utf8(text).ok().and_then(|text| text.trim().parse().ok()).ok_or(BAD)
}

/// An index or a dimension; Debezium holds them in 16 bits and fails beyond.
fn short(text: &[u8]) -> Result<i16, Fault> {
    std::str::from_utf8(text).ok().and_then(|text| text.trim().parse().ok()).ok_or(Fault::Failed)
}
