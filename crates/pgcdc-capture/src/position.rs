//! Where the stream is: the order in which the server sends, and which changes are skipped when the
//! server sends them again. Pure.
//!
//! The server reads its WAL from front to back. It sends a transaction when it meets the commit
//! record, and a logical message outside of transactions when it meets the message. Each carries a
//! position of its WAL record, but not the same end of it:
//!
//! ```text
//!  WAL      ── [ message ) [ commit record ) ── [ message ) ──▶
//!                       │  │                             │
//!  pgoutput             │  Begin: where it starts        message: where it ends
//!                       message: where it ends
//! ```
//!
//! When nothing lies between the two records, both positions are the same number, though the
//! message comes first. So a position alone does not say how far the stream has come: a [`Point`]
//! also says which of the two it belongs to.
//!
//! Only exactly-once needs this: its offset counts the changes of a transaction that is written in
//! part. Source of the positions: PostgreSQL documentation, "Logical Replication Message Formats"
//! (`Begin`: the final LSN of the transaction; `Message`: the LSN of the logical decoding message).

use pgcdc_event::Lsn;

mod compare;
#[cfg(test)]
mod tests;

pub(crate) use compare::{Fit, Mismatch, Server, SlotPosition, compare};

/// A point in the order in which the server sends.
///
/// Records of the WAL do not overlap. So a message that ends at `m` comes before a commit record
/// that starts at `c` exactly when `m <= c`. The derived order compares the position first, and
/// puts the message first at the same position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Point {
    lsn: Lsn,
    kind: Kind,
}

/// Which end of its WAL record a position is. The order of the variants matters: a message comes
/// first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// The position is the end of a message, or the end of anything else that is done.
    #[default]
    Ended,
    /// The position is the start of a commit record.
    Commit,
}

impl Point {
    /// A transaction, by the start of its commit record. `Begin` carries that.
    pub(crate) fn commit(start: Lsn) -> Self {
        Self { lsn: start, kind: Kind::Commit }
    }

    /// A logical message outside of transactions, by the end of its record, which the message
    /// carries. It is also the point behind all records that end at `end` or before.
    pub(crate) fn ended(end: Lsn) -> Self {
        Self { lsn: end, kind: Kind::Ended }
    }

    /// The position in the WAL.
    pub(crate) fn lsn(self) -> Lsn {
        self.lsn
    }

    /// Whether the position is the start of a commit record.
    pub(crate) fn is_commit(self) -> bool {
        self.kind == Kind::Commit
    }

    /// Whether the point's WAL record ends at `end` or before.
    pub(crate) fn is_within(self, end: Lsn) -> bool {
        self <= Self::ended(end)
    }
}

/// How far the written records reach. The offset of a Kafka transaction holds this.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reached {
    /// The last transaction, or message outside of transactions, that is written as a whole.
    pub(crate) done: Point,
    /// The position behind `done`, which Debezium calls `lsn`.
    pub(crate) end: Lsn,
    /// The transaction after `done`, when it is written in part.
    pub(crate) open: Option<Open>,
}

/// A transaction that is written in part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Open {
    /// The start of its commit record.
    pub(crate) commit: Lsn,
    /// How many of its changes are written. A change counts once, however many records it has.
    pub(crate) changes: u64,
}

/// Follows the stream from the last committed offset, and says which changes were written before.
///
/// ```text
///  begin(commit) ─▶ change* ─▶ commit(end)      skipped: what is not behind `done`, and the first `changes`
///  outside(message) ─▶ change                            of the open transaction
/// ```
#[derive(Debug, Default)]
pub(crate) struct Position {
    /// What is written as a whole, and the part of a transaction that an earlier run wrote.
    reached: Reached,
    /// The transaction or message that is being read; `None` between two.
    inside: Option<Inside>,
}

/// The transaction or message that is being read.
#[derive(Debug)]
struct Inside {
    /// Where it stands in the stream's order.
    at: Point,
    /// Changes read so far.
    changes: u64,
    /// Changes at its beginning that were written before; `u64::MAX` for all.
    skip: u64,
}

impl Position {
    /// Goes on from a committed offset.
    pub(crate) fn new(reached: Reached) -> Self {
        Self { reached, inside: None }
    }

    /// Notes that a transaction begins; its commit record starts at `commit`.
    pub(crate) fn begin(&mut self, commit: Lsn) {
        self.enter(Point::commit(commit));
    }

    /// Notes that a logical message outside of transactions comes; its record ends at `end`.
    pub(crate) fn outside(&mut self, end: Lsn) {
        self.enter(Point::ended(end));
    }

    /// Begins a transaction or message, and finds how many of its changes were written before.
    fn enter(&mut self, at: Point) {
        let skip = match self.reached.open {
            _ if at <= self.reached.done => u64::MAX,
            Some(open) if at < Point::commit(open.commit) => u64::MAX,
            Some(open) if at == Point::commit(open.commit) => open.changes,
            _ => 0,
        };
        self.inside = Some(Inside { at, changes: 0, skip });
    }

    /// Whether the next change is to be written; false when it was written before.
    pub(crate) fn is_due(&self) -> bool {
        self.inside.as_ref().is_none_or(|inside| inside.changes >= inside.skip)
    }

    /// Notes that a change was handed over as a whole, or skipped.
    pub(crate) fn change(&mut self) {
        if let Some(inside) = &mut self.inside {
            inside.changes += 1;
            // A message has one change, and so is complete.
            if !inside.at.is_commit() {
                let end = inside.at.lsn();
                self.leave(end);
            }
        }
    }

    /// Notes that the transaction is complete; `end` is behind its commit record.
    pub(crate) fn commit(&mut self, end: Lsn) {
        self.leave(end);
    }

    /// Ends the transaction or message; `end` is the position behind it.
    fn leave(&mut self, end: Lsn) {
        let Some(inside) = self.inside.take() else { return };
        self.reached.done = self.reached.done.max(inside.at);
        self.reached.end = self.reached.end.max(end);
        if self.reached.open.is_some_and(|open| Point::commit(open.commit) <= inside.at) {
            self.reached.open = None;
        }
    }

    /// Notes that the server has nothing more for us up to `end`.
    pub(crate) fn idle(&mut self, end: Lsn) {
        if self.inside.is_none() {
            self.reached.end = self.reached.end.max(end);
        }
    }

    /// Whether some changes of the transaction that is being read are written. It may soon be
    /// complete, so a Kafka transaction that waits a little need not end in its middle.
    pub(crate) fn is_half_written(&self) -> bool {
        self.inside.as_ref().is_some_and(|inside| inside.changes > inside.skip)
    }

    /// How far the changes that were handed over reach.
    pub(crate) fn reached(&self) -> Reached {
        match &self.inside {
            Some(inside) if inside.skip != u64::MAX && inside.changes.max(inside.skip) > 0 => Reached {
                open: Some(Open { commit: inside.at.lsn(), changes: inside.changes.max(inside.skip) }),
                ..self.reached
            },
            _ => self.reached,
        }
    }
}
