//! Memory of earlier batches, kept for reuse: large pieces come from the system and go back to it, which costs more than writing
//! into them.

/// A partition whose last batch had more bytes than this reuses the memory of another partition's batch.
pub(super) const LARGE: usize = 64 << 10;
/// Larger pieces belonged to a huge record and are not kept.
const HUGE: usize = 512 << 10;
/// Bytes that are kept at most.
const MOST: usize = 2 << 20;
/// Lists of handles that are kept at most, and their most elements.
const MOST_HANDLES: (usize, usize) = (64, 1024);

/// Handles, each with how many records in a row have it.
type Handles = Vec<(usize, u32)>;

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Spare {
    /// Memory for batches.
    bytes: Vec<Vec<u8>>,
    /// Memory for lists of handles.
    handles: Vec<Handles>,
    /// Capacity of all `bytes`.
    capacity: usize,
}

impl Spare {
    /// Memory for a large batch, if there is some.
    pub(super) fn bytes(&mut self) -> Option<Vec<u8>> {
        let bytes = self.bytes.pop()?;
        self.capacity -= bytes.capacity();
        Some(bytes)
    }

    /// Memory for a batch's handles.
    pub(super) fn handles(&mut self) -> Handles {
        self.handles.pop().unwrap_or_default()
    }

    /// Keeps a batch's memory, if it is large and there is room for it.
    pub(super) fn keep_bytes(&mut self, bytes: Vec<u8>) {
        let capacity = bytes.capacity();
        if capacity > LARGE && capacity <= HUGE && self.capacity + capacity <= MOST {
            self.capacity += capacity;
            self.bytes.push(bytes);
        }
    }

    /// Keeps the memory of a batch's handles, if there is room for it.
    pub(super) fn keep_handles(&mut self, handles: Handles) {
        let (most, largest) = MOST_HANDLES;
        if self.handles.len() < most && handles.capacity() <= largest {
            self.handles.push(handles);
        }
    }
}
