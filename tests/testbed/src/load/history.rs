//! The committed changes of each row, in order, and the comparison of a topic with them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::order::without_repeats;

/// A committed change of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The row was inserted or updated; its column `device` has this version.
    Put(String),
    /// The row was deleted.
    Delete,
}

/// Committed changes of each row, in order, with the number of the transaction.
#[derive(Debug, Default)]
pub struct History {
    /// By the row's id: the number of the transaction, and the change.
    pub rows: BTreeMap<i64, Vec<(u64, Event)>>,
}

impl History {
    /// How many changes there are.
    pub fn len(&self) -> usize {
        self.rows.values().map(Vec::len).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The number of the last transaction.
    pub fn transactions(&self) -> u64 {
        self.rows.values().flatten().map(|(transaction, _)| *transaction).max().unwrap_or(0)
    }
}

/// One record of the topic.
#[derive(Clone, Debug)]
pub struct Told {
    /// Its partition.
    pub partition: i32,
    /// `id` of its key.
    pub id: i64,
    /// Debezium's envelope; null for a tombstone.
    pub value: Value,
}

/// Compares a topic, each partition's records in order, with the history.
///
/// `streamed_from`: the last transaction that the snapshot may hold. `restarts`: how often capture was killed.
///
/// # Errors
/// The first row whose records are wrong, and how.
pub fn check(records: &[Told], history: &History, streamed_from: u64, restarts: u64) -> Result<(), String> {
    let mut by_id: BTreeMap<i64, Vec<&Told>> = BTreeMap::new();
    for record in records {
        by_id.entry(record.id).or_default().push(record);
    }
    commits_before_are_told(records, restarts)?;
    for (id, records) in &by_id {
        let partitions: Vec<i32> = records.iter().map(|record| record.partition).collect();
        if partitions.iter().any(|partition| *partition != partitions[0]) {
            return Err(format!("row {id} is in several partitions: {partitions:?}"));
        }
        let told = of_row(records, restarts).map_err(|why| format!("row {id}: {why}"))?;
        let committed = history.rows.get(id).map_or(&[][..], Vec::as_slice);
        compare(&told, committed, streamed_from).map_err(|why| format!("row {id}: {why}"))?;
    }
    let silent = history.rows.iter().find(|(id, committed)| {
        !by_id.contains_key(id) && committed.iter().any(|(transaction, _)| *transaction > streamed_from)
    });
    match silent {
        Some((id, committed)) => Err(format!("row {id} is not there at all: {committed:?}")),
        None => Ok(()),
    }
}

/// Checks `source.sequence` of every streamed record: `[position before the transaction, the record's own lsn]`.
///
/// One session writes, so transactions do not overlap, and the position before is at most the record's own. The first
/// transaction that a process reads is the exception: the snapshot's or the stored offset's position stands there. That
/// position may lie within the transaction (the server was idle for a moment while the transaction was open), but never
/// behind its end. There is at most one such transaction for each start of a process.
fn commits_before_are_told(records: &[Told], restarts: u64) -> Result<(), String> {
    let mut first_lsn: BTreeMap<u64, u64> = BTreeMap::new();
    let mut within: Vec<(u64, u64, u64)> = Vec::new();
    let streamed = |value: &&Value| !value.is_null() && value["op"] != "r";
    for value in records.iter().map(|record| &record.value).filter(streamed) {
        let source = &value["source"];
        let number =
            |name: &str| source[name].as_u64().ok_or_else(|| format!("a record without source.{name}"));
        let (lsn, transaction) = (number("lsn")?, number("txId")?);
        let text = source["sequence"].as_str().ok_or("a record without source.sequence")?;
        let sequence: [Option<String>; 2] =
            serde_json::from_str(text).map_err(|error| format!("source.sequence is {text}: {error}"))?;
        if sequence[1] != Some(lsn.to_string()) {
            return Err(format!("at {lsn} the sequence is {sequence:?}"));
        }
        let first = first_lsn.entry(transaction).or_insert(lsn);
        *first = lsn.min(*first);
        let before = sequence[0].as_ref().and_then(|text| text.parse().ok());
        if let Some(before) = before.filter(|before| *before > lsn) {
            within.push((transaction, lsn, before));
        }
    }
    let starts: BTreeSet<u64> = first_lsn.values().copied().collect();
    for (_, lsn, before) in &within {
        // The transaction ends before the next one begins.
        if starts.range(lsn + 1..).next().is_some_and(|next| before >= next) {
            return Err(format!("at {lsn} the position before is {before}, behind the transaction's end"));
        }
    }
    let transactions: BTreeSet<u64> = within.iter().map(|(transaction, ..)| *transaction).collect();
    if transactions.len() as u64 > restarts + 1 {
        return Err(format!("more than {restarts} restarts can explain: {within:?}"));
    }
    Ok(())
}

/// The streamed changes of one row, each once.
fn of_row(records: &[&Told], restarts: u64) -> Result<Vec<Event>, String> {
    let mut streamed = Vec::new();
    let mut position = 0;
    let mut snapshot = 0;
    for record in records {
        let mut value = record.value.clone();
        // A tombstone belongs to the delete before it; every other record has a position of its own.
        if value.is_null() {
            streamed.push((position + 1, Value::Null));
            continue;
        }
        let lsn = value["source"]["lsn"].as_u64().ok_or("a record without source.lsn")?;
        if value["op"] == "r" {
            if !streamed.is_empty() {
                return Err(format!("a snapshot's record at {lsn} after streamed ones"));
            }
            if lsn < snapshot {
                return Err(format!("a snapshot's record at {lsn} after one at {snapshot}"));
            }
            snapshot = lsn;
            continue;
        }
        position = lsn * 2;
        // A repeat may differ in two things: the time of writing, and `sequence[0]` of the first transaction that a process
        // reads (see `commits_before_are_told`).
        for name in ["ts_ms", "ts_us", "ts_ns"] {
            value.as_object_mut().ok_or("a value that is no object")?.remove(name);
        }
        value["source"]["sequence"].take();
        streamed.push((position, value));
    }
    let (distinct, repeats) = without_repeats(&streamed)?;
    if repeats > restarts {
        return Err(format!("{repeats} repeats with {restarts} restarts"));
    }
    let mut events = Vec::new();
    for (at, (_, value)) in distinct.iter().enumerate() {
        let after_delete = at > 0 && distinct[at - 1].1["op"] == "d";
        if value.is_null() != after_delete {
            return Err("a delete without tombstone, or a tombstone without delete".to_owned());
        }
        match value["op"].as_str() {
            Some("d") => events.push(Event::Delete),
            Some("c" | "u") => {
                events.push(Event::Put(value["after"]["device"].as_str().unwrap_or_default().to_owned()));
            }
            None if value.is_null() => {}
            other => return Err(format!("op {other:?}")),
        }
    }
    if distinct.last().is_some_and(|(_, value)| value["op"] == "d") {
        return Err("the last delete has no tombstone".to_owned());
    }
    Ok(events)
}

/// Checks that the streamed changes are the last of the committed ones, and that none is missing since the stream began.
fn compare(told: &[Event], committed: &[(u64, Event)], streamed_from: u64) -> Result<(), String> {
    let missing = committed.len().checked_sub(told.len());
    let agree = missing.is_some_and(|missing| {
        committed[missing..].iter().map(|(_, event)| event).eq(told)
            && committed[..missing].iter().all(|(transaction, _)| *transaction <= streamed_from)
    });
    if agree { Ok(()) } else { Err(format!("Kafka tells {told:?}, committed was {committed:?}")) }
}
