//! The records that no table's change makes.
//!
//! | record | key | value |
//! |---|---|---|
//! | logical message | `{"prefix":…}` | an envelope with `op` `m`, and `message` with `prefix` and `content` |
//! | heartbeat | `{"serverName":…}` | `{"ts_ms":…}` |
//! | begin and end of a transaction | `{"id":"xid:lsn"}` | see `transaction` |
//!
//! Source: Debezium's documentation of the PostgreSQL connector, "message events" and `heartbeat.interval.ms`; recordings
//! (`tests/conformance/message_logical`, `heartbeat`).

use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pgcdc_event::{RecordBatch, TopicId};

use super::avro::{AvroHalf, AvroHalves, Half};
use super::context::Context;
use super::options::EnvelopeOptions;
use super::schemas::{
    HEARTBEAT_SCHEMA, MESSAGE_KEY_SCHEMA, SERVER_KEY_SCHEMA, SOURCE_SCHEMA, TRANSACTION_KEY_SCHEMA,
    TRANSACTION_SCHEMA, TRANSACTION_VALUE_SCHEMA,
};
use super::source::SourceTemplate;
use super::transaction_block::append_block;
use crate::avro::{AvroError, AvroSchema};
use crate::json::write_json_string;
use crate::types::BinaryMode;

/// The kind of a record that no table's change makes. Each has schemas of its own, so each needs numbers of its own in Avro.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// A logical decoding message: a program called `pg_logical_emit_message`.
    Logical,
    /// A heartbeat, which lets consumers and the slot move on while no captured table changes.
    Heartbeat,
    /// The begin or end of a transaction.
    Transaction,
}

/// Encodes the records that no table's change makes: logical decoding messages, heartbeats, the begin and end of
/// transactions.
///
/// ```
/// use pgcdc_event::{RecordBatch, TopicId};
/// use pgcdc_format::envelope::{EnvelopeOptions, MessageEncoder};
///
/// let encoder = MessageEncoder::compile(&EnvelopeOptions::new("shop", "shop"));
/// let mut batch = RecordBatch::new();
/// encoder.heartbeat(TopicId(0), 1_700_000_000_000_000_000, &mut batch)?;
/// let record = batch.get(0).expect("one record");
/// assert_eq!(record.key, Some(&br#"{"serverName":"shop"}"#[..]));
/// assert_eq!(record.value, Some(&br#"{"ts_ms":1700000000000}"#[..]));
/// # Ok::<(), pgcdc_format::avro::AvroError>(())
/// ```
#[derive(Debug)]
pub struct MessageEncoder {
    /// The halves that are Avro, at [`slot`]`(kind, half)`.
    avro: [Option<AvroHalf>; 6],
    /// The `source` block of logical messages, which have no table.
    source: SourceTemplate,
    /// `key.converter.schemas.enable`.
    pub(super) key_schemas: bool,
    /// `value.converter.schemas.enable`.
    pub(super) value_schemas: bool,
    /// `binary.handling.mode`, in which a message's content is written.
    binary: BinaryMode,
    /// A heartbeat's key.
    server: Vec<u8>,
}

impl MessageEncoder {
    /// Compiles the constant parts, which all topics of a connector share.
    #[must_use]
    pub fn compile(options: &EnvelopeOptions) -> Self {
        let mut server = br#"{"serverName":"#.to_vec();
        write_json_string(options.topic_prefix.as_bytes(), &mut server);
        server.push(b'}');
        Self {
            avro: [const { None }; 6],
            source: SourceTemplate::compile(options, None),
            key_schemas: options.key_schemas,
            value_schemas: options.value_schemas,
            binary: options.types.binary,
            server,
        }
    }

    /// Makes keys, values or both Avro, as `halves` says. Before the first record, each schema needs its
    /// [number](Self::number).
    ///
    /// # Errors
    /// When Avro has no form for a schema. The schemas here are fixed and all have one, so this does not happen.
    pub fn with_avro(mut self, halves: &AvroHalves) -> Result<Self, AvroError> {
        let message = self.message_schema();
        let schemas = [
            (MESSAGE_KEY_SCHEMA, &halves.key),
            (&*message, &halves.value),
            (SERVER_KEY_SCHEMA, &halves.key),
            (HEARTBEAT_SCHEMA, &halves.value),
            (TRANSACTION_KEY_SCHEMA, &halves.key),
            (TRANSACTION_VALUE_SCHEMA, &halves.value),
        ];
        for (slot, (schema, options)) in self.avro.iter_mut().zip(schemas) {
            if let Some(options) = options {
                *slot = Some(AvroHalf::of_schema(schema.as_bytes(), options)?);
            }
        }
        Ok(self)
    }

    /// The Avro schema of a half; `None` when that half is not Avro.
    #[must_use]
    pub fn avro_schema(&self, kind: MessageKind, half: Half) -> Option<&AvroSchema> {
        self.avro[slot(kind, half)].as_ref().map(|half| half.converter().avro())
    }

    /// Sets the number that the schema registry has for a half's schema.
    pub fn number(&mut self, kind: MessageKind, half: Half, id: u32) {
        if let Some(half) = &mut self.avro[slot(kind, half)] {
            half.number(id);
        }
    }

