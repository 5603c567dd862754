//! What the server itself gives for a slot, as the records that Debezium's format has for it.
//!
//! The messages are read with a few lines of this file's own, and not with pgcdc's decoder: an oracle shares nothing
//! with what it judges. Format: PostgreSQL manual, "Logical Replication Message Formats", protocol version 1.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value, json};

use super::compare::Said;
use crate::harness::Database;

/// Topic (without the prefix) to its records, in the order of the stream.
pub(super) type Expected = BTreeMap<String, Vec<Said>>;

/// Reads all that the slot has up to `end`.
pub(super) fn read(database: &Database, slot: &str, end: &str) -> Expected {
    let text = database.sql(&format!(
        "SELECT lsn - '0/0', coalesce(xid::text, ''), encode(data, 'hex') FROM pg_logical_slot_get_binary_changes('{slot}', '{end}', NULL,
         'proto_version', '1', 'publication_names', 'everything', 'messages', 'true')"
    ));
    let mut stream = Stream::default();
    for line in text.lines() {
        let mut fields = line.split('|');
        let mut field = || fields.next().expect("three columns");
        let (lsn, _xid, data) = (field(), field(), field());
        stream.take(lsn.parse().expect("a position"), &bytes_of(data));
    }
    stream.records
}

fn bytes_of(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|n| u8::from_str_radix(&hex[2 * n..2 * n + 2], 16).expect("hexadecimal")).collect()
}

#[derive(Default)]
struct Stream {
    tables: HashMap<u32, Table>,
    xid: Option<u32>,
    records: Expected,
}

struct Table {
    topic: String,
    columns: Vec<String>,
}

impl Stream {
    fn take(&mut self, lsn: u64, data: &[u8]) {
        let mut input = Input(data);
        match input.byte() {
            b'B' => {
                input.skip(16);
                self.xid = Some(input.long());
            }
            b'C' => self.xid = None,
            b'R' => self.relation(&mut input),
            b'M' => self.message(&mut input),
            b'I' => {
                let table = input.long();
                input.skip(1);
                let new = input.tuple();
                self.change(lsn, table, "c", None, Some(new));
            }
            b'U' => {
                let table = input.long();
                let old = match input.byte() {
                    b'N' => None,
                    kind => Some((kind, input.tuple())),
                };
                if old.is_some() {
                    input.skip(1);
                }
                let new = input.tuple();
                self.change(lsn, table, "u", old, Some(new));
            }
            b'D' => {
                let table = input.long();
                let kind = input.byte();
                let old = input.tuple();
                self.change(lsn, table, "d", Some((kind, old)), None);
            }
            b'T' => {
                let count = input.long();
                input.skip(1);
                for _ in 0..count {
                    let table = input.long();
                    self.truncate(lsn, table);
                }
            }
            b'O' | b'Y' => {}
            other => panic!("a message that the oracle does not know: {}", other as char),
        }
    }

    fn relation(&mut self, input: &mut Input<'_>) {
        let oid = input.long();
        let (schema, name) = (input.text(), input.text());
        input.skip(1);
        let columns = (0..input.short())
            .map(|_| {
                input.skip(1);
                let name = input.text();
                input.skip(8);
                name
            })
            .collect();
        self.tables.insert(oid, Table { topic: format!("{schema}.{name}"), columns });
    }

    fn message(&mut self, input: &mut Input<'_>) {
        let transactional = input.byte() & 1 == 1;
        let lsn = (u64::from(input.long()) << 32) | u64::from(input.long());
        let prefix = input.text();
        let length = input.long() as usize;
        let content = input.take(length).to_vec();
        if prefix == "seen" {
            let content = String::from_utf8(content).expect("the load's messages are text");
            let said = Said {
                lsn,
                part: 0,
                what: json!({"op": "m", "txId": self.xid.filter(|_| transactional), "key": {"prefix": prefix}, "content": content}),
            };
            self.records.entry("message".to_owned()).or_default().push(said);
        }
    }

    fn truncate(&mut self, lsn: u64, table: u32) {
        let topic = self.tables[&table].topic.clone();
        let what = json!({"op": "t", "txId": self.xid, "key": null, "before": null, "after": null});
        self.records.entry(topic).or_default().push(Said { lsn, part: 0, what });
    }

    /// The one to three records of a change. An update of the key is a delete and a create.
    fn change(&mut self, lsn: u64, table: u32, op: &str, old: Option<(u8, Row)>, new: Option<Row>) {
        let table = &self.tables[&table];
        let object = |row: &Row| -> Value {
            let fields = table.columns.iter().zip(row).map(|(name, value)| {
                let number = value
                    .as_deref()
                    .filter(|_| name != "v")
                    .map(|text| text.parse::<i64>().expect("a number"));
                (name.clone(), number.map_or_else(|| json!(value), |number| json!(number)))
            });
            Value::Object(fields.collect::<Map<_, _>>())
        };
        let key = |row: &Row| json!({"id": object(row)["id"]});
        // The old values of a table whose identity is the key are null but for the key.
        let before = old.as_ref().map_or(Value::Null, |(_, row)| object(row));
        let record = |op: &str, key: Value, before: Value, after: Value| json!({"op": op, "txId": self.xid, "key": key, "before": before, "after": after});
        let mut records = Vec::new();
        match (&old, &new) {
            (Some((_, old)), Some(new)) if key(old) != key(new) => {
                records.push(record("d", key(old), before, Value::Null));
                records.push(json!({"op": null, "key": key(old)}));
                records.push(record("c", key(new), Value::Null, object(new)));
            }
            (_, Some(new)) => records.push(record(op, key(new), before, object(new))),
            (Some((_, old)), None) => {
                records.push(record("d", key(old), before, Value::Null));
                records.push(json!({"op": null, "key": key(old)}));
            }
            (None, None) => unreachable!("a change has an old row or a new one"),
        }
        let topic = table.topic.clone();
        let records = records.into_iter().zip(0..).map(|(what, part)| Said { lsn, part, what });
        self.records.entry(topic).or_default().extend(records);
    }
}

/// Values as text; none for null.
type Row = Vec<Option<String>>;

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, count: usize) -> &'a [u8] {
        let (head, tail) = self.0.split_at(count);
        self.0 = tail;
        head
    }

    fn skip(&mut self, count: usize) {
        self.take(count);
    }

    fn byte(&mut self) -> u8 {
        self.take(1)[0]
    }

    fn short(&mut self) -> u16 {
        u16::from_be_bytes(self.take(2).try_into().expect("two bytes"))
    }

    fn long(&mut self) -> u32 {
        u32::from_be_bytes(self.take(4).try_into().expect("four bytes"))
    }

    fn text(&mut self) -> String {
        let end = self.0.iter().position(|byte| *byte == 0).expect("a string ends");
        let text = String::from_utf8(self.take(end).to_vec()).expect("UTF-8");
        self.skip(1);
        text
    }

    fn tuple(&mut self) -> Row {
        (0..self.short())
            .map(|_| match self.byte() {
                b'n' => None,
                b't' => {
                    let length = self.long() as usize;
                    Some(String::from_utf8(self.take(length).to_vec()).expect("UTF-8"))
                }
                other => panic!("a value of kind {}: the load has none", other as char),
            })
            .collect()
    }
}
