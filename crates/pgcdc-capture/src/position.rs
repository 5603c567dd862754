//! Where the stream is: the one order in which the server sends, and what of a stream that is sent again is skipped.
//! Pure.
//!
//! The server reads its WAL from front to back. It sends a transaction when it meets the commit record, and a logical
//! message that belongs to no transaction when it meets the message. The two are told apart by different ends of their
//! WAL record:
//!
//! ```text
//!  WAL      ── [ message ) [ commit record ) ── [ message ) ──▶
//!                       │  │                             │
//!  pgoutput             │  Begin: where it starts        message: where it ends
//!                       message: where it ends
//! ```
//!
//! When nothing lies between the two records both positions are the same number, and still the message comes first. So
//! a position alone does not say what is done: a [`Point`] says which of the two it is of.

use pgcdc_event::Lsn;

mod compare;
#[cfg(test)]
mod tests;

pub(crate) use compare::{Fit, Mismatch, Server, SlotPosition, compare};

/// A point in the order in which the server sends.
///
/// Records of the WAL do not overlap. So a message that ends at `m` comes before a commit record that starts at `c`
/// exactly when `m <= c`. The derived order says that: position first, and at the same position the message first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Point {
    lsn: Lsn,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// The position is the end of a message; or of anything else that is done up to its end.
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

    /// A logical message outside of transactions, by the end of its record: it carries that. Also the point behind
    /// every record that ends at `end` or before.
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

    /// Whether its WAL record ends at `end` or before.
    pub(crate) fn is_within(self, end: Lsn) -> bool {
        self <= Self::ended(end)
    }
}

/// How far records reach. What the offset of a Kafka transaction holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reached {
    /// The last transaction, or message outside of one, of which everything is written.
    pub(crate) done: Point,
    /// Position behind it: what Debezium calls `lsn`.
    pub(crate) end: Lsn,
    /// The transaction behind `done` that is written in part.
    pub(crate) open: Option<Open>,
}

/// A transaction that is written in part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Open {
    /// Start of its commit record.
    pub(crate) commit: Lsn,
    /// So many of its changes are written. Each counts once, whatever the number of its records.
    pub(crate) changes: u64,
}

/// Follows the stream from where the last committed offset stood.
///
/// ```text
///  begin(commit) ─▶ change* ─▶ commit(end)      skipped: what is not behind `done`, and the first `changes`
///  outside(message) ─▶ change                            of the open transaction
/// ```
#[derive(Debug, Default)]
pub(crate) struct Position {
    reached: Reached,
    inside: Option<Inside>,
}

/// What is being read.
#[derive(Debug)]
struct Inside {
    at: Point,
    changes: u64,
    skip: u64,
}

impl Position {
    /// Goes on from what was committed.
    pub(crate) fn new(reached: Reached) -> Self {
        Self { reached, inside: None }
    }

    /// A transaction begins; its commit record starts at `commit`.
    pub(crate) fn begin(&mut self, commit: Lsn) {
        self.enter(Point::commit(commit));
    }

    /// A logical message comes that belongs to no transaction; its record ends at `end`.
    pub(crate) fn outside(&mut self, end: Lsn) {
        self.enter(Point::ended(end));
    }

    fn enter(&mut self, at: Point) {
        let skip = match self.reached.open {
            _ if at <= self.reached.done => u64::MAX,
            Some(open) if at < Point::commit(open.commit) => u64::MAX,
            Some(open) if at == Point::commit(open.commit) => open.changes,
            _ => 0,
        };
        self.inside = Some(Inside { at, changes: 0, skip });
    }

    /// Whether the change that comes now is to be written; says when it was before.
    pub(crate) fn is_due(&self) -> bool {
        self.inside.as_ref().is_none_or(|inside| inside.changes >= inside.skip)
    }

    /// The change was handed over as a whole, or skipped.
    pub(crate) fn change(&mut self) {
        if let Some(inside) = &mut self.inside {
            inside.changes += 1;
            // A message is complete with its one change.
            if !inside.at.is_commit() {
                let end = inside.at.lsn();
                self.leave(end);
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
        if self.reached.open.is_some_and(|open| Point::commit(open.commit) <= inside.at) {
            self.reached.open = None;
        }
    }

    /// The server has nothing more for us up to `end`.
    pub(crate) fn idle(&mut self, end: Lsn) {
        if self.inside.is_none() {
            self.reached.end = self.reached.end.max(end);
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
                open: Some(Open { commit: inside.at.lsn(), changes: inside.changes.max(inside.skip) }),
                ..self.reached
            },
            _ => self.reached,
        }
    }
}
