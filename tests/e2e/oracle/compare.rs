//! Whether a topic holds what the server gave.

use base64::Engine as _;
use pgcdc_testbed::load::without_repeats;
use serde_json::{Value, json};

use crate::harness::Record;

/// What a record says, without what another process may say differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    /// Position of the change, or of the message.
    pub(super) lsn: u64,
    /// Which of a change's records it is.
    pub(super) part: u64,
    /// Operation, transaction, key, old and new row; a message's prefix and content.
    pub(super) what: Value,
}

impl Said {
    /// Whether it is the last record of its topic, which [`LAST`](super::workload::LAST) writes.
    pub(super) fn is_last(&self) -> bool {
        self.what["content"] == "last" || self.what["after"]["v"] == "last"
    }
}

/// What a record of a topic says. A tombstone has no position; [`numbered`] gives it one.
pub(super) fn said(record: &Record) -> Said {
    let value = record.json();
    let key =
        record.key.as_deref().map_or(Value::Null, |key| serde_json::from_str(key).expect("a key is JSON"));
    let (source, op) = (&value["source"], &value["op"]);
    let what = match op.as_str() {
        None => json!({"op": null, "key": key}),
        Some("m") => {
            let content = value["message"]["content"].as_str().unwrap_or_default();
            let content = base64::engine::general_purpose::STANDARD.decode(content).expect("base64");
            let content = String::from_utf8(content).expect("the load's messages are text");
            json!({"op": "m", "txId": source["txId"], "key": key, "content": content})
        }
        Some(_) => json!({
            "op": op, "txId": source["txId"], "key": key, "before": value["before"], "after": value["after"]
        }),
    };
    Said { lsn: source["lsn"].as_u64().unwrap_or(0), part: 0, what }
}

/// A position as a number.
pub(super) fn position(text: &str) -> u64 {
    let (high, low) = text.split_once('/').expect("a position has two parts");
    let half = |text| u64::from_str_radix(text, 16).expect("hexadecimal");
    (half(high) << 32) | half(low)
}

/// The records from `start` to the topic's last one: the heartbeat's action writes before and after.
pub(super) fn between(mut records: Vec<Said>, start: &str) -> Vec<Said> {
    if let Some(last) = records.iter().position(Said::is_last) {
        records.truncate(last + 1);
    }
    let start = position(start);
    records.retain(|said| said.lsn >= start);
    records
}

/// Gives each record its number among the records of its change, and tombstones the position of their delete.
pub(super) fn numbered(records: Vec<Said>) -> Vec<Said> {
    let mut last = (0, 0);
    let number = |record: Said| {
        last = match record.what["op"].as_str() {
            None => (last.0, last.1 + 1),
            // The new row of a changed key follows the old row's tombstone, with the position of both.
            Some("c") if last == (record.lsn, 1) => (record.lsn, 2),
            Some(_) => (record.lsn, 0),
        };
        Said { lsn: last.0, part: last.1, what: record.what }
    };
    records.into_iter().map(number).collect()
}

/// Every record once, and in order.
pub(super) fn same(found: &[Said], expected: &[Said]) -> Result<(), String> {
    let wrong = found.iter().zip(expected).position(|(found, expected)| found != expected);
    let at = wrong.unwrap_or_else(|| found.len().min(expected.len()));
    if at == found.len() && at == expected.len() {
        return Ok(());
    }
    let around = |records: &[Said]| {
        let from = at.saturating_sub(2).min(records.len());
        records[from..(at + 3).min(records.len())]
            .iter()
            .map(|said| format!("\n    {said:?}"))
            .collect::<String>()
    };
    Err(format!(
        "{} records, the oracle has {}; they differ at {at}:\n  Kafka:{}\n  oracle:{}",
        found.len(),
        expected.len(),
        around(found),
        around(expected)
    ))
}

/// The same, where a restart may go back to an earlier record and tell everything from there on again.
pub(super) fn same_but_for_repeats(found: &[Said], expected: &[Said], restarts: u64) -> Result<(), String> {
    // The stream's order is not the order of positions: a change of a transaction that committed later may lie
    // before. The place in the oracle's list is what rises.
    let places: std::collections::HashMap<(u64, u64), u64> =
        expected.iter().zip(0..).map(|(said, at)| ((said.lsn, said.part), at)).collect();
    let placed: Vec<(u64, Said)> = found
        .iter()
        .map(|said| {
            let place = places.get(&(said.lsn, said.part));
            place.map(|at| (*at, said.clone())).ok_or_else(|| format!("the oracle does not have {said:?}"))
        })
        .collect::<Result<_, _>>()?;
    let (distinct, repeats) = without_repeats(&placed)?;
    let distinct: Vec<Said> = distinct.into_iter().map(|(_, said)| said).collect();
    same(&distinct, expected)?;
    if repeats > restarts {
        return Err(format!("{repeats} repeats with {restarts} restarts"));
    }
    Ok(())
}

#[test]
fn a_missing_a_doubled_and_a_wrong_record_are_found() {
    let said = |lsn| Said { lsn, part: 0, what: json!({"op": "c", "after": {"id": lsn}}) };
    let expected = [said(3), said(1), said(2)];
    assert_eq!(same(&expected, &expected), Ok(()));
    assert!(same(&expected[1..], &expected).is_err(), "the first is missing");
    assert!(same(&expected[..2], &expected).is_err(), "the last is missing");
    assert!(same(&[said(3), said(1), said(1), said(2)], &expected).is_err(), "one is there twice");
    let repeat = [said(3), said(1), said(3), said(1), said(2)];
    assert_eq!(same_but_for_repeats(&repeat, &expected, 1), Ok(()));
    assert!(same_but_for_repeats(&repeat, &expected, 0).is_err(), "a repeat without a restart");
    assert!(same_but_for_repeats(&[said(3), said(2)], &expected, 1).is_err(), "one is missing");
    assert!(
        same_but_for_repeats(&[said(3), said(1), said(9), said(2)], &expected, 1).is_err(),
        "one is not the server's"
    );
    let wrong = Said { what: json!({"op": "d"}), ..said(1) };
    assert!(same_but_for_repeats(&[said(3), wrong, said(2)], &expected, 1).is_err(), "another content");
}
