//! The Avro side of a table: which halves are Avro, and which of them can be written without JSON.

use pgcdc_event::TableName;

use super::direct::{Direct, Fields};
use super::half::{AvroHalf, AvroHalves};
use crate::avro::{AvroError, AvroOptions};
use crate::envelope::options::EnvelopeOptions;
use crate::envelope::row::RowEncoder;
use crate::schema::Kind;

/// The Avro side of a table's encoder.
#[derive(Clone, Debug)]
pub(in crate::envelope) struct AvroTable {
    /// Keys; `None` when they are JSON, or the table has none.
    pub(in crate::envelope) key: Option<AvroHalf>,
    /// Values; `None` when they are JSON.
    pub(in crate::envelope) value: Option<AvroHalf>,
    /// Writes values straight from rows, where the value is a plain envelope.
    pub(in crate::envelope) direct: Option<Direct>,
    /// Whether the key columns that are gathered while a row is written are Avro already, and make the whole key.
    pub(in crate::envelope) direct_key: bool,
}

/// The texts before the payloads of a table's records in JSON. The schemas are in them: that is where Avro's are taken from.
pub(in crate::envelope) struct Heads<'a> {
    /// The text before a key's payload; `None` for a table without a key.
    pub(in crate::envelope) key: Option<&'a [u8]>,
    /// The text before a value's payload.
    pub(in crate::envelope) value: &'a [u8],
}

impl AvroTable {
    /// Compiles the halves that are Avro. `heads` must be of the JSON form with schemas.
    pub(in crate::envelope) fn compile(
        row: &RowEncoder,
        table: &TableName,
        heads: &Heads<'_>,
        options: &EnvelopeOptions,
        halves: &AvroHalves,
    ) -> Result<Self, AvroError> {
        let half = |head: Option<&[u8]>, options: &Option<AvroOptions>| match (head, options) {
            (Some(head), Some(options)) => AvroHalf::of_head(head, options).map(Some),
            _ => Ok(None),
        };
        let key = half(heads.key, &halves.key)?;
        let value = half(Some(heads.value), &halves.value)?;
        // A key with a field that is no column of the row is written as JSON first.
        let key_fields = key.as_ref().and_then(|key| match &key.converter().schema().kind {
            Kind::Struct(fields) if fields.len() == row.key_length() => Some(&fields[..]),
            _ => None,
        });
        let fields = Fields { value: value.as_ref().map(|half| half.converter().schema()), key: key_fields };
        let direct = Direct::compile(row, table, &fields, options, halves);
        let direct_key = direct.is_some() && key_fields.is_some();
        Ok(Self { direct_key, direct, key, value })
    }
}
