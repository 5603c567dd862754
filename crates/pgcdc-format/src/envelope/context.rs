use pgcdc_event::{Lsn, Snapshot};

/// Where and when a change happened, and when it is encoded.
#[derive(Clone, Copy, Debug, Default)]
pub struct Context<'a> {
    /// Position of the change.
    pub lsn: Lsn,
    /// Where the commit record of the transaction before this one ends.
    pub last_commit: Option<Lsn>,
    /// The transaction's id; `None` for a row of a snapshot or a message outside of transactions.
    pub xid: Option<u32>,
    /// The slot's oldest transaction (`pg_replication_slots.xmin`), where `xmin.fetch.interval.ms` asks for it.
    pub xmin: Option<u32>,
    /// Commit time, microseconds since 1970-01-01 UTC.
    pub timestamp_us: i64,
    /// The value of `source.snapshot`.
    pub snapshot: Snapshot,
    /// For a transaction that was replicated into this server: its replication origin's name, and its position there.
    pub origin: Option<(&'a str, Lsn)>,
    /// The time of encoding, nanoseconds since 1970-01-01 UTC: the envelope's own `ts_ns`.
    pub now_ns: i64,
    /// The numbers of the `transaction` block; `None` writes that block as null.
    pub ordinal: Option<Ordinal>,
}

/// A change's numbers within its transaction, both counted from 1.
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
