//! A sink as a lake is one: it gathers records of all partitions, and commits them in one step, later. The reference for the
//! sink contract's *accepted*, `durable_to` and `flush`.
//!
//! With offsets in the store each record is committed once; with offsets in the group, a record may come again after a crash.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pgcdc::sinks::{Batch, Outcome, Partition, Rejected, Sink, SinkError, Start, State, async_trait};
use serde_json::json;
use tokio::time::Instant;

use super::conformance::{Rig, Rows, Started};
use super::rig::{Change, Topic, timestamp};
use super::stores::LakeRig;
use crate::harness::{LONG, eventually};

/// What outlives the sink's process.
#[derive(Debug, Default)]
pub(super) struct Disk(Mutex<Committed>);

#[derive(Debug, Default)]
struct Committed {
    rows: Rows,
    /// Offset and bookmark of each partition, written with the rows.
    offsets: HashMap<Partition, (i64, String)>,
    /// How often each record was committed.
    records: BTreeMap<(Partition, i64), u32>,
    commits: u32,
    /// How many partitions the largest commit had.
    widest: usize,
}

impl Disk {
    pub(super) fn rows(&self) -> Rows {
        self.0.lock().expect("no panic").rows.clone()
    }

    /// Records that were committed more than once.
    pub(super) fn twice(&self) -> BTreeMap<(Partition, i64), u32> {
        let committed = self.0.lock().expect("no panic");
        committed
            .records
            .iter()
            .filter(|(_, times)| **times > 1)
            .map(|(at, times)| (at.clone(), *times))
            .collect()
    }
}

/// What the test does to the store.
#[derive(Debug, Default)]
pub(super) struct Trouble(AtomicU8);

impl Trouble {
    pub(super) fn cut(&self) {
        self.0.store(1, Ordering::SeqCst);
    }

    pub(super) fn hold(&self) {
        self.0.store(2, Ordering::SeqCst);
    }

    pub(super) fn mend(&self) {
        self.0.store(0, Ordering::SeqCst);
    }

    /// Waits while the store is held; fails while it is cut.
    async fn pass(&self) -> Result<(), SinkError> {
        loop {
            match self.0.load(Ordering::SeqCst) {
                0 => return Ok(()),
                1 => return Err(SinkError::transient("the lake is frozen")),
                _ => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }
}

/// What a change makes of a row: its number, or nothing.
type Written = (Partition, i64, i64, Option<i64>);

/// The sink.
#[derive(Debug)]
pub(super) struct Lake {
    disk: Arc<Disk>,
    trouble: Arc<Trouble>,
    hand: Mutex<Hand>,
    /// How many records make the sink commit by itself.
    every: usize,
    stores_offsets: bool,
}

/// What was accepted and is not durable.
#[derive(Debug, Default)]
struct Hand {
    records: Vec<Written>,
    next: HashMap<Partition, (i64, String)>,
    durable: HashMap<Partition, i64>,
}

impl Lake {
    pub(super) fn open(disk: &Arc<Disk>, trouble: &Arc<Trouble>, every: usize, stores_offsets: bool) -> Self {
        let (disk, trouble) = (Arc::clone(disk), Arc::clone(trouble));
        Self { disk, trouble, hand: Mutex::default(), every, stores_offsets }
    }

    /// Makes everything in hand durable, of all partitions, in one step.
    async fn commit(&self) -> Result<(), SinkError> {
        self.trouble.pass().await?;
        let mut hand = self.hand.lock().expect("no panic");
        let mut committed = self.disk.0.lock().expect("no panic");
        let (records, next) = (std::mem::take(&mut hand.records), std::mem::take(&mut hand.next));
        committed.commits += 1;
        committed.widest = committed.widest.max(next.len());
        for (partition, position, id, number) in records {
            *committed.records.entry((partition, position)).or_default() += 1;
            match number {
                Some(number) => drop(committed.rows.insert(id, number)),
                None => drop(committed.rows.remove(&id)),
            }
        }
        for (partition, (next, bookmark)) in next {
            hand.durable.insert(partition.clone(), next);
            committed.offsets.insert(partition, (next, bookmark));
        }
        Ok(())
    }
}

/// The records of a batch, or those that can never be written.
fn convert(batch: &Batch<'_>) -> Result<Vec<Written>, Vec<Rejected>> {
    let (mut written, mut rejected) = (Vec::new(), Vec::new());
    for record in &batch.records {
        let number = |part: &pgcdc::sinks::decode::Row<'_>, name: &str| {
            part.get(name).and_then(|value| value.to_text()?.parse::<i64>().ok())
        };
        // A tombstone says nothing that the delete before it has not said.
        let Some(id) = record.change.key.as_ref().and_then(|key| number(key, "id")) else { continue };
        match record.change.after.as_ref().map(|row| number(row, "n")) {
            Some(None) => {
                let reason = "column \"n\" is not a number".to_owned();
                rejected.push(Rejected { position: record.position, reason });
            }
            number => written.push((batch.partition.clone(), record.position, id, number.flatten())),
        }
    }
    if rejected.is_empty() { Ok(written) } else { Err(rejected) }
}

#[async_trait]
impl Sink for Lake {
    async fn check(&self) -> Result<(), SinkError> {
        self.trouble.pass().await
    }

