use pgcdc_event::{Lsn, RecordBatch, TopicId};

use super::message::wrapped;
use super::{Context, EnvelopeOptions};
use crate::types::write_json_string;

/// Where a change stands among those of its transaction, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ordinal {
    /// Among all of the transaction's changes.
    pub total: u64,
    /// Among those of its table.
    pub of_table: u64,
}

/// Encodes the records that begin and end a transaction (`provide.transaction.metadata`).
///
/// Source: Debezium's documentation, "Transaction metadata", and `tests/conformance/tx_metadata`.
#[derive(Debug)]
pub struct TransactionEncoder {
    key_schemas: bool,
    value_schemas: bool,
}

const KEY_SCHEMA: &str = concat!(
    r#"{"type":"struct","fields":[{"type":"string","optional":false,"field":"id"}],"optional":false,"#,
    r#""name":"io.debezium.connector.common.TransactionMetadataKey","version":1}"#,
);
const VALUE_SCHEMA: &str = concat!(
    r#"{"type":"struct","fields":[{"type":"string","optional":false,"field":"status"},"#,
    r#"{"type":"string","optional":false,"field":"id"},{"type":"int64","optional":true,"field":"event_count"},"#,
    r#"{"type":"array","items":{"type":"struct","fields":[{"type":"string","optional":false,"field":"data_collection"},"#,
    r#"{"type":"int64","optional":false,"field":"event_count"}],"optional":true,"name":"event.collection","version":1},"#,
    r#""optional":true,"field":"data_collections"},{"type":"int64","optional":false,"field":"ts_ms"}],"#,
    r#""optional":false,"name":"io.debezium.connector.common.TransactionMetadataValue","version":1}"#,
);

impl TransactionEncoder {
    /// Compiles the constant parts.
    #[must_use]
    pub fn compile(options: &EnvelopeOptions) -> Self {
        Self { key_schemas: options.key_schemas, value_schemas: options.value_schemas }
    }

    /// Appends the record of a transaction's begin.
    pub fn begin(&self, topic: TopicId, context: &Context<'_>, batch: &mut RecordBatch) {
        self.record(topic, "BEGIN", context, batch, |out| {
            out.extend_from_slice(br#""event_count":null,"data_collections":null"#);
        });
    }

    /// Appends the record of a transaction's end: how many changes it had, in all and of each table.
    pub fn end<'a>(
        &self,
        topic: TopicId,
        total: u64,
        collections: impl Iterator<Item = (&'a str, u64)>,
        context: &Context<'_>,
        batch: &mut RecordBatch,
    ) {
        self.record(topic, "END", context, batch, |out| {
            out.extend_from_slice(br#""event_count":"#);
            number(total, out);
            out.extend_from_slice(br#","data_collections":["#);
            for (at, (name, count)) in collections.enumerate() {
                out.extend_from_slice(if at > 0 { b",{" } else { b"{" });
                out.extend_from_slice(br#""data_collection":"#);
                write_json_string(name.as_bytes(), out);
                out.extend_from_slice(br#","event_count":"#);
                number(count, out);
                out.push(b'}');
            }
            out.push(b']');
        });
    }

    fn record(
        &self,
        topic: TopicId,
        status: &str,
        context: &Context<'_>,
        batch: &mut RecordBatch,
        counts: impl FnOnce(&mut Vec<u8>),
    ) {
        let key = wrapped(self.key_schemas.then_some(KEY_SCHEMA), batch, |out| {
            out.extend_from_slice(br#"{"id":""#);
            append_id(context.xid, context.lsn, out);
            out.extend_from_slice(br#""}"#);
        });
        let value = wrapped(self.value_schemas.then_some(VALUE_SCHEMA), batch, |out| {
            out.extend_from_slice(br#"{"status":""#);
            out.extend_from_slice(status.as_bytes());
            out.extend_from_slice(br#"","id":""#);
            append_id(context.xid, context.lsn, out);
            out.extend_from_slice(br#"","#);
            counts(out);
            out.extend_from_slice(br#","ts_ms":"#);
            out.extend_from_slice(
                itoa::Buffer::new().format(context.timestamp_us.div_euclid(1000)).as_bytes(),
            );
            out.push(b'}');
        });
        batch.push(topic, Some(key), Some(value), None);
    }
}

/// Appends the `transaction` block of a change, or null.
#[inline]
pub(super) fn append_block(context: &Context<'_>, out: &mut Vec<u8>) {
    let Some(ordinal) = context.ordinal else {
        out.extend_from_slice(b"null");
        return;
    };
    out.extend_from_slice(br#"{"id":""#);
    append_id(context.xid, context.lsn, out);
    out.extend_from_slice(br#"","total_order":"#);
    number(ordinal.total, out);
    out.extend_from_slice(br#","data_collection_order":"#);
    number(ordinal.of_table, out);
    out.push(b'}');
}

/// Appends a transaction's id as Debezium writes it: the transaction's number and the position of what carries it.
pub(super) fn append_id(xid: Option<u32>, lsn: Lsn, out: &mut Vec<u8>) {
    let mut digits = itoa::Buffer::new();
    out.extend_from_slice(xid.map_or("null", |xid| digits.format(xid)).as_bytes());
    out.push(b':');
    number(lsn.as_u64(), out);
}

fn number(value: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn begin_and_end_as_recorded() {
        let encoder = TransactionEncoder { key_schemas: false, value_schemas: false };
        let context = Context {
            lsn: Lsn::new(1_188_090_440),
            xid: Some(3776),
            timestamp_us: 1_795_232_539_931_060,
            ..Context::default()
        };
        let mut batch = RecordBatch::new();
        encoder.begin(TopicId(0), &context, &mut batch);
        encoder.end(TopicId(0), 5, [("public.t", 3), ("public.u", 2)].into_iter(), &context, &mut batch);
        let text = |at: usize| {
            let record = batch.get(at).expect("a record");
            let part = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
            (part(record.key), part(record.value))
        };
        let id = "3776:1188090440";
        assert_eq!(
            text(0),
            (
                format!(r#"{{"id":"{id}"}}"#),
                format!(
                    r#"{{"status":"BEGIN","id":"{id}","event_count":null,"data_collections":null,"ts_ms":1795232539931}}"#
                )
            )
        );
        assert_eq!(
            text(1).1,
            format!(
                r#"{{"status":"END","id":"{id}","event_count":5,"data_collections":[{{"data_collection":"public.t","event_count":3}},{{"data_collection":"public.u","event_count":2}}],"ts_ms":1795232539931}}"#
            )
        );
    }
}
