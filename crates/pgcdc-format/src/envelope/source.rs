use pgcdc_event::{Snapshot, TableName};

use super::{Context, EnvelopeOptions};
use crate::types::write_json_string;

/// What `source.version` says: the release whose form these records have.
pub(super) const DEBEZIUM_VERSION: &str = "3.7.0.Final";

/// The `source` block with its constant parts rendered.
#[derive(Clone, Debug)]
pub struct SourceTemplate {
    head: Vec<u8>,
    database: Vec<u8>,
    table: Vec<u8>,
    /// Debezium leaves `snapshot` null while it streams; what is seen is the schema's default, or with
    /// `replace.null.with.default=false` the null.
    streamed: &'static [u8],
}

impl SourceTemplate {
    /// For a table, or for a logical message, whose schema and table are empty.
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

    /// Appends the block.
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

/// `sequence` is a JSON array inside a JSON string.
fn quoted(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"\""#);
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(br#"\""#);
}

/// Appends `"ts_ms":…,"ts_us":…,"ts_ns":…` of a time in nanoseconds.
pub(super) fn append_times(now_ns: i64, out: &mut Vec<u8>) {
    let mut digits = itoa::Buffer::new();
    out.extend_from_slice(br#""ts_ms":"#);
    out.extend_from_slice(digits.format(now_ns / 1_000_000).as_bytes());
    out.extend_from_slice(br#","ts_us":"#);
    out.extend_from_slice(digits.format(now_ns / 1000).as_bytes());
    out.extend_from_slice(br#","ts_ns":"#);
    out.extend_from_slice(digits.format(now_ns).as_bytes());
}

/// What `source.snapshot` may be.
pub(super) const SNAPSHOT_VALUES: &str =
    "true,first,first_in_data_collection,last_in_data_collection,last,false,incremental";

/// The Connect schema of the block, as a field named `source`.
pub(super) const SOURCE_SCHEMA: &str = concat!(
    r#"{"type":"struct","fields":[{"type":"string","optional":false,"field":"version"},"#,
    r#"{"type":"string","optional":false,"field":"connector"},{"type":"string","optional":false,"field":"name"},"#,
    r#"{"type":"int64","optional":false,"field":"ts_ms"},{"type":"string","optional":true,"#,
    r#""name":"io.debezium.data.Enum","version":1,"parameters":{"allowed":"true,first,first_in_data_collection,"#,
    r#"last_in_data_collection,last,false,incremental"},"default":"false","field":"snapshot"},"#,
    r#"{"type":"string","optional":false,"field":"db"},{"type":"string","optional":true,"field":"sequence"},"#,
    r#"{"type":"int64","optional":true,"field":"ts_us"},{"type":"int64","optional":true,"field":"ts_ns"},"#,
    r#"{"type":"string","optional":false,"field":"schema"},{"type":"string","optional":false,"field":"table"},"#,
    r#"{"type":"int64","optional":true,"field":"txId"},{"type":"int64","optional":true,"field":"lsn"},"#,
    r#"{"type":"int64","optional":true,"field":"xmin"},{"type":"string","optional":true,"field":"origin"},"#,
    r#"{"type":"int64","optional":true,"field":"origin_lsn"}],"optional":false,"#,
    r#""name":"io.debezium.connector.postgresql.Source","version":1,"field":"source"}"#,
);

/// The Connect schema of the `transaction` block.
pub(super) const TRANSACTION_SCHEMA: &str = concat!(
    r#"{"type":"struct","fields":[{"type":"string","optional":false,"field":"id"},"#,
    r#"{"type":"int64","optional":false,"field":"total_order"},"#,
    r#"{"type":"int64","optional":false,"field":"data_collection_order"}],"optional":true,"#,
    r#""name":"event.block","version":1,"field":"transaction"}"#,
);

/// The Connect schemas of the envelope's own times.
pub(super) const TIMES_SCHEMA: &str = concat!(
    r#"{"type":"int64","optional":true,"field":"ts_ms"},{"type":"int64","optional":true,"field":"ts_us"},"#,
    r#"{"type":"int64","optional":true,"field":"ts_ns"}"#,
);
