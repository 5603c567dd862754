//! The rules by which the connector changes a column beyond its type: masks, cuts, and the source's type in the schema.
//!
//! Source: Debezium's documentation, `column.mask.…`, `column.truncate.…`, `column.propagate.source.type`; recordings
//! (`tests/conformance/shape_*`).

use pgcdc_event::{Column, TypeKind};

use super::binary::BinaryForm;
use super::family::Family;
use super::fault::Fault;
use super::json::{base64_json, write_json_string};
use super::mask::HashMask;
use super::measure::Measure;
use super::oid;
use super::options::BinaryMode;
use super::plan::below_domains;
use crate::schema::{Kind, Schema};

/// The rule for a column. Where several rules name a column, the first one counts.
///
/// | rule | the value | parameters of the schema |
/// |---|---|---|
/// | truncate to N | a text's first N UTF-16 units, or N bytes | `truncateLength` |
/// | mask with N | N asterisks | `masked` |
/// | hash | hexadecimal digits of a hash, at most as many as the column is long | `masked` |
/// | propagate | unchanged | type, length, scale and name in the source |
///
/// Only texts are masked and hashed. A text that is too short to be cut by its type's own limit gets no parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shaping {
    /// `column.truncate.to.N.chars`: the longest text, in UTF-16 units, or the most bytes.
    Truncate(usize),
    /// `column.mask.with.N.chars`: the number of asterisks.
    Mask(usize),
    /// `column.mask.hash.…`.
    Hash(HashMask),
    /// `column.propagate.source.type`, `datatype.propagate.source.type`: the schema tells the column's type in Postgres.
    Propagate,
}

/// The name of a column's type as Debezium's JDBC driver has it, which `datatype.propagate.source.type` matches behind the table's
/// name: `serial` for an `int4` with a sequence, else the type's own name.
#[must_use]
pub fn source_type_name(column: &Column) -> &str {
    super::measure::type_name(column)
}

/// How a rule changes a value: the part of a [`Shaping`] that is needed for each row.
#[derive(Clone, Debug)]
pub(super) enum Reform {
    /// This JSON in place of any value.
    Constant(Box<[u8]>),
    /// The hash of the text, cut to this many digits.
    Hash(HashMask, usize),
    /// At most so many UTF-16 units from a text's beginning.
    Cut(usize),
    /// At most so many bytes from the beginning.
    CutBytes(usize),
}

impl Shaping {
    /// Adds the rule to the column's schema, and returns how it changes values; `None` when it does not.
    pub(super) fn apply(
        &self,
        column: &Column,
        snapshot: bool,
        family: &Family,
        schema: &mut Schema,
    ) -> Option<Reform> {
        let measure = Measure::of(column, snapshot);
        let mut note = |key: &str, value: String| schema.parameters.push((key.into(), value.into()));
        match self {
            Self::Truncate(most) => {
                let limit = i64::try_from(*most).unwrap_or(i64::MAX);
                if measure.length.is_some_and(|length| (0..=limit).contains(&i64::from(length))) {
                    return None;
                }
                note("truncateLength", most.to_string());
                match (family, &schema.kind) {
                    (
                        Family::Bytea(BinaryForm(BinaryMode::Bytes))
                        | Family::Unknown(BinaryForm(BinaryMode::Bytes)),
                        _,
                    ) => Some(Reform::CutBytes(*most)),
                    (_, Kind::String) => Some(Reform::Cut(*most)),
                    _ => None,
                }
            }
            Self::Mask(length) => {
                note("masked", "true".to_owned());
                is_text(column)
                    .then(|| Reform::Constant(format!("\"{}\"", "*".repeat(*length)).into_bytes().into()))
            }
            Self::Hash(mask) => {
                note("masked", "true".to_owned());
                let most = measure.length.and_then(|length| usize::try_from(length).ok());
                let most = most.filter(|length| *length > 0).unwrap_or(usize::MAX);
                is_text(column).then(|| Reform::Hash(mask.clone(), most))
            }
            Self::Propagate => {
                note("__debezium.source.column.type", measure.name);
                if let Some(length) = measure.length {
                    note("__debezium.source.column.length", length.to_string());
                }
                if let Some(scale) = measure.scale {
                    note("__debezium.source.column.scale", scale.to_string());
                }
                note("__debezium.source.column.name", column.name.to_string());
                None
            }
        }
    }
}

