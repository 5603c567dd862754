//! The envelope in JSON.
//!
//! ```text
//! {"before":…,"after":…,"source":{…},"transaction":…,"op":"c","ts_ms":…,"ts_us":…,"ts_ns":…}
//! ```
//!
//! The parts stand in Debezium's order. With a schema the whole stands in `{"schema":…,"payload":…}`.

use pgcdc_event::TableName;

use super::change::ChangeParts;
use super::error::EncodeError;
use super::options::EnvelopeOptions;
use super::row::{KeyParts, RowEncoder};
use super::schemas::envelope_schema;
use super::source::{SourceTemplate, append_times};
use super::transaction_block::append_block;

/// A table's envelope in JSON, compiled: the constant text between a record's parts.
#[derive(Clone, Debug)]
pub(super) struct JsonEnvelope {
    /// The text before the value of `before`, with the schema where values carry one. The schema makes up most of a record's
    /// bytes, and is copied as one piece.
    head: Vec<u8>,
    /// The `source` block.
    source: SourceTemplate,
    /// The text after the envelope's times.
    tail: &'static [u8],
}

impl JsonEnvelope {
    /// Compiles the envelope of a table whose records go to `topic`.
    pub(super) fn compile(
        row: &RowEncoder,
        table: &TableName,
        topic: &str,
        options: &EnvelopeOptions,
    ) -> Self {
        let (head, tail): (_, &[u8]) = if options.value_schemas {
            let mut head = br#"{"schema":"#.to_vec();
            envelope_schema(row, topic, options, &mut head);
            head.extend_from_slice(br#","payload":{"before":"#);
            (head, b"}}")
        } else {
            (br#"{"before":"#.to_vec(), b"}")
        };
        Self { head, source: SourceTemplate::compile(options, Some(table)), tail }
    }

    /// The text before a value's payload.
    pub(super) fn head(&self) -> &[u8] {
        &self.head
    }

    /// Appends a change's value and gathers its key.
    #[inline]
    pub(super) fn append(
        &self,
        rows: &RowEncoder,
        parts: &ChangeParts<'_>,
        out: &mut Vec<u8>,
        key: &mut KeyParts,
    ) -> Result<(), EncodeError> {
        let context = parts.context;
        out.extend_from_slice(&self.head);
        match parts.before {
            None => out.extend_from_slice(b"null"),
            Some(row) => rows.append(row, None, out, key)?,
        }
        out.extend_from_slice(br#","after":"#);
        match parts.after {
            None => out.extend_from_slice(b"null"),
            Some(row) => rows.append(row, parts.fallback, out, key)?,
        }
        out.extend_from_slice(br#","source":"#);
        self.source.append(context, out);
        out.extend_from_slice(br#","transaction":"#);
        append_block(context, out);
        out.extend_from_slice(br#","op":""#);
        out.push(parts.operation.letter() as u8);
        out.extend_from_slice(br#"","#);
        append_times(context.now_ns, out);
        out.extend_from_slice(self.tail);
        Ok(())
    }
}
