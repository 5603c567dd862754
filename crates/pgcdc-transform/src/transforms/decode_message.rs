//! Debezium's `DecodeLogicalDecodingMessageContent`: a logical message with JSON content becomes the event of an insert.
//!
//! Class: `io.debezium.connector.postgresql.transforms.DecodeLogicalDecodingMessageContent`.
//!
//! It is for an outbox without a table: the program calls `pg_logical_emit_message` with JSON, this transform turns the
//! message into an event, and [`event_router`](super::event_router) routes the event.
//!
//! | option | default | meaning |
//! |---|---|---|
//! | `fields.null.include` | `false` | whether a null of the JSON becomes a field of optional bytes; else it is left out |
//!
//! The new event's `op` is `c` and its `after` is the content, with a schema derived from the JSON. `message` is removed,
//! and so is the key. A record with another value schema than Debezium's `MessageValue` passes unchanged.
//!
//! Errors: the content is not a JSON object, or it is not bytes. A record without a value schema, such as a tombstone, is
//! a `NullPointerException` as in Debezium; a predicate `RecordIsTombstone` keeps tombstones away. Debezium shows the
//! content in the error, and pgcdc does not, since row values do not belong in a log.
//!
//! ```
//! use pgcdc_transform::try_on;
//!
//! let decode = "type=io.debezium.connector.postgresql.transforms.DecodeLogicalDecodingMessageContent";
//! // "eyJpZCI6N30=" is {"id":7} in base64.
//! let message = r#"{
//!     "value": {"op":"m","message":{"prefix":"outbox","content":"eyJpZCI6N30="}},
//!     "types": {"value":"io.debezium.connector.postgresql.MessageValue","content":"bytes"}
//! }"#;
//! assert_eq!(try_on(decode, message), r#"{"event":{"op":"c","after":{"id":7}}}"#);
//! ```

use super::json_payload::JsonPayload;
use super::replace_field::ReplaceField;
use super::transform::{Built, Outcome, Transform, require_struct};
use crate::Fault;
use crate::cache::Recent;
use crate::data::{Kind, Record, Schema, SchemaBuilder, Side, Struct, Value};
use crate::json::Json;
use crate::options::Options;
use pgcdc_format::names::NameAdjustment;

/// The transform with its derived schemas.
#[derive(Debug)]
struct DecodeMessage {
    payload: JsonPayload,
    /// Removes the field `message`; Debezium uses Kafka's transform for it, with its rules for defaults.
    without_message: ReplaceField,
    // Cached by the content's schema alone, as in Debezium.
    schemas: Recent<Schema, Schema>,
}

pub(super) fn build(options: &mut Options<'_>) -> Built {
    let null_as_bytes = options.boolean("fields.null.include", false);
    let payload = JsonPayload { null_as_bytes, empty_as_strings: false, adjustment: NameAdjustment::None };
    let without_message = ReplaceField::excluding(Side::Value, vec!["message".to_owned()]);
    Some(Box::new(DecodeMessage { payload, without_message, schemas: Recent::new(10_000) }))
}

impl Transform for DecodeMessage {
    fn apply(&mut self, record: Record, _: i64) -> Outcome {
        let Some(schema) = &record.value_schema else {
            return Err(Fault::null(
                "Cannot invoke \"org.apache.kafka.connect.data.Schema.name()\" because the return value of \"org.apache.kafka.connect.connector.ConnectRecord.valueSchema()\" is null",
            ));
        };
        if schema.name() != Some("io.debezium.connector.postgresql.MessageValue") {
            return Ok(Some(record));
        }
        let original = require_struct(&record.value, "Retrieve a record value")?.clone();
        let content = self.content(&original)?;
        let without = self.without_message.replace(record.clone())?;
        let event = without.value_schema.ok_or_else(|| Fault::null("valueSchema is null"))?;
        let content_schema = content.schema().clone();
        let updated_schema = self.schemas.get_or(&content_schema, || {
            let name = format!("{}.Envelope", event.name().unwrap_or("null"));
            let mut builder = SchemaBuilder::new(Kind::Struct).named(&name);
            builder.add_fields_of(&event)?;
            builder.field("after", content_schema.clone()).map(|builder| builder.build())
        })?;
        let mut updated = Struct::new(updated_schema.clone())?;
        for (at, field) in updated_schema.fields().iter().enumerate() {
            let value = match &*field.name {
                "after" => Value::Struct(content.clone().into()),
                "op" => Value::text("c"),
                // Read by position, as in Debezium.
                _ => original.values().get(at).cloned().unwrap_or(Value::Null),
            };
            updated.put_at(at, value)?;
        }
        let record = record.with(Side::Key, None, Value::Null);
        Ok(Some(record.with(Side::Value, Some(updated_schema), Value::Struct(updated.into()))))
    }
}

impl DecodeMessage {
    /// The message's content as a struct.
    fn content(&self, event: &Struct) -> Result<Struct, Fault> {
        let message =
            require_struct(event.get("message")?, "Retrieve content of a logical decoding message")?;
        let kind = message.schema().field("content").map(|field| field.schema.kind());
        if kind != Some(Kind::Bytes) {
            return Err(Fault::debezium("The content of a logical decoding message is non-binary"));
        }
        let Value::Bytes(bytes) = message.get("content")? else {
            return Err(Fault::null("content is null"));
        };
        if !matches!(bytes.first(), Some(b'{' | b'[')) {
            // Debezium's message also has the content, which does not belong in a log.
            return Err(Fault::debezium("Unable to parse logical decoding message content JSON string"));
        }
        let json = Json::parse(bytes).map_err(|fault| Fault::debezium(fault.message))?;
        let schema = self.payload.schema(None, &json)?;
        let schema = schema.ok_or_else(|| Fault::null("schema is null"))?;
        match self.payload.value(&json, &schema)? {
            Value::Struct(content) => Ok(Struct::clone(&content)),
            _ => Err(Fault::data("Not a struct")),
        }
    }
}
