use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pgcdc_event::{RecordBatch, TopicId};

use super::avro::{AvroHalf, AvroHalves, Half};
use super::source::SOURCE_SCHEMA;
use super::transaction::append_block;
use super::{Context, EnvelopeOptions, SourceTemplate};
use crate::avro::{AvroError, AvroSchema};
use crate::types::{BinaryMode, write_json_string};

/// What does not come from a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// A logical decoding message.
    Logical,
    /// A heartbeat.
    Heartbeat,
}

/// Encodes what does not come from a table: logical decoding messages and heartbeats.
#[derive(Debug)]
pub struct MessageEncoder {
    /// Keys and values of logical messages, keys and values of heartbeats: those that are Avro.
    avro: [Option<AvroHalf>; 4],
    source: SourceTemplate,
    key_schemas: bool,
    value_schemas: bool,
    binary: BinaryMode,
    server: Vec<u8>,
}

const MESSAGE_KEY_SCHEMA: &str = concat!(
    r#"{"type":"struct","fields":[{"type":"string","optional":true,"field":"prefix"}],"optional":false,"#,
    r#""name":"io.debezium.connector.postgresql.MessageKey","version":1}"#,
);
const SERVER_KEY_SCHEMA: &str = concat!(
    r#"{"type":"struct","fields":[{"type":"string","optional":false,"field":"serverName"}],"optional":false,"#,
    r#""name":"io.debezium.connector.common.ServerNameKey","version":1}"#,
);
const HEARTBEAT_SCHEMA: &str = concat!(
    r#"{"type":"struct","fields":[{"type":"int64","optional":false,"field":"ts_ms"}],"optional":false,"#,
    r#""name":"io.debezium.connector.common.Heartbeat","version":1}"#,
);

impl MessageEncoder {
    /// Compiles the constant parts.
    #[must_use]
    pub fn compile(options: &EnvelopeOptions) -> Self {
        let mut server = br#"{"serverName":"#.to_vec();
        write_json_string(options.topic_prefix.as_bytes(), &mut server);
        server.push(b'}');
        Self {
            avro: [const { None }; 4],
            source: SourceTemplate::compile(options, None),
            key_schemas: options.key_schemas,
            value_schemas: options.value_schemas,
            binary: options.types.binary,
            server,
        }
    }

    /// The same, its records in Avro where `halves` says so. Each schema then needs its [number](Self::number).
    ///
    /// # Errors
    /// None that these schemas could have.
    pub fn with_avro(mut self, halves: &AvroHalves) -> Result<Self, AvroError> {
        let message = self.message_schema();
        let schemas = [
            (MESSAGE_KEY_SCHEMA, &halves.key),
            (&*message, &halves.value),
            (SERVER_KEY_SCHEMA, &halves.key),
            (HEARTBEAT_SCHEMA, &halves.value),
        ];
        for (place, (schema, options)) in self.avro.iter_mut().zip(schemas) {
            if let Some(options) = options {
                *place = Some(AvroHalf::of_schema(schema.as_bytes(), options)?);
            }
        }
        Ok(self)
    }

    /// The Avro schema of a half; `None` when it is not Avro.
    #[must_use]
    pub fn avro_schema(&self, kind: MessageKind, half: Half) -> Option<&AvroSchema> {
        self.avro[place(kind, half)].as_ref().map(|half| half.converter().avro())
    }

    /// Gives a half's schema the number that the registry has for it.
    pub fn number(&mut self, kind: MessageKind, half: Half, id: u32) {
        if let Some(half) = &mut self.avro[place(kind, half)] {
            half.number(id);
        }
    }

    /// Puts Avro in the place of JSON.
    fn finish(
        &self,
        kind: MessageKind,
        half: Half,
        json: Range<usize>,
        batch: &mut RecordBatch,
    ) -> Result<Option<Range<usize>>, AvroError> {
        match &self.avro[place(kind, half)] {
            None => Ok(Some(json)),
            Some(avro) => avro.replace(json, batch),
        }
    }

    /// Appends the record of a `pg_logical_emit_message`.
    ///
    /// # Errors
    /// When it has no form in Avro.
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

    /// Appends a heartbeat.
    ///
    /// # Errors
    /// When it has no form in Avro.
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

    fn content(&self, content: &[u8]) -> String {
        match self.binary {
            BinaryMode::Bytes | BinaryMode::Base64 => STANDARD.encode(content),
            BinaryMode::Base64UrlSafe => base64::engine::general_purpose::URL_SAFE.encode(content),
            BinaryMode::Hex => content.iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }

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
            SOURCE_SCHEMA,
            super::source::TRANSACTION_SCHEMA,
            content
        )
    }
}

const fn place(kind: MessageKind, half: Half) -> usize {
    2 * (kind as usize) + half as usize
}

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
