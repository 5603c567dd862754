//! The acknowledgement core: which position in the WAL may be confirmed to Postgres.
//!
//! A state machine without I/O or clock. The stream notes in order that a transaction begins, that
//! a record is sent, that the transaction ends. Deliveries come back in any order. The ledger
//! answers one question, [`Ledger::confirmed`]: the end of the longest prefix of transactions whose
//! records are all durable. Nothing else in pgcdc decides what is confirmed.
//!
//! ```text
//!  begin ─▶ record* ─▶ commit(end) ─▶ chunk closed ─▶ every record delivered, and so for all
//!                                                     chunks before ─▶ confirmed = end
//!  idle(end): a chunk without records
//! ```
//!
//! A chunk is the records of one transaction, or records outside of transactions. Progress without
//! records joins the chunk before it. The ledger counts a chunk's deliveries and does not ask which
//! record was delivered, so partitions may answer in any order. When one partition is stuck,
//! complete chunks queue behind the chunk that waits for it. So the sender must stop when
//! [`InFlight::transactions`] reaches [`Ledger::MOST_TRANSACTIONS`].
//!
//! If this were wrong, a crash could lose a row: the server removes WAL that is confirmed. So
//! `ledger/tests.rs` runs it through random interleavings and crashes.
//!
//! ```
//! use pgcdc_capture::ledger::Ledger;
//! use pgcdc_event::Lsn;
//! let mut ledger = Ledger::new(Lsn::new(100));
//! ledger.begin();
//! let record = ledger.record();
//! ledger.commit(Lsn::new(200));
//! assert_eq!(ledger.confirmed(), Lsn::new(100));
//! ledger.delivered(record)?;
//! assert_eq!(ledger.confirmed(), Lsn::new(200));
//! # Ok::<(), pgcdc_capture::ledger::NotInFlight>(())
//! ```

use std::collections::VecDeque;

use pgcdc_event::Lsn;

/// The number of the chunk that a record belongs to; all records of a chunk have the same. The
/// destination carries it with the record and gives it back when the record is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence(pub u64);

/// How much the ledger waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InFlight {
    /// Records sent and not yet delivered.
    pub records: u64,
    /// Transactions that are complete but not confirmed.
    pub transactions: usize,
}

/// Counts what was sent and delivered, chunk by chunk. See the [module](self) for the rules and an
/// example.
///
/// The counters of a transaction take 32 bytes, whatever its size.
///
/// ```
/// use pgcdc_capture::ledger::Ledger;
/// use pgcdc_event::Lsn;
/// // Two transactions, of which the second is delivered first: nothing is confirmed yet.
/// let mut ledger = Ledger::new(Lsn::new(100));
/// let mut records = Vec::new();
/// for end in [200, 300] {
///     ledger.begin();
///     records.push(ledger.record());
///     ledger.commit(Lsn::new(end));
/// }
/// ledger.delivered(records[1])?;
/// assert_eq!(ledger.confirmed(), Lsn::new(100));
/// ledger.delivered(records[0])?;
/// assert_eq!(ledger.confirmed(), Lsn::new(300));
/// // A keepalive of the server moves on alone when nothing is in flight.
/// ledger.idle(Lsn::new(400));
/// assert_eq!(ledger.confirmed(), Lsn::new(400));
/// # Ok::<(), pgcdc_capture::ledger::NotInFlight>(())
/// ```
#[derive(Debug)]
pub struct Ledger {
    /// Closed chunks that are not confirmed, oldest first.
    closed: VecDeque<Chunk>,
    /// Number of the chunk at the front of `closed`; of `open` when `closed` is empty.
    front: u64,
    /// The chunk of the transaction that is being read, or of records outside of transactions.
    open: Chunk,
    /// Between [`begin`](Self::begin) and [`commit`](Self::commit).
    in_transaction: bool,
    /// The end of the last chunk that left `closed`: the answer.
    confirmed: Lsn,
    /// End of the last transaction with records that is confirmed.
    written: Lsn,
    /// Records sent and not yet delivered, over all chunks.
    in_flight: u64,
}

/// The counters of one chunk.
#[derive(Clone, Copy, Debug, Default)]
struct Chunk {
    /// Records sent.
    sent: u64,
    /// Records of these that are durable.
    delivered: u64,
    /// The position that may be confirmed once all are durable.
    end: Lsn,
    /// Where its transaction ends, which may be before `end`; zero without a transaction.
    commit: Lsn,
}

/// A delivery of a record that is not in flight: a defect of the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("delivery of record {0:?}, which is not in flight")]
pub struct NotInFlight(pub Sequence);

impl Ledger {
    /// The most transactions that may wait for confirmation; with more, nothing should be sent.
    /// Their counters take some megabytes.
    pub const MOST_TRANSACTIONS: usize = 1 << 17;

    /// Starts with the position that is confirmed to the server already.
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

    /// Notes that a transaction begins. Until its commit, [`idle`](Self::idle) does nothing.
    pub fn begin(&mut self) {
        self.in_transaction = true;
    }

    /// Notes that a record is about to be sent; returns the number to report its delivery by.
    pub fn record(&mut self) -> Sequence {
        self.open.sent += 1;
        self.in_flight += 1;
        Sequence(self.front + self.closed.len() as u64)
    }

    /// Notes that the transaction is complete; `end` is the position behind its commit record.
    pub fn commit(&mut self, end: Lsn) {
        self.in_transaction = false;
        if self.open.sent > 0 {
            self.open.commit = end;
        }
        self.close(end);
    }

    /// Notes that the server has read up to `end` and found nothing for us (a keepalive).
    pub fn idle(&mut self, end: Lsn) {
        if !self.in_transaction {
            self.close(end);
        }
    }

    /// Notes that a record is durable at the output.
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

    /// The position that may be confirmed to the server. It never goes back.
    #[must_use]
    pub fn confirmed(&self) -> Lsn {
        self.confirmed
    }

    /// The end of the last confirmed transaction that had records; zero while there was none.
    /// Between this position and [`confirmed`](Self::confirmed) nothing was sent.
    #[must_use]
    pub fn written(&self) -> Lsn {
        self.written
    }

    /// How much is in flight.
    #[must_use]
    pub fn in_flight(&self) -> InFlight {
        InFlight { records: self.in_flight, transactions: self.closed.len() }
    }

    /// Whether a transaction is being read.
    #[must_use]
    pub fn in_transaction(&self) -> bool {
        self.in_transaction
    }

    /// Closes the open chunk at `end`, or lets the chunk before it reach up to `end` when the open
    /// one has no records.
    fn close(&mut self, end: Lsn) {
        let mut chunk = std::mem::take(&mut self.open);
        chunk.end = end;
        match self.closed.back_mut() {
            // The chunk has no records, so it is done when the chunk before is. The open chunk
            // keeps its number, which no record carries yet.
            Some(last) if chunk.sent == 0 => last.end = last.end.max(end),
            _ => {
                self.closed.push_back(chunk);
                self.advance();
            }
        }
    }

    /// Confirms the chunks at the front that are delivered in full.
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
