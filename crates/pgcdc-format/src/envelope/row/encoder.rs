//! Rows as JSON objects, for example `{"id":7,"v":"one"}`: the columns in the table's order, without those that are excluded or
//! of a type that Debezium leaves out.

use pgcdc_event::Relation;

use super::key::KeyParts;
use super::labels::Labels;
use super::plan::{ColumnPlan, Table};
use super::source::RowRef;
use crate::envelope::error::EncodeError;
use crate::envelope::options::{EnvelopeOptions, TablePlan};
use crate::pgoutput::TupleValue;
use crate::schema::Schema;
use crate::types::{Codec, ValueError};

/// A table's columns, compiled: writes rows as JSON objects and gathers the key's columns.
#[derive(Clone, Debug)]
pub(in crate::envelope) struct RowEncoder {
    /// `schema.table`, for errors.
    table: String,
    /// A plan for each column of the relation, also for those that records leave out: a row has a value for each.
    pub(super) columns: Vec<ColumnPlan>,
    /// How many columns the key has.
    pub(super) key_length: usize,
    /// The labels of the table's enum columns.
    labels: Labels,
}

/// A column's value on its way into a record.
#[derive(Clone, Copy)]
pub(super) struct Cell<'a> {
    /// The column.
    pub(super) plan: &'a ColumnPlan,
    /// The value as the server sent it.
    pub(super) value: TupleValue<'a>,
    /// Whether a snapshot read it: see [`RowRef::is_copied`].
    pub(super) copied: bool,
}

impl RowEncoder {
    /// Compiles a table's columns.
    pub(in crate::envelope) fn compile(
        relation: &Relation,
        plan: &TablePlan,
        options: &EnvelopeOptions,
    ) -> Self {
        // A type that rows leave out is left out of keys, too.
        let known = |at: &usize| {
            relation.columns.get(*at).is_some_and(|column| Codec::compile(column, &options.types).is_some())
        };
        let key: Vec<usize> = plan.key.iter().copied().filter(known).collect();
        let table = Table { relation, plan, options, key: &key };
        let mut first = true;
        let columns = relation.columns.iter().enumerate();
        let columns = columns.map(|(at, column)| ColumnPlan::compile(&table, at, column, &mut first));
        Self {
            table: relation.name.to_string(),
            columns: columns.collect(),
            key_length: key.len(),
            labels: Labels::of(relation),
        }
    }

    /// See [`RelationEncoder::unknown_label`](crate::envelope::RelationEncoder::unknown_label).
    pub(in crate::envelope) fn unknown_label(&self, row: RowRef<'_>) -> Option<u32> {
        self.labels.unknown(row)
    }

    /// See [`RelationEncoder::accept_labels`](crate::envelope::RelationEncoder::accept_labels).
    pub(in crate::envelope) fn accept_labels(&mut self, type_oid: u32, row: RowRef<'_>) {
        self.labels.accept(type_oid, row);
    }

    /// Whether the table has enum columns.
    pub(in crate::envelope) fn has_labels(&self) -> bool {
        !self.labels.is_empty()
    }

    /// How many columns the key has.
    pub(in crate::envelope) const fn key_length(&self) -> usize {
        self.key_length
    }

    /// Name and schema of each column of the value.
    pub(in crate::envelope) fn fields(&self) -> impl Iterator<Item = (&str, &Schema)> {
        self.columns
            .iter()
            .filter(|column| column.in_value)
            .filter_map(|column| Some((&*column.field, column.codec.as_ref()?.schema())))
    }

    /// Name and schema of a key's column by its position in the relation.
    pub(in crate::envelope) fn key_field(&self, at: usize) -> Option<(&str, &Schema)> {
        let column = self.columns.get(at)?;
        Some((&*column.field, column.in_key()?.schema()))
    }

    /// Name and schema of a column by its position in the relation.
    pub(in crate::envelope) fn field(&self, at: usize) -> Option<(&str, &Schema)> {
        let column = self.columns.get(at)?;
        Some((&*column.field, column.codec.as_ref()?.schema()))
    }

