//! The acknowledgement core: which position in the WAL may be confirmed to Postgres.
//!
//! A state machine without I/O or clock. The stream tells it, in order, that a transaction begins,
//! that a record is sent, that the transaction ends; deliveries come back in any order. It answers
//! one question, [`Ledger::confirmed`]: the end of the longest prefix of transactions all of whose
//! records are durable. Nothing else in pgcdc decides what is confirmed.
//!
//! ```text
//!  begin ─▶ record* ─▶ commit(end) ─▶ chunk closed ─▶ every record delivered, and so for all
//!                                                     chunks before ─▶ confirmed = end
//!  idle(end): a chunk without records
//! ```
//!
//! Only counts matter, not which record of a chunk was delivered, so partitions may answer in any
//! order. A chunk is one transaction; what carries no records joins the chunk before it. Whole
//! chunks queue behind one that waits for a partition that is stuck, so whoever sends must hold
//! still when [`InFlight::transactions`] grows ([`Ledger::MOST_TRANSACTIONS`]).

use std::collections::VecDeque;

use pgcdc_event::Lsn;

/// A record's number: that of the chunk it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence(pub u64);

/// What the ledger is waiting for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InFlight {
    /// Records sent and not yet delivered.
    pub records: u64,
    /// Transactions that are complete but not confirmed.
    pub transactions: usize,
}

/// See the [module](self).
#[derive(Debug)]
pub struct Ledger {
    /// Closed chunks that are not confirmed, oldest first.
    closed: VecDeque<Chunk>,
    /// Number of the chunk at the front of `closed` (of `open` when there is none).
    front: u64,
    /// Records of the transaction that is being read, or sent outside of one.
    open: Chunk,
    in_transaction: bool,
    confirmed: Lsn,
    /// End of the last transaction with records that is confirmed.
    written: Lsn,
    in_flight: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Chunk {
    sent: u64,
    delivered: u64,
    end: Lsn,
    /// Where its transaction ends; zero without one, and `end` may be beyond.
    commit: Lsn,
}

/// A delivery that no record of this ledger was waiting for: a defect in the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("delivery of record {0:?}, which is not in flight")]
pub struct NotInFlight(pub Sequence);

impl Ledger {
    /// So many transactions may wait for confirmation before nothing more should be sent: some
    /// megabytes of counters.
    pub const MOST_TRANSACTIONS: usize = 1 << 17;

    /// Starts with what the server has as confirmed.
    #[must_use]
    pub fn new(confirmed: Lsn) -> Self {
        Self {
            closed: VecDeque::new(),
            front: 0,
            open: Chunk::default(),
            in_transaction: false,
            confirmed,
            written: Lsn::ZERO,
            in_flight: 0,
        }
    }

    /// A transaction begins: until its commit, idle progress means nothing.
    pub fn begin(&mut self) {
        self.in_transaction = true;
    }

    /// A record is about to be sent.
    pub fn record(&mut self) -> Sequence {
        self.open.sent += 1;
        self.in_flight += 1;
        Sequence(self.front + self.closed.len() as u64)
    }

    /// The transaction is complete; `end` is the position behind its commit record.
    pub fn commit(&mut self, end: Lsn) {
        self.in_transaction = false;
        if self.open.sent > 0 {
            self.open.commit = end;
        }
        self.close(end);
    }

    /// The server has read up to `end` and found nothing for us (a keepalive).
    pub fn idle(&mut self, end: Lsn) {
        if !self.in_transaction {
            self.close(end);
        }
    }

    /// A record is durable where it was sent to.
    ///
    /// # Errors
    /// When no such record is in flight; the ledger is unchanged.
    pub fn delivered(&mut self, sequence: Sequence) -> Result<(), NotInFlight> {
        let unknown = NotInFlight(sequence);
        let at = sequence.0.checked_sub(self.front).ok_or(unknown)?;
        let at = usize::try_from(at).map_err(|_| unknown)?;
        let chunk = match at.cmp(&self.closed.len()) {
            std::cmp::Ordering::Less => &mut self.closed[at],
            std::cmp::Ordering::Equal => &mut self.open,
            std::cmp::Ordering::Greater => return Err(unknown),
        };
        if chunk.delivered == chunk.sent {
            return Err(unknown);
        }
        chunk.delivered += 1;
        self.in_flight -= 1;
        if at == 0 {
            self.advance();
        }
        Ok(())
    }

    /// The position that may be confirmed to the server. Never goes back.
    #[must_use]
    pub fn confirmed(&self) -> Lsn {
        self.confirmed
    }

    /// Where the last transaction ends that had records and is confirmed; zero while there was none. What is confirmed
    /// beyond that changed nothing of ours.
    #[must_use]
    pub fn written(&self) -> Lsn {
        self.written
    }

    /// What is under way.
    #[must_use]
    pub fn in_flight(&self) -> InFlight {
        InFlight { records: self.in_flight, transactions: self.closed.len() }
    }

    /// Whether a transaction is being read.
    #[must_use]
    pub fn in_transaction(&self) -> bool {
        self.in_transaction
    }

    fn close(&mut self, end: Lsn) {
        let mut chunk = std::mem::take(&mut self.open);
        chunk.end = end;
        match self.closed.back_mut() {
            // Nothing of its own to wait for: it is done when the one before is. The number of
            // the open chunk does not change, and no record carries it yet.
            Some(last) if chunk.sent == 0 => last.end = last.end.max(end),
            _ => {
                self.closed.push_back(chunk);
                self.advance();
            }
        }
    }

    fn advance(&mut self) {
        while let Some(chunk) = self.closed.front()
            && chunk.delivered == chunk.sent
        {
            self.confirmed = self.confirmed.max(chunk.end);
            self.written = self.written.max(chunk.commit);
            self.closed.pop_front();
            self.front += 1;
        }
    }
}

#[cfg(test)]
mod tests;
