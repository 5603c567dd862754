//! Where Debezium stopped, when pgcdc goes on from Debezium's offset.
//!
//! Debezium stores an offset with each record, not with each commit: its offset names the last
//! *event* that is written (`messageType` at `lsn`, and how many changes of that position:
//! `lsn_events_processed`), the transaction that made it (`txId`), and the end of the commit before
//! (`lsn_commit`). The commit of the last transaction gets into the offset with the next record
//! only. So after each stop the slot still has the last transaction, and without this module pgcdc
//! would write it a second time.
//!
//! Source: `PostgresOffsetContext` and `PostgresStreamingChangeEventSource` of Debezium 3.7.

use pgcdc_event::Lsn;
use serde_json::{Map, Value, json};

use crate::position::Point;

/// The transaction's number, where one is written in part. These four fields are pgcdc's own form;
/// they stay in its offset until a later transaction is written.
const XID: &str = "pgcdc_taken_over_xid";
/// The position of the last event that Debezium has written.
const LAST: &str = "pgcdc_taken_over_lsn";
/// How many rows at that position are written.
const EVENTS: &str = "pgcdc_taken_over_events";
/// The end of the commit before.
const AFTER: &str = "pgcdc_taken_over_after";

/// How far Debezium had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TakenOver {
    /// The transaction of which Debezium has written something, as `Begin` names it; `None` when it
    /// stopped between two. Positions alone would not do: a transaction that was open at the same
    /// time and committed later has changes at lower positions.
    xid: Option<u32>,
    /// The position of the last event that is written, zero when that is the transaction's begin. A
    /// row's is where its WAL record starts, a message's is where it ends. A transaction's events
    /// come in the order of their positions.
    last: Lsn,
    /// How many rows at `last` are written: the rows of one `COPY` share a position. Zero when the
    /// last event is not a row, since a row may start where a message ends.
    events: u64,
    /// The end of the commit before, which may lie behind `last`.
    after: Lsn,
}

impl TakenOver {
    /// Reads it from an offset of Debezium's, or from one of `ours` that still has it.
    pub(super) fn from_json(map: &Map<String, Value>, ours: bool) -> Option<Self> {
        let number = |name: &str| map.get(name).and_then(Value::as_u64);
        let position = |name: &str| number(name).map(Lsn::new);
        let xid = |name: &str| number(name).and_then(|xid| u32::try_from(xid).ok());
        if let (Some(last), Some(events)) = (position(LAST), number(EVENTS)) {
            return Some(Self { xid: xid(XID), last, events, after: position(AFTER).unwrap_or_default() });
        }
        // The fields below are in an offset of pgcdc's, too, for Debezium to read.
        let kind = map.get("messageType").and_then(Value::as_str).filter(|_| !ours)?;
        let last = position("lsn")?;
        let after = position("lsn_commit").unwrap_or_default();
        // A message outside of transactions has no number.
        let Some(inside) = xid("txId").filter(|_| kind != "COMMIT") else {
            return Some(Self { xid: None, last, events: 0, after });
        };
        let (last, events) = match kind {
            // An older Debezium did not count, and of several changes at one position only the
            // first is sure to be written.
            "INSERT" | "UPDATE" | "DELETE" | "TRUNCATE" => {
                (last, number("lsn_events_processed").unwrap_or(1))
            }
            "MESSAGE" => (last, 0),
            "BEGIN" => (Lsn::ZERO, 0),
            _ => return None,
        };
        Some(Self { xid: Some(inside), last, events, after })
    }

    /// Where a stream begins that goes on from Debezium's offset: at the last commit, if it names
    /// one. Its `lsn` is the last event's, and that may be older than commits that it has written.
    pub(super) fn begins_at(&self) -> Option<Lsn> {
        (!self.after.is_zero()).then_some(self.after)
    }

    /// The last event, as a point that the server's WAL must have passed.
    pub(super) fn point(&self) -> Point {
        // The WAL must hold more of a row than its start.
        if self.events > 0 { Point::commit(self.last) } else { Point::ended(self.last) }
    }

