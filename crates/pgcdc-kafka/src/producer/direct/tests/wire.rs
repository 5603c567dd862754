//! What the model of a broker reads and writes, in the old form of the protocol and in the flexible one (KIP-482).

/// A request, read from its front.
pub(super) struct Input<'a> {
    pub(super) rest: &'a [u8],
    pub(super) flexible: bool,
}

impl<'a> Input<'a> {
    pub(super) fn new(rest: &'a [u8]) -> Self {
        Self { rest, flexible: false }
    }
    pub(super) fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (first, rest) = self.rest.split_at(count);
        self.rest = rest;
        first
    }
    pub(super) fn i16(&mut self) -> i16 {
        i16::from_be_bytes(self.bytes(2).try_into().unwrap())
    }
    pub(super) fn i32(&mut self) -> i32 {
        i32::from_be_bytes(self.bytes(4).try_into().unwrap())
    }
    pub(super) fn i64(&mut self) -> i64 {
        i64::from_be_bytes(self.bytes(8).try_into().unwrap())
    }
    /// A text; empty for a null.
    pub(super) fn text(&mut self) -> String {
        let length = if self.flexible { self.count() } else { usize::try_from(self.i16()).unwrap_or(0) };
        String::from_utf8(self.bytes(length).to_vec()).unwrap()
    }
    /// How many elements or bytes follow.
    pub(super) fn count(&mut self) -> usize {
        if self.flexible {
            return usize::try_from(self.unsigned()).unwrap().saturating_sub(1);
        }
        usize::try_from(self.i32()).unwrap()
    }
    /// The end of a structure: without tagged fields.
    pub(super) fn close(&mut self) {
        assert!(!self.flexible || self.bytes(1) == [0]);
    }
    fn unsigned(&mut self) -> u64 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = self.bytes(1)[0];
            value |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                return value;
            }
        }
    }
    pub(super) fn varint(&mut self) -> i64 {
        let value = self.unsigned();
        (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
    }
    pub(super) fn counted(&mut self) -> Option<Vec<u8>> {
        let length = usize::try_from(self.varint()).ok()?;
        Some(self.bytes(length).to_vec())
    }
    pub(super) fn record(&mut self) -> &'a [u8] {
        let length = usize::try_from(self.varint()).unwrap();
        self.bytes(length)
    }
}

/// An answer.
pub(super) struct Output {
    pub(super) bytes: Vec<u8>,
    pub(super) flexible: bool,
}

impl Output {
    pub(super) fn i16(&mut self, value: i16) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }
    pub(super) fn i32(&mut self, value: i32) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }
    pub(super) fn i64(&mut self, value: i64) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }
    pub(super) fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend(bytes);
        self
    }
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        match self.flexible {
            true => self.count(text.len()),
            false => self.i16(i16::try_from(text.len()).unwrap()),
        };
        self.raw(text.as_bytes())
    }
    /// A null text.
    pub(super) fn null(&mut self) -> &mut Self {
        if self.flexible { self.raw(&[0]) } else { self.i16(-1) }
    }
    /// A count below 127.
    pub(super) fn count(&mut self, count: usize) -> &mut Self {
        match self.flexible {
            true => self.raw(&[u8::try_from(count + 1).unwrap()]),
            false => self.i32(i32::try_from(count).unwrap()),
        }
    }
    pub(super) fn close(&mut self) -> &mut Self {
        if self.flexible { self.raw(&[0]) } else { self }
    }
}
