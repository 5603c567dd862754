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
//! **Within one transaction**, all changes that were written before another transaction committed get the same number: they are
//! *tied*. Among tied changes their own positions decide ([`Order::change`]), which Redis keeps beside the number. A timestamp of Cassandra has no
//! room for both, so tied changes of one row get rising ranks there (`ties`).
//!
//! **When the numbers fall**, another database writes to the topic, or the database was restored: `history` notices that.
//!
//! **Not promised**, since records do not tell it: two rows that swap their keys within one transaction. The delete of the second
//! row's old key comes after the create of the first row under that key; Debezium's records have the same order.

mod advice;
pub(crate) mod history;
mod number;
mod place;
mod ties;

#[cfg(test)]
mod tests;

pub(crate) use advice::Advice;
pub use history::NewHistory;
pub use number::{Kind, Order};
