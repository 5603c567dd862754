//! A scanner over JSON text that borrows.
//!
//! Sinks look at a handful of fields of each record; building a tree of owned values for all of them
//! costs ten times what this costs, and would turn numbers into doubles. Here a number stays the text
//! it was, and an array or object that nobody looks into stays one slice. Everything is still checked
//! against the grammar of RFC 8259.

use std::borrow::Cow;

use super::{Error, Json};

/// Nesting deeper than this is refused: skipping is recursive.
const MAX_DEPTH: u32 = 128;

/// Bytes that neither end a string nor begin an escape nor are forbidden in one.
const ORDINARY: [bool; 256] = {
    let mut table = [true; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = false;
        byte += 1;
    }
    table[b'"' as usize] = false;
    table[b'\\' as usize] = false;
    table
};

pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    depth: u32,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, depth: 0 }
    }

    /// The text from `start`, a position of before, up to here.
    pub(super) fn since(&self, start: usize) -> &'a str {
        &self.text[start..self.at]
    }

    pub(super) fn position(&self) -> usize {
        self.at
    }

    fn fail<T>(&self, what: &str) -> Result<T, Error> {
        Err(Error::new(format!("{what} at byte {}", self.at)))
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    pub(super) fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    pub(super) fn end(&mut self) -> Result<(), Error> {
        self.space();
        if self.at == self.text.len() { Ok(()) } else { self.fail("unexpected text after the JSON value") }
    }

    fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn expect(&mut self, byte: u8) -> Result<(), Error> {
        if self.take(byte) { Ok(()) } else { self.fail(&format!("expected {:?}", char::from(byte))) }
    }

    fn literal(&mut self, word: &str) -> Result<(), Error> {
        if !self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return self.fail("not a JSON value");
        }
        self.at += word.len();
        Ok(())
    }

    /// The next value. Arrays and objects are checked and returned as text.
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

    /// The next value's text, unescaped nothing.
    pub(super) fn raw(&mut self) -> Result<&'a str, Error> {
        self.space();
        let start = self.at;
        self.skip()?;
        Ok(&self.text[start..self.at])
    }

    fn skip(&mut self) -> Result<(), Error> {
        self.space();
        match self.peek() {
            Some(b'{') => self.object(|scanner, _| scanner.skip()),
            Some(b'[') => self.array(Scanner::skip),
            Some(b'"') => self.skip_string().map(drop),
            _ => self.value().map(drop),
        }
    }

    /// Calls `member` with the scanner before each member's value; it has to consume that value.
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

    /// As [`Scanner::object`], for elements.
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

    fn enter(&mut self, bracket: u8) -> Result<(), Error> {
        self.space();
        self.expect(bracket)?;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.fail("nested too deep");
        }
        self.space();
        Ok(())
    }

    /// Advances over a string; returns its inner text and whether it holds escapes.
    fn skip_string(&mut self) -> Result<(&'a str, bool), Error> {
        self.expect(b'"')?;
        let start = self.at;
        let bytes = self.text.as_bytes();
        let mut escaped = false;
        loop {
            // Most of a record is the inside of strings: this loop looks at nothing else.
            while let Some(byte) = bytes.get(self.at) {
                if ORDINARY[usize::from(*byte)] {
                    self.at += 1;
                } else {
                    break;
                }
            }
            match bytes.get(self.at) {
                Some(b'"') => {
                    let inner = &self.text[start..self.at];
                    self.at += 1;
                    return Ok((inner, escaped));
                }
                Some(b'\\') => {
                    escaped = true;
                    // Skips the escaped character; a bad escape is reported when the string is read.
                    self.at += 2;
                }
                Some(_) => return self.fail("control character in a string"),
                None => return self.fail("the text ends within a string"),
            }
        }
    }

    fn string(&mut self) -> Result<Cow<'a, str>, Error> {
        let start = self.at;
        let (inner, escaped) = self.skip_string()?;
        if !escaped {
            return Ok(Cow::Borrowed(inner));
        }
        // Escapes are rare; serde_json knows surrogate pairs and every other corner.
        match serde_json::from_str::<String>(&self.text[start..self.at]) {
            Ok(text) => Ok(Cow::Owned(text)),
            Err(_) => Err(Error::new(format!("malformed escape in the string at byte {start}"))),
        }
    }

    fn digits(&mut self) -> Result<(), Error> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == start { self.fail("expected a digit") } else { Ok(()) }
    }

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
