//! The reader of a message's fields. `what` names the field in the error of a message that ends too early.

use super::DecodeError;

/// The bytes of a message that are not read yet. Integers are big-endian; a string is UTF-8 up to a zero byte. Nothing is read
/// past the end, and after an error the position is that of the failed field.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next `length` bytes. A length from the wire is safe here: it is compared with the bytes that are left, and nothing is
    /// allocated.
    pub(super) fn bytes(&mut self, length: usize, what: &'static str) -> Result<&'a [u8], DecodeError> {
        let (head, tail) = self.rest.split_at_checked(length).ok_or(DecodeError::Truncated(what))?;
        self.rest = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], DecodeError> {
        let (head, tail) = self.rest.split_first_chunk::<N>().ok_or(DecodeError::Truncated(what))?;
        self.rest = tail;
        Ok(*head)
    }

    #[inline]
    pub(super) fn u8(&mut self, what: &'static str) -> Result<u8, DecodeError> {
        self.array::<1>(what).map(|[byte]| byte)
    }

    #[inline]
    pub(super) fn u16(&mut self, what: &'static str) -> Result<u16, DecodeError> {
        self.array(what).map(u16::from_be_bytes)
    }

    #[inline]
    pub(super) fn u32(&mut self, what: &'static str) -> Result<u32, DecodeError> {
        self.array(what).map(u32::from_be_bytes)
    }

    #[inline]
    pub(super) fn i32(&mut self, what: &'static str) -> Result<i32, DecodeError> {
        self.array(what).map(i32::from_be_bytes)
    }

    pub(super) fn u64(&mut self, what: &'static str) -> Result<u64, DecodeError> {
        self.array(what).map(u64::from_be_bytes)
    }

    pub(super) fn i64(&mut self, what: &'static str) -> Result<i64, DecodeError> {
        self.array(what).map(i64::from_be_bytes)
    }

    /// The next string; its zero byte is consumed and not returned.
    pub(super) fn text(&mut self, what: &'static str) -> Result<&'a str, DecodeError> {
        let end = memchr::memchr(0, self.rest).ok_or(DecodeError::Truncated(what))?;
        let text = std::str::from_utf8(&self.rest[..end])
            .map_err(|_| DecodeError::Malformed("a name is not UTF-8"))?;
        self.rest = &self.rest[end + 1..];
        Ok(text)
    }
}
