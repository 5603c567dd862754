use std::ops::Range;
use std::sync::Arc;

use pgcdc_event::{HeaderName, Operation, RecordBatch, Relation, TopicId};

use super::avro::{AvroHalves, AvroTable, Half};
use super::flat::FlatPlan;
use super::header::HeaderForm;
use super::row::{KeyParts, RowEncoder};
use super::source::{SOURCE_SCHEMA, TIMES_SCHEMA, TRANSACTION_SCHEMA, append_times};
use super::transaction::append_block;
use super::{Context, EncodeError, EnvelopeOptions, RowRef, SourceTemplate};
use crate::avro::{AvroError, AvroSchema};
use crate::schema::Schema;
use crate::types::{Shaping, write_json_string};

/// What the connector decided about a table, beyond its relation.
#[derive(Clone, Debug)]
pub struct TablePlan {
    /// The topic, as its output knows it.
    pub topic: TopicId,
    /// The topic's name, from which schema names are made.
    pub topic_name: String,
    /// Whether column `i` is part of the value (`column.include.list`, `column.exclude.list`).
    pub included: Vec<bool>,
    /// The key's columns in order: the primary key's, a unique index', or `message.key.columns`.
    pub key: Vec<usize>,
    /// A field with a constant text at the end of the key: tables that share a topic.
    pub key_field: Option<(String, String)>,
    /// The rule that shapes column `i`, where there is one (`column.mask.…`, `column.truncate.…`, …).
    pub shaping: Vec<Option<Arc<Shaping>>>,
    /// Whether the relation was read for a snapshot.
    pub snapshot: bool,
}

/// One change, borrowed from the wire.
#[derive(Clone, Copy, Debug)]
pub enum Change<'a> {
    /// A new row; also a snapshot's (`r`).
    Insert {
        /// The new row.
        new: RowRef<'a>,
    },
    /// A changed row.
    Update {
        /// Old values, and whether they are the whole row.
        old: Option<(RowRef<'a>, bool)>,
        /// The new row.
        new: RowRef<'a>,
    },
    /// A deleted row.
    Delete {
        /// Old values.
        old: RowRef<'a>,
    },
    /// The table was emptied.
    Truncate,
}

/// A table's encoder: everything that does not depend on the row is settled.
#[derive(Clone, Debug)]
pub struct RelationEncoder {
    relation: Arc<Relation>,
    topic: TopicId,
    row: RowEncoder,
    source: SourceTemplate,
    key: Option<KeyTemplate>,
    /// Everything before `before`'s value.
    head: Vec<u8>,
    tail: &'static [u8],
    tombstones: bool,
    context_headers: bool,
    skipped: Skipped,
    skip_unchanged: bool,
    flat: Option<FlatPlan>,
    avro: Option<Box<AvroTable>>,
    new_key: KeyParts,
    old_key: KeyParts,
}

#[derive(Clone, Debug)]
struct KeyTemplate {
    /// `{"schema":…,"payload":` or nothing.
    head: Vec<u8>,
    /// `{"id":` and then `,"other":`.
    names: Vec<Vec<u8>>,
    /// `,"name":"value"` of [`TablePlan::key_field`].
    constant: Vec<u8>,
    /// How the headers of a key change carry each column.
    forms: Vec<HeaderForm>,
    tail: &'static [u8],
}

#[derive(Clone, Copy, Debug)]
struct Skipped {
    create: bool,
    update: bool,
    delete: bool,
    truncate: bool,
}

