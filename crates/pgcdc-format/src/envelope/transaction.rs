//! The records that begin and end a transaction (`provide.transaction.metadata`).
//!
//! ```text
//! {"status":"BEGIN","id":"3776:1188090440","event_count":null,"data_collections":null,"ts_ms":…}
//! {"status":"END","id":"3776:1188090440","event_count":5,
//!  "data_collections":[{"data_collection":"public.t","event_count":5}],"ts_ms":…}
//! ```
//!
//! `ts_ms` is the commit's time in both. Source: Debezium's documentation, "Transaction metadata", and
//! `tests/conformance/tx_metadata`.

use pgcdc_event::{RecordBatch, TopicId};

use super::avro::Half;
use super::context::Context;
use super::message::{MessageEncoder, MessageKind, wrapped};
use super::schemas::{TRANSACTION_KEY_SCHEMA, TRANSACTION_VALUE_SCHEMA};
use super::transaction_block::{append_id, number};
use crate::avro::AvroError;
use crate::json::write_json_string;

impl MessageEncoder {
    /// Appends the record of a transaction's begin. `context` has the transaction's id, its commit time, and as `lsn` the
    /// position that is part of the transaction's id in the record.
    ///
    /// # Errors
    /// When the record has no form in Avro.
    pub fn begin(
        &self,
        topic: TopicId,
        context: &Context<'_>,
        batch: &mut RecordBatch,
    ) -> Result<(), AvroError> {
        self.record(topic, "BEGIN", context, batch, |out| {
            out.extend_from_slice(br#""event_count":null,"data_collections":null"#);
        })
    }

    /// Appends the record of a transaction's end, with the number of its changes (`total`) and the number for each table
    /// (`collections`: `schema.table` and count).
    ///
    /// # Errors
    /// When the record has no form in Avro.
    pub fn end<'a>(
        &self,
        topic: TopicId,
        total: u64,
        collections: impl Iterator<Item = (&'a str, u64)>,
        context: &Context<'_>,
        batch: &mut RecordBatch,
    ) -> Result<(), AvroError> {
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
        })
    }

    /// Appends a record of this status; `counts` writes `event_count` and `data_collections`.
    fn record(
        &self,
        topic: TopicId,
        status: &str,
        context: &Context<'_>,
        batch: &mut RecordBatch,
        counts: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), AvroError> {
        let key = wrapped(self.key_schemas.then_some(TRANSACTION_KEY_SCHEMA), batch, |out| {
            out.extend_from_slice(br#"{"id":""#);
            append_id(context.xid, context.lsn, out);
            out.extend_from_slice(br#""}"#);
        });
        let key = self.finish(MessageKind::Transaction, Half::Key, key, batch)?;
        let value = wrapped(self.value_schemas.then_some(TRANSACTION_VALUE_SCHEMA), batch, |out| {
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
        let value = self.finish(MessageKind::Transaction, Half::Value, value, batch)?;
        batch.push(topic, key, value, None);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use pgcdc_event::Lsn;

    use super::*;
    use crate::envelope::EnvelopeOptions;

    #[test]
    fn begin_and_end_as_recorded() {
        let encoder = MessageEncoder::compile(&EnvelopeOptions::new("p", "db"));
        let context = Context {
            lsn: Lsn::new(1_188_090_440),
            xid: Some(3776),
            timestamp_us: 1_795_232_539_931_060,
            ..Context::default()
        };
        let mut batch = RecordBatch::new();
        encoder.begin(TopicId(0), &context, &mut batch).expect("JSON");
        encoder
            .end(TopicId(0), 5, [("public.t", 3), ("public.u", 2)].into_iter(), &context, &mut batch)
            .expect("JSON");
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
