//! Text that a terminal shows and does not obey.

/// Appends text with everything a terminal could obey, or hide, as an escape: control characters, both kinds of line
/// separators, and the marks that turn or hide the text around them. A backslash is doubled, so that an escape is one.
pub(super) fn escape(text: &str, out: &mut String) {
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if character.is_control() || is_mark(character) => {
                out.extend(character.escape_unicode());
            }
            _ => out.push(character),
        }
    }
}

/// Whether a character is not seen, but changes how its neighbours are.
fn is_mark(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// In lines of JSON, writes the control characters that JSON allows in its texts as JSON's own escapes: DEL and U+0080 to
/// U+009F, of which some terminals obey U+009B as they do ESC. What the JSON means stays the same.
pub(super) fn escape_json(lines: &mut Vec<u8>) {
    let obeyed = |at: usize, lines: &[u8]| match lines[at] {
        0x7f => Some((0x7f, 1)),
        0xc2 => lines.get(at + 1).filter(|next| (0x80..0xa0).contains(*next)).map(|next| (*next, 2)),
        _ => None,
    };
    if !(0..lines.len()).any(|at| obeyed(at, lines).is_some()) {
        return;
    }
    let mut safe = Vec::with_capacity(lines.len() + 16);
    let mut at = 0;
    while at < lines.len() {
        if let Some((character, length)) = obeyed(at, lines) {
            safe.extend_from_slice(format!("\\u{character:04x}").as_bytes());
            at += length;
        } else {
            safe.push(lines[at]);
            at += 1;
        }
    }
    *lines = safe;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        let mut shown = String::new();
        let all: String = (0..=0x2100).filter_map(char::from_u32).collect();
        escape(&all, &mut shown);
        assert!(!shown.chars().any(char::is_control), "{shown}");
        let mut shown = String::new();
        escape("a\x1b[2J\u{9b}31m\u{202e}\\n\nü", &mut shown);
        assert_eq!(shown, r"a\u{1b}[2J\u{9b}31m\u{202e}\\n\nü");
    }

    #[test]
    fn json_means_the_same_without_the_characters() {
        let texts = ["\u{9b}2J", "\u{7f}ü\u{a0}\u{85}", "plain"];
        for text in texts {
            let mut line = format!("{{\"a\":\"{text}\"}}\n").into_bytes();
            escape_json(&mut line);
            let line = String::from_utf8(line).expect("UTF-8");
            assert!(!line.trim_end().chars().any(char::is_control), "{line:?}");
            let value: serde_json::Value = serde_json::from_str(&line).expect("JSON");
            assert_eq!(value["a"], text);
        }
    }
}
