//! The order of changes: which of two changes of a row is the later one, told from the records alone.
//!
//! A store that compares writes (Cassandra by timestamp, Redis by what a row keeps) needs a number that rises with every
//! commit, for every key, and that a record gets again when it is read or sent again.
//!
//! **The position of a change is not such a number.** A transaction may write a row, wait for a lock, and commit after
//! another one that wrote the same key at a higher position. `source.sequence` helps: its first number is the end of the
//! commit before. So a change's number is `max(sequence[0], lsn)`:
//!
//! ```text
//!            commit of A ──┐end of A                commit of B
//!   WAL ──b1────a1────b2───┴──────b3──────────────────┴──▶
//!   A: max(…, a1) < end of A          B: b1 → end of A, b2 → end of A, b3 → b3
//! ```
//!
//! Every number of a transaction lies between the end of the commit before and its own commit, so numbers of two
//! transactions compare as their commits do, whatever the locks, deferrable keys among them. It also holds when capture
//! starts again and says another position for the end of the commit before: that one lies between the same two commits.
//!
//! **Within one transaction** changes before the commit of another all get the same number: they are *tied*. Among them
//! their own positions decide ([`Order::change`]), which Redis keeps beside the number. A timestamp of Cassandra has no
//! room for both, so tied changes of one row get rising ranks there ([`ties`]).
//!
//! **When the numbers fall** the database is another one, or was restored: [`history`] notices that.
//!
//! Not to be told from records, and so not promised: two rows that swap their keys within one transaction. The second
//! row's delete of its old key comes after the first row's create of it; Debezium's records say the same.

mod advice;
pub(crate) mod history;
mod place;
mod ties;

#[cfg(test)]
mod tests;

pub(crate) use advice::Advice;
pub use history::NewHistory;
pub(crate) use place::Place;

/// Where a change stands among all changes of its source.
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
    /// Just before the position at which a snapshot was taken: above all that the snapshot saw, below the first change
    /// that it did not.
    Snapshot,
}

/// Below this many ranks a tied change stays below what may follow it: no record of the WAL is shorter.
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

    /// The order as digits that compare as texts do: twenty for the position, twenty more where changes are tied.
    pub fn digits(&self, text: &mut Vec<u8>) {
        use std::io::Write as _;
        // Writing to a Vec does not fail.
        let _ = match self.kind {
            Kind::Tied => write!(text, "{:020}{:020}", self.position, self.change),
            Kind::Own | Kind::Snapshot => write!(text, "{:020}", self.position),
        };
    }
}
