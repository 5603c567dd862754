//! Records in the form in which they are stored and compared: one line each, with volatile values masked.

use std::fmt::Write as _;
use std::hash::{Hash as _, Hasher as _};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::mask::{ends_volatile, mask};

/// Recordings longer than this are cut in the middle.
const LONG: usize = 1000;
/// How many records stay at each end of a cut.
const KEPT: usize = 10;

/// One record of one topic.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) topic: String,
    pub(super) partition: i64,
    pub(super) key: Option<String>,
    pub(super) value: Option<String>,
    pub(super) headers: Vec<(String, Value)>,
}

impl Record {
    /// Reads a line of `pgcdc stream --stdout`. Kafka would have put a record that names no partition where its key
    /// belongs, among so many partitions.
    pub(super) fn from_stdout(line: &str, partitions: i64) -> Result<Self> {
        let record: Value =
            serde_json::from_str(line).with_context(|| format!("not a line of JSON: {line:.200}"))?;
        let text = |name: &str| match &record[name] {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        let header = |one: &Value| (one[0].as_str().unwrap_or_default().to_owned(), one[1].clone());
        Ok(Self {
            topic: text("topic").context("a record without a topic")?,
            partition: record["partition"]
                .as_i64()
                .unwrap_or_else(|| by_key(text("key").as_deref(), partitions)),
            key: text("key"),
            value: text("value"),
            headers: record["headers"]
                .as_array()
                .map(|all| all.iter().map(header).collect())
                .unwrap_or_default(),
        })
    }

    fn line(&self, made_anew: &[String]) -> String {
        let headers: Vec<Value> = self
            .headers
            .iter()
            .map(|(name, value)| {
                let volatile = name == "__debezium.context.runId" || ends_volatile(name);
                match value {
                    _ if volatile => json!([name, "(masked)"]),
                    Value::String(text) => json!([name, mask(text, made_anew)]),
                    other => json!([name, other]),
                }
            })
            .collect();
        let part = |text: &Option<String>| text.as_ref().map(|text| mask(text, made_anew));
        let mut line = json!({"topic": self.topic});
        if self.partition != 0 {
            line["partition"] = self.partition.into();
        }
        line["key"] = json!(part(&self.key));
        line["value"] = json!(part(&self.value));
        line["headers"] = headers.into();
        line.to_string()
    }
}

/// The partition that a Kafka producer chooses by a key.
fn by_key(key: Option<&str>, partitions: i64) -> i64 {
    match key {
        Some(key) if partitions > 1 => i64::from(murmur2(key.as_bytes()) & 0x7fff_ffff) % partitions,
        _ => 0,
    }
}

/// Kafka's hash of a key.
fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c ^ u32::try_from(data.len()).unwrap_or(u32::MAX);
    let (words, rest) = data.as_chunks::<4>();
    for word in words {
        let mut word = u32::from_le_bytes(*word).wrapping_mul(M);
        word ^= word >> 24;
        hash = hash.wrapping_mul(M) ^ word.wrapping_mul(M);
    }
    for (at, byte) in rest.iter().enumerate() {
        hash ^= u32::from(*byte) << (8 * at);
    }
    if !rest.is_empty() {
        hash = hash.wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^ (hash >> 15)
}

/// Records as lines: topic by topic, each topic (and partition) in its own order.
pub(super) fn lines(mut records: Vec<Record>, made_anew: &[String]) -> Vec<String> {
    // The table that marks the end of a step is not part of the recording, unless a transform mixes it with other tables.
    records.retain(|record| !record.topic.ends_with(".zz_end"));
    records.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition))); // stable
    let mut all: Vec<String> = Vec::with_capacity(records.len());
    for record in &records {
        let line = record.line(made_anew);
        // How many heartbeats there are is a matter of time.
        if !(record.topic.contains("heartbeat") && all.last() == Some(&line)) {
            all.push(line);
        }
    }
    if all.len() > LONG { cut(&all) } else { all }
}

/// Keeps both ends; the lines between them become their number and a digest.
fn cut(all: &[String]) -> Vec<String> {
    let middle = &all[KEPT..all.len() - KEPT];
    let mut digest = Fnv(0xcbf2_9ce4_8422_2325);
    middle.hash(&mut digest);
    let between = json!({"records": middle.len(), "digest": format!("{:016x}", digest.finish())}).to_string();
    let mut kept = all[..KEPT].to_vec();
    kept.push(between);
    kept.extend_from_slice(&all[all.len() - KEPT..]);
    kept
}