    /// Adds it to an offset of pgcdc's.
    pub(super) fn write_to(&self, map: &mut Map<String, Value>) {
        if let Some(xid) = self.xid {
            map.insert(XID.into(), json!(xid));
        }
        map.insert(LAST.into(), json!(self.last.as_u64()));
        map.insert(EVENTS.into(), json!(self.events));
        map.insert(AFTER.into(), json!(self.after.as_u64()));
    }

    /// Whether the transaction is written as a whole, or one behind it, so that nothing of it has
    /// to be skipped any more. `written` is the last position of which pgcdc has written records. All
    /// commits before the transaction's own lie at `after` or before, and its own commit record
    /// lies behind its last change.
    pub(super) fn is_over(&self, written: Lsn) -> bool {
        written > self.last.max(self.after)
    }
}

/// Says of each change whether Debezium has written it.
#[derive(Debug)]
pub(crate) struct Takeover {
    /// How much is written.
    of: TakenOver,
    /// While the stream is in that transaction: how many of its changes at the last position it has shown.
    inside: Option<u64>,
}

impl Takeover {
    /// The stream is in no transaction yet.
    pub(crate) fn new(of: TakenOver) -> Self {
        Self { of, inside: None }
    }

    /// Notes that the stream begins a transaction.
    pub(crate) fn begin(&mut self, xid: u32) {
        self.inside = (Some(xid) == self.of.xid).then_some(0);
    }

    /// Whether the stream is in the transaction of which Debezium has written something, its begin
    /// at least.
    pub(crate) fn is_inside(&self) -> bool {
        self.inside.is_some()
    }

    /// Whether Debezium has written this change of the transaction that the stream is in. To be
    /// asked once for each change of a table, in the order of the stream, also for tables that are
    /// not captured: Debezium counts these, too.
    pub(crate) fn has_written(&mut self, lsn: Lsn) -> bool {
        let Some(at_last) = &mut self.inside else { return false };
        if lsn == self.of.last {
            *at_last += 1;
            return *at_last <= self.of.events;
        }
        lsn < self.of.last
    }

