//! Walks over JSON text without building a tree.

use std::borrow::Cow;

use crate::Fault;

/// A position in a JSON text. Every method skips white space first; the text need not be UTF-8 as a whole, only its
/// strings are checked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
}

/// How deep values may be nested: Jackson's limit.
pub(super) const DEEPEST: usize = 1000;

impl<'a> Scanner<'a> {
    pub(super) const fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    pub(super) const fn position(&self) -> usize {
        self.at
    }

    pub(super) const fn skip_to(&mut self, position: usize) {
        self.at = position;
    }

    /// The error of a text that is no JSON. It names the position and never shows the text.
    fn bad(&self, wanted: &str) -> Fault {
        Fault::data(format!("not JSON: {wanted} expected at byte {}", self.at))
    }

    /// The next byte that is not white space.
    pub(super) fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.text.get(self.at) {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    /// Takes this byte if it comes next.
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Takes this byte, which must come next.
    pub(super) fn expect(&mut self, byte: u8) -> Result<(), Fault> {
        if self.eat(byte) { Ok(()) } else { Err(self.bad(&format!("'{}'", char::from(byte)))) }
    }

    /// Takes this word if it comes next.
    pub(super) fn word(&mut self, word: &str) -> bool {
        self.peek();
        let found = self.text[self.at..].starts_with(word.as_bytes());
        self.at += if found { word.len() } else { 0 };
        found
    }

    /// Takes a number and returns its text, so that the schema may decide how its digits are read.
    pub(super) fn number(&mut self) -> Result<&'a str, Fault> {
        self.peek();
        let rest = &self.text[self.at..];
        let length = rest
            .iter()
            .position(|b| !matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'))
            .unwrap_or(rest.len());
        let digits = std::str::from_utf8(&rest[..length]).unwrap_or_default();
        if !is_number(digits.as_bytes()) {
            return Err(self.bad("a number"));
        }
        self.at += length;
        Ok(digits)
    }

    /// Takes a string. Without escapes it is borrowed from the text.
    pub(super) fn string(&mut self) -> Result<Cow<'a, str>, Fault> {
        self.expect(b'"')?;
        let start = self.at;
        let length = self.text[start..].iter().position(|b| matches!(b, b'"' | b'\\'));
        let length = length.ok_or_else(|| self.bad("the end of a string"))?;
        let plain = self.utf8(start, start + length)?;
        self.at = start + length;
        if self.text[self.at] == b'"' {
            self.at += 1;
            return Ok(Cow::Borrowed(plain));
        }
        let mut text = plain.to_owned();
        loop {
            match self.text.get(self.at) {
                None => return Err(self.bad("the end of a string")),
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Cow::Owned(text));
                }
                Some(b'\\') => {
                    self.at += 1;
                    text.push(self.escape()?);
                }
                Some(_) => {
                    let rest = &self.text[self.at..];
                    let length = rest.iter().position(|b| matches!(b, b'"' | b'\\')).unwrap_or(rest.len());
                    text.push_str(self.utf8(self.at, self.at + length)?);
                    self.at += length;
                }
            }
        }
    }

    fn utf8(&self, start: usize, end: usize) -> Result<&'a str, Fault> {
        std::str::from_utf8(&self.text[start..end]).map_err(|_| self.bad("UTF-8"))
    }

    /// Takes what follows a backslash. Half of a surrogate pair becomes the replacement character.
    fn escape(&mut self) -> Result<char, Fault> {
        let letter = self.text.get(self.at).copied().ok_or_else(|| self.bad("an escape"))?;
        self.at += 1;
        Ok(match letter {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'"' | b'\\' | b'/' => char::from(letter),
            b'u' => {
                let first = self.unit()?;
                if (0xd800..0xdc00).contains(&first) && self.text[self.at..].starts_with(b"\\u") {
                    self.at += 2;
                    let second = self.unit()?;
                    let pair = char::decode_utf16([first, second]).next();
                    pair.and_then(Result::ok).unwrap_or(char::REPLACEMENT_CHARACTER)
                } else {
                    char::from_u32(u32::from(first)).unwrap_or(char::REPLACEMENT_CHARACTER)
                }
            }
            _ => return Err(self.bad("an escape")),
        })
    }

    /// Takes the four hexadecimal digits of `\u`.
    fn unit(&mut self) -> Result<u16, Fault> {
        let digits = self.text.get(self.at..self.at + 4).and_then(|d| std::str::from_utf8(d).ok());
        let unit = digits.and_then(|d| u16::from_str_radix(d, 16).ok());
        self.at += 4;
        unit.ok_or_else(|| self.bad("four hexadecimal digits"))
    }

    /// Skips a value of any kind. It counts brackets and does not look whether they match, since only a value that nobody
    /// reads, or one that is parsed afterwards, is skipped.
    pub(super) fn skip(&mut self) -> Result<(), Fault> {
        let mut depth = 0usize;
        loop {
            match self.peek().ok_or_else(|| self.bad("a value"))? {
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    depth = depth.checked_sub(1).ok_or_else(|| self.bad("a value"))?;
                    self.at += 1;
                }
                b',' | b':' if depth > 0 => self.at += 1,
                b'"' => self.skip_string()?,
                b't' | b'f' | b'n' => {
                    if !(self.word("true") || self.word("false") || self.word("null")) {
                        return Err(self.bad("a value"));
                    }
                }
                _ => {
                    self.number()?;
                }
            }
            if depth == 0 {
                return Ok(());
            }
        }
    }

    fn skip_string(&mut self) -> Result<(), Fault> {
        self.at += 1;
        loop {
            match self.text.get(self.at) {
                None => return Err(self.bad("the end of a string")),
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.at += 2,
                Some(_) => self.at += 1,
            }
        }
    }
}

/// Whether a text is a number of JSON's grammar: no sign `+`, no leading zeros, digits around the point.
fn is_number(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let digits = |text: &[u8]| text.iter().take_while(|b| b.is_ascii_digit()).count();
    let whole = digits(text);
    if whole == 0 || (whole > 1 && text[0] == b'0') {
        return false;
    }
    let mut rest = &text[whole..];
    if let [b'.', fraction @ ..] = rest {
        let count = digits(fraction);
        if count == 0 {
            return false;
        }
        rest = &fraction[count..];
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let exponent = match exponent {
            [b'+' | b'-', digits @ ..] => digits,
            plain => plain,
        };
        return !exponent.is_empty() && digits(exponent) == exponent.len();
    }
    rest.is_empty()
}
