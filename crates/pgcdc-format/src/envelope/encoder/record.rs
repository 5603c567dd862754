//! One record of a change, in the form that is configured: its value, its key, its headers.
//!
//! | form | value | key |
//! |---|---|---|
//! | JSON | an envelope | an object |
//! | flattened JSON | a row, or none | an object |
//! | Avro, a plain envelope | straight from the row | straight from the row |
//! | Avro, any other form | by way of JSON | by way of JSON |
//!
//! Each method appends to the end of the batch's buffer and returns where its part stands.

use std::ops::Range;

use pgcdc_event::{Operation, RecordBatch};

use super::{NEW_KEY, RelationEncoder};
use crate::avro::AvroError;
use crate::envelope::change::ChangeParts;
use crate::envelope::context::Context;
use crate::envelope::error::EncodeError;
use crate::envelope::row::KeyParts;

impl RelationEncoder {
    /// Whether an operation becomes a record at all in the configured form: the flattened form has no truncates.
    pub(super) fn emits(&self, operation: Operation) -> bool {
        self.flat.as_ref().is_none_or(|flat| flat.emits(operation))
    }

    /// Appends a record's value in the configured form and gathers its key; `None` for a null value.
    #[inline]
    pub(super) fn value(
        &self,
        parts: &ChangeParts<'_>,
        batch: &mut RecordBatch,
        key: &mut KeyParts,
    ) -> Result<Option<Range<usize>>, EncodeError> {
        if let Some(avro) = &self.avro
            && let Some(half) = &avro.value
        {
            if let Some(direct) = &avro.direct {
                let start = batch.position();
                let out = batch.buffer();
                out.extend_from_slice(half.head());
                direct.append(&self.row, parts, out, key)?;
                return Ok(Some(start..batch.position()));
            }
            let Some(json) = self.json_value(parts, batch, key)? else { return Ok(None) };
            return half.replace(json, batch).map_err(|source| self.not_avro(source));
        }
        self.json_value(parts, batch, key)
    }

    /// The error of a record that has no form in Avro.
    #[cold]
    fn not_avro(&self, source: AvroError) -> EncodeError {
        EncodeError::Avro { table: self.relation.name.to_string(), source }
    }

    /// Appends a record's value as JSON, flattened or as an envelope.
    fn json_value(
        &self,
        parts: &ChangeParts<'_>,
        batch: &mut RecordBatch,
        key: &mut KeyParts,
    ) -> Result<Option<Range<usize>>, EncodeError> {
        let start = batch.position();
        let out = batch.buffer();
        if let Some(flat) = &self.flat {
            let present = flat.append(&self.row, parts, out, key)?;
            return Ok(present.then(|| start..batch.position()));
        }
        self.json.append(&self.row, parts, out, key)?;
        Ok(Some(start..batch.position()))
    }

    /// Appends a record's key; `None` for a table without one.
    pub(super) fn key(
        &self,
        parts: &KeyParts,
        batch: &mut RecordBatch,
    ) -> Result<Option<Range<usize>>, EncodeError> {
        let Some(template) = &self.key else { return Ok(None) };
        let start = batch.position();
        if let Some(avro) = &self.avro
            && let Some(half) = &avro.key
        {
            if avro.direct_key {
                let out = batch.buffer();
                out.extend_from_slice(half.head());
                parts.values().for_each(|field| out.extend_from_slice(field));
                return Ok(Some(start..batch.position()));
            }
            template.append_payload(parts, batch.buffer());
            return half.replace(start..batch.position(), batch).map_err(|source| self.not_avro(source));
        }
        template.append(parts, batch.buffer());
        Ok(Some(start..batch.position()))
    }

    /// Appends the key without its schema, as the headers of a key change carry it.
    pub(super) fn key_payload(&self, parts: &KeyParts, batch: &mut RecordBatch) -> Range<usize> {
        let start = batch.position();
        if let Some(template) = &self.key {
            template.append_header(parts, batch.buffer());
        }
        start..batch.position()
    }

    /// Completes a record, unless the flattened form has none for its operation.
    pub(super) fn push(
        &self,
        parts: &ChangeParts<'_>,
        key: Option<Range<usize>>,
        value: Option<Range<usize>>,
        batch: &mut RecordBatch,
    ) {
        if !self.emits(parts.operation) {
            return;
        }
        // The transform's headers follow the headers that the connector gave the record.
        let context_at = self.context_headers.then(|| batch.open_headers());
        if let Some(flat) = &self.flat {
            flat.push_headers(parts.operation, parts.context, batch);
        }
        batch.push(self.topic, key, value, context_at);
    }

    /// Completes a delete's tombstone, where the configuration asks for one.
    pub(super) fn tombstone(
        &self,
        key: Option<Range<usize>>,
        new_key: Option<Range<usize>>,
        context: &Context<'_>,
        batch: &mut RecordBatch,
    ) {
        if !self.tombstones || self.flat.as_ref().is_some_and(|flat| !flat.keeps_tombstones()) {
            return;
        }
        if let Some(new_key) = new_key {
            batch.header(NEW_KEY, Some(new_key));
        }
        let context_at = self.context_headers.then(|| batch.open_headers());
        if let Some(flat) = &self.flat {
            flat.push_tombstone_headers(context, batch);
        }
        batch.push(self.topic, key, None, context_at);
    }
}
