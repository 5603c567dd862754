//! A scanner over JSON text that borrows.
//!
//! Sinks look at a few fields of each record. A tree of owned values for all fields would cost ten times as much, and would turn
//! numbers into doubles. Here a number stays text, and an array or object whose parts nobody asks for stays one slice. The text
//! is still checked in full against the grammar of RFC 8259, except for escapes in a string that is stepped over.

use std::borrow::Cow;

use super::error::Error;
use super::json::Json;

/// The deepest nesting that is read. Stepping over a value is recursive, so a deeper one could exhaust the stack.
const MAX_DEPTH: u32 = 128;

/// How many of eight bytes come before the first `"`, `\` or control character; 8 when there is none. Looks at all eight at once.
fn ordinary(chunk: [u8; 8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // A byte's high bit is set where the byte is below a bound. Bytes above such a byte may be marked wrongly, so only the
    // lowest mark counts.
    let below = |word: u64, bound: u64| word.wrapping_sub(ONES * bound) & !word;
    let word = u64::from_le_bytes(chunk);
    let quote = below(word ^ (ONES * u64::from(b'"')), 1);
    let escape = below(word ^ (ONES * u64::from(b'\\')), 1);
    let found = (quote | escape | below(word, 0x20)) & HIGH;
    found.trailing_zeros() as usize / 8
}

/// A position in a JSON text. After an error the position is where the text is wrong; reading on makes no sense then.
pub(super) struct Scanner<'a> {
    text: &'a str,
    /// The next byte to read.
    at: usize,
    /// How many arrays and objects are open here.
    depth: u32,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, depth: 0 }
    }

    /// The text from the earlier position `start` up to here.
    pub(super) fn since(&self, start: usize) -> &'a str {
        &self.text[start..self.at]
    }

    /// The next byte to read, for [`since`](Self::since).
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// An error that names the position.
    #[cold]
    fn fail<T>(&self, what: &str) -> Result<T, Error> {
        Err(Error::new(format!("{what} at byte {}", self.at)))
    }

    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Steps over white space.
    #[inline]
    pub(super) fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// Checks that only white space follows.
    pub(super) fn end(&mut self) -> Result<(), Error> {
        self.space();
        if self.at == self.text.len() { Ok(()) } else { self.fail("unexpected text after the JSON value") }
    }

    /// Steps over `byte` if it comes next, and says whether it did.
    #[inline]
    fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    #[inline]
    fn expect(&mut self, byte: u8) -> Result<(), Error> {
        if self.take(byte) { Ok(()) } else { self.expected(byte) }
    }

    #[cold]
    fn expected(&self, byte: u8) -> Result<(), Error> {
        self.fail(&format!("expected {:?}", char::from(byte)))
    }

    fn literal(&mut self, word: &str) -> Result<(), Error> {
        if !self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return self.fail("not a JSON value");
        }
        self.at += word.len();
        Ok(())
    }

    /// Reads the next value. An array or object is checked and returned as text.
    pub(super) fn value(&mut self) -> Result<Json<'a>, Error> {
        self.space();
        let start = self.at;
        Ok(match self.peek() {
            Some(b'"') => Json::String(self.string()?),
            Some(b'{') => {
                self.skip()?;
                Json::Object(&self.text[start..self.at])
            }
            Some(b'[') => {
                self.skip()?;
                Json::Array(&self.text[start..self.at])
            }
            Some(b't') => self.literal("true").map(|()| Json::Bool(true))?,
            Some(b'f') => self.literal("false").map(|()| Json::Bool(false))?,
            Some(b'n') => self.literal("null").map(|()| Json::Null)?,
            Some(b'-' | b'0'..=b'9') => {
                self.number()?;
                Json::Number(&self.text[start..self.at])
            }
            Some(_) => return self.fail("not a JSON value"),
            None => return self.fail("the text ends where a value is expected"),
        })
    }

    /// Steps over the next value and returns its text as written, escapes and all.
    pub(super) fn raw(&mut self) -> Result<&'a str, Error> {
        self.space();
        let start = self.at;
        self.skip()?;
        Ok(&self.text[start..self.at])
    }

    /// Steps over the next value, without unescaping its strings.
    fn skip(&mut self) -> Result<(), Error> {
        self.space();
        match self.peek() {
            Some(b'{') => self.object(|scanner, _| scanner.skip()),
            Some(b'[') => self.array(Scanner::skip),
            Some(b'"') => self.skip_string().map(drop),
            _ => self.value().map(drop),
        }
    }

    /// Reads an object: calls `member` with each name, while the scanner stands before the value. `member` has to read or
    /// step over exactly that value.
    pub(super) fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, Cow<'a, str>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.enter(b'{')?;
        if !self.take(b'}') {
            loop {
                self.space();
                let name = self.string()?;
                self.space();
                self.expect(b':')?;
                member(self, name)?;
                self.space();
                if !self.take(b',') {
                    break;
                }
            }
            self.expect(b'}')?;
        }
        self.depth -= 1;
        Ok(())
    }

    /// Reads an array: calls `element` before each element, which it has to read or step over.
    pub(super) fn array(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.enter(b'[')?;
        if !self.take(b']') {
            loop {
                element(self)?;
                self.space();
                if !self.take(b',') {
                    break;
                }
            }
            self.expect(b']')?;
        }
        self.depth -= 1;
        Ok(())
    }

    /// Whether an object comes next whose first member has this name.
    pub(super) fn begins_with(mut self, name: &str) -> bool {
        self.enter(b'{').is_ok() && self.string().is_ok_and(|first| first == name)
    }

    /// Steps over an opening bracket and counts the depth.
    fn enter(&mut self, bracket: u8) -> Result<(), Error> {
        self.space();
        self.expect(bracket)?;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.fail("arrays and objects are nested too deep");
        }
        self.space();
        Ok(())
    }

    /// Steps over a string; returns its inner text and whether it holds escapes.
    #[inline]
    fn skip_string(&mut self) -> Result<(&'a str, bool), Error> {
        self.expect(b'"')?;
        let start = self.at;
        // Nearly all names and most values end within eight bytes.
        if let Some(chunk) = self.text.as_bytes()[start..].first_chunk::<8>() {
            let free = ordinary(*chunk);
            if free < 8 && chunk[free] == b'"' {
                self.at = start + free + 1;
                return Ok((&self.text[start..start + free], false));
            }
        }
        self.skip_long_string(start)
    }

    /// As [`Scanner::skip_string`], from behind the opening quotation mark on.
    fn skip_long_string(&mut self, start: usize) -> Result<(&'a str, bool), Error> {
        let bytes = self.text.as_bytes();
        let (mut at, mut escaped) = (start, false);
        loop {
            // Most bytes of a record are inside strings, so this loop does nothing else.
            while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
                let free = ordinary(*chunk);
                at += free;
                if free < 8 {
                    break;
                }
            }
            match bytes.get(at) {
                Some(b'"') => {
                    self.at = at + 1;
                    return Ok((&self.text[start..at], escaped));
                }
                Some(b'\\') => {
                    escaped = true;
                    // Skips the escaped character; a bad escape is reported when the string is read.
                    at += 2;
                }
                // Only the last seven bytes of a text are looked at one by one.
                Some(0x20..) => at += 1,
                Some(_) => {
                    self.at = at;
                    return self.fail("control character in a string");
                }
                None => {
                    self.at = at;
                    return self.fail("the text ends within a string");
                }
            }
        }
    }

    /// Reads a string and resolves its escapes.
    #[inline]
    fn string(&mut self) -> Result<Cow<'a, str>, Error> {
        let start = self.at;
        let (inner, escaped) = self.skip_string()?;
        if escaped { unescaped(inner, start).map(Cow::Owned) } else { Ok(Cow::Borrowed(inner)) }
    }

    fn digits(&mut self) -> Result<(), Error> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let count = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
        self.at += count;
        if count == 0 { self.fail("expected a digit") } else { Ok(()) }
    }

    /// Steps over a number: RFC 8259 allows no leading zero, no `+` and no bare point.
    fn number(&mut self) -> Result<(), Error> {
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }
}

#[cold]
fn unescaped(inner: &str, start: usize) -> Result<String, Error> {
    unescape(inner).ok_or_else(|| Error::new(format!("malformed escape in the string at byte {start}")))
}

/// Resolves the escapes of a string. A column of JSON has many.
fn unescape(inner: &str) -> Option<String> {
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        text.push_str(&rest[..at]);
        let escaped = match rest.as_bytes().get(at + 1)? {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                // serde_json knows surrogate pairs and every other corner.
                text.push_str(&serde_json::from_str::<String>(&format!("\"{}\"", &rest[at..])).ok()?);
                return Some(text);
            }
            _ => return None,
        };
        text.push(escaped);
        rest = &rest[at + 2..];
    }
    text.push_str(rest);
    Some(text)
}
