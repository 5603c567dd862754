//! The transaction that the stream is in, and what its changes carry of it.

use pgcdc_event::{Lsn, Snapshot};
use pgcdc_format::envelope::Context;

/// The open transaction. The default value means that none is open. Set by `Begin` and `Origin`.
#[derive(Debug, Default)]
pub(super) struct Transaction {
    /// Its number on the server; `None` outside of transactions.
    pub(super) xid: Option<u32>,
    /// `source.xmin`: the slot's, as it was last read.
    pub(super) xmin: Option<u32>,
    /// When it was committed by the server's clock, in microseconds since 1970.
    pub(super) commit_time_us: i64,
    /// Where it was first written, if it was replicated to this server: the origin's name, and its
    /// position there.
    pub(super) origin: Option<(String, Lsn)>,
}

impl Transaction {
    /// The context for encoding its change at `lsn`. `last_commit` is the end of the transaction
    /// before; `now_ns` is the time of processing, in nanoseconds since 1970.
    #[inline]
    pub(super) fn context(&self, lsn: Lsn, last_commit: Option<Lsn>, now_ns: i64) -> Context<'_> {
        Context {
            lsn,
            last_commit,
            xid: self.xid,
            xmin: self.xmin,
            timestamp_us: self.commit_time_us,
            snapshot: Snapshot::False,
            origin: self.origin.as_ref().map(|(name, lsn)| (name.as_str(), *lsn)),
            now_ns,
            ordinal: None,
        }
    }
}