    /// Whether Debezium has written this logical message, which is part of the transaction that the
    /// stream is in.
    pub(crate) fn has_written_message(&self, lsn: Lsn) -> bool {
        self.inside.is_some() && lsn <= self.of.last
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Option<TakenOver> {
        let value: Value = serde_json::from_str(text).expect("JSON");
        TakenOver::from_json(value.as_object().expect("an object"), false)
    }

    fn of(xid: Option<u32>, last: u64, events: u64, after: u64) -> Option<TakenOver> {
        Some(TakenOver { xid, last: Lsn::new(last), events, after: Lsn::new(after) })
    }

    #[test]
    fn an_offset_of_debezium_says_which_transaction_is_written_in_part() {
        let check = |text: &str, expected| assert_eq!(read(text), expected, "{text}");
        check(
            r#"{"lsn_proc":90,"lsn_events_processed":1,"messageType":"INSERT","lsn":90,"txId":1000,"ts_usec":1}"#,
            of(Some(1000), 90, 1, 0),
        );
        // Its change is older than the commit before.
        check(
            r#"{"lsn_proc":90,"lsn_commit":95,"lsn_events_processed":3,"messageType":"UPDATE","lsn":90,"txId":7}"#,
            of(Some(7), 90, 3, 95),
        );
        // Debezium 2.x does not count the changes of a position.
        check(r#"{"lsn_proc":90,"messageType":"DELETE","lsn":90,"txId":7}"#, of(Some(7), 90, 1, 0));
        // A table of several that are truncated at once does not move `lsn_proc`.
        check(
            r#"{"lsn_proc":95,"lsn_commit":95,"lsn_events_processed":1,"messageType":"TRUNCATE","lsn":90,"txId":7}"#,
            of(Some(7), 90, 1, 95),
        );
        // Neither does a message within a transaction. The row behind it may have its position.
        check(
            r#"{"lsn_proc":90,"lsn_commit":90,"messageType":"MESSAGE","lsn":80,"txId":7}"#,
            of(Some(7), 80, 0, 90),
        );
        check(
            r#"{"lsn_proc":95,"lsn_commit":95,"messageType":"BEGIN","lsn":90,"txId":7}"#,
            of(Some(7), 0, 0, 95),
        );
    }

    #[test]
    fn between_two_transactions_nothing_is_skipped() {
        let check = |text: &str, expected| assert_eq!(read(text), expected, "{text}");
        check(
            r#"{"lsn_proc":90,"lsn_commit":90,"messageType":"COMMIT","lsn":90,"txId":7}"#,
            of(None, 90, 0, 90),
        );
        check(r#"{"lsn_proc":90,"lsn_commit":90,"messageType":"MESSAGE","lsn":90}"#, of(None, 90, 0, 90));
        check(r#"{"lsn_proc":90,"messageType":"INSERT","lsn":90,"txId":-1}"#, of(None, 90, 0, 0));
        check(r#"{"lsn_proc":90,"messageType":"INSERT","lsn":90,"txId":4294967296}"#, of(None, 90, 0, 0));
        // A snapshot, an edited offset, an older version that does not say what the last event was.
        for unknown in [
            r#"{"last_snapshot_record":true,"lsn":1,"txId":7,"snapshot":"INITIAL","snapshot_completed":true}"#,
            r#"{"lsn":90}"#,
            r#"{"transaction_id":null,"lsn_proc":9,"lsn_commit":8,"lsn":9,"txId":5,"ts_usec":1}"#,
        ] {
            assert_eq!(read(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn a_row_that_starts_where_a_message_ends_is_not_skipped() {
        let mut takeover = Takeover::new(of(Some(7), 80, 0, 70).expect("made"));
        takeover.begin(7);
        assert!(takeover.has_written(Lsn::new(79)) && takeover.has_written_message(Lsn::new(80)));
        assert!(!takeover.has_written(Lsn::new(80)) && !takeover.has_written_message(Lsn::new(81)));
    }

    #[test]
    fn it_comes_back_from_an_offset_of_pgcdc() {
        let taken =
            TakenOver { xid: Some(u32::MAX), last: Lsn::new(u64::MAX), events: 3, after: Lsn::new(5) };
        let mut map = Map::new();
        taken.write_to(&mut map);
        assert_eq!(TakenOver::from_json(&map, true), Some(taken));
    }

    proptest! {
        /// Any transactions, one of them stopped in anywhere: each change is written once, by one of the two.
        #[test]
        fn each_change_is_written_once(
            transactions in prop::collection::vec(prop::collection::vec((1u64..40, 1u64..4), 1..6), 1..5),
            stop in any::<prop::sample::Index>(),
        ) {
            // (xid, position, ordinal) of each change; positions ascend within a transaction, not
            // between them.
            let mut stream = Vec::new();
            for (xid, changes) in (1u32..).zip(&transactions) {
                let mut positions: Vec<u64> =
                    changes.iter().flat_map(|(lsn, times)| vec![*lsn; *times as usize]).collect();
                positions.sort_unstable();
                stream.extend(positions.into_iter().map(|lsn| (xid, lsn)));
            }
            let stop = stop.index(stream.len());
            let (xid, last) = stream[stop];
            let events = stream[..=stop].iter().filter(|change| **change == (xid, last)).count() as u64;
            let mut takeover = Takeover::new(TakenOver { xid: Some(xid), last: Lsn::new(last), events, after: Lsn::ZERO });
            let mut current = 0;
            let begins = stream.iter().position(|(of, _)| *of == xid).expect("it is there");
            for (index, (of, lsn)) in stream.iter().enumerate().skip(begins) {
                if current != *of {
                    takeover.begin(*of);
                    current = *of;
                }
                prop_assert_eq!(takeover.has_written(Lsn::new(*lsn)), index <= stop);
            }
        }
    }
}
