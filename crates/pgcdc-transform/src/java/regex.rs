//! Java's regular expressions on `fancy-regex`, and Java's replacements with `$1`.

use std::iter::Peekable;
use std::str::Chars;

use fancy_regex::Regex;

use crate::Fault;

/// A compiled expression, case sensitive.
///
/// `fancy-regex` has Java's look-around and back references. [`translate`] rewrites what means something else there. An
/// expression whose match takes too many steps (a million) counts as one that does not match; Java would go on, if need be for
/// hours.
///
/// ```
/// use pgcdc_transform::java::Pattern;
///
/// let pattern = Pattern::compile(r"shop\.(?<table>\w+)").expect("an expression");
/// assert!(pattern.matches("shop.items") && !pattern.matches("my shop.items"), "the whole text, as in Java");
/// assert_eq!(pattern.replace_first("shop.items", "t.${table}")?, "t.items");
/// assert!(pattern.replace_first("shop.items", "$2").is_err(), "there is no second group");
/// # Ok::<(), pgcdc_transform::Fault>(())
/// ```
#[derive(Clone, Debug)]
pub struct Pattern {
    /// The expression between anchors: Java's `matches()`.
    whole: Regex,
    /// The expression as it is: Java's `find()`.
    anywhere: Regex,
}

impl Pattern {
    /// Compiles an expression.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn compile(pattern: &str) -> Result<Self, String> {
        let translated = translate(pattern)?;
        let compile = |text: &str| Regex::new(text).map_err(|e| e.to_string());
        Ok(Self { whole: compile(&format!(r"\A(?:{translated})\z"))?, anywhere: compile(&translated)? })
    }

    /// Java's `matches()`: the whole text.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.whole.is_match(text).unwrap_or(false)
    }

    /// Java's `replaceFirst()`: the first match is replaced; without a match the text stays as it is. In `replacement`,
    /// `$1` and `${name}` are groups and a backslash takes the next character as it is.
    ///
    /// # Errors
    /// On a reference to a group that the expression does not have.
    pub fn replace_first(&self, text: &str, replacement: &str) -> Result<String, Fault> {
        let Ok(Some(groups)) = self.anywhere.captures(text) else { return Ok(text.to_owned()) };
        let Some(whole) = groups.get(0) else { return Ok(text.to_owned()) };
        let mut out = text[..whole.start()].to_owned();
        let last = groups.len() - 1;
        let mut chars = replacement.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '\\' => {
                    let next = chars.next();
                    out.push(next.ok_or_else(|| Fault::argument("character to be escaped is missing"))?);
                }
                '$' => match reference(&mut chars, last)? {
                    Reference::Number(number) => out.push_str(groups.get(number).map_or("", |m| m.as_str())),
                    Reference::Name(name) => {
                        if !self.anywhere.capture_names().flatten().any(|known| known == name) {
                            return Err(Fault::argument(format!("No group with name {{{name}}}")));
                        }
                        out.push_str(groups.name(&name).map_or("", |m| m.as_str()));
                    }
                },
                other => out.push(other),
            }
        }
        out.push_str(&text[whole.end()..]);
        Ok(out)
    }
}

/// A group in a replacement.
enum Reference {
    Number(usize),
    Name(String),
}

/// Reads a reference behind its `$`. Of several digits it takes as many as still name a group of the `last` ones: with two
/// groups, `$12` is group 1 and the digit 2.
fn reference(chars: &mut Peekable<Chars<'_>>, last: usize) -> Result<Reference, Fault> {
    match chars.next() {
        None => Err(Fault::argument("Illegal group reference: group index is missing")),
        Some('{') => {
            let mut name = String::new();
            while let Some(c) = chars.next_if(char::is_ascii_alphanumeric) {
                name.push(c);
            }
            if name.is_empty() {
                return Err(Fault::argument("named capturing group is missing trailing '}'"));
            }
            if name.starts_with(|c: char| c.is_ascii_digit()) {
                return Err(Fault::argument(format!(
                    "capturing group name {{{name}}} starts with digit character"
                )));
            }
            if chars.next() != Some('}') {
                return Err(Fault::argument("named capturing group is missing trailing '}'"));
            }
            Ok(Reference::Name(name))
        }
        Some(c) => {
            let digit = c.to_digit(10).ok_or_else(|| Fault::argument("Illegal group reference"))?;
            let mut number = digit as usize;
            if number > last {
                return Err(Fault::bounds(format!("No group {number}")));
            }
            while let Some(next) = chars.peek().and_then(|c| c.to_digit(10)) {
                let longer = number * 10 + next as usize;
                if longer > last {
                    break;
                }
                number = longer;
                chars.next();
            }
            Ok(Reference::Number(number))
        }
    }
}

/// Rewrites a pattern where Java's meaning differs: `\Q…\E`; `\d \w \s` and their opposites, which are ASCII in Java; and a
/// brace that is no repetition, which is an error in Java and would be a literal here.
///
/// # Errors
/// Says what is wrong with the expression.
///
/// ```
/// use pgcdc_transform::java::translate;
///
/// assert_eq!(translate(r"a\d+").as_deref(), Ok("a[0-9]+"));
/// assert_eq!(translate(r"\Qa.b\E").as_deref(), Ok(r"a\.b"));
/// assert!(translate("a{b}").is_err());
/// ```
pub fn translate(pattern: &str) -> Result<String, String> {
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

/// Rewrites what follows a backslash.
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
