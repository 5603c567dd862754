//! Java's regular expressions, as Debezium uses them for lists of names, on `fancy-regex`.
//!
//! Possessive quantifiers, lookaround, back references and intersections of classes mean the same.
//! One difference is left: here letters outside ASCII also match in any case.

use fancy_regex::{Regex, RegexBuilder};
use pgcdc_transform::java::translate;

/// Compiles a pattern that must match the whole name, in any case.
///
/// # Errors
/// Why the pattern does not compile.
pub(super) fn compile(pattern: &str) -> Result<Regex, String> {
    let anchored = format!(r"\A(?:{})\z", translate(pattern)?);
    RegexBuilder::new(&anchored).case_insensitive(true).build().map_err(|e| e.to_string())
}

/// Splits a list at commas, except those that a backslash escapes; takes the backslash of these
/// away. Empty entries are left out.
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
