//! Java's regular expressions, as Debezium uses them for lists of names, on `fancy-regex`.

use fancy_regex::{Regex, RegexBuilder};

/// Compiles a pattern that must match the whole name, in any case.
pub(super) fn compile(pattern: &str) -> Result<Regex, String> {
    let anchored = format!(r"\A(?:{})\z", translate(pattern));
    RegexBuilder::new(&anchored).case_insensitive(true).build().map_err(|e| e.to_string())
}

/// Rewrites what means something else in Java: `\Q…\E`, and `\d \w \s` with their opposites, which
/// are ASCII there. Possessive quantifiers, lookaround and back references are the same.
fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut rest = pattern;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let escape = &rest[at + 1..];
        if let Some(quoted) = escape.strip_prefix('Q') {
            let (literal, after) = quoted.split_once("\\E").unwrap_or((quoted, ""));
            out.push_str(&fancy_regex::escape(literal));
            rest = after;
            continue;
        }
        let Some(letter) = escape.chars().next() else {
            out.push('\\');
            rest = "";
            continue;
        };
        match letter {
            'd' => out.push_str("[0-9]"),
            'D' => out.push_str("[^0-9]"),
            'w' => out.push_str("[a-zA-Z_0-9]"),
            'W' => out.push_str("[^a-zA-Z_0-9]"),
            's' => out.push_str(r"[ \t\n\x0B\x0C\r]"),
            'S' => out.push_str(r"[^ \t\n\x0B\x0C\r]"),
            'Z' => out.push_str(r"(?=\n?\z)"),
            other if other.is_ascii_alphanumeric() => {
                out.push('\\');
                out.push(other);
            }
            other => out.push_str(&fancy_regex::escape(other.encode_utf8(&mut [0; 4]))),
        }
        rest = &escape[letter.len_utf8()..];
    }
    out.push_str(rest);
    out
}

/// Splits a list at commas that no backslash escapes, and takes the backslash of those away.
pub(super) fn split_list(list: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut chars = list.chars();
    while let Some(c) = chars.next() {
        match c {
            ',' => parts.push(String::new()),
            '\\' => {
                let part = parts.last_mut().expect("there is always one part");
                match chars.next() {
                    Some(',') => part.push(','),
                    Some(other) => part.extend(['\\', other]),
                    None => part.push('\\'),
                }
            }
            other => parts.last_mut().expect("there is always one part").push(other),
        }
    }
    parts.iter().map(|p| p.trim().to_owned()).filter(|p| !p.is_empty()).collect()
}