impl RelationEncoder {
    /// Compiles a table's encoder.
    #[must_use]
    pub fn compile(relation: Arc<Relation>, plan: &TablePlan, options: &EnvelopeOptions) -> Self {
        let row = RowEncoder::compile(&relation, plan, options);
        let flat = options
            .unwrap
            .as_ref()
            .map(|unwrap| FlatPlan::compile(unwrap, &row, &relation.name, &plan.topic_name, options));
        let (head, tail): (_, &[u8]) = if options.value_schemas {
            let mut head = br#"{"schema":"#.to_vec();
            envelope_schema(&row, &plan.topic_name, options, &mut head);
            head.extend_from_slice(br#","payload":{"before":"#);
            (head, b"}}")
        } else {
            (br#"{"before":"#.to_vec(), b"}")
        };
        Self {
            source: SourceTemplate::compile(options, Some(&relation.name)),
            key: KeyTemplate::compile(&row, plan, options),
            relation,
            topic: plan.topic,
            row,
            head,
            tail,
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
            new_key: KeyParts::default(),
            old_key: KeyParts::default(),
        }
    }

    /// The same, its records in Avro where `halves` says so; the options must be those of [`compile`](Self::compile), and
    /// such halves without schemas in them. Each schema then needs its [number](Self::number).
    ///
    /// # Errors
    /// When Avro has no form for a record's schema.
    pub fn with_avro(
        mut self,
        plan: &TablePlan,
        options: &EnvelopeOptions,
        halves: &AvroHalves,
    ) -> Result<Self, AvroError> {
        self.avro = Some(Box::new(AvroTable::compile(&self, plan, options, halves)?));
        Ok(self)
    }

    /// The Avro schema of a half; `None` when it is not Avro, or not there.
    #[must_use]
    pub fn avro_schema(&self, half: Half) -> Option<&AvroSchema> {
        let avro = self.avro.as_ref()?;
        let half = if half == Half::Key { &avro.key } else { &avro.value };
        half.as_ref().map(|half| half.converter().avro())
    }

    /// Whether values go to Avro without JSON in between.
    #[must_use]
    pub fn is_direct(&self) -> bool {
        self.avro.as_ref().is_some_and(|avro| avro.direct.is_some())
    }

    /// Gives a half's schema the number that the registry has for it.
    pub fn number(&mut self, half: Half, id: u32) {
        let Some(avro) = &mut self.avro else { return };
        let half = if half == Half::Key { &mut avro.key } else { &mut avro.value };
        if let Some(half) = half {
            half.number(id);
        }
    }

    pub(super) fn row(&self) -> &RowEncoder {
        &self.row
    }

    /// What stands before a key's payload.
    pub(super) fn key_head(&self) -> Option<&[u8]> {
        self.key.as_ref().map(|key| &*key.head)
    }

    /// What stands before a value's payload.
    pub(super) fn value_head(&self) -> &[u8] {
        self.flat.as_ref().map_or(&self.head, FlatPlan::head)
    }

    /// The table this encoder was compiled for.
    #[must_use]
    pub fn relation(&self) -> &Arc<Relation> {
        &self.relation
    }

    /// The type of the first enum column whose value is no label that this encoder knows: the type has got labels since.
    #[must_use]
    pub fn unknown_label(&self, row: RowRef<'_>) -> Option<u32> {
        self.row.unknown_label(row)
    }

    /// Takes a row's labels of enum `type_oid` for known, so that [`unknown_label`](Self::unknown_label) does not name
    /// them again: they are no longer in the catalog. Schemas stay as they are.
    pub fn accept_labels(&mut self, type_oid: u32, row: RowRef<'_>) {
        self.row.accept_labels(type_oid, row);
    }

    /// Whether the table has columns that [`unknown_label`](Self::unknown_label) looks at.
    #[must_use]
    pub fn has_labels(&self) -> bool {
        self.row.has_labels()
    }

    /// Appends a change's records: none when its operation is skipped, one, or for a changed key
    /// up to three (delete, tombstone, create). Returns how many of them count in the transaction: all but tombstones,
    /// also those that the flattened form drops.
    ///
    /// # Errors
    /// When the row does not fit the relation. `batch` may then hold a part of the change.
    pub fn encode(
        &mut self,
        change: Change<'_>,
        context: &Context<'_>,
        batch: &mut RecordBatch,
    ) -> Result<u64, EncodeError> {
        let mut new_key = std::mem::take(&mut self.new_key);
        let mut old_key = std::mem::take(&mut self.old_key);
        let result = self.encode_with(change, context, batch, &mut new_key, &mut old_key);
        (self.new_key, self.old_key) = (new_key, old_key);
        result
    }

    fn encode_with(
        &self,
        change: Change<'_>,
        context: &Context<'_>,
        batch: &mut RecordBatch,
        new_key: &mut KeyParts,
        old_key: &mut KeyParts,
    ) -> Result<u64, EncodeError> {
        match change {
            Change::Insert { new } => {
                let operation = match context.snapshot {
                    pgcdc_event::Snapshot::False => Operation::Create,
                    _ => Operation::Read,
                };
                if operation == Operation::Create && self.skipped.create {
                    return Ok(0);
                }
                let value = self.value(operation, None, Some(new), None, context, batch, new_key)?;
                let key = self.key(new_key, batch)?;
                self.push(operation, key, value, context, batch);
            }
            Change::Update { old: None, .. } if self.skipped.update => return Ok(0),
            Change::Update { old: None, new } => {
                let value = self.value(Operation::Update, None, Some(new), None, context, batch, new_key)?;
                let key = self.key(new_key, batch)?;
                self.push(Operation::Update, key, value, context, batch);
            }
            Change::Update { old: Some((old, whole)), new } => {
                return self.update(old, whole, new, context, batch, new_key, old_key);
            }
            Change::Delete { .. } if self.skipped.delete => return Ok(0),
            Change::Delete { old } => {
                let value = self.value(Operation::Delete, Some(old), None, None, context, batch, old_key)?;
                let key = self.key(old_key, batch)?;
                self.push(Operation::Delete, key.clone(), value, context, batch);
                self.tombstone(key, None, context, batch);
            }
            Change::Truncate if self.skipped.truncate => return Ok(0),
            Change::Truncate if self.flat.is_some() => {}
            Change::Truncate => {
                let value = self.value(Operation::Truncate, None, None, None, context, batch, new_key)?;
                self.push(Operation::Truncate, None, value, context, batch);
            }
        }
        Ok(1)
    }

    /// An update with old values: an `u`, or delete and create when the key changed.
    #[expect(clippy::too_many_arguments, reason = "two rows and their two key buffers")]
    fn update(
        &self,
        old: RowRef<'_>,
        whole: bool,
        new: RowRef<'_>,
        context: &Context<'_>,
        batch: &mut RecordBatch,
        new_key: &mut KeyParts,
        old_key: &mut KeyParts,
    ) -> Result<u64, EncodeError> {
        let fallback = whole.then_some(old);
        if self.skip_unchanged && self.unchanged(old, new, fallback, batch, new_key)? {
            return Ok(0);
        }
        if self.key.is_some() {
            self.row.gather_key(old, None, old_key)?;
            self.row.gather_key(new, fallback, new_key)?;
        }
        if self.key.is_none() || new_key.same(old_key) {
            if self.skipped.update {
                return Ok(0);
            }
            let value =
                self.value(Operation::Update, Some(old), Some(new), fallback, context, batch, new_key)?;
            let key = self.key(new_key, batch)?;
            self.push(Operation::Update, key, value, context, batch);
            return Ok(1);
        }
        // Delete and create: whether updates are skipped says nothing about them.
        let old_payload = self.key_payload(old_key, batch);
        let new_payload = self.key_payload(new_key, batch);
        let mut counted = 0;
        if !self.skipped.delete {
            let value = self.value(Operation::Delete, Some(old), None, None, context, batch, old_key)?;
            let key = self.key(old_key, batch)?;
            if self.emits(Operation::Delete) {
                batch.header(HeaderName::Static("__debezium.newkey"), Some(new_payload.clone()));
            }
            self.push(Operation::Delete, key.clone(), value, context, batch);
            self.tombstone(key, Some(new_payload), context, batch);
            counted += 1;
        }
        if !self.skipped.create {
            let context = if counted > 0 { &context.following() } else { context };
            let value = self.value(Operation::Create, None, Some(new), fallback, context, batch, new_key)?;
            let key = self.key(new_key, batch)?;
            batch.header(HeaderName::Static("__debezium.oldkey"), Some(old_payload));
            self.push(Operation::Create, key, value, context, batch);
            counted += 1;
        }
        Ok(counted)
    }

    /// Whether two rows have the same included columns, as they would be written, whatever their keys. Of an old row that
    /// is not whole the columns that were not sent are null, as in Debezium's comparison: an update that changes the key
    /// alone is left out when no key column is included and all included ones are null.
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

    /// Whether an operation becomes a record at all in the configured form.
    fn emits(&self, operation: Operation) -> bool {
        self.flat.as_ref().is_none_or(|flat| flat.emits(operation))
    }

    #[expect(clippy::too_many_arguments, reason = "one call for each operation, all with the same parts")]
    #[inline]
    fn value(
        &self,
        operation: Operation,
        before: Option<RowRef<'_>>,
        after: Option<RowRef<'_>>,
        fallback: Option<RowRef<'_>>,
        context: &Context<'_>,
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
                direct.append(self, operation, before, after, fallback, context, out, key)?;
                return Ok(Some(start..batch.position()));
            }
            let json = self.json_value(operation, before, after, fallback, context, batch, key)?;
            let Some(json) = json else { return Ok(None) };
            return half.replace(json, batch).map_err(|source| self.not_avro(source));
        }
        self.json_value(operation, before, after, fallback, context, batch, key)
    }