    /// A column's position in the relation, by its name in records.
    pub(in crate::envelope) fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| &*column.field == name && column.codec.is_some())
    }

    /// Appends the row as a JSON object and gathers its key columns.
    ///
    /// `fallback` is the old row, when the server sent all of it: unchanged TOAST values are taken from there. Without it such a
    /// value becomes `unavailable.value.placeholder`.
    ///
    /// # Errors
    /// When the row does not fit the relation, a value is malformed or binary, or a value cannot be converted and nothing may
    /// replace it. `out` may then hold a part of the row.
    pub(in crate::envelope) fn append(
        &self,
        row: RowRef<'_>,
        fallback: Option<RowRef<'_>>,
        out: &mut Vec<u8>,
        key: &mut KeyParts,
    ) -> Result<(), EncodeError> {
        out.push(b'{');
        self.append_fields(row, fallback, out, key)?;
        out.push(b'}');
        Ok(())
    }

    /// Gathers a row's key columns, without writing the row: to see whether an update changed the key.
    pub(in crate::envelope) fn gather_key(
        &self,
        row: RowRef<'_>,
        fallback: Option<RowRef<'_>>,
        key: &mut KeyParts,
    ) -> Result<(), EncodeError> {
        self.fits(row)?;
        key.reset(self.key_length);
        let copied = row.is_copied();
        for (plan, value) in self.columns.iter().zip(row.merged(fallback)) {
            let cell = Cell { plan, value: value?, copied };
            if let Some(slot) = plan.key_slot {
                key.put(slot, |bytes| self.append_cell(cell, plan.in_key(), bytes))?;
            }
        }
        Ok(())
    }

    /// Appends one column of a row; null stays null, even for a column with a default. `fallback` as in
    /// [`append`](Self::append).
    pub(in crate::envelope) fn append_column(
        &self,
        at: usize,
        row: RowRef<'_>,
        fallback: Option<RowRef<'_>>,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let value = row.merged(fallback).nth(at).transpose()?.unwrap_or(TupleValue::Null);
        match (self.columns.get(at), value) {
            (_, TupleValue::Null) => out.extend_from_slice(b"null"),
            (Some(plan), value) => {
                let cell = Cell { plan, value, copied: row.is_copied() };
                self.append_cell(cell, plan.codec.as_ref(), out)?;
            }
            (None, _) => {}
        }
        Ok(())
    }

    /// Checks that the row has as many columns as the relation.
    pub(super) fn fits(&self, row: RowRef<'_>) -> Result<(), EncodeError> {
        if row.len() == self.columns.len() {
            return Ok(());
        }
        Err(EncodeError::ColumnCount {
            table: self.table.clone(),
            expected: self.columns.len(),
            found: row.len(),
        })
    }

    /// Appends the object's members, without its braces.
    fn append_fields(
        &self,
        row: RowRef<'_>,
        fallback: Option<RowRef<'_>>,
        out: &mut Vec<u8>,
        key: &mut KeyParts,
    ) -> Result<(), EncodeError> {
        self.fits(row)?;
        key.reset(self.key_length);
        let copied = row.is_copied();
        for (plan, value) in self.columns.iter().zip(row.merged(fallback)) {
            let cell = Cell { plan, value: value?, copied };
            if let Some(slot) = plan.key_slot
                && (!plan.in_value || plan.key_codec.is_some())
            {
                key.put(slot, |bytes| self.append_cell(cell, plan.in_key(), bytes))?;
            }
            if !plan.in_value {
                continue;
            }
            out.extend_from_slice(&plan.fragment);
            let start = out.len();
            self.append_cell(cell, plan.codec.as_ref(), out)?;
            if let Some(slot) = plan.key_slot
                && plan.key_codec.is_none()
            {
                key.put_encoded(slot, &out[start..]);
            }
        }
        Ok(())
    }

    /// Appends a value as JSON. Without a codec nothing is appended: records leave the column's type out.
    #[inline]
    pub(super) fn append_cell(
        &self,
        cell: Cell<'_>,
        codec: Option<&Codec>,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let Some(codec) = codec else { return Ok(()) };
        match cell.value {
            TupleValue::Text(text) => {
                let appended =
                    if cell.copied { codec.append_snapshot(text, out) } else { codec.append(text, out) };
                appended.map_err(|source| self.refused(cell.plan, source))?;
            }
            TupleValue::Null => codec.append_null(out),
            TupleValue::Unchanged => codec.append_unavailable(out),
            TupleValue::Binary(_) => return Err(self.binary(cell.plan)),
        }
        Ok(())
    }

    /// The error of a value that cannot be written.
    #[cold]
    pub(super) fn refused(&self, plan: &ColumnPlan, source: ValueError) -> EncodeError {
        EncodeError::Value { table: self.table.clone(), column: plan.name.to_string(), source }
    }

    /// The error of a value that the server sent in binary.
    #[cold]
    pub(super) fn binary(&self, plan: &ColumnPlan) -> EncodeError {
        EncodeError::Binary { table: self.table.clone(), column: plan.name.to_string() }
    }
}
