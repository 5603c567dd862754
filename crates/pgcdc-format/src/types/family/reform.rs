//! The change that a mask or a cut makes to a value, after the value's own family has written it.

use super::Family;
use crate::json::{base64_json, write_json_string};
use crate::types::fault::Fault;
use crate::types::mask::HashMask;

/// How a rule changes a value: the part of a [`Shaping`](crate::types::Shaping) that is needed for each row.
#[derive(Clone, Debug)]
pub(in crate::types) enum Reform {
    /// This JSON in place of any value.
    Constant(Box<[u8]>),
    /// The hash of the text, cut to this many digits.
    Hash(HashMask, usize),
    /// At most this many UTF-16 units from the beginning of a text.
    Cut(usize),
    /// At most this many bytes from the beginning.
    CutBytes(usize),
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
    pub(in crate::types) fn of_json(&self, json: Vec<u8>) -> Vec<u8> {
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

/// Appends the first `most` UTF-16 units of a text as JSON. A cut within a surrogate pair leaves half of it, written as an
/// escape.
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
