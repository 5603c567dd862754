//! Java's regular expressions, as Debezium uses them for lists of names, on `fancy-regex`.
//!
//! Possessive quantifiers, lookaround, back references and intersections of classes are the same.
//! One difference is left: letters outside ASCII also match in any case here.

use std::iter::Peekable;
use std::str::Chars;

use fancy_regex::{Regex, RegexBuilder};

/// Compiles a pattern that must match the whole name, in any case.
pub(super) fn compile(pattern: &str) -> Result<Regex, String> {
    let anchored = format!(r"\A(?:{})\z", translate(pattern)?);
    RegexBuilder::new(&anchored).case_insensitive(true).build().map_err(|e| e.to_string())
}

/// Rewrites what means something else in Java: `\Q…\E`; `\d \w \s` and their opposites, which are
/// ASCII there; and a brace that is no repetition, which is an error there and a literal here.
fn translate(pattern: &str) -> Result<String, String> {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut chars = pattern.chars().peekable();
    let mut class_depth = 0_usize;
    while let Some(c) = chars.next() {
        match c {
            '\\' => escape(&mut chars, &mut out)?,
            '{' if class_depth == 0 => repetition(&mut chars, &mut out)?,
            other => {
                match other {
                    '[' => class_depth += 1,
                    ']' => class_depth = class_depth.saturating_sub(1),
                    _ => {}
                }
                out.push(other);
            }
        }
    }
    Ok(out)
}

fn escape(chars: &mut Peekable<Chars<'_>>, out: &mut String) -> Result<(), String> {
    let letter = chars.next().ok_or("it ends in a backslash")?;
    match letter {
        'Q' => {
            let rest: String = chars.clone().collect();
            let literal = rest.split("\\E").next().unwrap_or_default();
            let consumed = literal.chars().count() + if literal.len() < rest.len() { 2 } else { 0 };
            out.push_str(&fancy_regex::escape(literal));
            chars.by_ref().take(consumed).for_each(drop);
        }
        'd' => out.push_str("[0-9]"),
        'D' => out.push_str("[^0-9]"),
        'w' => out.push_str("[a-zA-Z_0-9]"),
        'W' => out.push_str("[^a-zA-Z_0-9]"),
        's' => out.push_str(r"[ \t\n\x0B\x0C\r]"),
        'S' => out.push_str(r"[^ \t\n\x0B\x0C\r]"),
        'Z' => out.push_str(r"(?=\n?\z)"),
        other if other.is_ascii_alphanumeric() => {
            out.extend(['\\', other]);
            if matches!(other, 'p' | 'P' | 'x' | 'N') && chars.peek() == Some(&'{') {
                for c in chars.by_ref() {
                    out.push(c);
                    if c == '}' {
                        break;
                    }
                }
            }
        }
        other => out.push_str(&fancy_regex::escape(other.encode_utf8(&mut [0; 4]))),
    }
    Ok(())
}

/// `{n}`, `{n,}` or `{n,m}`, the opening brace already read.
fn repetition(chars: &mut Peekable<Chars<'_>>, out: &mut String) -> Result<(), String> {
    let rest: String = chars.clone().collect();
    let inner = rest.split_once('}').map(|(inner, _)| inner);
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let valid = inner.filter(|inner| match inner.split_once(',') {
        None => digits(inner),
        Some((low, high)) => digits(low) && (high.is_empty() || digits(high)),
    });
    let inner = valid.ok_or("a { that begins no repetition; a comma within {n,m} is written \\,")?;
    out.push('{');
    out.push_str(inner);
    out.push('}');
    chars.by_ref().take(inner.chars().count() + 1).for_each(drop);
    Ok(())
}

/// Splits a list at commas that no backslash escapes, and takes the backslash of those away.
pub(super) fn split_list(list: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut part = String::new();
    let mut chars = list.chars();
    while let Some(c) = chars.next() {
        match c {
            ',' => parts.push(std::mem::take(&mut part)),
            '\\' => match chars.next() {
                Some(',') => part.push(','),
                Some(other) => part.extend(['\\', other]),
                None => part.push('\\'),
            },
            other => part.push(other),
        }
    }
    parts.push(part);
    parts.iter().map(|p| p.trim().to_owned()).filter(|p| !p.is_empty()).collect()
}
