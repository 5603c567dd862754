mod avro;

use pgcdc_event::{Column, Relation, TypeKind};

use super::{EncodeError, EnvelopeOptions, TablePlan};
use crate::pgoutput::{DecodeError, Tuple, TupleValue};
use crate::schema::Schema;
use crate::types::{Codec, write_json_string};

pub(super) use avro::AvroRow;

/// A row, wherever it comes from.
#[derive(Clone, Copy, Debug)]
pub enum RowRef<'a> {
    /// From the replication stream.
    Wire(Tuple<'a>),
    /// From a snapshot's COPY: ranges into a line; `None` is NULL.
    Copied {
        /// The line, escapes resolved.
        line: &'a [u8],
        /// The columns.
        columns: &'a [Option<(usize, usize)>],
    },
}

impl<'a> RowRef<'a> {
    fn len(&self) -> usize {
        match self {
            Self::Wire(tuple) => tuple.len(),
            Self::Copied { columns, .. } => columns.len(),
        }
    }

    fn values(self) -> RowValues<'a> {
        match self {
            Self::Wire(tuple) => RowValues::Wire(tuple.values()),
            Self::Copied { line, columns } => RowValues::Copied { line, columns: columns.iter() },
        }
    }
}

enum RowValues<'a> {
    Wire(crate::pgoutput::Values<'a>),
    Copied { line: &'a [u8], columns: std::slice::Iter<'a, Option<(usize, usize)>> },
}

impl<'a> Iterator for RowValues<'a> {
    type Item = Result<TupleValue<'a>, DecodeError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Wire(values) => values.next(),
            Self::Copied { line, columns } => Some(Ok(match columns.next()? {
                None => TupleValue::Null,
                Some((from, to)) => TupleValue::Text(&line[*from..*to]),
            })),
        }
    }
}

/// The compiled form of a table's columns.
#[derive(Clone, Debug)]
pub(super) struct RowEncoder {
    table: String,
    columns: Vec<ColumnPlan>,
    key_length: usize,
    /// The enum columns, in the order of the row.
    labels: Vec<Labels>,
}

/// What is known of an enum column's type.
#[derive(Clone, Debug)]
struct Labels {
    at: usize,
    type_oid: u32,
    known: Vec<Box<str>>,
}

#[derive(Clone, Debug)]
struct ColumnPlan {
    /// In the database.
    name: Box<str>,
    /// In records.
    field: Box<str>,
    /// `,"name":`, without the comma for the first.
    fragment: Box<[u8]>,
    codec: Option<Codec>,
    /// Where a key has the value otherwise than the row: by its converter, or since it is not shaped.
    key_codec: Option<Codec>,
    in_value: bool,
    /// Position in the key.
    key_slot: Option<usize>,
}

/// The JSON of a row's key columns, gathered while the row is written.
#[derive(Clone, Debug, Default)]
pub(super) struct KeyParts {
    bytes: Vec<u8>,
    spans: Vec<(usize, usize)>,
}

impl RowEncoder {
    /// Compiles a table's columns under its plan.
    pub(super) fn compile(relation: &Relation, plan: &TablePlan, options: &EnvelopeOptions) -> Self {
        let mut first = true;
        let mut labels = Vec::new();
        // A type that is left out of rows is left out of keys, too.
        let known = |at: &usize| {
            relation.columns.get(*at).is_some_and(|column| Codec::compile(column, &options.types).is_some())
        };
        let key: Vec<usize> = plan.key.iter().copied().filter(known).collect();
        // A snapshot that would read no column at all reads all of them.
        let reads_all = !plan.snapshot || !plan.included.iter().any(|included| *included);
        let columns = relation
            .columns
            .iter()
            .enumerate()
            .map(|(at, column)| {
                let included = plan.included.get(at).copied().unwrap_or(true);
                let shaping = plan.shaping.get(at).and_then(Option::as_deref);
                let key_slot = key.iter().position(|&k| k == at);
                let mut codec = Codec::compile_shaped(column, &options.types, shaping, plan.snapshot);
                let in_value = codec.is_some() && included;
                if in_value {
                    let failures = options.failures.column(&relation.name.to_string(), &column.name);
                    codec = codec.map(|codec| codec.counted(failures));
                }
                // Two keys that both were null would be one.
                if options.null_where_required && key_slot.is_none() {
                    codec = codec.map(Codec::null_where_required);
                }
                let field = options.field_names.field(&column.name);
                let mut fragment = Vec::new();
                if in_value {
                    if !std::mem::take(&mut first) {
                        fragment.push(b',');
                    }
                    write_json_string(field.as_bytes(), &mut fragment);
                    fragment.push(b':');
                }
                let otherwise = options.key_types != options.types || shaping.is_some() || !included;
                let key_codec = (key_slot.is_some() && otherwise)
                    .then(|| {
                        // A column that the filter leaves out is not read by a snapshot, and of the stream's Debezium
                        // then knows nothing but the type.
                        let bare = Column { not_null: false, default: None, comment: None, ..column.clone() };
                        let known = included || plan.snapshot;
                        let codec = Codec::compile(if known { column } else { &bare }, &options.key_types);
                        if included || reads_all { codec } else { codec.map(Codec::unread) }
                    })
                    .flatten();
                if let TypeKind::Enum(known) = &column.pg_type.kind {
                    labels.push(Labels { at, type_oid: column.pg_type.oid, known: known.clone() });
                }
                ColumnPlan {
                    name: column.name.clone(),
                    field: field.into(),
                    fragment: fragment.into(),
                    codec,
                    key_codec,
                    in_value,
                    key_slot,
                }
            })
            .collect();
        Self { table: relation.name.to_string(), columns, key_length: key.len(), labels }
    }

