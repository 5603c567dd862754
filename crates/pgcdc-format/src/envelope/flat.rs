//! The flattened form: `io.debezium.transforms.ExtractNewRecordState`, compiled into the encoder.
//!
//! Source: Debezium's documentation, "New Record State Extraction".

use std::sync::Arc;

use pgcdc_event::{HeaderName, Operation, RecordBatch, Snapshot, TableName};

use super::row::{KeyParts, RowEncoder};
use super::source::{DEBEZIUM_VERSION, SNAPSHOT_VALUES};
use super::transaction::append_id;
use super::{Context, EncodeError, EnvelopeOptions, RowRef};
use crate::schema::Schema;
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
    /// The block to look in; `None` for a field as Debezium looks it up: one of the envelope's own (`op`, `ts_ms`, …) or
    /// of the transaction block if there is one of that name, else one of the source block.
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
    Xid,
    Xmin,
    Replicated,
    ReplicatedLsn,
    Snapshot,
    Sequence,
    /// `transaction.id`.
    TransactionId,
    TotalOrder,
    TableOrder,
    /// Constant text, as JSON and bare.
    Constant(Box<str>),
    /// A column of the old or the new row.
    Column {
        before: bool,
        at: usize,
    },
}

#[derive(Clone, Copy, Debug)]
enum TimeUnit {
    Milli,
    Micro,
    Nano,
}

#[derive(Clone, Debug)]
struct Added {
    fragment: Box<[u8]>,
    name: Arc<str>,
    origin: Origin,
    /// Null where there is no `transaction` block, even if the field is not one of its own.
    in_transaction: bool,
    schema: Box<[u8]>,
}

/// A table's compiled flattened form.
#[derive(Clone, Debug)]
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

