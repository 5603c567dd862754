//! The key's values on their way from a row to a key.

use crate::envelope::error::EncodeError;

/// The encoded values of a row's key columns, gathered while the row is written. The order of the row differs from that of
/// the key, so each value has a slot. The memory is kept from row to row.
#[derive(Clone, Debug, Default)]
pub(in crate::envelope) struct KeyParts {
    /// The values, in the order of the row.
    bytes: Vec<u8>,
    /// Where each value stands in `bytes`, in the key's order.
    spans: Vec<(usize, usize)>,
}

impl KeyParts {
    /// Forgets the last row's values; the key has `length` columns.
    pub(super) fn reset(&mut self, length: usize) {
        self.bytes.clear();
        self.spans.clear();
        self.spans.resize(length, (0, 0));
    }

    /// Sets the value of the key's column `slot` to the bytes that `append` appends.
    pub(super) fn put(
        &mut self,
        slot: usize,
        append: impl FnOnce(&mut Vec<u8>) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        let start = self.bytes.len();
        append(&mut self.bytes)?;
        self.spans[slot] = (start, self.bytes.len());
        Ok(())
    }

    /// Sets the value of the key's column `slot` to bytes that are encoded already.
    pub(super) fn put_encoded(&mut self, slot: usize, encoded: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(encoded);
        self.spans[slot] = (start, self.bytes.len());
    }

    /// The values of the key's columns, in the key's order.
    pub(in crate::envelope) fn values(&self) -> impl Iterator<Item = &[u8]> {
        self.spans.iter().map(|&(from, to)| &self.bytes[from..to])
    }

    /// Whether two rows have the same key, compared as it is written: a key has one form for each value.
    pub(in crate::envelope) fn same(&self, other: &Self) -> bool {
        self.values().eq(other.values())
    }
}