    #[cold]
    fn not_avro(&self, source: AvroError) -> EncodeError {
        EncodeError::Avro { table: self.relation.name.to_string(), source }
    }

    #[expect(clippy::too_many_arguments, reason = "one call for each operation, all with the same parts")]
    fn json_value(
        &self,
        operation: Operation,
        before: Option<RowRef<'_>>,
        after: Option<RowRef<'_>>,
        fallback: Option<RowRef<'_>>,
        context: &Context<'_>,
        batch: &mut RecordBatch,
        key: &mut KeyParts,
    ) -> Result<Option<Range<usize>>, EncodeError> {
        let start = batch.position();
        if let Some(flat) = &self.flat {
            let out = batch.buffer();
            let present = flat.append(&self.row, operation, before, after, fallback, context, out, key)?;
            return Ok(present.then(|| start..batch.position()));
        }
        let out = batch.buffer();
        out.extend_from_slice(&self.head);
        match before {
            None => out.extend_from_slice(b"null"),
            Some(row) => self.row.append(row, None, out, key)?,
        }
        out.extend_from_slice(br#","after":"#);
        match after {
            None => out.extend_from_slice(b"null"),
            Some(row) => self.row.append(row, fallback, out, key)?,
        }
        out.extend_from_slice(br#","source":"#);
        self.source.append(context, out);
        out.extend_from_slice(br#","transaction":"#);
        append_block(context, out);
        out.extend_from_slice(br#","op":""#);
        out.push(operation.letter() as u8);
        out.extend_from_slice(br#"","#);
        append_times(context.now_ns, out);
        out.extend_from_slice(self.tail);
        Ok(Some(start..batch.position()))
    }

    fn key(&self, parts: &KeyParts, batch: &mut RecordBatch) -> Result<Option<Range<usize>>, EncodeError> {
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
            template.payload(parts, batch.buffer());
            return half.replace(start..batch.position(), batch).map_err(|source| self.not_avro(source));
        }
        batch.buffer().extend_from_slice(&template.head);
        template.payload(parts, batch.buffer());
        batch.buffer().extend_from_slice(template.tail);
        Ok(Some(start..batch.position()))
    }

    /// The key without its schema, as the headers of a key change carry it.
    fn key_payload(&self, parts: &KeyParts, batch: &mut RecordBatch) -> Range<usize> {
        let start = batch.position();
        if let Some(template) = &self.key {
            template.header(parts, batch.buffer());
        }
        start..batch.position()
    }

    fn push(
        &self,
        operation: Operation,
        key: Option<Range<usize>>,
        value: Option<Range<usize>>,
        context: &Context<'_>,
        batch: &mut RecordBatch,
    ) {
        if !self.emits(operation) {
            return;
        }
        // The transform's headers come after those that the connector gave the record.
        let context_at = self.context_headers.then(|| batch.open_headers());
        if let Some(flat) = &self.flat {
            flat.push_headers(operation, context, batch);
        }
        batch.push(self.topic, key, value, context_at);
    }

    fn tombstone(
        &self,
        key: Option<Range<usize>>,
        new_key: Option<Range<usize>>,
        context: &Context<'_>,
        batch: &mut RecordBatch,
    ) {
        let wanted = match &self.flat {
            None => self.tombstones,
            Some(flat) => self.tombstones && flat.keeps_tombstones(),
        };
        if wanted {
            if let Some(new_key) = new_key {
                batch.header(HeaderName::Static("__debezium.newkey"), Some(new_key));
            }
            let context_at = self.context_headers.then(|| batch.open_headers());
            if let Some(flat) = &self.flat {
                flat.push_tombstone_headers(context, batch);
            }
            batch.push(self.topic, key, None, context_at);
        }
    }
}

impl KeyTemplate {
    fn compile(row: &RowEncoder, plan: &TablePlan, options: &EnvelopeOptions) -> Option<Self> {
        let schemas = options.key_schemas;
        let fields: Vec<_> = plan.key.iter().filter_map(|&at| row.key_field(at)).collect();
        if plan.key.is_empty() && plan.key_field.is_none() {
            return None;
        }
        let mut head = Vec::new();
        if schemas {
            head.extend_from_slice(br#"{"schema":{"type":"struct","fields":["#);
            for (at, (name, schema)) in fields.iter().enumerate() {
                if at > 0 {
                    head.push(b',');
                }
                schema.append_json(Some(name), &mut head);
            }
            if let Some((name, _)) = &plan.key_field {
                if !fields.is_empty() {
                    head.push(b',');
                }
                Schema::string().append_json(Some(name), &mut head);
            }
            head.extend_from_slice(br#"],"optional":false,"name":"#);
            let name = options.schema_names.schema(&format!("{}.Key", plan.topic_name));
            write_json_string(name.as_bytes(), &mut head);
            head.extend_from_slice(br#"},"payload":"#);
        }
        let names = fields
            .iter()
            .enumerate()
            .map(|(at, (name, _))| {
                let mut fragment = vec![if at == 0 { b'{' } else { b',' }];
                write_json_string(name.as_bytes(), &mut fragment);
                fragment.push(b':');
                fragment
            })
            .collect();
        let forms = fields.iter().map(|(_, schema)| HeaderForm::of(schema)).collect();
        let mut constant = Vec::new();
        if let Some((name, value)) = &plan.key_field {
            if !fields.is_empty() {
                constant.push(b',');
            }
            write_json_string(name.as_bytes(), &mut constant);
            constant.push(b':');
            write_json_string(value.as_bytes(), &mut constant);
        }
        Some(Self { head, names, constant, forms, tail: if schemas { b"}" } else { b"" } })
    }

    fn header(&self, parts: &KeyParts, out: &mut Vec<u8>) {
        if self.names.is_empty() {
            out.push(b'{');
        }
        for ((name, form), value) in self.names.iter().zip(&self.forms).zip(parts.values()) {
            out.extend_from_slice(name);
            form.append(value, out);
        }
        out.extend_from_slice(&self.constant);
        out.push(b'}');
    }

    fn payload(&self, parts: &KeyParts, out: &mut Vec<u8>) {
        if self.names.is_empty() {
            // All of the key's columns are of types that are left out.
            out.push(b'{');
        }
        for (name, value) in self.names.iter().zip(parts.values()) {
            out.extend_from_slice(name);
            out.extend_from_slice(value);
        }
        out.extend_from_slice(&self.constant);
        out.push(b'}');
    }
}

/// The Connect schema of the whole envelope.
fn envelope_schema(row: &RowEncoder, topic: &str, options: &EnvelopeOptions, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"type":"struct","fields":["#);
    for field in ["before", "after"] {
        row_schema(row, topic, options, out);
        out.extend_from_slice(br#","field":""#);
        out.extend_from_slice(field.as_bytes());
        out.extend_from_slice(br#""},"#);
    }
    out.extend_from_slice(SOURCE_SCHEMA.as_bytes());
    out.push(b',');
    out.extend_from_slice(TRANSACTION_SCHEMA.as_bytes());
    out.extend_from_slice(br#",{"type":"string","optional":false,"field":"op"},"#);
    out.extend_from_slice(TIMES_SCHEMA.as_bytes());
    out.extend_from_slice(br#"],"optional":false,"name":"#);
    write_json_string(options.schema_names.schema(&format!("{topic}.Envelope")).as_bytes(), out);
    out.extend_from_slice(br#","version":2}"#);
}

/// A row's schema, open at its end for a `field`.
fn row_schema(row: &RowEncoder, topic: &str, options: &EnvelopeOptions, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"type":"struct","fields":["#);
    for (at, (name, schema)) in row.fields().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        schema.append_json(Some(name), out);
    }
    out.extend_from_slice(br#"],"optional":true,"name":"#);
    write_json_string(options.schema_names.schema(&format!("{topic}.Value")).as_bytes(), out);
}
