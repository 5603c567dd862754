//! Two lists of records, compared as bytes except for what is volatile.

use std::fmt::Write as _;

use serde_json::Value;

/// Fields that differ between two runs of Debezium itself. `TS` is what a scenario calls its `ts_ms`.
const VOLATILE: [&str; 11] = [
    "ts_ms",
    "ts_us",
    "ts_ns",
    "lsn",
    "txId",
    "TS",
    "__ts_ms",
    "__ts",
    "__lsn",
    "__source_ts_ms",
    "__source_lsn",
];

/// A record with its volatile parts masked.
#[derive(Debug, PartialEq)]
struct Masked {
    topic: String,
    key: String,
    value: String,
    headers: String,
}

impl Masked {
    fn parse(line: &str, made_anew: &[String]) -> Self {
        let record: Value = match serde_json::from_str(line) {
            Ok(record) => record,
            Err(error) => panic!("not a line of JSON ({error}): {line:.300}"),
        };
        let part = |name: &str| {
            record[name].as_str().map_or_else(|| "(null)".to_owned(), |text| mask(text, made_anew))
        };
        let mut headers = String::new();
        for header in record["headers"].as_array().expect("headers are an array") {
            let name = header[0].as_str().expect("a header has a name");
            let volatile = name == "__debezium.context.runId" || name.contains("ts_ms");
            let value = if volatile { Value::from("(masked)") } else { header[1].clone() };
            let _ = write!(headers, "{name}={value} ");
        }
        let topic = record["topic"].as_str().expect("a record has a topic").to_owned();
        Self { topic, key: part("key"), value: part("value"), headers }
    }
}

/// Compares what pgcdc wrote with the recording, topic by topic; says where they part. The values of the columns
/// `made_anew` are not compared.
pub(super) fn difference(ours: &str, recording: &str, made_anew: &[String]) -> Option<String> {
    let ours = by_topic(ours, made_anew);
    let recorded = by_topic(recording, made_anew);
    for (number, (ours, recorded)) in ours.iter().zip(&recorded).enumerate() {
        for (part, ours, recorded) in [
            ("topic", &ours.topic, &recorded.topic),
            ("key", &ours.key, &recorded.key),
            ("value", &ours.value, &recorded.value),
            ("headers", &ours.headers, &recorded.headers),
        ] {
            if ours != recorded {
                let (ours, recorded) = excerpts(ours, recorded);
                return Some(format!(
                    "record {number}, {part}:\n    Debezium {recorded}\n    pgcdc    {ours}"
                ));
            }
        }
    }
    if ours.len() == recorded.len() {
        return None;
    }
    let more = ours.iter().skip(recorded.len()).chain(recorded.iter().skip(ours.len())).next();
    Some(format!(
        "{} records, Debezium {}; the first that is too many or missing: {:.400}",
        ours.len(),
        recorded.len(),
        format!("{more:?}")
    ))
}

fn by_topic(lines: &str, made_anew: &[String]) -> Vec<Masked> {
    let mut records: Vec<Masked> = lines.lines().map(|line| Masked::parse(line, made_anew)).collect();
    records.sort_by(|a, b| a.topic.cmp(&b.topic)); // stable: a topic's order stays
    records
}

/// What surrounds the first difference in both texts.
fn excerpts(a: &str, b: &str) -> (String, String) {
    const BEFORE: usize = 100;
    const AFTER: usize = 200;
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let at = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let cut = |text: &[char]| text.iter().skip(at.saturating_sub(BEFORE)).take(BEFORE + AFTER).collect();
    (cut(&a), cut(&b))
}

/// Puts 0 in place of each volatile field's number (or null), and an empty text in place of `source.sequence`.
fn mask(text: &str, made_anew: &[String]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(colon) = rest.find("\":") {
        let (head, tail) = rest.split_at(colon + 2);
        out.push_str(head);
        rest = tail;
        let name = head[..colon].rsplit('"').next().unwrap_or_default();
        if VOLATILE.contains(&name) {
            let number = tail.find(|c: char| !(c.is_ascii_digit() || c == '-')).unwrap_or(tail.len());
            let number = if tail.starts_with("null") { 4 } else { number };
            if number > 0 {
                out.push('0');
                rest = &tail[number..];
            }
        } else if made_anew.iter().any(|column| column == name) && !tail.starts_with("null") {
            let end = match tail.strip_prefix('"') {
                Some(text) => text.find('"').map(|quote| quote + 2),
                None => tail.find([',', '}']),
            };
            out.push('0');
            rest = &tail[end.unwrap_or(tail.len())..];
        } else if name == "sequence"
            && tail.starts_with("\"[")
            && let Some(end) = tail.find("]\"")
        {
            out.push_str("\"\"");
            rest = &tail[end + 2..];
        }
    }
    out + rest
}

#[test]
fn only_the_volatile_is_masked() {
    let check = |text: &str, expect: &str| assert_eq!(mask(text, &["tn".to_owned()]), expect);
    check(r#"{"ts_ms":17,"lsn":null,"n":5}"#, r#"{"ts_ms":0,"lsn":0,"n":5}"#);
    check(r#"{"sequence":"[null,\"169\"]","v":"[1]"}"#, r#"{"sequence":"","v":"[1]"}"#);
    check(r#"{"ts_ms":"text","x":-1}"#, r#"{"ts_ms":"text","x":-1}"#);
    check(r#"{"tn":"2026-11","x":1,"n":2}"#, r#"{"tn":0,"x":1,"n":2}"#);
    check(r#"{"tn":null,"x":{"tn":17}}"#, r#"{"tn":null,"x":{"tn":0}}"#);
    check(r#"{"field":"ts_ms","my_lsn":7}"#, r#"{"field":"ts_ms","my_lsn":7}"#);
}

#[test]
fn a_difference_is_told_with_its_place() {
    let difference = |ours: &str, recording: &str| difference(ours, recording, &[]);
    let line = |value: &str| {
        format!(r#"{{"topic":"t","key":null,"value":"{{\"ts_ms\":{value}}}","headers":[["a","b"]]}}"#)
    };
    assert_eq!(difference(&line("1,\\\"a\\\":1"), &line("2,\\\"a\\\":1")), None);
    let told = difference(&line("1,\\\"a\\\":1"), &line("2,\\\"a\\\":2")).expect("a difference");
    assert!(
        told.contains("record 0, value") && told.contains("\"a\":2") && told.contains("\"a\":1"),
        "{told}"
    );
    assert!(difference("", &line("1")).is_some_and(|told| told.starts_with("0 records, Debezium 1")));
    assert!(difference(&line("1"), "").is_some_and(|told| told.starts_with("1 records, Debezium 0")));
}
