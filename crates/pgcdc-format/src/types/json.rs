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

/// Appends `text` (UTF-8) as a JSON string with its quotes, escaped as Jackson does it for Connect's
/// `JsonConverter`: quote, backslash and control characters; characters beyond the basic plane as a
/// surrogate pair (`\uD83D\uDE00`); everything else as it is.
pub fn write_json_string(text: &[u8], out: &mut Vec<u8>) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    write_json_escaped(text, out);
    out.push(b'"');
}

/// Appends `text` escaped as [`write_json_string`] does it, without the quotes around it.
pub fn write_json_escaped(text: &[u8], out: &mut Vec<u8>) {
    escape::<true>(text, out);
}

/// Appends a JSON string as Jackson writes it to characters rather than bytes: surrogates stay as they are.
pub(super) fn write_inner_json_string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    escape::<false>(text, out);
    out.push(b'"');
}

fn escape<const SURROGATES: bool>(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = first_to_escape::<SURROGATES>(rest) {
        let (run, tail) = rest.split_at(at);
        out.extend_from_slice(run);
        let Some((&byte, after)) = tail.split_first() else { return };
        rest = after;
        match ESCAPE[usize::from(byte)] {
            b'u' => append_unit(u16::from(byte), out),
            0 => {
                let length = tail.len().min(4);
                if let Some(character) =
                    std::str::from_utf8(&tail[..length]).ok().and_then(|four| four.chars().next())
                {
                    for unit in character.encode_utf16(&mut [0; 2]) {
                        append_unit(*unit, out);
                    }
                    rest = &tail[length..];
                } else {
                    out.push(byte); // not UTF-8, which Postgres never sends
                }
            }
            letter => out.extend_from_slice(&[b'\\', letter]),
        }
    }
    out.extend_from_slice(rest);
}

fn append_unit(unit: u16, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\\u");
    for shift in [12, 8, 4, 0] {
        out.push(HEX_UPPER[usize::from(unit >> shift & 15)]);
    }
}

/// Position of the first byte that must be escaped: eight bytes at a time while none is found.
fn first_to_escape<const SURROGATES: bool>(text: &[u8]) -> Option<usize> {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    /// High bit of each byte that is zero (bits above the first one found may be false alarms).
    const fn zeros(word: u64) -> u64 {
        word.wrapping_sub(LOW) & !word & HIGH
    }
    let mut at = 0;
    let mut chunks = text.chunks_exact(8);
    for chunk in &mut chunks {
        let mut word = [0u8; 8];
        word.copy_from_slice(chunk);
        let word = u64::from_le_bytes(word);
        let control = word.wrapping_sub(LOW * 0x20) & !word & HIGH;
        let mut found = control | zeros(word ^ (LOW * 0x22)) | zeros(word ^ (LOW * 0x5c));
        if SURROGATES {
            found |= word & (word << 1) & (word << 2) & (word << 3) & HIGH; // 0xF0 and above
        }
        if found != 0 {
            // Borrows only run upwards: the lowest mark is true.
            return Some(at + found.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    let escaped = |&byte: &u8| ESCAPE[usize::from(byte)] != 0 || (SURROGATES && byte >= 0xf0);
    chunks.remainder().iter().position(escaped).map(|more| at + more)
}

/// Appends `bytes` as a JSON string of standard base64, Connect's form of `bytes`.
pub(super) fn write_base64(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    append_base64(bytes, &STANDARD, out);
    out.push(b'"');
}

/// Appends base64 without quotes, without an allocation of its own.
pub(super) fn append_base64(bytes: &[u8], engine: &impl base64::Engine, out: &mut Vec<u8>) {
    let start = out.len();
    let length = base64::encoded_len(bytes.len(), true).unwrap_or(0);
    out.resize(start + length, 0);
    let written = engine.encode_slice(bytes, &mut out[start..]).unwrap_or(0);
    out.truncate(start + written);
}

/// Standard base64 of `bytes`, through Connect's encoder, as an owned JSON string.
pub(super) fn base64_json(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    write_base64(bytes, &mut out);
    out
}

/// Appends an integer.
pub(super) fn write_int(value: impl itoa::Integer, out: &mut Vec<u8>) {
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

    proptest! {
        #[test]
        fn any_text_reads_back(text in ".*") {
            let mut out = Vec::new();
            write_json_string(text.as_bytes(), &mut out);
            prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }
    }
}
