//! JSON strings, base64 and integers, appended without an allocation of their own.
//!
//! Strings are escaped byte for byte as Jackson does it for Connect's `JsonConverter`:
//!
//! | character | escape |
//! |---|---|
//! | `"` and `\` | a backslash before it |
//! | backspace, tab, line feed, form feed, carriage return | `\b` `\t` `\n` `\f` `\r` |
//! | other control characters below U+0020 | `\u001B`, in upper case |
//! | beyond U+FFFF | a surrogate pair: `\uD83D\uDE00` |
//! | any other | none |

use base64::engine::general_purpose::STANDARD;

/// For each byte: 0 when JSON takes it as it is, `u` for `\u00XX`, else the letter of its short escape.
const ESCAPE: [u8; 256] = {
    let mut table = [0u8; 256];
    let mut at = 0;
    while at < 0x20 {
        table[at] = b'u';
        at += 1;
    }
    table[0x08] = b'b';
    table[0x09] = b't';
    table[0x0a] = b'n';
    table[0x0c] = b'f';
    table[0x0d] = b'r';
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table
};

const HEX_UPPER: &[u8; 16] = b"0123456789ABCDEF";

/// Appends `text` as a JSON string with its quotes. The text should be UTF-8, as Postgres sends it; other bytes stay as they are.
///
/// ```
/// let mut json = Vec::new();
/// pgcdc_format::types::write_json_string("a\n\"é😀\"".as_bytes(), &mut json);
/// assert_eq!(String::from_utf8(json).unwrap(), r#""a\n\"é\uD83D\uDE00\"""#);
/// ```
pub fn write_json_string(text: &[u8], out: &mut Vec<u8>) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    write_json_escaped(text, out);
    out.push(b'"');
}

/// Appends `text` escaped as [`write_json_string`] does it, without the quotes around it: for a string that is put together from
/// several texts.
///
/// ```
/// let mut json = br#"{"id":"7:"#.to_vec();
/// pgcdc_format::types::write_json_escaped(b"a\tb", &mut json);
/// json.extend_from_slice(br#""}"#);
/// assert_eq!(json, br#"{"id":"7:a\tb"}"#);
/// ```
pub fn write_json_escaped(text: &[u8], out: &mut Vec<u8>) {
    escape::<true>(text, out);
}

/// Appends a JSON string as Jackson writes it when JSON is made as text and not as bytes: characters beyond the basic plane
/// stay as they are. Such JSON is the content of another string (`hstore` as JSON, an Avro schema).
pub(crate) fn write_inner_json_string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    escape::<false>(text, out);
    out.push(b'"');
}

/// Escapes eight bytes at a time. Eight bytes without a special character are copied at once. Eight bytes with only quotes
/// and backslashes, of which JSON within a JSON string is full, are escaped without a branch for each byte.
fn escape<const SURROGATES: bool>(text: &[u8], out: &mut Vec<u8>) {
    out.reserve(text.len() + 16);
    let mut rest = text;
    while let Some((block, after)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*block);
        let (short, long) = to_escape::<SURROGATES>(word);
        if short | long == 0 {
            out.extend_from_slice(block);
            rest = after;
        } else if long == 0 {
            // Each byte moves up by the number of marks at or before it; the backslashes stand in the gaps already.
            let places = (short >> 7).wrapping_mul(LOW).wrapping_add(0x0706_0504_0302_0100);
            // Written to their final place: reading bytes back at once as one word stalls the processor.
            out.extend_from_slice(&[b'\\'; 16]);
            if let Some(escaped) = out.last_chunk_mut::<16>() {
                for (at, &byte) in block.iter().enumerate() {
                    escaped[(places >> (8 * at) & 15) as usize] = byte;
                }
            }
            out.truncate(out.len() - 8 + short.count_ones() as usize);
            rest = after;
        } else {
            let run = (short | long).trailing_zeros() as usize / 8;
            out.extend_from_slice(&rest[..run]);
            rest = escape_one(&rest[run..], out);
        }
    }
    while let Some(&byte) = rest.first() {
        if ESCAPE[usize::from(byte)] == 0 && (!SURROGATES || byte < 0xf0) {
            out.push(byte);
            rest = &rest[1..];
        } else {
            rest = escape_one(rest, out);
        }
    }
}

/// Escapes the first character, which needs it, and returns the rest of the text.
fn escape_one<'a>(text: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let Some((&byte, after)) = text.split_first() else { return text };
    match ESCAPE[usize::from(byte)] {
        b'u' => append_unit(u16::from(byte), out),
        0 => {
            let length = text.len().min(4);
            let character = std::str::from_utf8(&text[..length]).ok().and_then(|four| four.chars().next());
            if let Some(character) = character {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    append_unit(*unit, out);
                }
                return &text[length..];
            }
            out.push(byte); // not UTF-8, which Postgres never sends
        }
        letter => out.extend_from_slice(&[b'\\', letter]),
    }
    after
}

