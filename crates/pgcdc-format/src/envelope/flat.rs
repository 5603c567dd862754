//! The flattened form: `io.debezium.transforms.ExtractNewRecordState`, compiled into the encoder.
//!
//! Source: Debezium's documentation, "New Record State Extraction".

use std::sync::Arc;

use pgcdc_event::{HeaderName, Operation, RecordBatch, TableName};

use super::row::{KeyParts, RowEncoder};
use super::source::DEBEZIUM_VERSION;
use super::{Context, EncodeError, EnvelopeOptions, RowRef};
use crate::types::write_json_string;

/// `delete.tombstone.handling.mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeleteHandling {
    /// Neither deletes nor tombstones.
    Drop,
    /// A delete becomes a null value with its schema; Debezium's own tombstone is left out.
    #[default]
    Tombstone,
    /// A delete becomes the old row with `__deleted`; no tombstones.
    Rewrite,
    /// As rewrite, and the tombstone follows.
    RewriteWithTombstone,
    /// A delete becomes a tombstone without a schema.
    DeleteToTombstone,
}

impl DeleteHandling {
    const fn rewrites(self) -> bool {
        matches!(self, Self::Rewrite | Self::RewriteWithTombstone)
    }
}

/// A block of the envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldSection {
    /// `source`.
    Source,
    /// `before`.
    Before,
    /// `after`.
    After,
    /// `transaction`.
    Transaction,
}

/// A field of `add.fields` or `add.headers`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddField {
    /// The block to look in; `None` for a field as Debezium looks it up: one of the envelope's own
    /// (`op`, `ts_ms`, …) if there is one of that name, else one of the source block.
    pub section: Option<FieldSection>,
    /// The field's name there.
    pub field: String,
    /// The name it gets, prefix included.
    pub name: String,
}

/// The options of the transform.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unwrap {
    /// `delete.tombstone.handling.mode`.
    pub delete: DeleteHandling,
    /// `add.fields`.
    pub add_fields: Vec<AddField>,
    /// `add.headers`.
    pub add_headers: Vec<AddField>,
}

/// Where an added field's value comes from.
#[derive(Clone, Debug)]
enum Origin {
    Operation,
    /// The envelope's own time, divided by this.
    Now(i64),
    /// The commit's time in this many per second, as microseconds times or divided.
    SourceTime(TimeUnit),
    Lsn,
    TransactionId,
    Snapshot,
    Sequence,
    /// Constant text, as JSON and bare.
    Constant(Box<str>),
    /// A column of the old or the new row.
    Column {
        before: bool,
        at: usize,
    },
    /// Always null.
    Null,
}

#[derive(Clone, Copy, Debug)]
enum TimeUnit {
    Milli,
    Micro,
    Nano,
}

#[derive(Debug)]
struct Added {
    fragment: Box<[u8]>,
    name: Arc<str>,
    origin: Origin,
    schema: Box<[u8]>,
}

/// A table's compiled flattened form.
#[derive(Debug)]
pub(super) struct FlatPlan {
    delete: DeleteHandling,
    fields: Vec<Added>,
    headers: Vec<Added>,
    head: Vec<u8>,
    tail: &'static [u8],
    /// A delete's whole value in tombstone mode.
    deleted: Vec<u8>,
}

