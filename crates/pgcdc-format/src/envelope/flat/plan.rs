//! The flattened form of one table: writes a change's value, and adds the headers.

use std::sync::Arc;

use pgcdc_event::{HeaderName, Operation, RecordBatch, TableName};

use super::added::Added;
use super::options::{AddField, DeleteHandling, Unwrap};
use super::origin::Origin;
use crate::envelope::change::ChangeParts;
use crate::envelope::context::Context;
use crate::envelope::error::EncodeError;
use crate::envelope::options::EnvelopeOptions;
use crate::envelope::row::{KeyParts, RowEncoder};
use crate::json::write_json_string;

/// A table's flattened form, compiled.
#[derive(Clone, Debug)]
pub(in crate::envelope) struct FlatPlan {
    /// `delete.tombstone.handling.mode`.
    delete: DeleteHandling,
    /// `add.fields`, without those that the envelope does not have.
    fields: Vec<Added>,
    /// `add.headers`, likewise.
    headers: Vec<Added>,
    /// The text before the row: `{"schema":…,"payload":` where values carry a schema.
    head: Vec<u8>,
    /// The text after the row: `}` where values carry a schema.
    tail: &'static [u8],
    /// The whole value of a delete in mode `tombstone`.
    deleted: Vec<u8>,
}

impl FlatPlan {
    /// Compiles the transform for one table.
    pub(in crate::envelope) fn compile(
        unwrap: &Unwrap,
        row: &RowEncoder,
        table: &TableName,
        topic: &str,
        options: &EnvelopeOptions,
    ) -> Self {
        let added = |fields: &[AddField]| -> Vec<Added> {
            fields.iter().filter_map(|field| Added::compile(field, row, table, options)).collect()
        };
        let fields = added(&unwrap.add_fields);
        let mut head = Vec::new();
        let mut deleted = b"null".to_vec();
        if options.value_schemas {
            let name = options.schema_names.schema(&format!("{topic}.Value"));
            head = schema_head(row, &name, false, unwrap.delete.rewrites(), &fields);
            deleted = schema_head(row, &name, true, false, &[]);
            deleted.extend_from_slice(b"null}");
        }
        Self {
            delete: unwrap.delete,
            fields,
            headers: added(&unwrap.add_headers),
            head,
            tail: if options.value_schemas { b"}" } else { b"" },
            deleted,
        }
    }

    /// The text before a value's payload.
    pub(in crate::envelope) fn head(&self) -> &[u8] {
        &self.head
    }

    /// Whether an operation becomes a record.
    pub(in crate::envelope) fn emits(&self, operation: Operation) -> bool {
        match operation {
            Operation::Truncate => false,
            Operation::Delete => self.delete != DeleteHandling::Drop,
            _ => true,
        }
    }

    /// Whether the tombstone that Debezium sends behind a delete is kept.
    pub(in crate::envelope) fn keeps_tombstones(&self) -> bool {
        self.delete == DeleteHandling::RewriteWithTombstone
    }

    /// Appends a change's value, and gathers its key. Returns false when the record has no value: it is a tombstone, or it will
    /// be dropped.
    pub(in crate::envelope) fn append(
        &self,
        row: &RowEncoder,
        parts: &ChangeParts<'_>,
        out: &mut Vec<u8>,
        key: &mut KeyParts,
    ) -> Result<bool, EncodeError> {
        let deleted = parts.operation == Operation::Delete;
        let Some(state) = (if deleted { parts.before } else { parts.after }) else { return Ok(false) };
        if deleted && !self.delete.rewrites() {
            // Written for the key that it gathers; the row itself is not needed.
            let start = out.len();
            row.append(state, None, out, key)?;
            out.truncate(start);
            let keep = self.delete == DeleteHandling::Tombstone;
            if keep {
                out.extend_from_slice(&self.deleted);
            }
            return Ok(keep);
        }
        out.extend_from_slice(&self.head);
        row.append(state, parts.fallback, out, key)?;
        // The row's closing brace: more fields follow.
        out.pop();
        let more = out.len();
        if self.delete.rewrites() {
            out.extend_from_slice(if deleted {
                br#","__deleted":"true""#
            } else {
                br#","__deleted":"false""#
            });
        }
        for added in &self.fields {
            out.extend_from_slice(&added.fragment);
            added.append(row, parts, out)?;
        }
        // A row of which no column is included: no comma before the first added field.
        if out[more - 1] == b'{' && out.get(more) == Some(&b',') {
            out.remove(more);
        }
        out.push(b'}');
        out.extend_from_slice(self.tail);
        Ok(true)
    }

    /// Adds the configured headers to the record that is pushed next.
    pub(in crate::envelope) fn push_headers(
        &self,
        operation: Operation,
        context: &Context<'_>,
        batch: &mut RecordBatch,
    ) {
        for added in &self.headers {
            let start = batch.position();
            let present = added.append_bare(operation, context, batch.buffer());
            let value = present.then(|| start..batch.position());
            batch.header(HeaderName::Shared(Arc::clone(&added.name)), value);
        }
    }

    /// Adds the headers of a tombstone. In Debezium a delete and its tombstone share one list of headers. So the delete's
    /// headers come first, and the header that the transform gives a tombstone follows.
    pub(in crate::envelope) fn push_tombstone_headers(&self, context: &Context<'_>, batch: &mut RecordBatch) {
        self.push_headers(Operation::Delete, context, batch);
        for added in self.headers.iter().filter(|added| matches!(added.origin, Origin::Operation)) {
            let start = batch.position();
            batch.buffer().push(b'd');
            batch.header(HeaderName::Shared(Arc::clone(&added.name)), Some(start..start + 1));
        }
    }
}

/// Renders `{"schema":…,"payload":`. `deleted`: whether the rows have the field `__deleted`.
fn schema_head(row: &RowEncoder, name: &str, optional: bool, deleted: bool, fields: &[Added]) -> Vec<u8> {
    let mut out = br#"{"schema":{"type":"struct","fields":["#.to_vec();
    for (name, schema) in row.fields() {
        schema.append_json(Some(name), &mut out);
        out.push(b',');
    }
    if deleted {
        out.extend_from_slice(br#"{"type":"string","optional":true,"field":"__deleted"},"#);
    }
    for field in fields {
        out.extend_from_slice(&field.schema);
        out.push(b',');
    }
    if out.last() == Some(&b',') {
        out.pop();
    }
    out.extend_from_slice(br#"],"optional":"#);
    out.extend_from_slice(if optional { b"true" } else { b"false" });
    out.extend_from_slice(br#","name":"#);
    write_json_string(name.as_bytes(), &mut out);
    out.extend_from_slice(br#"},"payload":"#);
    out
}
