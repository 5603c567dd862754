//! A row on the wire: `u16` count of columns, then for each column one byte for its kind.
//!
//! | kind | bytes after it | the value |
//! |---|---|---|
//! | `n` | none | NULL |
//! | `u` | none | a TOASTed value that did not change and was not sent |
//! | `t` | `u32` length, that many bytes | the type's text form, without a zero at its end |
//! | `b` | `u32` length, that many bytes | the type's binary form; only when the option `binary` asked for it |
//!
//! Source: the PostgreSQL manual, "Logical Replication Message Formats", `TupleData`.

use super::DecodeError;
use super::cursor::Cursor;

/// A row as it came off the wire: the count of its columns and their bytes, which are read only when they are asked for.
///
/// ```
/// use pgcdc_format::pgoutput::{Tuple, TupleValue};
///
/// let row = [TupleValue::Text(b"7"), TupleValue::Null, TupleValue::Unchanged];
/// let mut bytes = Vec::new();
/// Tuple::write(&row, &mut bytes);
/// let tuple = Tuple::parse(&bytes)?;
/// assert_eq!(tuple.len(), 3);
/// assert_eq!(tuple.values().collect::<Result<Vec<_>, _>>()?, row);
/// # Ok::<(), pgcdc_format::pgoutput::DecodeError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Tuple<'a> {
    count: u16,
    body: Cursor<'a>,
}

/// One column of a [`Tuple`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TupleValue<'a> {
    /// `n`: SQL NULL (or, in a key tuple, a column that is not part of the identity).
    Null,
    /// `u`: a TOASTed value that did not change and was not sent.
    Unchanged,
    /// `t`: the type's text form.
    Text(&'a [u8]),
    /// `b`: the type's binary form.
    Binary(&'a [u8]),
}

impl<'a> Tuple<'a> {
    /// Reads the count of columns; the columns themselves are read when they are asked for.
    pub(super) fn read(cursor: &mut Cursor<'a>) -> Result<Self, DecodeError> {
        let count = cursor.u16("a tuple's column count")?;
        Ok(Self { count, body: *cursor })
    }

    /// Reads a tuple from bytes that [`write`](Self::write) made, for instance a row that was kept for later.
    ///
    /// # Errors
    /// When the bytes do not begin with a count of columns. A malformed column is found when it is read.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        Self::read(&mut Cursor::new(bytes))
    }

    /// Appends a tuple of these values in the wire's form. A table has at most 1,600 columns, and a value at most 1 GiB, so
    /// both fit their fields.
    pub fn write(values: &[TupleValue<'_>], out: &mut Vec<u8>) {
        out.extend_from_slice(&u16::try_from(values.len()).unwrap_or(u16::MAX).to_be_bytes());
        for value in values {
            let (kind, bytes) = match value {
                TupleValue::Null => (b'n', None),
                TupleValue::Unchanged => (b'u', None),
                TupleValue::Text(bytes) => (b't', Some(bytes)),
                TupleValue::Binary(bytes) => (b'b', Some(bytes)),
            };
            out.push(kind);
            if let Some(bytes) = bytes {
                out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
                out.extend_from_slice(bytes);
            }
        }
    }

    /// Moves `cursor`, which stands at this tuple's first column, behind its last one.
    pub(super) fn skip(&self, cursor: &mut Cursor<'a>) -> Result<(), DecodeError> {
        let mut values = self.values();
        for value in &mut values {
            value?;
        }
        *cursor = values.cursor;
        Ok(())
    }

    /// How many columns the tuple has.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether it has no columns, as the rows of `CREATE TABLE t ()`.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The columns' values, in the order of the table's `Relation` message. After an error the iterator's further items mean
    /// nothing.
    #[must_use]
    pub const fn values(&self) -> Values<'a> {
        Values { left: self.count, cursor: self.body }
    }
}

/// Iterator over a tuple's columns, made by [`Tuple::values`].
#[derive(Clone, Debug)]
pub struct Values<'a> {
    left: u16,
    cursor: Cursor<'a>,
}

impl<'a> Iterator for Values<'a> {
    type Item = Result<TupleValue<'a>, DecodeError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        Some(self.read())
    }
}

impl<'a> Values<'a> {
    #[inline]
    fn read(&mut self) -> Result<TupleValue<'a>, DecodeError> {
        Ok(match self.cursor.u8("a column's kind")? {
            b'n' => TupleValue::Null,
            b'u' => TupleValue::Unchanged,
            b't' => TupleValue::Text(self.sized()?),
            b'b' => TupleValue::Binary(self.sized()?),
            _ => return Err(DecodeError::Malformed("the kind of a column is not one of n, u, t, b")),
        })
    }

    #[inline]
    fn sized(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.cursor.u32("a column's length")?;
        let length = usize::try_from(length).map_err(|_| DecodeError::Truncated("a column"))?;
        self.cursor.bytes(length, "a column's value")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let values =
            [TupleValue::Null, TupleValue::Text(b""), TupleValue::Unchanged, TupleValue::Text(b"a\xff")];
        let mut bytes = Vec::new();
        Tuple::write(&values, &mut bytes);
        let read = Tuple::parse(&bytes).unwrap().values().collect::<Result<Vec<_>, _>>();
        assert_eq!(read.unwrap(), values);
        assert!(Tuple::parse(&bytes[..1]).is_err());
    }
}
