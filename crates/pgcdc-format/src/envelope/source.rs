//! The `source` block of an envelope.
//!
//! | field | holds |
//! |---|---|
//! | `version`, `connector`, `name`, `db` | `3.7.0.Final`, `postgresql`, `topic.prefix`, `database.dbname` |
//! | `schema`, `table` | the table; both empty for a logical message |
//! | `ts_ms`, `ts_us`, `ts_ns` | the commit's time |
//! | `snapshot` | `false`, or where in a snapshot the row stands: `first`, `true`, `last`, … |
//! | `sequence` | a JSON array within a text: the end of the commit before, and the change's position |
//! | `txId`, `lsn` | the transaction and the change's position, as numbers |
//! | `xmin` | the slot's oldest transaction, where `xmin.fetch.interval.ms` asks for it |
//! | `origin`, `origin_lsn` | where a replicated transaction came from |
//!
//! Source: Debezium's documentation of the PostgreSQL connector, "Data change events", and recordings.

use pgcdc_event::{Snapshot, TableName};

use super::context::Context;
use super::options::EnvelopeOptions;
use crate::json::write_json_string;

/// The value of `source.version`: the Debezium release whose form these records have.
pub(super) const DEBEZIUM_VERSION: &str = "3.7.0.Final";

/// The `source` block of a table's records, with its constant parts rendered.
///
/// ```
/// use pgcdc_event::{Lsn, TableName};
/// use pgcdc_format::envelope::{Context, EnvelopeOptions, SourceTemplate};
///
/// let table = TableName::new("public", "orders");
/// let source = SourceTemplate::compile(&EnvelopeOptions::new("shop", "db"), Some(&table));
/// let mut json = Vec::new();
/// source.append(&Context { lsn: Lsn::new(24), xid: Some(7), ..Context::default() }, &mut json);
/// let block: serde_json::Value = serde_json::from_slice(&json).unwrap();
/// assert_eq!((&block["table"], &block["txId"], &block["lsn"]), (&"orders".into(), &7.into(), &24.into()));
/// assert_eq!(block["sequence"], r#"[null,"24"]"#);
/// ```
#[derive(Clone, Debug)]
pub struct SourceTemplate {
    /// The text before `ts_ms`.
    head: Vec<u8>,
    /// The text between `snapshot` and the positions of `sequence`.
    database: Vec<u8>,
    /// The text between `ts_ns` and `txId`.
    table: Vec<u8>,
    /// `snapshot` while streaming. Debezium leaves the field null; a record then shows the schema's default, or null with
    /// `replace.null.with.default=false`.
    streamed: &'static [u8],
}

impl SourceTemplate {
    /// Compiles the block of a table, or with `None` of a logical message, whose schema and table are empty.
    #[must_use]
    pub fn compile(options: &EnvelopeOptions, table: Option<&TableName>) -> Self {
        let string = |text: &str, out: &mut Vec<u8>| write_json_string(text.as_bytes(), out);
        let mut head =
            format!(r#"{{"version":"{DEBEZIUM_VERSION}","connector":"postgresql","name":"#).into_bytes();
        string(&options.topic_prefix, &mut head);
        head.extend_from_slice(br#","ts_ms":"#);
        let mut database = br#","db":"#.to_vec();
        string(&options.database, &mut database);
        database.extend_from_slice(br#","sequence":"["#);
        let mut tail = br#","schema":"#.to_vec();
        string(table.map_or("", |table| &table.schema), &mut tail);
        tail.extend_from_slice(br#","table":"#);
        string(table.map_or("", |table| &table.table), &mut tail);
        tail.extend_from_slice(br#","txId":"#);
        let streamed: &[u8] = if options.types.replace_null_with_default { br#""false""# } else { b"null" };
        Self { head, database, table: tail, streamed }
    }

    /// Appends the block of a change, an object with its braces.
    pub fn append(&self, context: &Context<'_>, out: &mut Vec<u8>) {
        let mut digits = itoa::Buffer::new();
        let timestamp_us = context.timestamp_us;
        out.extend_from_slice(&self.head);
        out.extend_from_slice(digits.format(timestamp_us.div_euclid(1000)).as_bytes());
        out.extend_from_slice(br#","snapshot":"#);
        if context.snapshot == Snapshot::False {
            out.extend_from_slice(self.streamed);
        } else {
            out.push(b'"');
            out.extend_from_slice(context.snapshot.as_str().as_bytes());
            out.push(b'"');
        }
        out.extend_from_slice(&self.database);
        match context.last_commit {
            None => out.extend_from_slice(b"null"),
            Some(lsn) => quoted(digits.format(lsn.as_u64()), out),
        }
        out.push(b',');
        let lsn = digits.format(context.lsn.as_u64());
        quoted(lsn, out);
        out.extend_from_slice(br#"]","ts_us":"#);
        let mut time = itoa::Buffer::new();
        let time = time.format(timestamp_us);
        out.extend_from_slice(time.as_bytes());
        out.extend_from_slice(br#","ts_ns":"#);
        out.extend_from_slice(time.as_bytes());
        out.extend_from_slice(if timestamp_us == 0 { b"" } else { b"000" });
        out.extend_from_slice(&self.table);
        match context.xid {
            None => out.extend_from_slice(b"null"),
            Some(xid) => out.extend_from_slice(itoa::Buffer::new().format(xid).as_bytes()),
        }
        out.extend_from_slice(br#","lsn":"#);
        out.extend_from_slice(lsn.as_bytes());
        match context.xmin {
            None => out.extend_from_slice(br#","xmin":null"#),
            Some(xmin) => {
                out.extend_from_slice(br#","xmin":"#);
                out.extend_from_slice(itoa::Buffer::new().format(xmin).as_bytes());
            }
        }
        match context.origin {
            None => out.extend_from_slice(br#","origin":null,"origin_lsn":null}"#),
            Some((name, lsn)) => {
                out.extend_from_slice(br#","origin":"#);
                write_json_string(name.as_bytes(), out);
                out.extend_from_slice(br#","origin_lsn":"#);
                out.extend_from_slice(itoa::Buffer::new().format(lsn.as_u64()).as_bytes());
                out.push(b'}');
            }
        }
    }
}

/// Appends a position in escaped quotes, since `sequence` is a JSON array inside a JSON string.
fn quoted(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"\""#);
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(br#"\""#);
}

/// Appends `"ts_ms":…,"ts_us":…,"ts_ns":…` of a time in nanoseconds since 1970-01-01 UTC.
pub(super) fn append_times(now_ns: i64, out: &mut Vec<u8>) {
    let mut digits = itoa::Buffer::new();
    out.extend_from_slice(br#""ts_ms":"#);
    out.extend_from_slice(digits.format(now_ns / 1_000_000).as_bytes());
    out.extend_from_slice(br#","ts_us":"#);
    out.extend_from_slice(digits.format(now_ns / 1000).as_bytes());
    out.extend_from_slice(br#","ts_ns":"#);
    out.extend_from_slice(digits.format(now_ns).as_bytes());
}