    async fn resume(&self, partition: &Partition) -> Result<Start, SinkError> {
        if !self.stores_offsets {
            return Ok(Start::Committed);
        }
        let committed = self.disk.0.lock().expect("no panic");
        Ok(committed.offsets.get(partition).map_or(Start::Beginning, |(next, _)| Start::At(*next)))
    }

    fn bookmark(&self, partition: &Partition) -> Option<String> {
        self.disk.0.lock().expect("no panic").offsets.get(partition).map(|(_, bookmark)| bookmark.clone())
    }

    async fn write(&self, batch: &Batch<'_>) -> Result<Outcome, SinkError> {
        let written = match convert(batch) {
            Ok(written) => written,
            Err(rejected) => return Ok(Outcome::Refused { rejected }),
        };
        // Commits before it takes more: a failure then leaves nothing of this batch in hand.
        if self.hand.lock().expect("no panic").records.len() >= self.every {
            self.commit().await?;
        }
        let mut hand = self.hand.lock().expect("no panic");
        hand.records.extend(written);
        hand.next.insert(batch.partition.clone(), (batch.next, batch.bookmark.to_owned()));
        Ok(Outcome::accepted())
    }

    fn durable_to(&self, partition: &Partition) -> Option<i64> {
        self.hand.lock().expect("no panic").durable.get(partition).copied()
    }

    fn flush_interval(&self) -> Option<Duration> {
        Some(Duration::from_millis(300))
    }

    async fn flush(&self, _deadline: Instant) -> Result<(), SinkError> {
        self.commit().await
    }

    async fn released(&self, partition: &Partition) {
        let mut hand = self.hand.lock().expect("no panic");
        hand.records.retain(|(of, ..)| of != partition);
        hand.next.remove(partition);
        hand.durable.remove(partition);
    }
}

fn rows(topic: &Topic, from: i64, to: i64) {
    for partition in 0..2 {
        let ids = (from..to).filter(|id| id % 2 == i64::from(partition));
        let row = |id: i64| json!({ "n": id, "member": "m", "at": timestamp(0) });
        let rows: Vec<Change> = ids.map(|id| Change::new("c", id, 100 + id as u64, row(id))).collect();
        topic.rows(partition, &rows);
    }
}

/// Killed while records are accepted and not committed, again and again: each is committed once, and partitions commit
/// together.
#[test]
fn killed_between_accept_and_commit_each_record_is_committed_once() {
    let (rig, topic) = (LakeRig::new(true), Topic::create("accepted", 2));
    for round in 0..4 {
        let sink = rig.launch(&topic, 0);
        rows(&topic, round * 100, round * 100 + 50);
        eventually(LONG, "the first half is durable", || rig.held().len() as i64 == round * 100 + 50);
        rig.hold();
        rows(&topic, round * 100 + 50, round * 100 + 100);
        std::thread::sleep(Duration::from_millis(700));
        let taken = sink.registry.encode();
        assert!(taken.contains("pgcdc_consumer_records_total{sink=\"lake\"}"), "{taken}");
        assert_eq!(rig.held().len() as i64, round * 100 + 50, "nothing more is durable");
        Box::new(sink).kill();
        rig.mend();
        let sink = rig.start(&topic, 0);
        eventually(LONG, "the second half, too", || rig.held().len() as i64 == round * 100 + 100);
        sink.stop();
    }
    assert_eq!(rig.held(), (0..400).map(|id| (id, id)).collect());
    assert_eq!(rig.disk.0.lock().expect("no panic").widest, 2, "one commit for both partitions");
}

/// Watched, paused and resumed from outside, and counted.
#[test]
fn a_sink_tells_its_state_and_pauses() {
    let (rig, topic) = (LakeRig::new(true), Topic::create("watched", 2));
    let sink = rig.launch(&topic, 0);
    let mut status = sink.control.status();
    let mut reaches = |name: &str| {
        let found = sink.runtime.block_on(async {
            tokio::time::timeout(LONG, status.wait_for(|state| state.name() == name)).await
        });
        found.unwrap_or_else(|_| panic!("{name} does not come")).expect("not at its end")
    };
    reaches("running");
    rows(&topic, 0, 100);
    eventually(LONG, "rows are durable", || rig.held().len() == 100);

    rig.cut();
    rows(&topic, 100, 200);
    let State::Retrying(retry) = reaches("retrying") else { panic!("a retry") };
    assert_eq!(retry.failure.error, "the lake is frozen");
    rig.mend();
    reaches("running");
    eventually(LONG, "rows are durable", || rig.held().len() == 200);

    sink.control.pause();
    reaches("paused");
    rows(&topic, 200, 300);
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(rig.held().len(), 200);
    sink.control.resume();
    reaches("running");
    eventually(LONG, "rows are durable", || rig.held().len() == 300);
    eventually(LONG, "and counted", || {
        let text = sink.registry.encode();
        text.contains("pgcdc_sink_records_total{sink=\"lake\"} 300\n")
            && text.contains("pgcdc_consumer_partitions{sink=\"lake\"} 2\n")
    });
    Box::new(sink).stop();
    assert_eq!(status.now(), State::Finished);
}
