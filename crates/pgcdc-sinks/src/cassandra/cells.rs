//! The values of one statement, as the protocol has them.

use scylla::serialize::SerializationError;
use scylla::serialize::row::{RowSerializationContext, SerializeRow};
use scylla::serialize::writers::{CellWriter, RowWriter};

/// Values one after the other, each with its length before it: `[value]` of the CQL binary protocol v4, section 3.
/// They were written for the very columns of the statement, so nothing is checked again when it is executed.
#[derive(Debug)]
pub(super) struct Cells(Vec<u8>);

impl Cells {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// The place of the next value.
    pub(super) fn next(&mut self) -> CellWriter<'_> {
        CellWriter::new(&mut self.0)
    }

    /// A value for `USING TIMESTAMP`.
    pub(super) fn timestamp(&mut self, timestamp: i64) {
        self.0.extend_from_slice(&8_i32.to_be_bytes());
        self.0.extend_from_slice(&timestamp.to_be_bytes());
    }

    /// Some of the values, as a row of their own: `count` of them after the first `skip`.
    pub(super) fn part(&self, skip: usize, count: usize) -> Part<'_> {
        let mut rest = &*self.0;
        for _ in 0..skip {
            rest = split(rest).map_or(&[], |(_, behind)| behind);
        }
        Part { values: rest, count }
    }

    /// In bytes.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Takes a value off; its length says what it is.
fn split(cells: &[u8]) -> Option<(Value<'_>, &[u8])> {
    let (length, behind) = cells.split_first_chunk()?;
    match i32::from_be_bytes(*length) {
        -1 => Some((Value::Null, behind)),
        length => match usize::try_from(length) {
            Ok(length) => behind.split_at_checked(length).map(|(value, behind)| (Value::Is(value), behind)),
            Err(_) => Some((Value::Unset, behind)),
        },
    }
}

enum Value<'c> {
    Null,
    Unset,
    Is(&'c [u8]),
}

/// Some values of a statement, in their order.
pub(super) struct Part<'c> {
    values: &'c [u8],
    count: usize,
}

impl SerializeRow for Part<'_> {
    fn serialize(
        &self,
        _: &RowSerializationContext<'_>,
        writer: &mut RowWriter<'_>,
    ) -> Result<(), SerializationError> {
        let mut rest = self.values;
        for _ in 0..self.count {
            let Some((value, behind)) = split(rest) else { break };
            rest = behind;
            let cell = writer.make_cell_writer();
            match value {
                Value::Null => drop(cell.set_null()),
                Value::Unset => drop(cell.set_unset()),
                Value::Is(value) => {
                    cell.set_value(value).map_err(SerializationError::new)?;
                }
            }
        }
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

impl SerializeRow for Cells {
    fn serialize(
        &self,
        context: &RowSerializationContext<'_>,
        writer: &mut RowWriter<'_>,
    ) -> Result<(), SerializationError> {
        self.part(0, usize::MAX).serialize(context, writer)
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use scylla::serialize::value::SerializeValue as _;

    use super::*;

    #[test]
    fn parts_of_the_values_are_rows_of_their_own() {
        use scylla::cluster::metadata::{ColumnType, NativeType};
        let mut cells = Cells::with_capacity(0);
        cells.timestamp(7);
        cells.next().set_null();
        "text".serialize(&ColumnType::Native(NativeType::Text), cells.next()).expect("a text");
        cells.next().set_unset();
        let bytes = |part: Part<'_>| {
            let mut bytes = Vec::new();
            let mut writer = RowWriter::new(&mut bytes);
            part.serialize(&RowSerializationContext::empty(), &mut writer).expect("a row");
            (writer.value_count(), bytes)
        };
        let text = b"\0\0\0\x04text".to_vec();
        let null = [255; 4].to_vec();
        assert_eq!(bytes(cells.part(0, usize::MAX)), (4, cells.bytes().to_vec()));
        assert_eq!(bytes(cells.part(2, 1)), (1, text.clone()));
        assert_eq!(bytes(cells.part(1, 2)), (2, [null, text].concat()));
        assert_eq!(bytes(cells.part(9, 1)), (0, Vec::new()));
    }
}
