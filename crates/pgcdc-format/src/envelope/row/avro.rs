//! Rows in Avro's binary form: the fields of a struct, one after the other, each by its [`AvroCodec`].

use super::encoder::{Cell, RowEncoder};
use super::key::KeyParts;
use super::plan::ColumnPlan;
use super::source::RowRef;
use crate::envelope::error::EncodeError;
use crate::pgoutput::TupleValue;
use crate::schema::{Kind, Schema};
use crate::types::{AvroCodec, Codec};

/// The Avro side of a [`RowEncoder`]: a codec for each of its columns.
#[derive(Clone, Debug)]
pub(in crate::envelope) struct AvroRow {
    columns: Vec<AvroColumn>,
}

/// A column's codecs for the value and the key.
#[derive(Clone, Debug)]
struct AvroColumn {
    /// Writes the column in the value; `None` when the value does not have it.
    codec: Option<AvroCodec>,
    /// How the column is written in the key.
    key: KeyForm,
}

/// Where the bytes of a column in the key come from.
#[derive(Clone, Debug)]
enum KeyForm {
    /// The column is in no key.
    None,
    /// From the value, where the column has the same bytes.
    Same,
    /// From a codec of the key's own, since the value does not have the column, or has it in another form.
    Avro(AvroCodec),
    /// From the JSON codec, since the key is JSON.
    Json,
}

impl AvroRow {
    /// Compiles rows of `schema`, the schema of the value's `after`. `None` when the row's columns do not have that schema.
    /// `key` holds the key's fields in the key's order, where keys are Avro, too. `replace_null` is
    /// `replace.null.with.default` of values and of keys.
    pub(in crate::envelope) fn compile(
        row: &RowEncoder,
        schema: &Schema,
        key: Option<&[(Box<str>, Schema)]>,
        replace_null: (bool, bool),
    ) -> Option<Self> {
        let Kind::Struct(fields) = &schema.kind else { return None };
        if !row.fields().map(|(_, schema)| schema).eq_by_shape(fields.iter().map(|(_, schema)| schema)) {
            return None;
        }
        let columns = row.columns.iter().map(|plan| AvroColumn::compile(plan, key, replace_null));
        Some(Self { columns: columns.collect::<Option<_>>()? })
    }

    /// Appends a row's fields and gathers its key's, as [`RowEncoder::append`] does in JSON.
    ///
    /// # Errors
    /// Those of [`RowEncoder::append`], and a null or a placeholder that the column's schema does not allow.
    pub(in crate::envelope) fn append(
        &self,
        rows: &RowEncoder,
        row: RowRef<'_>,
        fallback: Option<RowRef<'_>>,
        out: &mut Vec<u8>,
        key: &mut KeyParts,
    ) -> Result<(), EncodeError> {
        rows.fits(row)?;
        key.reset(rows.key_length);
        let copied = row.is_copied();
        for ((plan, avro), value) in rows.columns.iter().zip(&self.columns).zip(row.merged(fallback)) {
            let cell = Cell { plan, value: value?, copied };
            let start = out.len();
            if plan.in_value
                && let (Some(codec), Some(avro)) = (&plan.codec, &avro.codec)
            {
                append_cell(rows, cell, codec, avro, out)?;
            }
            let Some(slot) = plan.key_slot else { continue };
            match &avro.key {
                KeyForm::None => {}
                KeyForm::Same => key.put_encoded(slot, &out[start..]),
                KeyForm::Avro(avro) => key.put(slot, |bytes| match plan.in_key() {
                    Some(codec) => append_cell(rows, cell, codec, avro, bytes),
                    None => Ok(()),
                })?,
                KeyForm::Json => key.put(slot, |bytes| rows.append_cell(cell, plan.in_key(), bytes))?,
            }
        }
        Ok(())
    }
}

impl AvroColumn {
    fn compile(
        plan: &ColumnPlan,
        key: Option<&[(Box<str>, Schema)]>,
        (replace_null, replace_null_in_key): (bool, bool),
    ) -> Option<Self> {
        let codec = plan
            .codec
            .as_ref()
            .filter(|_| plan.in_value)
            .map(|codec| AvroCodec::compile(codec, replace_null));
        let key = match (plan.key_slot, key) {
            (None, _) => KeyForm::None,
            (Some(_), None) => KeyForm::Json,
            (Some(slot), Some(fields)) => {
                let own = plan.in_key()?;
                if !same_shape(&fields.get(slot)?.1, own.schema()) {
                    return None;
                }
                let same = plan.in_value && plan.key_codec.is_none() && replace_null == replace_null_in_key;
                if same { KeyForm::Same } else { KeyForm::Avro(AvroCodec::compile(own, replace_null_in_key)) }
            }
        };
        Some(Self { codec, key })
    }
}

/// Appends one column's value.
#[inline]
fn append_cell(
    rows: &RowEncoder,
    cell: Cell<'_>,
    codec: &Codec,
    avro: &AvroCodec,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let appended = match cell.value {
        TupleValue::Text(text) => avro.append(codec, text, cell.copied, out),
        TupleValue::Null => avro.append_null(codec, out),
        TupleValue::Unchanged => avro.append_unavailable(codec, out),
        TupleValue::Binary(_) => return Err(rows.binary(cell.plan)),
    };
    appended.map_err(|source| rows.refused(cell.plan, source))
}

/// Compares two lists of schemas by [`same_shape`].
trait ByShape<'a>: Iterator<Item = &'a Schema> + Sized {
    fn eq_by_shape(mut self, mut other: impl Iterator<Item = &'a Schema>) -> bool {
        loop {
            match (self.next(), other.next()) {
                (None, None) => return true,
                (Some(a), Some(b)) if same_shape(a, b) => {}
                _ => return false,
            }
        }
    }
}

impl<'a, I: Iterator<Item = &'a Schema>> ByShape<'a> for I {}

/// Whether each value of schema `a` has the same bytes under schema `b`: names and documentation do not matter, but whether
/// null is allowed and whether there is a default do.
fn same_shape(a: &Schema, b: &Schema) -> bool {
    a.optional == b.optional
        && a.default.is_some() == b.default.is_some()
        && match (&a.kind, &b.kind) {
            (Kind::Array(a), Kind::Array(b)) => same_shape(a, b),
            (Kind::Map(a, of_a), Kind::Map(b, of_b)) => same_shape(a, b) && same_shape(of_a, of_b),
            (Kind::Struct(a), Kind::Struct(b)) => {
                a.iter().map(|(_, schema)| schema).eq_by_shape(b.iter().map(|(_, schema)| schema))
            }
            (a, b) => a == b,
        }
}