/// Appends a UTF-16 unit as `\uXXXX`.
fn append_unit(unit: u16, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\\u");
    for shift in [12, 8, 4, 0] {
        out.push(HEX_UPPER[usize::from(unit >> shift & 15)]);
    }
}

/// The lowest bit of each byte of a word.
const LOW: u64 = 0x0101_0101_0101_0101;

/// Marks, by their high bits, the bytes that get a backslash before them, and the bytes that need any other escape.
#[inline]
const fn to_escape<const SURROGATES: bool>(word: u64) -> (u64, u64) {
    const SEVEN: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    const HIGH: u64 = !SEVEN;
    /// High bit of each byte that is zero, exactly: no carry leaves a byte.
    const fn zeros(word: u64) -> u64 {
        !(((word & SEVEN) + SEVEN) | word | SEVEN)
    }
    let control = !(((word & SEVEN) + LOW * 0x60) | word) & HIGH;
    let short = zeros(word ^ (LOW * 0x22)) | zeros(word ^ (LOW * 0x5c));
    // 0xF0 and above: the four high bits are set.
    let four = if SURROGATES { word & (word << 1) & (word << 2) & (word << 3) & HIGH } else { 0 };
    (short, control | four)
}

/// Appends `bytes` as a JSON string of standard base64, Connect's form of `bytes`.
pub(crate) fn write_base64(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    append_base64(bytes, &STANDARD, out);
    out.push(b'"');
}

/// Appends base64 without quotes. The buffer grows once and is written in place.
pub(crate) fn append_base64(bytes: &[u8], engine: &impl base64::Engine, out: &mut Vec<u8>) {
    let start = out.len();
    let length = base64::encoded_len(bytes.len(), true).unwrap_or(0);
    out.resize(start + length, 0);
    let written = engine.encode_slice(bytes, &mut out[start..]).unwrap_or(0);
    out.truncate(start + written);
}

/// Standard base64 of `bytes` as a JSON string of its own, for values that are made once for a column.
pub(crate) fn base64_json(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    write_base64(bytes, &mut out);
    out
}

/// Appends an integer's decimal digits.
pub(crate) fn write_int(value: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escapes_as_jackson_does() {
        let mut out = Vec::new();
        write_json_string("a\"\\/\t\n\r\u{8}\u{c}\u{0}\u{1b}\u{7f}é日\u{2028}😀".as_bytes(), &mut out);
        assert_eq!(
            String::from_utf8_lossy(&out),
            "\"a\\\"\\\\/\\t\\n\\r\\b\\f\\u0000\\u001B\u{7f}é日\u{2028}\\uD83D\\uDE00\""
        );
    }

    #[test]
    fn every_byte_is_marked_as_the_table_says() {
        for byte in 0..=255_u8 {
            for at in 0..8 {
                let mut block = [b'a'; 8];
                block[at] = byte;
                let marks = to_escape::<true>(u64::from_le_bytes(block));
                let wanted = ESCAPE[usize::from(byte)] != 0 || byte >= 0xf0;
                let mark = 0x80 << (8 * at);
                let expected = match byte {
                    _ if !wanted => (0, 0),
                    b'"' | b'\\' => (mark, 0),
                    _ => (0, mark),
                };
                assert_eq!(marks, expected, "{byte:#x} at {at}");
            }
        }
    }

    proptest! {
        /// The slow way: a character at a time.
        #[test]
        fn blocks_equal_characters(text in "([a\"\\\\\n\u{1}é日😀]|.){0,60}") {
            let mut slow = Vec::new();
            for character in text.chars() {
                match character {
                    '"' | '\\' => slow.extend_from_slice(&[b'\\', character as u8]),
                    '\n' | '\t' | '\r' | '\u{8}' | '\u{c}' | '\0'..'\u{20}' | '\u{10000}'.. => {
                        escape_one(character.encode_utf8(&mut [0; 4]).as_bytes(), &mut slow);
                    }
                    _ => slow.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
                }
            }
            let mut fast = Vec::new();
            write_json_escaped(text.as_bytes(), &mut fast);
            prop_assert_eq!(String::from_utf8(fast).unwrap(), String::from_utf8(slow).unwrap());
        }

        #[test]
        fn any_text_reads_back(text in ".*") {
            let mut out = Vec::new();
            write_json_string(text.as_bytes(), &mut out);
            prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }
    }
}