/// Whether the driver reads the type as a text. Columns of other types are not masked, even if their JSON is a string.
fn is_text(column: &Column) -> bool {
    let (base, _) = below_domains(&column.pg_type, column.typmod);
    matches!(base.kind, TypeKind::Enum(_))
        || matches!(base.oid, oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::CHAR | oid::NAME)
}

impl Reform {
    /// Appends a changed value; `family` writes the unchanged form. `driver`: a snapshot read the value.
    pub(super) fn append(
        &self,
        family: &Family,
        text: &[u8],
        driver: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        match self {
            Self::Constant(json) => out.extend_from_slice(json),
            Self::Hash(..) if matches!(family, Family::Absent) && !driver => return Err(Fault::Absent),
            Self::Hash(mask, most) => {
                out.push(b'"');
                mask.append_hex(text, *most, out);
                out.push(b'"');
            }
            Self::Cut(_) | Self::CutBytes(_) => {
                let start = out.len();
                if driver { family.append_from_driver(text, out) } else { family.append(text, out) }?;
                let json = out.split_off(start);
                out.extend(self.of_json(json));
            }
        }
        Ok(())
    }

    /// Changes the JSON that replaces a value: a default, the placeholder of a TOAST value, null.
    pub(super) fn of_json(&self, json: Vec<u8>) -> Vec<u8> {
        if let Self::Constant(masked) = self {
            return masked.to_vec();
        }
        let Ok(text) = serde_json::from_slice::<String>(&json) else { return json };
        let mut out = Vec::new();
        match self {
            Self::Constant(_) => {}
            Self::Hash(mask, most) => {
                out.push(b'"');
                mask.append_hex(text.as_bytes(), *most, &mut out);
                out.push(b'"');
            }
            Self::Cut(most) => write_first_units(&text, *most, &mut out),
            Self::CutBytes(most) => {
                use base64::Engine as _;
                let Ok(bytes) = base64::engine::general_purpose::STANDARD.decode(&text) else { return json };
                return base64_json(&bytes[..bytes.len().min(*most)]);
            }
        }
        out
    }
}

/// Appends the first `most` UTF-16 units of a text as JSON. A cut within a surrogate pair leaves half of it, written as an escape.
fn write_first_units(text: &str, most: usize, out: &mut Vec<u8>) {
    let mut units = 0;
    let cut = text.char_indices().find(|(_, character)| {
        units += character.len_utf16();
        units > most
    });
    let Some((at, character)) = cut else { return write_json_string(text.as_bytes(), out) };
    write_json_string(&text.as_bytes()[..at], out);
    if units - character.len_utf16() < most {
        let half = character.encode_utf16(&mut [0; 2])[0];
        out.pop();
        out.extend_from_slice(format!("\\u{half:04X}\"").as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_counts_what_java_counts() {
        let first = |text: &str, most| {
            let mut out = Vec::new();
            write_first_units(text, most, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(first("é😀long", 4), r#""é\uD83D\uDE00l""#);
        assert_eq!(first("é😀long", 2), r#""é\uD83D""#);
        assert_eq!(first("é😀long", 1), r#""é""#);
        assert_eq!(first("ab", 0), r#""""#);
        assert_eq!(first("ab", 9), r#""ab""#);
    }

    #[test]
    fn json_in_a_values_place_is_cut_as_the_value_is() {
        assert_eq!(Reform::Cut(3).of_json(b"\"a\\\"bc\"".to_vec()), b"\"a\\\"b\"");
        assert_eq!(Reform::Cut(3).of_json(b"null".to_vec()), b"null");
        assert_eq!(Reform::CutBytes(2).of_json(b"\"AQIDBA==\"".to_vec()), b"\"AQI=\"");
    }
}
