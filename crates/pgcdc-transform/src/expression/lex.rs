/// A word of an expression: the smallest part that has a meaning.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A variable, a field, a method, or a word such as `null`.
    Name(String),
    /// A text in quotes, without them.
    Text(String),
    /// Digits, with a point among them or not.
    Number(String),
    /// An operator or a bracket.
    Sign(&'static str),
}

/// All signs; a longer one comes before the ones that it begins with.
const SIGNS: [&str; 24] = [
    "==", "!=", "<=", ">=", "&&", "||", "?.", "<", ">", "!", "+", "-", "*", "/", "%", "?", ":", "(", ")",
    "[", "]", ".", ",", ";",
];

/// Splits an expression into words.
///
/// # Errors
/// When a character has no meaning, or a text has no end.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if first.is_alphabetic() || first == '_' || first == '$' {
            let length = span(rest, |c| c.is_alphanumeric() || c == '_' || c == '$');
            found.push(Token::Name(rest[..length].to_owned()));
            length
        } else if first.is_ascii_digit() {
            let mut length = span(rest, |c| c.is_ascii_digit());
            if let Some(fraction) = rest[length..].strip_prefix('.') {
                let digits = span(fraction, |c| c.is_ascii_digit());
                length += if digits > 0 { digits + 1 } else { 0 };
            }
            found.push(Token::Number(rest[..length].to_owned()));
            length
        } else if first == '\'' || first == '"' {
            let (text, length) = quoted(rest, first)?;
            found.push(Token::Text(text));
            length
        } else {
            let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
            let sign = sign.ok_or_else(|| format!("'{first}' is not understood"))?;
            found.push(Token::Sign(sign));
            sign.len()
        };
        rest = rest[length..].trim_start();
    }
    Ok(found)
}

/// The length in bytes of the characters at the beginning that fit.
fn span(text: &str, fits: impl Fn(char) -> bool) -> usize {
    text.find(|c| !fits(c)).unwrap_or(text.len())
}

/// Reads a text in quotes: its content, and its length with the quotes. A backslash takes the next character as it is, but for
/// `\n` and `\t`.
fn quoted(text: &str, quote: char) -> Result<(String, usize), String> {
    let mut out = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            c if c == quote => return Ok((out, at + 1)),
            '\\' => match chars.next() {
                Some((_, 'n')) => out.push('\n'),
                Some((_, 't')) => out.push('\t'),
                Some((_, c)) => out.push(c),
                None => break,
            },
            c => out.push(c),
        }
    }
    Err(format!("a text has no closing {quote}"))
}
