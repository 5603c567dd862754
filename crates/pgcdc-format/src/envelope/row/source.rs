//! A row as the server sent it, from the stream or from a snapshot. Both have the same text form for each type, so an
//! encoder need not know which it has, except for a few dates.

use crate::pgoutput::{DecodeError, Tuple, TupleValue, Values};

/// A row in Postgres' text form, borrowed from where it was read.
#[derive(Clone, Copy, Debug)]
pub enum RowRef<'a> {
    /// From the replication stream.
    Wire(Tuple<'a>),
    /// From a snapshot's `COPY … TO STDOUT`: filled by [`copy::split_line`](crate::copy::split_line).
    Copied {
        /// The line, escapes resolved.
        line: &'a [u8],
        /// Where in the line each column begins and ends; `None` is NULL.
        columns: &'a [Option<(usize, usize)>],
    },
}

impl<'a> RowRef<'a> {
    /// The number of columns.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Wire(tuple) => tuple.len(),
            Self::Copied { columns, .. } => columns.len(),
        }
    }

    /// Whether a snapshot read the row. Debezium reads it by JDBC then, which represents some dates differently.
    pub(super) const fn is_copied(&self) -> bool {
        matches!(self, Self::Copied { .. })
    }

    /// The columns' values in order.
    pub(super) fn values(self) -> RowValues<'a> {
        match self {
            Self::Wire(tuple) => RowValues::Wire(tuple.values()),
            Self::Copied { line, columns } => RowValues::Copied { line, columns: columns.iter() },
        }
    }

    /// The values in order, with unchanged TOAST values taken from `fallback`, the whole old row. Both rows are read side by
    /// side, since a tuple can only be read from its beginning.
    pub(super) fn merged(
        self,
        fallback: Option<RowRef<'a>>,
    ) -> impl Iterator<Item = Result<TupleValue<'a>, DecodeError>> {
        let mut old = fallback.map(RowRef::values);
        self.values().map(move |value| {
            let before = old.as_mut().and_then(Iterator::next).transpose()?;
            match (value?, before) {
                (TupleValue::Unchanged, Some(before)) => Ok(before),
                (value, _) => Ok(value),
            }
        })
    }
}

/// Iterator over the values of a [`RowRef`].
pub(super) enum RowValues<'a> {
    Wire(Values<'a>),
    Copied { line: &'a [u8], columns: std::slice::Iter<'a, Option<(usize, usize)>> },
}

impl<'a> Iterator for RowValues<'a> {
    type Item = Result<TupleValue<'a>, DecodeError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Wire(values) => values.next(),
            Self::Copied { line, columns } => Some(Ok(match columns.next()? {
                None => TupleValue::Null,
                Some((from, to)) => TupleValue::Text(&line[*from..*to]),
            })),
        }
    }
}
