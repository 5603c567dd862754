//! The suite that every sink passes: order, replay, poison record, outage, restart, back pressure, slow commit.
//!
//! A check writes numbered rows to a topic and compares what the store holds with what it should: for each id the number of its
//! last change. A store takes part with a [`Rig`]. To add one, write its rig and a line `suite!` at the end.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::rig::{Change, Topic, timestamp};
use crate::harness::{LONG, eventually};

/// Id → the number that the row has.
pub(super) type Rows = BTreeMap<i64, i64>;

/// What the suite needs of a store. The sink reaches the store through something that can be cut and held.
pub(super) trait Rig {
    /// Starts the sink. `group` tells consumer groups apart.
    fn start(&self, topic: &Topic, group: u32) -> Box<dyn Started>;

    /// What the store holds.
    fn held(&self) -> Rows;

    /// The store refuses all calls until [`mend`](Rig::mend).
    fn cut(&self);

    /// The store takes calls and answers none until [`mend`](Rig::mend).
    fn hold(&self);

    /// The store is well again.
    fn mend(&self);
}

/// A sink under way.
pub(super) trait Started {
    /// Ends it as a crash does.
    fn kill(self: Box<Self>);

    /// Ends it in order. It must report no failure.
    fn stop(self: Box<Self>);
}

/// A topic with two partitions, and what a store should hold after reading it.
struct Source {
    topic: Topic,
    wanted: Rows,
    lsn: u64,
}

impl Source {
    fn new(name: &str) -> Self {
        Self { topic: Topic::create(name, 2), wanted: Rows::new(), lsn: 1000 }
    }

    /// Writes changes in this order: id, and its number or nothing for a delete.
    fn write(&mut self, changes: impl IntoIterator<Item = (i64, Option<i64>)>) {
        let mut rows: [Vec<Change>; 2] = Default::default();
        for (id, number) in changes {
            self.lsn += 1;
            let (op, row) = match number {
                Some(number) => {
                    (if self.wanted.contains_key(&id) { "u" } else { "c" }, row(id, json!(number)))
                }
                None => ("d", json!({})),
            };
            match number {
                Some(number) => drop(self.wanted.insert(id, number)),
                None => drop(self.wanted.remove(&id)),
            }
            rows[id as usize % 2].push(Change::new(op, id, self.lsn, row));
        }
        for (partition, rows) in rows.iter().enumerate() {
            self.topic.rows(partition as i32, rows);
        }
    }

    /// New rows of these ids.
    fn insert(&mut self, ids: std::ops::Range<i64>) {
        self.write(ids.map(|id| (id, Some(id + 1))));
    }