impl FlatPlan {
    pub(super) fn compile(
        unwrap: &Unwrap,
        row: &RowEncoder,
        table: &TableName,
        topic: &str,
        options: &EnvelopeOptions,
    ) -> Self {
        let added = |fields: &[AddField]| -> Vec<Added> {
            fields.iter().map(|field| Added::compile(field, row, table, options)).collect()
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

    /// What stands before a value's payload.
    pub(super) fn head(&self) -> &[u8] {
        &self.head
    }

    pub(super) fn emits(&self, operation: Operation) -> bool {
        match operation {
            Operation::Truncate => false,
            Operation::Delete => self.delete != DeleteHandling::Drop,
            _ => true,
        }
    }

    pub(super) fn keeps_tombstones(&self) -> bool {
        self.delete == DeleteHandling::RewriteWithTombstone
    }

    /// Appends a change's value; false when the record has none (a tombstone, or dropped).
    #[expect(clippy::too_many_arguments, reason = "the parts of a change")]
    pub(super) fn append(
        &self,
        row: &RowEncoder,
        operation: Operation,
        before: Option<RowRef<'_>>,
        after: Option<RowRef<'_>>,
        fallback: Option<RowRef<'_>>,
        context: &Context<'_>,
        out: &mut Vec<u8>,
        key: &mut KeyParts,
    ) -> Result<bool, EncodeError> {
        let deleted = operation == Operation::Delete;
        let Some(state) = (if deleted { before } else { after }) else { return Ok(false) };
        if deleted && !self.delete.rewrites() {
            // The key is still needed, the row is not.
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
        row.append(state, fallback, out, key)?;
        out.pop();
        if self.delete.rewrites() {
            out.extend_from_slice(if deleted {
                br#","__deleted":"true""#
            } else {
                br#","__deleted":"false""#
            });
        }
        for added in &self.fields {
            out.extend_from_slice(&added.fragment);
            added.append(row, operation, before, after, context, out)?;
        }
        out.push(b'}');
        out.extend_from_slice(self.tail);
        Ok(true)
    }

    /// Adds the configured headers to the record that is pushed next.
    pub(super) fn push_headers(&self, operation: Operation, context: &Context<'_>, batch: &mut RecordBatch) {
        for added in &self.headers {
            let start = batch.position();
            let present = added.append_bare(operation, context, batch.buffer());
            let value = present.then(|| start..batch.position());
            batch.header(HeaderName::Shared(Arc::clone(&added.name)), value);
        }
    }
}

fn schema_head(row: &RowEncoder, name: &str, optional: bool, deleted: bool, fields: &[Added]) -> Vec<u8> {
    let mut out = br#"{"schema":{"type":"struct","fields":["#.to_vec();
    for (at, (name, schema)) in row.fields().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        schema.append_json(Some(name), &mut out);
    }
    if deleted {
        out.extend_from_slice(br#",{"type":"string","optional":true,"field":"__deleted"}"#);
    }
    for field in fields {
        out.push(b',');
        out.extend_from_slice(&field.schema);
    }
    out.extend_from_slice(br#"],"optional":"#);
    out.extend_from_slice(if optional { b"true" } else { b"false" });
    out.extend_from_slice(br#","name":"#);
    write_json_string(name.as_bytes(), &mut out);
    out.extend_from_slice(br#"},"payload":"#);
    out
}

impl Added {
    fn compile(field: &AddField, row: &RowEncoder, table: &TableName, options: &EnvelopeOptions) -> Self {
        let text = |text: &str| Origin::Constant(text.into());
        let origin = match (field.section, field.field.as_str()) {
            (None, "op") => Origin::Operation,
            (None, "ts_ms") => Origin::Now(1_000_000),
            (None, "ts_us") => Origin::Now(1000),
            (None, "ts_ns") => Origin::Now(1),
            (Some(section @ (FieldSection::Before | FieldSection::After)), name) => row
                .position(name)
                .map_or(Origin::Null, |at| Origin::Column { before: section == FieldSection::Before, at }),
            (None | Some(FieldSection::Source), name) => match name {
                "version" => text(DEBEZIUM_VERSION),
                "connector" => text("postgresql"),
                "name" => text(&options.topic_prefix),
                "db" => text(&options.database),
                "schema" => text(&table.schema),
                "table" => text(&table.table),
                "ts_ms" => Origin::SourceTime(TimeUnit::Milli),
                "ts_us" => Origin::SourceTime(TimeUnit::Micro),
                "ts_ns" => Origin::SourceTime(TimeUnit::Nano),
                "snapshot" => Origin::Snapshot,
                "sequence" => Origin::Sequence,
                "txId" => Origin::TransactionId,
                "lsn" => Origin::Lsn,
                _ => Origin::Null,
            },
            _ => Origin::Null,
        };
        let mut fragment = vec![b','];
        write_json_string(field.name.as_bytes(), &mut fragment);
        fragment.push(b':');
        let mut schema = Vec::new();
        match &origin {
            Origin::Column { at, .. } => {
                if let Some((_, column)) = row.field(*at) {
                    let mut column = column.clone();
                    column.optional = true;
                    column.append_json(Some(&field.name), &mut schema);
                }
            }
            other => {
                let kind = if other.is_number() { "int64" } else { "string" };
                schema = format!(r#"{{"type":"{kind}","optional":true,"field":"#).into_bytes();
                write_json_string(field.name.as_bytes(), &mut schema);
                schema.push(b'}');
            }
        }
        Self { fragment: fragment.into(), name: field.name.as_str().into(), origin, schema: schema.into() }
    }

    fn append(
        &self,
        row: &RowEncoder,
        operation: Operation,
        before: Option<RowRef<'_>>,
        after: Option<RowRef<'_>>,
        context: &Context<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        if let Origin::Column { before: from_before, at } = self.origin {
            return match if from_before { before } else { after } {
                Some(state) => row.append_column(at, state, out),
                None => {
                    out.extend_from_slice(b"null");
                    Ok(())
                }
            };
        }
        let start = out.len();
        if !self.append_bare(operation, context, out) {
            out.extend_from_slice(b"null");
        } else if !self.origin.is_number() {
            let text = out.split_off(start);
            write_json_string(&text, out);
        }
        Ok(())
    }

    /// Appends the value as a header has it; false for null.
    fn append_bare(&self, operation: Operation, context: &Context<'_>, out: &mut Vec<u8>) -> bool {
        let mut digits = itoa::Buffer::new();
        match &self.origin {
            Origin::Operation => out.push(operation.letter() as u8),
            Origin::Now(divisor) => {
                out.extend_from_slice(digits.format(context.now_ns / divisor).as_bytes());
            }
            Origin::SourceTime(unit) => {
                let us = context.timestamp_us;
                let time = match unit {
                    TimeUnit::Milli => us.div_euclid(1000),
                    TimeUnit::Micro => us,
                    TimeUnit::Nano => us.saturating_mul(1000),
                };
                out.extend_from_slice(digits.format(time).as_bytes());
            }
            Origin::Lsn => out.extend_from_slice(digits.format(context.lsn.as_u64()).as_bytes()),
            Origin::TransactionId => match context.xid {
                Some(xid) => out.extend_from_slice(digits.format(xid).as_bytes()),
                None => return false,
            },
            Origin::Snapshot => out.extend_from_slice(context.snapshot.as_str().as_bytes()),
            Origin::Sequence => {
                let last =
                    context.last_commit.map_or("null".to_owned(), |lsn| format!("\"{}\"", lsn.as_u64()));
                out.extend_from_slice(format!("[{last},\"{}\"]", context.lsn.as_u64()).as_bytes());
            }
            Origin::Constant(text) => out.extend_from_slice(text.as_bytes()),
            Origin::Column { .. } | Origin::Null => return false,
        }
        true
    }
}

impl Origin {
    const fn is_number(&self) -> bool {
        matches!(self, Self::Now(_) | Self::SourceTime(_) | Self::Lsn | Self::TransactionId)
    }
}
