//! An offset, and the JSON in which it is stored.
//!
//! The fields without our prefix are those of Debezium's PostgreSQL connector (`lsn`, `lsn_proc`,
//! `lsn_commit`, `ts_usec`, `messageType`, `snapshot`, `last_snapshot_record`,
//! `snapshot_completed`), so that either of the two can go on from the other's offset. Fields named
//! `pgcdc_…` say what Debezium's do not: for which database, timeline and slot the positions hold,
//! and how far records reach. Debezium ignores them.
//!
//! ```text
//! {"lsn":24023128,"lsn_proc":24023128,"lsn_commit":24023128,"ts_usec":1732896000000000,
//!  "snapshot_completed":true,"messageType":"COMMIT","pgcdc_database":"7123456789012345678/16384",
//!  "pgcdc_timeline":1,"pgcdc_slot":"pgcdc","pgcdc_written":24020000}
//! ```

use pgcdc_event::Lsn;
use serde_json::{Map, Value, json};

use super::taken_over::TakenOver;
use crate::position::{Open, Point, Reached};

/// Which database the offset belongs to: `system identifier/database oid`.
const DATABASE: &str = "pgcdc_database";
/// The server's timeline when the stream began; zero on a standby ([`Home::timeline`]).
const TIMELINE: &str = "pgcdc_timeline";
/// The slot that was read. Versions that wrote it also wrote `lsn` before they confirmed it.
const SLOT: &str = "pgcdc_slot";
/// Where the last transaction with records ends; at-least-once.
const WRITTEN: &str = "pgcdc_written";
/// Exactly-once: the position of the last transaction or message that is written as a whole.
const DONE: &str = "pgcdc_done";
/// Exactly-once: which of the two `pgcdc_done` is, [`COMMIT`] or [`MESSAGE`].
const DONE_KIND: &str = "pgcdc_done_kind";
/// `pgcdc_done` is the start of a commit record.
const COMMIT: &str = "commit";
/// `pgcdc_done` is the end of a message.
const MESSAGE: &str = "message";
/// Exactly-once: a transaction that is written in part, named by the start of its commit record.
const OPEN: &str = "pgcdc_open";
/// Exactly-once: how many changes of that transaction are written.
const CHANGES: &str = "pgcdc_open_changes";

/// A connector's offset: how far it has come. Read at a start, written while streaming.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offset {
    /// Whether the snapshot that it began with is complete.
    pub(crate) snapshot_completed: bool,
    /// Everything that ends here or before is written. Nothing beyond was ever confirmed to the
    /// server, except by versions before [`Home::slot`].
    pub(crate) lsn: Lsn,
    /// Where the last transaction with records ends, at `lsn` or before; what is between changed
    /// nothing of ours.
    pub(crate) written: Lsn,
    /// Where these positions are valid; `None` in Debezium's own offsets.
    pub(crate) home: Option<Home>,
    /// How far committed records reach; only with exactly-once.
    pub(crate) reached: Option<Reached>,
    /// The transaction in which Debezium stopped, as long as the slot may still have it.
    pub(crate) taken_over: Option<TakenOver>,
}

/// Which database, slot and history a position belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Home {
    /// `system identifier/database oid`.
    pub(crate) database: String,
    /// The slot's name; `None` in offsets of versions that did not write it.
    pub(crate) slot: Option<String>,
    /// The server's timeline; written together with `slot`. Zero means any timeline: a stream from
    /// a standby goes on when that standby is promoted, or follows a promotion, without a message.
    /// Its slot exists on that one server, so a server that has the slot has its history, too.
    pub(crate) timeline: Option<u32>,
}

impl Offset {
    /// The last point in the stream of which there are records.
    pub(crate) fn last_written(&self) -> Point {
        let ours = self.reached.map_or(Point::ended(self.written), |reached| {
            reached.open.map_or(reached.done, |open| reached.done.max(Point::commit(open.commit)))
        });
        self.taken_over.map_or(ours, |taken_over| ours.max(taken_over.point()))
    }

    /// The last position of which pgcdc itself has written records.
    fn written_by_us(&self) -> Lsn {
        Self { taken_over: None, ..self.clone() }.last_written().lsn()
    }

    /// How far records reach, for exactly-once. An offset that a connector without exactly-once
    /// wrote is taken for complete up to its `lsn`.
    pub(crate) fn reached_or_lsn(&self) -> Reached {
        self.reached.unwrap_or(Reached { done: Point::ended(self.lsn), end: self.lsn, open: None })
    }