    #[track_caller]
    fn arrives(&self, rig: &dyn Rig, what: &str) {
        let arrived = || rig.held() == self.wanted;
        let deadline = std::time::Instant::now() + LONG;
        while !arrived() {
            if std::time::Instant::now() > deadline {
                let held = rig.held();
                let differ = |id: &&i64| held.get(*id) != self.wanted.get(*id);
                let wrong: Vec<_> = self.wanted.keys().chain(held.keys()).filter(differ).take(10).collect();
                panic!("{what}: {} rows of {} are there; wrong are {wrong:?}", held.len(), self.wanted.len());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// A row's columns, for all stores: Redis ranks `member` by `n`.
fn row(id: i64, number: Value) -> Value {
    json!({ "n": number, "member": id.to_string(), "at": timestamp(0) })
}

/// The last change of each row counts: updates, deletes, and rows that come again.
pub(super) fn order(rig: &dyn Rig) {
    let mut source = Source::new("order");
    let sink = rig.start(&source.topic, 0);
    for round in 1..=20 {
        source
            .write((0..10).map(|id| (id, if (id + round) % 7 == 0 { None } else { Some(round * 100 + id) })));
    }
    source.arrives(rig, "the last change of each row");
    sink.stop();
}

/// What is read a second time changes nothing.
pub(super) fn replay(rig: &dyn Rig) {
    let mut source = Source::new("replay");
    source.write((0..50).map(|id| (id, Some(1))));
    source.write((0..50).map(|id| (id, if id % 5 == 0 { None } else { Some(id + 2) })));
    let sink = rig.start(&source.topic, 0);
    source.arrives(rig, "the first reading");
    sink.stop();
    source.insert(100..102);
    let sink = rig.start(&source.topic, 1);
    source.arrives(rig, "the second reading");
    sink.stop();
}

/// A record that the store can never take goes to the dead letters, unchanged, and stops nobody.
pub(super) fn poison(rig: &dyn Rig) {
    let mut source = Source::new("poison");
    source.insert(0..10);
    let sink = rig.start(&source.topic, 0);
    source.arrives(rig, "rows before it");
    source.topic.rows(0, &[Change::new("c", 500, 5000, row(500, json!("no number")))]);
    source.insert(10..20);
    source.arrives(rig, "rows behind it");
    sink.stop();
    let letter = &source.topic.dead_letters(1)[0];
    assert_eq!(letter.key.as_deref(), Some("{\"id\":500}"));
    assert_eq!(letter.json()["after"]["n"], "no number");
    // A restart finds it behind the committed offset.
    source.insert(20..30);
    let sink = rig.start(&source.topic, 0);
    source.arrives(rig, "rows after a restart");
    sink.stop();
}

/// A store that is away, at the start and later, loses nothing and makes no dead letters.
pub(super) fn outage(rig: &dyn Rig) {
    let mut source = Source::new("outage");
    rig.cut();
    source.insert(0..50);
    let sink = rig.start(&source.topic, 0);
    std::thread::sleep(Duration::from_secs(1));
    rig.mend();
    source.arrives(rig, "rows that waited for the store");
    for round in 1..3 {
        rig.cut();
        source.insert(round * 100..round * 100 + 50);
        source.write((0..10).map(|id| (id, Some(round * 1000 + id))));
        std::thread::sleep(Duration::from_secs(1));
        rig.mend();
        source.arrives(rig, "rows that came while the store was away");
    }
    sink.stop();
    assert_eq!(source.topic.dead_letters_now(), 0);
}

/// A process that is killed again and again loses nothing.
pub(super) fn restart(rig: &dyn Rig) {
    let mut source = Source::new("restart");
    for round in 0..4 {
        let sink = rig.start(&source.topic, 0);
        for part in 0..5 {
            let from = round * 500 + part * 100;
            source.insert(from..from + 100);
            source.write((0..20).map(|id| (id, Some(from + id + 1))));
        }
        // The first rows of this round are there, the last ones perhaps not.
        eventually(LONG, "rows arrive", || rig.held().contains_key(&(round * 500 + 99)));
        sink.kill();
    }
    let sink = rig.start(&source.topic, 0);
    // The killed process may have written all: one more row shows that this one reads.
    source.insert(5_000..5_001);
    source.arrives(rig, "everything, after four kills");
    sink.stop();
}

/// More rows than the queues take wait for a store that does not answer; the sink stays in its group.
pub(super) fn back_pressure(rig: &dyn Rig) {
    let mut source = Source::new("back_pressure");
    source.insert(0..10);
    let sink = rig.start(&source.topic, 0);
    source.arrives(rig, "the first rows");
    rig.hold();
    // All in one partition: its queue takes 8192.
    source.write((5..10_000).map(|half| (half * 2, Some(half))));
    std::thread::sleep(Duration::from_secs(3));
    rig.mend();
    source.arrives(rig, "all rows");
    sink.stop();
}

/// A sink whose store answers late leaves in time; what was not committed comes again.
pub(super) fn slow_commit(rig: &dyn Rig) {
    let mut source = Source::new("slow_commit");
    source.insert(0..10);
    let sink = rig.start(&source.topic, 0);
    source.arrives(rig, "the first rows");
    rig.hold();
    source.insert(10..200);
    std::thread::sleep(Duration::from_secs(1));
    sink.stop();
    rig.mend();
    let sink = rig.start(&source.topic, 0);
    source.arrives(rig, "all rows");
    sink.stop();
}

/// The suite for one rig: a test for each check.
macro_rules! suite {
    ($name:ident, $rig:expr) => {
        mod $name {
            use super::super::stores::*;
            use crate::sinks::conformance as check;

            #[test]
            fn order() {
                check::order(&$rig);
            }

            #[test]
            fn replay() {
                check::replay(&$rig);
            }

            #[test]
            fn poison() {
                check::poison(&$rig);
            }

            #[test]
            fn outage() {
                check::outage(&$rig);
            }

            #[test]
            fn restart() {
                check::restart(&$rig);
            }

            #[test]
            fn back_pressure() {
                check::back_pressure(&$rig);
            }

            #[test]
            fn slow_commit() {
                check::slow_commit(&$rig);
            }
        }
    };
}

suite!(cassandra, CassandraRig::new());
suite!(redis, RedisRig::new());
suite!(http, HttpRig::new());
suite!(lake_with_offsets, LakeRig::new(true));
suite!(lake_by_group, LakeRig::new(false));
