//! The syntax of Java's `.properties` files: comments, continued lines, escapes, three separators.
//!
//! Source: `java.util.Properties.load`.

/// A malformed escape in a `.properties` file.
#[derive(Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// The line, counted from 1.
    pub line: usize,
    /// The property's name.
    pub key: String,
    /// What is wrong.
    pub message: String,
}

/// Reads the key, value and line (counted from 1) of each property, in order. A key may come twice.
///
/// ```
/// let read = pgcdc_config::properties::parse("# a list\nhosts = a,\\\n  b").expect("no malformed escape");
/// assert_eq!(read, [("hosts".to_owned(), "a,b".to_owned(), 2)]);
/// ```
///
/// # Errors
/// On a malformed `\uXXXX` escape.
pub fn parse(text: &str) -> Result<Vec<(String, String, usize)>, SyntaxError> {
    logical_lines(text)
        .into_iter()
        .map(|(line, number)| {
            let (key, value) = split(&line);
            let error = |message: String| SyntaxError { line: number, key: key.to_owned(), message };
            Ok((unescape(key).map_err(error)?, unescape(value).map_err(error)?, number))
        })
        .collect()
}

/// Joins a line that ends in an odd number of backslashes with the next one, and drops comments and empty lines. Each line
/// comes with its number.
fn logical_lines(text: &str) -> Vec<(String, usize)> {
    let mut lines = Vec::new();
    let mut open: Option<(String, usize)> = None;
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    for (at, natural) in text.split('\n').enumerate() {
        let natural = natural.trim_start_matches([' ', '\t', '\x0c']);
        if open.is_none() && (natural.is_empty() || natural.starts_with(['#', '!'])) {
            continue;
        }
        let (mut line, number) = open.take().unwrap_or((String::new(), at + 1));
        let slashes = natural.bytes().rev().take_while(|&b| b == b'\\').count();
        if slashes % 2 == 1 {
            line.push_str(&natural[..natural.len() - 1]);
            open = Some((line, number));
        } else {
            line.push_str(natural);
            lines.push((line, number));
        }
    }
    lines.extend(open.filter(|(line, _)| !line.is_empty()));
    lines
}

/// Splits a line into key and value. The key ends at the first unescaped `=`, `:` or blank; one separator and the blanks
/// around it are dropped.
fn split(line: &str) -> (&str, &str) {
    let blank = [' ', '\t', '\x0c'];
    let mut escaped = false;
    let end = line
        .char_indices()
        .find(|&(_, c)| {
            let ends = !escaped && (c == '=' || c == ':' || blank.contains(&c));
            escaped = !escaped && c == '\\';
            ends
        })
        .map_or(line.len(), |(at, _)| at);
    let (key, rest) = line.split_at(end);
    let rest = rest.trim_start_matches(blank);
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (key, rest.trim_start_matches(blank))
}

/// Resolves backslash escapes.
fn unescape(text: &str) -> Result<String, String> {
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut buffer = [0; 2];
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let plain = if c == '\\' {
            match chars.next() {
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('f') => '\x0c',
                Some('u') => {
                    let digits: String = chars.by_ref().take(4).collect();
                    let valid = digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_hexdigit());
                    let unit = u16::from_str_radix(&digits, 16).ok().filter(|_| valid);
                    units.push(unit.ok_or("has a malformed \\uXXXX escape")?);
                    continue;
                }
                Some(other) => other,
                None => break,
            }
        } else {
            c
        };
        units.extend_from_slice(plain.encode_utf16(&mut buffer));
    }
    Ok(String::from_utf16_lossy(&units))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &[(&str, &str, usize)]) {
        let parsed = parse(text).unwrap();
        let parsed: Vec<_> = parsed.iter().map(|(k, v, l)| (&**k, &**v, *l)).collect();
        assert_eq!(parsed, expect, "{text:?}");
    }

    #[test]
    fn reads_what_java_reads() {
        check("a=b", &[("a", "b", 1)]);
        check("a = b ", &[("a", "b ", 1)]);
        check("a:b\r\nc d\n\n# no\n ! no\ne", &[("a", "b", 1), ("c", "d", 2), ("e", "", 6)]);
        check("a = : b", &[("a", ": b", 1)]);
        check("a=1,\\\n   2,\\\n   3\nb=4", &[("a", "1,2,3", 1), ("b", "4", 4)]);
        check("a\\ b\\=c=d", &[("a b=c", "d", 1)]);
        check("a=\\u00e9\\t\\\\x\\.", &[("a", "é\t\\x.", 1)]);
        check("a=\\ud83d\\ude00", &[("a", "😀", 1)]);
        check("a=ends in \\\\\nb=1", &[("a", "ends in \\", 1), ("b", "1", 2)]);
        check("a=open\\", &[("a", "open", 1)]);
        check("\t a\t b", &[("a", "b", 1)]);
        check("", &[]);
    }

    #[test]
    fn names_the_line_of_a_bad_escape() {
        let e = parse("x=1\na=\\u12").unwrap_err();
        assert_eq!((e.line, &*e.key), (2, "a"));
    }
}