    /// See [`RelationEncoder::unknown_label`](super::RelationEncoder::unknown_label).
    pub(super) fn unknown_label(&self, row: RowRef<'_>) -> Option<u32> {
        let mut values = row.values();
        let mut next = 0;
        for labels in &self.labels {
            let value = values.nth(labels.at - next)?.ok()?;
            next = labels.at + 1;
            if let TupleValue::Text(text) = value
                && !labels.known.iter().any(|label| label.as_bytes() == text)
            {
                return Some(labels.type_oid);
            }
        }
        None
    }

    /// See [`RelationEncoder::accept_labels`](super::RelationEncoder::accept_labels).
    pub(super) fn accept_labels(&mut self, type_oid: u32, row: RowRef<'_>) {
        let mut values = row.values();
        let mut next = 0;
        for labels in &mut self.labels {
            let Some(Ok(value)) = values.nth(labels.at - next) else { return };
            next = labels.at + 1;
            if labels.type_oid == type_oid
                && let TupleValue::Text(text) = value
                && let Ok(text) = std::str::from_utf8(text)
                && !labels.known.iter().any(|label| &**label == text)
            {
                labels.known.push(text.into());
            }
        }
    }

    pub(super) fn has_labels(&self) -> bool {
        !self.labels.is_empty()
    }

    /// How many columns the key has.
    pub(super) const fn key_length(&self) -> usize {
        self.key_length
    }

