//! The facts of a change that are not in its row.

use pgcdc_event::{Lsn, Snapshot};

/// Where and when a change happened, and when it is encoded. The stream or the snapshot fills it for each change; the
/// default is a streamed change of which nothing is known.
#[derive(Clone, Copy, Debug, Default)]
pub struct Context<'a> {
    /// Position of the change in the WAL: `source.lsn`, and the second number of `source.sequence`.
    pub lsn: Lsn,
    /// Where the commit record of the transaction before this one ends: the first number of `source.sequence`. `None` until a
    /// connector without a stored offset has read its first commit.
    pub last_commit: Option<Lsn>,
    /// The transaction's id: `source.txId`. `None` for a message outside of transactions; a snapshot's rows have the id of
    /// the snapshot's own transaction, where that is known.
    pub xid: Option<u32>,
    /// The slot's oldest transaction (`pg_replication_slots.xmin`), where `xmin.fetch.interval.ms` asks for it.
    pub xmin: Option<u32>,
    /// Commit time, for a snapshot's row the time of its reading; microseconds since 1970-01-01 UTC: `source.ts_us`.
    pub timestamp_us: i64,
    /// The value of `source.snapshot`.
    pub snapshot: Snapshot,
    /// For a transaction that was replicated into this server: its replication origin's name, and its position there.
    pub origin: Option<(&'a str, Lsn)>,
    /// The time of encoding, nanoseconds since 1970-01-01 UTC: the envelope's own `ts_ns`. The caller gives it, since this
    /// crate has no clock.
    pub now_ns: i64,
    /// The numbers of the `transaction` block; `None` writes that block as null.
    pub ordinal: Option<Ordinal>,
}

/// A change's numbers within its transaction, both counted from 1 (`provide.transaction.metadata`). A consumer compares them
/// with the counts in the transaction's `END` record, and so knows when it has all changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ordinal {
    /// Its number among all changes of the transaction (`total_order`).
    pub total: u64,
    /// Its number among the transaction's changes of the same table (`data_collection_order`).
    pub of_table: u64,
}

impl Context<'_> {
    /// The context of a change's second record: the next number in the transaction.
    pub(super) fn following(&self) -> Self {
        let next = |ordinal: Ordinal| Ordinal { total: ordinal.total + 1, of_table: ordinal.of_table + 1 };
        Self { ordinal: self.ordinal.map(next), ..*self }
    }
}
