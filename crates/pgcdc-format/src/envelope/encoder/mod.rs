//! A table's encoder: decides which records a change makes, and has each of them written in the configured form.
//!
//! It writes straight into the batch's buffer: a value, a key and the headers stand there one after the other, and a record is
//! the ranges of its parts. So a change is copied nowhere on its way to the producer. `record` writes one record.

mod record;

use std::sync::Arc;

use pgcdc_event::{HeaderName, Operation, RecordBatch, Relation, Snapshot, TopicId};

use crate::avro::{AvroError, AvroSchema};
use crate::envelope::avro::{AvroHalves, AvroTable, Half, Heads};
use crate::envelope::change::{Change, ChangeParts};
use crate::envelope::context::Context;
use crate::envelope::error::EncodeError;
use crate::envelope::flat::FlatPlan;
use crate::envelope::json::JsonEnvelope;
use crate::envelope::key::KeyTemplate;
use crate::envelope::options::{EnvelopeOptions, TablePlan};
use crate::envelope::row::{KeyParts, RowEncoder, RowRef};

/// The header of the create that a changed key makes: the key that the row had before.
const OLD_KEY: HeaderName = HeaderName::Static("__debezium.oldkey");
/// The header of the delete and tombstone that a changed key makes: the key that the row has now.
const NEW_KEY: HeaderName = HeaderName::Static("__debezium.newkey");

/// A table's encoder. [`compile`](Self::compile) settles everything that does not depend on the row, so that
/// [`encode`](Self::encode) only appends a row's values between constant pieces of text.
///
/// Make a new encoder whenever the table's definition changes. The module's example shows its use.
#[derive(Clone, Debug)]
pub struct RelationEncoder {
    relation: Arc<Relation>,
    /// The topic of all its records.
    topic: TopicId,
    /// Writes rows, and gathers keys on the way.
    row: RowEncoder,
    /// Writes keys; `None` for a table without one.
    key: Option<KeyTemplate>,
    json: JsonEnvelope,
    /// `tombstones.on.delete`.
    tombstones: bool,
    /// `extended.headers.enabled`.
    context_headers: bool,
    skipped: Skipped,
    /// `skip.messages.without.change`.
    skip_unchanged: bool,
    /// The flattened form, which replaces the envelope where it is configured.
    flat: Option<FlatPlan>,
    /// The halves of a record that are Avro, where there are any.
    avro: Option<Box<AvroTable>>,
    /// Kept between changes for its memory.
    keys: Keys,
}

/// The keys of a change, gathered while its rows are written: that of the new row and that of the old.
#[derive(Clone, Debug, Default)]
struct Keys {
    new: KeyParts,
    old: KeyParts,
}

/// The operations that make no record (`skipped.operations`).
#[derive(Clone, Copy, Debug)]
struct Skipped {
    create: bool,
    update: bool,
    delete: bool,
    truncate: bool,
}

impl RelationEncoder {
    /// Compiles a table's encoder. This renders schemas, so it costs far more than a row.
    #[must_use]
    pub fn compile(relation: Arc<Relation>, plan: &TablePlan, options: &EnvelopeOptions) -> Self {
        let row = RowEncoder::compile(&relation, plan, options);
        let flat = options
            .unwrap
            .as_ref()
            .map(|unwrap| FlatPlan::compile(unwrap, &row, &relation.name, &plan.topic_name, options));
        let json = JsonEnvelope::compile(&row, &relation.name, &plan.topic_name, options);
        Self {
            key: KeyTemplate::compile(&row, plan, options),
            relation,
            topic: plan.topic,
            row,
            json,
            tombstones: options.tombstones,
            context_headers: options.context_headers,
            skipped: Skipped {
                create: options.skipped.contains('c'),
                update: options.skipped.contains('u'),
                delete: options.skipped.contains('d'),
                truncate: options.skipped.contains('t'),
            },
            skip_unchanged: options.skip_unchanged,
            flat,
            avro: None,
            keys: Keys::default(),
        }
    }

    /// Makes keys, values or both Avro, as `halves` says.
    ///
    /// `plan` and `options` must be those given to [`compile`](Self::compile), and a half that becomes Avro must not carry
    /// a JSON schema there. Before the first record, each schema needs the [number](Self::number) that the registry gives it.
    ///
    /// # Errors
    /// When Avro has no form for a record's schema: a name that Avro does not allow, or one name for two schemas.
    pub fn with_avro(
        mut self,
        plan: &TablePlan,
        options: &EnvelopeOptions,
        halves: &AvroHalves,
    ) -> Result<Self, AvroError> {
        let with_schemas = EnvelopeOptions { key_schemas: true, value_schemas: true, ..options.clone() };
        let full = Self::compile(Arc::clone(&self.relation), plan, &with_schemas);
        let heads = Heads { key: full.key_head(), value: full.value_head() };
        let table = AvroTable::compile(&self.row, &self.relation.name, &heads, options, halves)?;
        self.avro = Some(Box::new(table));
        Ok(self)
    }

