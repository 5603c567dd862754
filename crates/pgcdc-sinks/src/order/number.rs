//! The number of a change, and the forms in which stores compare it.

/// Where a change stands among all changes of its source.
///
/// ```
/// use pgcdc_sinks::order::{Kind, Order};
///
/// // Two changes of one transaction that were written before another one committed at 0x500: the second wins.
/// let tied = |change, rank| Order { position: 0x500, change, kind: Kind::Tied, rank };
/// let (first, second) = (tied(0x300, 0), tied(0x340, 1));
/// assert!(first.timestamp(10) < second.timestamp(10));
///
/// // A row of a snapshot at 0x500 is older than a change at 0x500.
/// let read = Order { position: 0x4ff, change: 0x500, kind: Kind::Snapshot, rank: 0 };
/// let change = Order { position: 0x500, change: 0x500, kind: Kind::Own, rank: 0 };
/// assert!(read.timestamp(10) < change.timestamp(10));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// Rises with every commit.
    pub position: u64,
    /// Orders the changes of one transaction that have the same `position`.
    pub change: u64,
    /// What kind of record it is.
    pub kind: Kind,
    /// For stores that have no room for `change`: rises with every tied change of the same key.
    pub rank: u32,
}

/// What `position` is the position of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The change itself: no other change of its transaction has the same.
    Own,
    /// The end of the commit before: other changes of the transaction may have the same.
    Tied,
    /// Just before the position at which a snapshot was taken: above every change that the snapshot saw, below the first one
    /// that it did not see.
    Snapshot,
}

/// Bytes of the shortest record of the WAL. With fewer ranks than that a tied change stays below the next position.
const SHORTEST_RECORD: u32 = 24;

impl Order {
    /// The order as one number of 63 bits, in which each position has room for `24 << bits` ranks.
    ///
    /// Positions beyond `2^(63 - bits)` all become the highest number.
    #[must_use]
    pub fn timestamp(&self, bits: u32) -> i64 {
        let scaled = |position: u64| u128::from(position) << bits;
        let number = match self.kind {
            Kind::Own => scaled(self.position),
            Kind::Tied => {
                let last = (SHORTEST_RECORD << bits) - 1;
                scaled(self.position) + u128::from(self.rank.min(last))
            }
            Kind::Snapshot => scaled(self.position + 1) - 1,
        };
        i64::try_from(number).unwrap_or(i64::MAX)
    }

    /// The order as digits that compare as texts do: twenty for the position, twenty more where changes are tied. A text that
    /// another one begins with is the lower one, so a change of its own is below the tied ones of its position.
    pub fn digits(&self, text: &mut Vec<u8>) {
        use std::io::Write as _;
        // Writing to a Vec does not fail.
        let _ = match self.kind {
            Kind::Tied => write!(text, "{:020}{:020}", self.position, self.change),
            Kind::Own | Kind::Snapshot => write!(text, "{:020}", self.position),
        };
    }
}