impl FlatPlan {
    /// Adds the headers of a tombstone. Debezium's delete and tombstone share one list of headers, so that the delete's
    /// stand here too, before the one that the transform gives a tombstone.
    pub(super) fn push_tombstone_headers(&self, context: &Context<'_>, batch: &mut RecordBatch) {
        self.push_headers(Operation::Delete, context, batch);
        for added in self.headers.iter().filter(|added| matches!(added.origin, Origin::Operation)) {
            let start = batch.position();
            batch.buffer().push(b'd');
            batch.header(HeaderName::Shared(Arc::clone(&added.name)), Some(start..start + 1));
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
    /// `None` where the envelope has no such field: then Debezium adds none.
    fn compile(
        field: &AddField,
        row: &RowEncoder,
        table: &TableName,
        options: &EnvelopeOptions,
    ) -> Option<Self> {
        let origin = Origin::of(field, row, table, options)?;
        let mut fragment = vec![b','];
        write_json_string(field.name.as_bytes(), &mut fragment);
        fragment.push(b':');
        let mut schema = Vec::new();
        match &origin {
            Origin::Column { at, .. } => {
                if let Some((_, column)) = row.field(*at) {
                    let mut column = column.clone();
                    column.optional = true;
                    column.default = None;
                    column.append_json(Some(&field.name), &mut schema);
                }
            }
            Origin::Snapshot => {
                let mut snapshot = Schema::string().optional().named("io.debezium.data.Enum", 1);
                snapshot = snapshot.with_parameter("allowed", SNAPSHOT_VALUES);
                snapshot.append_json(Some(&field.name), &mut schema);
            }
            other => {
                let kind = if other.is_number() { Schema::int64() } else { Schema::string() };
                kind.optional().append_json(Some(&field.name), &mut schema);
            }
        }
        let (fragment, schema) = (fragment.into(), schema.into());
        let in_transaction = field.section == Some(FieldSection::Transaction);
        Some(Self { fragment, name: field.name.as_str().into(), origin, in_transaction, schema })
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
        if self.in_transaction && context.ordinal.is_none() {
            return false;
        }
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
            Origin::Xid => match context.xid {
                Some(xid) => out.extend_from_slice(digits.format(xid).as_bytes()),
                None => return false,
            },
            Origin::Xmin => match context.xmin {
                Some(xmin) => out.extend_from_slice(digits.format(xmin).as_bytes()),
                None => return false,
            },
            Origin::Replicated | Origin::ReplicatedLsn => match (context.origin, &self.origin) {
                (Some((name, _)), Origin::Replicated) => out.extend_from_slice(name.as_bytes()),
                (Some((_, lsn)), _) => out.extend_from_slice(digits.format(lsn.as_u64()).as_bytes()),
                (None, _) => return false,
            },
            Origin::TransactionId | Origin::TotalOrder | Origin::TableOrder => {
                let Some(ordinal) = context.ordinal else { return false };
                match self.origin {
                    Origin::TotalOrder => out.extend_from_slice(digits.format(ordinal.total).as_bytes()),
                    Origin::TableOrder => out.extend_from_slice(digits.format(ordinal.of_table).as_bytes()),
                    _ => append_id(context.xid, context.lsn, out),
                }
            }
            // Null while streaming: the default that the source block shows is not copied.
            Origin::Snapshot if context.snapshot == Snapshot::False => return false,
            Origin::Snapshot => out.extend_from_slice(context.snapshot.as_str().as_bytes()),
            Origin::Sequence => {
                let last =
                    context.last_commit.map_or("null".to_owned(), |lsn| format!("\"{}\"", lsn.as_u64()));
                out.extend_from_slice(format!("[{last},\"{}\"]", context.lsn.as_u64()).as_bytes());
            }
            Origin::Constant(text) => out.extend_from_slice(text.as_bytes()),
            Origin::Column { .. } => return false,
        }
        true
    }
}

impl Origin {
    /// What a field of `add.fields` means; `None` where the envelope has none.
    fn of(field: &AddField, row: &RowEncoder, table: &TableName, options: &EnvelopeOptions) -> Option<Self> {
        let name = field.field.as_str();
        let section = field.section.or(match name {
            "op" | "ts_ms" | "ts_us" | "ts_ns" => None,
            "id" | "total_order" | "data_collection_order" => Some(FieldSection::Transaction),
            _ => Some(FieldSection::Source),
        });
        let found = match section {
            None => None,
            Some(FieldSection::Source) => Self::in_source(name, table, options),
            Some(FieldSection::Transaction) => match name {
                "id" => Some(Self::TransactionId),
                "total_order" => Some(Self::TotalOrder),
                "data_collection_order" => Some(Self::TableOrder),
                _ => None,
            },
            Some(FieldSection::Before | FieldSection::After) => {
                let there = row.fields().any(|(column, _)| column == name);
                let at = row.position(name).filter(|_| there);
                at.map(|at| Self::Column { before: section == Some(FieldSection::Before), at })
            }
        };
        // What the block does not have is looked for in the envelope itself.
        found.or(match name {
            "op" => Some(Self::Operation),
            "ts_ms" => Some(Self::Now(1_000_000)),
            "ts_us" => Some(Self::Now(1000)),
            "ts_ns" => Some(Self::Now(1)),
            _ => None,
        })
    }

    fn in_source(name: &str, table: &TableName, options: &EnvelopeOptions) -> Option<Self> {
        let text = |text: &str| Self::Constant(text.into());
        Some(match name {
            "version" => text(DEBEZIUM_VERSION),
            "connector" => text("postgresql"),
            "name" => text(&options.topic_prefix),
            "db" => text(&options.database),
            "schema" => text(&table.schema),
            "table" => text(&table.table),
            "ts_ms" => Self::SourceTime(TimeUnit::Milli),
            "ts_us" => Self::SourceTime(TimeUnit::Micro),
            "ts_ns" => Self::SourceTime(TimeUnit::Nano),
            "snapshot" => Self::Snapshot,
            "sequence" => Self::Sequence,
            "txId" => Self::Xid,
            "lsn" => Self::Lsn,
            "xmin" => Self::Xmin,
            "origin" => Self::Replicated,
            "origin_lsn" => Self::ReplicatedLsn,
            _ => return None,
        })
    }

    const fn is_number(&self) -> bool {
        matches!(
            self,
            Self::Now(_)
                | Self::SourceTime(_)
                | Self::Lsn
                | Self::Xid
                | Self::Xmin
                | Self::ReplicatedLsn
                | Self::TotalOrder
                | Self::TableOrder
        )
    }
}