    /// Replaces the JSON at the buffer's end by Avro, where that half is Avro.
    pub(super) fn finish(
        &self,
        kind: MessageKind,
        half: Half,
        json: Range<usize>,
        batch: &mut RecordBatch,
    ) -> Result<Option<Range<usize>>, AvroError> {
        match &self.avro[slot(kind, half)] {
            None => Ok(Some(json)),
            Some(avro) => avro.replace(json, batch),
        }
    }

    /// Appends the record of a logical decoding message (`pg_logical_emit_message`). `content` is any bytes: it is written as
    /// `binary.handling.mode` says, even when it is text.
    ///
    /// # Errors
    /// When the record has no form in Avro.
    pub fn logical(
        &self,
        topic: TopicId,
        prefix: &str,
        content: &[u8],
        context: &Context<'_>,
        batch: &mut RecordBatch,
    ) -> Result<(), AvroError> {
        let key = wrapped(self.key_schemas.then_some(MESSAGE_KEY_SCHEMA), batch, |out| {
            out.extend_from_slice(br#"{"prefix":"#);
            write_json_string(prefix.as_bytes(), out);
            out.push(b'}');
        });
        let key = self.finish(MessageKind::Logical, Half::Key, key, batch)?;
        let schema = self.value_schemas.then(|| self.message_schema());
        let value = wrapped(schema.as_deref(), batch, |out| {
            let mut digits = itoa::Buffer::new();
            out.extend_from_slice(br#"{"op":"m","ts_ms":"#);
            out.extend_from_slice(digits.format(context.now_ns / 1_000_000).as_bytes());
            out.extend_from_slice(br#","source":"#);
            self.source.append(context, out);
            out.extend_from_slice(br#","transaction":"#);
            append_block(context, out);
            out.extend_from_slice(br#","message":{"prefix":"#);
            write_json_string(prefix.as_bytes(), out);
            out.extend_from_slice(br#","content":""#);
            out.extend_from_slice(self.content(content).as_bytes());
            out.extend_from_slice(br#""}}"#);
        });
        let value = self.finish(MessageKind::Logical, Half::Value, value, batch)?;
        batch.push(topic, key, value, None);
        Ok(())
    }

    /// Appends a heartbeat of the time `now_ns`, in nanoseconds since 1970-01-01 UTC. The record has milliseconds.
    ///
    /// # Errors
    /// When the record has no form in Avro.
    pub fn heartbeat(&self, topic: TopicId, now_ns: i64, batch: &mut RecordBatch) -> Result<(), AvroError> {
        let key = wrapped(self.key_schemas.then_some(SERVER_KEY_SCHEMA), batch, |out| {
            out.extend_from_slice(&self.server);
        });
        let key = self.finish(MessageKind::Heartbeat, Half::Key, key, batch)?;
        let value = wrapped(self.value_schemas.then_some(HEARTBEAT_SCHEMA), batch, |out| {
            out.extend_from_slice(br#"{"ts_ms":"#);
            out.extend_from_slice(itoa::Buffer::new().format(now_ns / 1_000_000).as_bytes());
            out.push(b'}');
        });
        let value = self.finish(MessageKind::Heartbeat, Half::Value, value, batch)?;
        batch.push(topic, key, value, None);
        Ok(())
    }

    /// A message's content in the form of `binary.handling.mode`.
    fn content(&self, content: &[u8]) -> String {
        match self.binary {
            BinaryMode::Bytes | BinaryMode::Base64 => STANDARD.encode(content),
            BinaryMode::Base64UrlSafe => base64::engine::general_purpose::URL_SAFE.encode(content),
            BinaryMode::Hex => content.iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }

    /// The schema of a logical message's value.
    fn message_schema(&self) -> String {
        let content = if self.binary == BinaryMode::Bytes { "bytes" } else { "string" };
        format!(
            concat!(
                r#"{{"type":"struct","fields":[{{"type":"string","optional":false,"field":"op"}},"#,
                r#"{{"type":"int64","optional":true,"field":"ts_ms"}},{},{},"#,
                r#"{{"type":"struct","fields":[{{"type":"string","optional":true,"field":"prefix"}},"#,
                r#"{{"type":"{}","optional":true,"field":"content"}}],"optional":false,"#,
                r#""name":"io.debezium.connector.postgresql.Message","version":1,"field":"message"}}],"#,
                r#""optional":false,"name":"io.debezium.connector.postgresql.MessageValue","version":1}}"#,
            ),
            SOURCE_SCHEMA, TRANSACTION_SCHEMA, content
        )
    }
}

/// The index of a half in [`MessageEncoder::avro`].
const fn slot(kind: MessageKind, half: Half) -> usize {
    2 * (kind as usize) + half as usize
}

/// Appends `payload`, within `{"schema":…,"payload":…}` when there is a schema. Returns where it stands.
pub(super) fn wrapped(
    schema: Option<&str>,
    batch: &mut RecordBatch,
    payload: impl FnOnce(&mut Vec<u8>),
) -> Range<usize> {
    let start = batch.position();
    let out = batch.buffer();
    if let Some(schema) = schema {
        out.extend_from_slice(br#"{"schema":"#);
        out.extend_from_slice(schema.as_bytes());
        out.extend_from_slice(br#","payload":"#);
    }
    payload(out);
    if schema.is_some() {
        out.push(b'}');
    }
    start..batch.position()
}