    /// Whether the stream may begin at the offset's position. With exactly-once it begins at the
    /// slot's position instead, and skips what is written.
    pub(crate) fn can_begin_there(&self) -> bool {
        self.snapshot_completed && self.reached.is_none()
    }

    /// The timeline of these positions, where it is known.
    pub(crate) fn timeline(&self) -> Option<u32> {
        self.home.as_ref().and_then(|home| home.timeline).filter(|timeline| *timeline != 0)
    }

    /// The same offset, valid only up to `lsn`. Records that are written stay written.
    pub(crate) fn up_to(&self, lsn: Lsn) -> Self {
        let reached = self.reached.map(|reached| Reached { end: lsn, ..reached });
        Self { lsn, written: self.written.min(lsn), reached, ..self.clone() }
    }

    /// The offset to go on with from a slot that stands at `lsn`, whatever was written before.
    pub(crate) fn moved_to(&self, lsn: Lsn) -> Self {
        let reached = self.reached.map(|_| Reached { done: Point::ended(lsn), end: lsn, open: None });
        Self { lsn, written: lsn, reached, taken_over: None, ..self.clone() }
    }

    /// Whether the connector that wrote it cannot have confirmed anything beyond `lsn`. True for
    /// each version that wrote the slot's name.
    pub(crate) fn bounds_the_slot(&self) -> bool {
        self.home.as_ref().is_some_and(|home| home.slot.is_some())
    }

    /// The stored form. `now_us` is the time of the write in microseconds since 1970.
    pub(crate) fn to_json(&self, now_us: i64) -> Value {
        let mut map = Map::new();
        map.insert("lsn".into(), json!(self.lsn.as_u64()));
        map.insert("lsn_proc".into(), json!(self.lsn.as_u64()));
        map.insert("lsn_commit".into(), json!(self.lsn.as_u64()));
        map.insert("ts_usec".into(), json!(now_us));
        if self.snapshot_completed {
            // Debezium, when it goes on from here, looks for a change at exactly this position. A
            // transaction that was open at this commit may have one, and Debezium would skip it
            // with all changes before it.
            map.insert("messageType".into(), json!("COMMIT"));
        }
        if !self.snapshot_completed {
            map.insert("snapshot".into(), json!("INITIAL"));
            map.insert("last_snapshot_record".into(), json!(false));
        }
        map.insert("snapshot_completed".into(), json!(self.snapshot_completed));
        if let Some(home) = &self.home {
            map.insert(DATABASE.into(), json!(home.database));
            if let Some((slot, timeline)) = home.slot.as_ref().zip(home.timeline) {
                map.insert(SLOT.into(), json!(slot));
                map.insert(TIMELINE.into(), json!(timeline));
            }
        }
        if let Some(taken_over) = self.taken_over.filter(|of| !of.is_over(self.written_by_us())) {
            taken_over.write_to(&mut map);
        }
        match &self.reached {
            None => {
                map.insert(WRITTEN.into(), json!(self.written.as_u64()));
            }
            Some(reached) => {
                let kind = if reached.done.is_commit() { COMMIT } else { MESSAGE };
                map.insert(DONE.into(), json!(reached.done.lsn().as_u64()));
                map.insert(DONE_KIND.into(), json!(kind));
                if let Some(open) = &reached.open {
                    map.insert(OPEN.into(), json!(open.commit.as_u64()));
                    map.insert(CHANGES.into(), json!(open.changes));
                }
            }
        }
        Value::Object(map)
    }

    /// Reads the stored form, ours or Debezium's; `None` when it is no object. A field that is
    /// missing gets the value under which nothing is lost.
    pub(crate) fn from_json(value: &Value) -> Option<Self> {
        let map = value.as_object()?;
        let snapshot = map
            .get("snapshot")
            .is_some_and(|s| !matches!(s.as_str(), Some("false")) && !s.is_null() && *s != json!(false));
        let completed = map
            .get("snapshot_completed")
            .and_then(Value::as_bool)
            .or_else(|| map.get("last_snapshot_record").and_then(Value::as_bool))
            .unwrap_or(!snapshot);
        let number = |name: &str| map.get(name).and_then(Value::as_u64);
        let text = |name: &str| map.get(name).and_then(Value::as_str);
        let ours = map.contains_key(DATABASE);
        let taken_over = TakenOver::from_json(map, ours);
        let begins_at = taken_over.filter(|_| !ours).and_then(|of| of.begins_at());
        let lsn = begins_at.unwrap_or(Lsn::new(number("lsn").unwrap_or(0)));
        let open = number(OPEN).zip(number(CHANGES));
        let reached = number(DONE).map(|done| Reached {
            done: done_point(Lsn::new(done), lsn, text(DONE_KIND)),
            end: lsn,
            open: open.map(|(commit, changes)| Open { commit: Lsn::new(commit), changes }),
        });
        let home = text(DATABASE).map(|database| {
            let timeline = number(TIMELINE).and_then(|timeline| timeline.try_into().ok());
            Home {
                database: database.to_owned(),
                slot: timeline.and(text(SLOT).map(str::to_owned)),
                timeline: text(SLOT).and(timeline),
            }
        });
        Some(Self {
            snapshot_completed: completed,
            lsn,
            written: number(WRITTEN).map_or(lsn, Lsn::new),
            reached,
            home,
            taken_over,
        })
    }
}

