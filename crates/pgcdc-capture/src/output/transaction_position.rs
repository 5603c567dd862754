//! How far committed records reach in the server's stream, and what of a resent stream is skipped. Pure.
//!
//! The server sends in the order of WAL positions: a transaction where its commit record stands, a logical message
//! outside of transactions where it stands itself. So one position says what is done. A transaction that was
//! written in part is told by its commit's position and the number of its changes that were written.
//!
//! ```text
//!  begin(commit) ─▶ change* ─▶ commit(end)      skipped: commit ≤ done, and the first `changes` of the open one
//!  outside(message) ─▶ change
//! ```

use pgcdc_event::Lsn;

/// How far records reach. What the offset of a Kafka transaction holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reached {
    /// Position of the last commit record, or message outside of a transaction, of which everything is written.
    pub(crate) done: Lsn,
    /// Position behind that commit record: what Debezium calls `lsn`.
    pub(crate) end: Lsn,
    /// The transaction behind `done` that is written in part.
    pub(crate) open: Option<Open>,
}

/// A transaction that is written in part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Open {
    /// Position of its commit record.
    pub(crate) commit: Lsn,
    /// So many of its changes are written. Each counts once, whatever the number of its records.
    pub(crate) changes: u64,
}

/// Follows the stream from where the last committed offset stood.
#[derive(Debug, Default)]
pub(crate) struct Position {
    reached: Reached,
    inside: Option<Inside>,
}

#[derive(Debug)]
struct Inside {
    at: Lsn,
    /// A message outside of transactions: done with its one change.
    message: bool,
    changes: u64,
    skip: u64,
}

impl Position {
    /// Goes on from what was committed.
    pub(crate) fn new(reached: Reached) -> Self {
        Self { reached, inside: None }
    }

    /// A transaction begins; its commit record is at `commit`.
    pub(crate) fn begin(&mut self, commit: Lsn) {
        self.enter(commit, false);
    }

    /// A logical message comes that belongs to no transaction.
    pub(crate) fn outside(&mut self, message: Lsn) {
        self.enter(message, true);
    }

    fn enter(&mut self, at: Lsn, message: bool) {
        let skip = match self.reached.open {
            _ if at <= self.reached.done => u64::MAX,
            Some(open) if at < open.commit => u64::MAX,
            Some(open) if at == open.commit => open.changes,
            _ => 0,
        };
        self.inside = Some(Inside { at, message, changes: 0, skip });
    }

    /// Whether the change that comes now is to be written; says when it was before.
    pub(crate) fn is_due(&self) -> bool {
        self.inside.as_ref().is_none_or(|inside| inside.changes >= inside.skip)
    }

    /// The change was handed over as a whole, or skipped.
    pub(crate) fn change(&mut self) {
        if let Some(inside) = &mut self.inside {
            inside.changes += 1;
            if inside.message {
                self.leave(Lsn::ZERO);
            }
        }
    }

    /// The transaction is complete; `end` is behind its commit record.
    pub(crate) fn commit(&mut self, end: Lsn) {
        self.leave(end);
    }

    fn leave(&mut self, end: Lsn) {
        let Some(inside) = self.inside.take() else { return };
        self.reached.done = self.reached.done.max(inside.at);
        self.reached.end = self.reached.end.max(end);
        if self.reached.open.is_some_and(|open| open.commit <= inside.at) {
            self.reached.open = None;
        }
    }

    /// Whether a transaction of the server is written in part, and may yet be written as a whole.
    pub(crate) fn is_half_written(&self) -> bool {
        self.inside.as_ref().is_some_and(|inside| inside.changes > inside.skip)
    }

    /// How far everything reaches that was handed over so far.
    pub(crate) fn reached(&self) -> Reached {
        match &self.inside {
            Some(inside) if inside.skip != u64::MAX && inside.changes.max(inside.skip) > 0 => Reached {
                open: Some(Open { commit: inside.at, changes: inside.changes.max(inside.skip) }),
                ..self.reached
            },
            _ => self.reached,
        }
    }
}