    /// The Avro schema to register for a half; `None` when that half is not Avro, or the table has no key.
    #[must_use]
    pub fn avro_schema(&self, half: Half) -> Option<&AvroSchema> {
        let avro = self.avro.as_ref()?;
        let half = if half == Half::Key { &avro.key } else { &avro.value };
        half.as_ref().map(|half| half.converter().avro())
    }

    /// Whether values are written as Avro straight from the row, without JSON in between.
    #[must_use]
    pub fn is_direct(&self) -> bool {
        self.avro.as_ref().is_some_and(|avro| avro.direct.is_some())
    }

    /// Sets the number that the schema registry has for a half's schema. Nothing happens when that half is not Avro.
    pub fn number(&mut self, half: Half, id: u32) {
        let Some(avro) = &mut self.avro else { return };
        let half = if half == Half::Key { &mut avro.key } else { &mut avro.value };
        if let Some(half) = half {
            half.number(id);
        }
    }

    /// The text before a key's payload; `None` without a key.
    pub(super) fn key_head(&self) -> Option<&[u8]> {
        self.key.as_ref().map(KeyTemplate::head)
    }

    /// The text before a value's payload.
    pub(super) fn value_head(&self) -> &[u8] {
        self.flat.as_ref().map_or_else(|| self.json.head(), FlatPlan::head)
    }

    /// The table this encoder was compiled for.
    #[must_use]
    pub fn relation(&self) -> &Arc<Relation> {
        &self.relation
    }

    /// The oid of the first enum type in the row whose value is a label that this encoder does not know, because it was
    /// added to the type later (`ALTER TYPE … ADD VALUE`). The server announces no such change, and the schema lists all
    /// labels: so the caller reads the type again and compiles a new encoder.
    #[must_use]
    pub fn unknown_label(&self, row: RowRef<'_>) -> Option<u32> {
        self.row.unknown_label(row)
    }

    /// Takes the row's labels of enum `type_oid` as known, so that [`unknown_label`](Self::unknown_label) does not name
    /// them again. This is for labels that the catalog no longer has, since they were renamed. Schemas stay as they are.
    pub fn accept_labels(&mut self, type_oid: u32, row: RowRef<'_>) {
        self.row.accept_labels(type_oid, row);
    }

    /// Whether the table has enum columns. Without them a caller need not ask [`unknown_label`](Self::unknown_label) for each
    /// row.
    #[must_use]
    pub fn has_labels(&self) -> bool {
        self.row.has_labels()
    }

    /// Appends a change's records to `batch`: none when its operation is skipped, one or two usually, and up to three
    /// (delete, tombstone, create) when the key changed.
    ///
    /// Returns how many records the transaction counts (`event_count`): all but tombstones, including those that the
    /// flattened form drops.
    ///
    /// # Errors
    /// When the row does not fit the relation, or a value cannot be written; [`EncodeError::is_of_values`] tells these apart.
    /// `batch` may then hold a part of the change: take it back to where it was before.
    pub fn encode(
        &mut self,
        change: Change<'_>,
        context: &Context<'_>,
        batch: &mut RecordBatch,
    ) -> Result<u64, EncodeError> {
        let mut keys = std::mem::take(&mut self.keys);
        let result = self.encode_with(change, context, batch, &mut keys);
        self.keys = keys;
        result
    }