    /// Name and schema of each column of the value.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&str, &Schema)> {
        self.columns
            .iter()
            .filter(|column| column.in_value)
            .filter_map(|column| Some((&*column.field, column.codec.as_ref()?.schema())))
    }

    /// Name and schema of a key's column by its position in the relation.
    pub(super) fn key_field(&self, at: usize) -> Option<(&str, &Schema)> {
        let column = self.columns.get(at)?;
        Some((&*column.field, column.in_key()?.schema()))
    }

    /// Name and schema of a column by its position in the relation.
    pub(super) fn field(&self, at: usize) -> Option<(&str, &Schema)> {
        let column = self.columns.get(at)?;
        Some((&*column.field, column.codec.as_ref()?.schema()))
    }

    /// Position of a column by name.
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| &*column.field == name && column.codec.is_some())
    }

    /// Appends the row as a JSON object and gathers its key columns.
    ///
    /// `fallback` is the old row, when it was sent whole: unchanged TOAST values are taken from it.
    pub(super) fn append(
        &self,
        row: RowRef<'_>,
        fallback: Option<RowRef<'_>>,
        out: &mut Vec<u8>,
        key: &mut KeyParts,
    ) -> Result<(), EncodeError> {
        out.push(b'{');
        self.visit(row, fallback, key, out)?;
        out.push(b'}');
        Ok(())
    }

    /// Gathers a row's key columns alone.
    pub(super) fn gather_key(
        &self,
        row: RowRef<'_>,
        fallback: Option<RowRef<'_>>,
        key: &mut KeyParts,
    ) -> Result<(), EncodeError> {
        self.fits(row)?;
        key.reset(self.key_length);
        let copied = matches!(row, RowRef::Copied { .. });
        for (plan, value) in self.columns.iter().zip(merged(row, fallback)) {
            let value = value?;
            if let Some(slot) = plan.key_slot {
                key.put(slot, |bytes| self.append_value(plan, plan.in_key(), value, copied, bytes))?;
            }
        }
        Ok(())
    }

    /// Appends one column of a row; null is null, whatever its default.
    pub(super) fn append_column(
        &self,
        at: usize,
        row: RowRef<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let value = row.values().nth(at).transpose()?.unwrap_or(TupleValue::Null);
        match (self.columns.get(at), value) {
            (_, TupleValue::Null) => out.extend_from_slice(b"null"),
            (Some(plan), value) => {
                let copied = matches!(row, RowRef::Copied { .. });
                self.append_value(plan, plan.codec.as_ref(), value, copied, out)?;
            }
            (None, _) => {}
        }
        Ok(())
    }

    fn fits(&self, row: RowRef<'_>) -> Result<(), EncodeError> {
        if row.len() == self.columns.len() {
            return Ok(());
        }
        Err(EncodeError::ColumnCount {
            table: self.table.clone(),
            expected: self.columns.len(),
            found: row.len(),
        })
    }

    fn visit(
        &self,
        row: RowRef<'_>,
        fallback: Option<RowRef<'_>>,
        key: &mut KeyParts,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        self.fits(row)?;
        key.reset(self.key_length);
        let copied = matches!(row, RowRef::Copied { .. });
        for (plan, value) in self.columns.iter().zip(merged(row, fallback)) {
            let value = value?;
            if let Some(slot) = plan.key_slot
                && (!plan.in_value || plan.key_codec.is_some())
            {
                key.put(slot, |bytes| self.append_value(plan, plan.in_key(), value, copied, bytes))?;
            }
            if !plan.in_value {
                continue;
            }
            out.extend_from_slice(&plan.fragment);
            let start = out.len();
            self.append_value(plan, plan.codec.as_ref(), value, copied, out)?;
            if let Some(slot) = plan.key_slot
                && plan.key_codec.is_none()
            {
                key.put(slot, |bytes| {
                    bytes.extend_from_slice(&out[start..]);
                    Ok(())
                })?;
            }
        }
        Ok(())
    }

    #[inline]
    fn append_value(
        &self,
        plan: &ColumnPlan,
        codec: Option<&Codec>,
        value: TupleValue<'_>,
        copied: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let Some(codec) = codec else { return Ok(()) };
        match value {
            TupleValue::Text(text) => {
                // Debezium reads snapshots by JDBC, which tells some dates otherwise.
                let appended =
                    if copied { codec.append_snapshot(text, out) } else { codec.append(text, out) };
                appended.map_err(|source| EncodeError::Value {
                    table: self.table.clone(),
                    column: plan.name.to_string(),
                    source,
                })?;
            }
            TupleValue::Null => codec.append_null(out),
            TupleValue::Unchanged => codec.append_unavailable(out),
            TupleValue::Binary(_) => {
                return Err(EncodeError::Binary { table: self.table.clone(), column: plan.name.to_string() });
            }
        }
        Ok(())
    }
}

impl ColumnPlan {
    /// The codec that writes the column in a key.
    fn in_key(&self) -> Option<&Codec> {
        self.key_codec.as_ref().or(self.codec.as_ref())
    }
}

/// A row's values, with those that were not sent taken from the old row, where that was sent whole.
fn merged<'a>(
    row: RowRef<'a>,
    fallback: Option<RowRef<'a>>,
) -> impl Iterator<Item = Result<TupleValue<'a>, DecodeError>> {
    let mut old = fallback.map(RowRef::values);
    row.values().map(move |value| {
        let before = old.as_mut().and_then(Iterator::next).transpose()?;
        match (value?, before) {
            (TupleValue::Unchanged, Some(before)) => Ok(before),
            (value, _) => Ok(value),
        }
    })
}

impl KeyParts {
    fn reset(&mut self, length: usize) {
        self.bytes.clear();
        self.spans.clear();
        self.spans.resize(length, (0, 0));
    }

    fn put(
        &mut self,
        slot: usize,
        append: impl FnOnce(&mut Vec<u8>) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        let start = self.bytes.len();
        append(&mut self.bytes)?;
        self.spans[slot] = (start, self.bytes.len());
        Ok(())
    }

    /// The JSON of the key's columns, in the key's order.
    pub(super) fn values(&self) -> impl Iterator<Item = &[u8]> {
        self.spans.iter().map(|&(from, to)| &self.bytes[from..to])
    }

    /// Whether two rows have the same key.
    pub(super) fn same(&self, other: &Self) -> bool {
        self.values().eq(other.values())
    }
}
