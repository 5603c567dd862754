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

    /// A writer of the next value, behind the ones before.
    pub(super) fn next(&mut self) -> CellWriter<'_> {
        CellWriter::new(&mut self.0)
    }

    /// A value for `USING TIMESTAMP`.
    pub(super) fn timestamp(&mut self, timestamp: i64) {
        self.0.extend_from_slice(&8_i32.to_be_bytes());
        self.0.extend_from_slice(&timestamp.to_be_bytes());
    }

    /// The length of all values, in bytes.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl SerializeRow for Cells {
    fn serialize(
        &self,
        _: &RowSerializationContext<'_>,
        writer: &mut RowWriter<'_>,
    ) -> Result<(), SerializationError> {
        let mut rest = &*self.0;
        while let Some((length, behind)) = rest.split_first_chunk() {
            let cell = writer.make_cell_writer();
            rest = behind;
            match i32::from_be_bytes(*length) {
                -1 => drop(cell.set_null()),
                length => match usize::try_from(length) {
                    Ok(length) => {
                        let (value, behind) = rest.split_at(length);
                        cell.set_value(value).map_err(SerializationError::new)?;
                        rest = behind;
                    }
                    Err(_) => drop(cell.set_unset()),
                },
            }
        }
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