    fn encode_with(
        &self,
        change: Change<'_>,
        context: &Context<'_>,
        batch: &mut RecordBatch,
        keys: &mut Keys,
    ) -> Result<u64, EncodeError> {
        match change {
            Change::Insert { new } => {
                let operation = match context.snapshot {
                    Snapshot::False => Operation::Create,
                    _ => Operation::Read,
                };
                if operation == Operation::Create && self.skipped.create {
                    return Ok(0);
                }
                let parts = ChangeParts { after: Some(new), ..ChangeParts::new(operation, context) };
                self.record(&parts, batch, &mut keys.new)?;
            }
            Change::Update { old: None, .. } if self.skipped.update => return Ok(0),
            Change::Update { old: None, new } => {
                let parts = ChangeParts { after: Some(new), ..ChangeParts::new(Operation::Update, context) };
                self.record(&parts, batch, &mut keys.new)?;
            }
            Change::Update { old: Some((old, whole)), new } => {
                let parts = ChangeParts {
                    operation: Operation::Update,
                    before: Some(old),
                    after: Some(new),
                    fallback: whole.then_some(old),
                    context,
                };
                return self.update(old, new, &parts, batch, keys);
            }
            Change::Delete { .. } if self.skipped.delete => return Ok(0),
            Change::Delete { old } => {
                let parts = ChangeParts { before: Some(old), ..ChangeParts::new(Operation::Delete, context) };
                let value = self.value(&parts, batch, &mut keys.old)?;
                let key = self.key(&keys.old, batch)?;
                self.push(&parts, key.clone(), value, batch);
                self.tombstone(key, None, context, batch);
            }
            Change::Truncate if self.skipped.truncate => return Ok(0),
            Change::Truncate if self.flat.is_some() => {}
            Change::Truncate => {
                let parts = ChangeParts::new(Operation::Truncate, context);
                let value = self.value(&parts, batch, &mut keys.new)?;
                self.push(&parts, None, value, batch);
            }
        }
        Ok(1)
    }

    /// Appends the record of a change that keeps its key.
    #[inline]
    fn record(
        &self,
        parts: &ChangeParts<'_>,
        batch: &mut RecordBatch,
        keys: &mut KeyParts,
    ) -> Result<(), EncodeError> {
        let value = self.value(parts, batch, keys)?;
        let key = self.key(keys, batch)?;
        self.push(parts, key, value, batch);
        Ok(())
    }

    /// Appends the records of an update with an old row: one `u`, or a delete and a create when the key changed. `parts` are the
    /// parts of the `u`.
    fn update(
        &self,
        old: RowRef<'_>,
        new: RowRef<'_>,
        parts: &ChangeParts<'_>,
        batch: &mut RecordBatch,
        keys: &mut Keys,
    ) -> Result<u64, EncodeError> {
        let (fallback, context) = (parts.fallback, parts.context);
        if self.skip_unchanged && self.unchanged(old, new, fallback, batch, &mut keys.new)? {
            return Ok(0);
        }
        if self.key.is_some() {
            self.row.gather_key(old, None, &mut keys.old)?;
            self.row.gather_key(new, fallback, &mut keys.new)?;
        }
        if self.key.is_none() || keys.new.same(&keys.old) {
            if self.skipped.update {
                return Ok(0);
            }
            self.record(parts, batch, &mut keys.new)?;
            return Ok(1);
        }
        // A skipped update says nothing about the delete and the create that a changed key makes.
        let old_payload = self.key_payload(&keys.old, batch);
        let new_payload = self.key_payload(&keys.new, batch);
        let mut counted = 0;
        if !self.skipped.delete {
            let parts = ChangeParts { before: Some(old), ..ChangeParts::new(Operation::Delete, context) };
            let value = self.value(&parts, batch, &mut keys.old)?;
            let key = self.key(&keys.old, batch)?;
            if self.emits(Operation::Delete) {
                batch.header(NEW_KEY, Some(new_payload.clone()));
            }
            self.push(&parts, key.clone(), value, batch);
            self.tombstone(key, Some(new_payload), context, batch);
            counted += 1;
        }
        if !self.skipped.create {
            let context = if counted > 0 { &context.following() } else { context };
            let parts =
                ChangeParts { after: Some(new), fallback, ..ChangeParts::new(Operation::Create, context) };
            let value = self.value(&parts, batch, &mut keys.new)?;
            let key = self.key(&keys.new, batch)?;
            batch.header(OLD_KEY, Some(old_payload));
            self.push(&parts, key, value, batch);
            counted += 1;
        }
        Ok(counted)
    }

    /// Whether the included columns of two rows are the same, as they would be written; the keys may differ.
    ///
    /// Where the old row is not whole, the columns that the server did not send count as null, as in Debezium's comparison.
    /// So an update that changes only the key is left out when no key column is included and all included columns are null.
    fn unchanged(
        &self,
        old: RowRef<'_>,
        new: RowRef<'_>,
        fallback: Option<RowRef<'_>>,
        batch: &mut RecordBatch,
        key: &mut KeyParts,
    ) -> Result<bool, EncodeError> {
        let start = batch.position();
        self.row.append(old, None, batch.buffer(), key)?;
        let middle = batch.position();
        self.row.append(new, fallback, batch.buffer(), key)?;
        let same = batch.bytes(start..middle) == batch.bytes(middle..batch.position());
        batch.buffer().truncate(start);
        Ok(same)
    }
}