/// What `pgcdc_done` is the position of. Versions that did not write the kind moved `lsn` behind
/// each commit record, and left it where it was at a message. So there `lsn` is above a commit's
/// start, and not above a message's end.
fn done_point(done: Lsn, lsn: Lsn, kind: Option<&str>) -> Point {
    let commit = kind.map_or(lsn > done, |kind| kind == COMMIT);
    if commit { Point::commit(done) } else { Point::ended(done) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debeziums_own_offsets_are_understood() {
        let check = |text: &str, completed, lsn| {
            let value: Value = serde_json::from_str(text).expect("JSON");
            let offset = Offset::from_json(&value).expect("an offset");
            assert_eq!((offset.snapshot_completed, offset.lsn), (completed, Lsn::new(lsn)), "{text}");
            assert!(!offset.bounds_the_slot() && offset.reached.is_none(), "{text}");
            assert_eq!(offset.reached_or_lsn().done, Point::ended(Lsn::new(lsn)), "{text}");
        };
        check(
            r#"{"last_snapshot_record":true,"lsn":1,"snapshot":"INITIAL","snapshot_completed":true}"#,
            true,
            1,
        );
        check(
            r#"{"last_snapshot_record":false,"lsn":1,"snapshot":"INITIAL","snapshot_completed":false}"#,
            false,
            1,
        );
        check(r#"{"last_snapshot_record":false,"lsn":1,"snapshot":true}"#, false, 1);
        check(r#"{"transaction_id":null,"lsn_proc":9,"lsn_commit":8,"lsn":9,"txId":5,"ts_usec":1}"#, true, 9);
        // Debezium 3.7.0 after one change.
        check(
            r#"{"lsn_proc":148233672,"lsn_events_processed":1,"messageType":"INSERT","lsn":148233672,"txId":1000,"ts_usec":1}"#,
            true,
            148_233_672,
        );
    }

    #[test]
    fn offsets_of_the_version_before_are_understood() {
        let check = |text: &str, done: Point| {
            let value: Value = serde_json::from_str(text).expect("JSON");
            let offset = Offset::from_json(&value).expect("an offset");
            assert!(!offset.bounds_the_slot(), "it confirmed more than it wrote: {text}");
            assert_eq!(offset.home.as_ref().map(|home| home.database.as_str()), Some("7/5"));
            assert_eq!(offset.last_written(), done, "{text}");
        };
        check(
            r#"{"lsn":150,"pgcdc_database":"7/5","pgcdc_done":100,"snapshot_completed":true}"#,
            Point::commit(Lsn::new(100)),
        );
        check(
            r#"{"lsn":90,"pgcdc_database":"7/5","pgcdc_done":100,"snapshot_completed":true}"#,
            Point::ended(Lsn::new(100)),
        );
        check(r#"{"lsn":90,"pgcdc_database":"7/5","snapshot_completed":true}"#, Point::ended(Lsn::new(90)));
    }

    #[test]
    fn what_is_written_is_read_again() {
        let open = Some(Open { commit: Lsn::new(60), changes: 7 });
        let reached = |done| Some(Reached { done, end: Lsn::new(50), open });
        let home = |slot: Option<&str>| {
            Some(Home { database: "7/5".into(), slot: slot.map(str::to_owned), timeline: slot.map(|_| 3) })
        };
        for reached in [None, reached(Point::commit(Lsn::new(40))), reached(Point::ended(Lsn::new(50)))] {
            for home in [home(None), home(Some("s"))] {
                for snapshot_completed in [true, false] {
                    let offset = Offset {
                        snapshot_completed,
                        lsn: Lsn::new(50),
                        written: Lsn::new(if reached.is_none() { 45 } else { 50 }),
                        home: home.clone(),
                        reached,
                        taken_over: None,
                    };
                    assert_eq!(Offset::from_json(&offset.to_json(1)), Some(offset));
                }
            }
        }
    }
}
