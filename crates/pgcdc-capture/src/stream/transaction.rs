//! The transaction that the stream is in, and what its changes say of it.

use pgcdc_event::{Lsn, Snapshot};
use pgcdc_format::envelope::Context;

/// The open transaction. Its default stands for none.
#[derive(Debug, Default)]
pub(super) struct Transaction {
    pub(super) xid: Option<u32>,
    /// `source.xmin`: the slot's, as last read.
    pub(super) xmin: Option<u32>,
    /// Microseconds since 1970.
    pub(super) commit_time_us: i64,
    /// Where it was first written, when it was replicated here: the origin's name, and its position there.
    pub(super) origin: Option<(String, Lsn)>,
}

impl Transaction {
    /// The context of its change at `lsn`, to be encoded at `now_ns`. `last_commit` is the end of the transaction before.
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
