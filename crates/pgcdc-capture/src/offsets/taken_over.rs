//! The transaction in which Debezium stopped, when pgcdc goes on from Debezium's offset.
//!
//! Debezium stores an offset with each record, not with each commit: its offset names the last
//! *change* that is written (`lsn_proc`, and how many changes of that position:
//! `lsn_events_processed`), the transaction that made the change (`txId`), and the end of the
//! commit before (`lsn_commit`). The commit of the last transaction gets into the offset with the
//! next record only. So after each stop the slot still has the last transaction, and without this
//! module pgcdc would write it a second time.
//!
//! Source: `PostgresOffsetContext` and `WalPositionLocator` of Debezium 3.7.

use pgcdc_event::Lsn;
use serde_json::{Map, Value, json};

/// The transaction's number. These four fields are pgcdc's own form; they stay in its offset until
/// a later transaction is written.
const XID: &str = "pgcdc_taken_over_xid";
/// The position of the last change that Debezium has written.
const LAST: &str = "pgcdc_taken_over_lsn";
/// How many changes at that position are written.
const EVENTS: &str = "pgcdc_taken_over_events";
/// The end of the commit before.
const AFTER: &str = "pgcdc_taken_over_after";

/// How much Debezium had written of the transaction in which it stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TakenOver {
    /// The transaction, as `Begin` names it. Positions alone would not do: a transaction that was
    /// open at the same time and committed later has changes at lower positions.
    xid: u32,
    /// The position of the last change that is written. A transaction's changes come in the order
    /// of their positions.
    last: Lsn,
    /// How many changes at `last` are written: the rows of one `COPY` share a position.
    events: u64,
    /// The end of the commit before, which may lie behind `last`.
    after: Lsn,
}

impl TakenOver {
    /// Reads it from an offset, Debezium's or pgcdc's; `None` where no transaction is written in part.
    pub(super) fn from_json(map: &Map<String, Value>) -> Option<Self> {
        let number = |name: &str| map.get(name).and_then(Value::as_u64);
        let position = |name: &str| number(name).map(Lsn::new);
        if let (Some(xid), Some(last), Some(events)) = (number(XID), position(LAST), number(EVENTS)) {
            let after = position(AFTER).unwrap_or_default();
            return Some(Self { xid: u32::try_from(xid).ok()?, last, events, after });
        }
        let xid = u32::try_from(number("txId")?).ok()?;
        let last = position("lsn_proc").max(position("lsn"))?;
        let after = position("lsn_commit");
        let events = match map.get("messageType").and_then(Value::as_str)? {
            // An older Debezium did not count, and of several changes at one position only the
            // first is sure to be written.
            "INSERT" | "UPDATE" | "DELETE" | "TRUNCATE" => number("lsn_events_processed").unwrap_or(1),
            // A message outside of transactions is complete, and its position is that of the last commit.
            "MESSAGE" if after != Some(last) => 1,
            // After BEGIN nothing of the transaction is written, after COMMIT all of it.
            _ => return None,
        };
        Some(Self { xid, last, events, after: after.unwrap_or_default() })
    }

    /// Adds it to an offset of pgcdc's.
    pub(super) fn write_to(&self, map: &mut Map<String, Value>) {
        map.insert(XID.into(), json!(self.xid));
        map.insert(LAST.into(), json!(self.last.as_u64()));
        map.insert(EVENTS.into(), json!(self.events));
        map.insert(AFTER.into(), json!(self.after.as_u64()));
    }

    /// Whether the transaction is written as a whole, or one behind it, so that nothing of it has
    /// to be skipped any more. `written` is the last position of which there are records. All
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
        self.inside = (xid == self.of.xid).then_some(0);
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
        TakenOver::from_json(value.as_object().expect("an object"))
    }

    fn of(xid: u32, last: u64, events: u64, after: u64) -> Option<TakenOver> {
        Some(TakenOver { xid, last: Lsn::new(last), events, after: Lsn::new(after) })
    }

    #[test]
    fn an_offset_of_debezium_says_which_transaction_is_written_in_part() {
        let first = r#"{"lsn_proc":90,"lsn_events_processed":1,"messageType":"INSERT","lsn":90,"txId":1000,"ts_usec":1}"#;
        assert_eq!(read(first), of(1000, 90, 1, 0));
        // Its change is older than the commit before.
        let concurrent = r#"{"lsn_proc":90,"lsn_commit":95,"lsn_events_processed":3,"messageType":"UPDATE","lsn":90,"txId":7}"#;
        assert_eq!(read(concurrent), of(7, 90, 3, 95));
        // Debezium 2.x does not count the changes of a position.
        assert_eq!(read(r#"{"lsn_proc":90,"messageType":"DELETE","lsn":90,"txId":7}"#), of(7, 90, 1, 0));
        // A message within a transaction does not move `lsn_proc`.
        let message = r#"{"lsn_proc":80,"lsn_commit":70,"messageType":"MESSAGE","lsn":90,"txId":7}"#;
        assert_eq!(read(message), of(7, 90, 1, 70));
    }

    #[test]
    fn where_no_transaction_is_written_in_part_nothing_is_skipped() {
        for complete in [
            r#"{"lsn_proc":90,"lsn_commit":90,"messageType":"COMMIT","lsn":90,"txId":7}"#,
            r#"{"lsn_proc":90,"lsn_commit":80,"messageType":"BEGIN","lsn":90,"txId":7}"#,
            r#"{"lsn_proc":90,"lsn_commit":90,"messageType":"MESSAGE","lsn":90,"txId":7}"#,
            // A snapshot, an edited offset, an older version that does not say what the last event was.
            r#"{"last_snapshot_record":true,"lsn":1,"txId":7,"snapshot":"INITIAL","snapshot_completed":true}"#,
            r#"{"lsn":90}"#,
            r#"{"transaction_id":null,"lsn_proc":9,"lsn_commit":8,"lsn":9,"txId":5,"ts_usec":1}"#,
            r#"{"lsn_proc":90,"messageType":"INSERT","lsn":90,"txId":-1}"#,
            r#"{"lsn_proc":90,"messageType":"INSERT","lsn":90,"txId":4294967296}"#,
        ] {
            assert_eq!(read(complete), None, "{complete}");
        }
    }

    #[test]
    fn it_comes_back_from_an_offset_of_pgcdc() {
        let taken = TakenOver { xid: u32::MAX, last: Lsn::new(u64::MAX), events: 3, after: Lsn::new(5) };
        let mut map = Map::new();
        taken.write_to(&mut map);
        assert_eq!(TakenOver::from_json(&map), Some(taken));
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
            let mut takeover = Takeover::new(TakenOver { xid, last: Lsn::new(last), events, after: Lsn::ZERO });
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