/// A digest that stays the same from one version of Rust to the next.
struct Fnv(u64);

impl std::hash::Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

/// Describes the first difference between pgcdc's lines and the recorded ones.
pub(super) fn difference(ours: &[String], recorded: &[String]) -> Option<String> {
    let mut told = String::new();
    let mut differing = 0;
    for (number, (our_line, recorded_line)) in ours.iter().zip(recorded).enumerate() {
        if our_line == recorded_line {
            continue;
        }
        differing += 1;
        if differing == 1 {
            told = first_part(our_line, recorded_line, number);
        }
    }
    if ours.len() != recorded.len() {
        let more = ours.iter().skip(recorded.len()).chain(recorded.iter().skip(ours.len())).next();
        let more: String = more.map(String::as_str).unwrap_or_default().chars().take(300).collect();
        let _ = write!(
            told,
            "{}{} records, Debezium has {}; the first too many or missing: {more}",
            if told.is_empty() { "" } else { "\n  " },
            ours.len(),
            recorded.len()
        );
    } else if differing > 1 {
        let _ = write!(told, "\n  and {} more records", differing - 1);
    }
    (!told.is_empty()).then_some(told)
}

/// The first part of a record that differs.
fn first_part(ours: &str, recorded: &str, number: usize) -> String {
    let parse = |line: &str| serde_json::from_str::<Value>(line).unwrap_or_default();
    let (ours, recorded) = (parse(ours), parse(recorded));
    for part in ["topic", "partition", "key", "value", "headers", "records", "digest"] {
        if ours[part] != recorded[part] {
            let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let (ours, recorded) = excerpts(&text(&ours[part]), &text(&recorded[part]));
            return format!("record {number}, {part}:\n    Debezium {recorded}\n    pgcdc    {ours}");
        }
    }
    format!("record {number} differs in the order of its parts")
}

/// The surroundings of the first difference in both texts.
fn excerpts(a: &str, b: &str) -> (String, String) {
    const BEFORE: usize = 100;
    const AFTER: usize = 200;
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let at = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let cut = |text: &[char]| text.iter().skip(at.saturating_sub(BEFORE)).take(BEFORE + AFTER).collect();
    (cut(&a), cut(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(topic: &str, value: &str) -> Record {
        let headers = vec![("__debezium.context.runId".to_owned(), Value::from(value))];
        Record { topic: topic.into(), partition: 0, key: None, value: Some(value.into()), headers }
    }

    #[test]
    fn topics_are_compared_each_in_its_order() {
        let one = [record("b", "1"), record("a", "2"), record("b", "3"), record("x.zz_end", "4")];
        let two = [record("a", "2"), record("b", "1"), record("b", "3")];
        let swapped = [record("a", "2"), record("b", "3"), record("b", "1")];
        let lines = |records: &[Record]| lines(records.to_vec(), &[]);
        assert_eq!(difference(&lines(&one), &lines(&two)), None);
        let told = difference(&lines(&one), &lines(&swapped)).expect("another order");
        assert!(told.contains("record 1, value") && told.contains("1 more"), "{told}");
    }

    #[test]
    fn a_key_has_the_partition_that_kafka_gives_it() {
        assert_eq!((murmur2(b"21"), murmur2(b"foobar")), (-973_932_308_i32 as u32, -790_332_482_i32 as u32));
        assert_eq!(by_key(Some(r#"{"id":2}"#), 3), 1);
        assert_eq!((by_key(Some(r#"{"id":1}"#), 3), by_key(Some("x"), 1), by_key(None, 3)), (0, 0, 0));
    }

    #[test]
    fn a_missing_record_is_told() {
        let lines = |records: &[Record]| lines(records.to_vec(), &[]);
        let told = difference(&[], &lines(&[record("a", "2")])).expect("one is missing");
        assert!(told.starts_with("0 records, Debezium has 1"), "{told}");
    }

    #[test]
    fn a_long_recording_is_cut_and_still_differs() {
        let mut many: Vec<Record> = (0..3000).map(|n| record("a", &n.to_string())).collect();
        let before = lines(many.clone(), &[]);
        assert_eq!(before.len(), 2 * KEPT + 1);
        many[1500] = record("a", "other");
        let told = difference(&lines(many, &[]), &before).expect("the middle differs");
        assert!(told.contains("digest"), "{told}");
    }
}
