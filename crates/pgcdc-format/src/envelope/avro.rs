//! A table's records in Avro, in Confluent's wire format: a zero, the schema's number in four bytes, the value in binary.
//!
//! The schemas are those of the JSON form, read back, so that there is one place that knows them. A plain envelope and its
//! key are then written straight from the row; any other form (flattened, say) goes through its JSON.

use std::ops::Range;

use pgcdc_event::{Operation, RecordBatch, Snapshot, TableName};

use super::encoder::RelationEncoder;
use super::row::{AvroRow, KeyParts};
use super::source::DEBEZIUM_VERSION;
use super::transaction::append_id;
use super::{Context, EncodeError, EnvelopeOptions, RowRef, TablePlan};
use crate::avro::{AvroError, AvroOptions, Converter, put_bytes, put_long};
use crate::schema::{Kind, Schema};

/// Which half of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// The key.
    Key,
    /// The value.
    Value,
}

/// Which halves are Avro, and how.
#[derive(Clone, Copy, Debug, Default)]
pub struct AvroHalves {
    /// Keys, when their converter is Avro's.
    pub key: Option<AvroOptions>,
    /// Values, when their converter is Avro's.
    pub value: Option<AvroOptions>,
}

impl AvroHalves {
    /// Whether any is.
    #[must_use]
    pub const fn any(&self) -> bool {
        self.key.is_some() || self.value.is_some()
    }
}

/// A half of a table's records in Avro.
#[derive(Clone, Debug)]
pub(super) struct AvroHalf {
    converter: Converter,
    /// What stands before the value.
    head: [u8; 5],
}

impl AvroHalf {
    /// Of the text that stands before a JSON payload with its schema: `{"schema":…,"payload":…`.
    pub(super) fn of_head(head: &[u8], options: &AvroOptions) -> Result<Self, AvroError> {
        const OPEN: &[u8] = br#"{"schema":"#;
        let text = head.strip_prefix(OPEN).ok_or(AvroError::Schema("there is none"))?;
        let mut schemas = serde_json::Deserializer::from_slice(text).into_iter::<serde_json::Value>();
        let json = schemas.next().and_then(Result::ok).ok_or(AvroError::Schema("it is not JSON"))?;
        let converter = Converter::new(crate::avro::read_schema(&json)?, options)?;
        Ok(Self { converter, head: [0; 5] })
    }

    /// Of a schema in Connect's JSON form.
    pub(super) fn of_schema(schema: &[u8], options: &AvroOptions) -> Result<Self, AvroError> {
        Ok(Self { converter: Converter::of_json(schema, options)?, head: [0; 5] })
    }

    pub(super) fn converter(&self) -> &Converter {
        &self.converter
    }

    #[inline]
    pub(super) fn head(&self) -> &[u8] {
        &self.head
    }

    pub(super) fn number(&mut self, id: u32) {
        self.head[1..].copy_from_slice(&id.to_be_bytes());
    }

    /// Puts Avro in the place of a JSON payload that stands at the buffer's end; `None` for null.
    pub(super) fn replace(
        &self,
        json: Range<usize>,
        batch: &mut RecordBatch,
    ) -> Result<Option<Range<usize>>, AvroError> {
        let payload = batch.buffer().split_off(json.start);
        let out = batch.buffer();
        out.extend_from_slice(&self.head);
        if !self.converter.append(&payload, out)? {
            out.truncate(json.start);
            return Ok(None);
        }
        Ok(Some(json.start..batch.position()))
    }
}

/// The Avro side of a table's encoder.
#[derive(Clone, Debug)]
pub(super) struct AvroTable {
    pub(super) key: Option<AvroHalf>,
    pub(super) value: Option<AvroHalf>,
    /// Where the value is a plain envelope.
    pub(super) direct: Option<Direct>,
    /// Whether the gathered parts of a key are Avro already, and all there is to it.
    pub(super) direct_key: bool,
}

/// An envelope that is written straight from rows.
#[derive(Clone, Debug)]
pub(super) struct Direct {
    row: AvroRow,
    /// `source` up to `ts_ms`; `db`; `schema` and `table`.
    source: [Vec<u8>; 3],
    /// `source.snapshot` while streaming.
    streamed: &'static [u8],
}

/// The fields of an envelope that [`Direct`] writes, in order.
const ENVELOPE: [&str; 8] = ["before", "after", "source", "transaction", "op", "ts_ms", "ts_us", "ts_ns"];
const SOURCE: [&str; 16] = [
    "version",
    "connector",
    "name",
    "ts_ms",
    "snapshot",
    "db",
    "sequence",
    "ts_us",
    "ts_ns",
    "schema",
    "table",
    "txId",
    "lsn",
    "xmin",
    "origin",
    "origin_lsn",
];

impl AvroTable {
    pub(super) fn compile(
        encoder: &RelationEncoder,
        plan: &TablePlan,
        options: &EnvelopeOptions,
        halves: &AvroHalves,
    ) -> Result<Self, AvroError> {
        let schemaful = EnvelopeOptions { key_schemas: true, value_schemas: true, ..options.clone() };
        let full = RelationEncoder::compile(encoder.relation().clone(), plan, &schemaful);
        let half = |head: Option<&[u8]>, options: &Option<AvroOptions>| match (head, options) {
            (Some(head), Some(options)) => AvroHalf::of_head(head, options).map(Some),
            _ => Ok(None),
        };
        let key = half(full.key_head(), &halves.key)?;
        let value = half(Some(full.value_head()), &halves.value)?;
        // Whatever stands in the key beyond the row's columns is written as JSON.
        let key_fields = key.as_ref().and_then(|key| match &key.converter().schema().kind {
            Kind::Struct(fields) if fields.len() == encoder.row().key_length() => Some(&fields[..]),
            _ => None,
        });
        let direct =
            value.as_ref().and_then(|value| Direct::compile(encoder, value, key_fields, options, halves));
        let direct_key = direct.is_some() && key_fields.is_some();
        Ok(Self { direct_key, direct, key, value })
    }
}

impl Direct {
    fn compile(
        encoder: &RelationEncoder,
        value: &AvroHalf,
        key_fields: Option<&[(Box<str>, Schema)]>,
        options: &EnvelopeOptions,
        halves: &AvroHalves,
    ) -> Option<Self> {
        let schema = value.converter().schema();
        let fields = named(schema, &ENVELOPE)?;
        named(&fields.get(2)?.1, &SOURCE)?;
        let replace =
            |options: &Option<AvroOptions>| options.is_none_or(|options| options.replace_null_with_default);
        let replace_null = replace(&halves.value);
        let row = AvroRow::compile(
            encoder.row(),
            &fields.get(1)?.1,
            key_fields,
            (replace_null, replace(&halves.key)),
        )?;
        let TableName { schema, table } = &encoder.relation().name;
        let strings = |texts: &[&str]| {
            let mut out = Vec::new();
            texts.iter().for_each(|text| put_bytes(text.as_bytes(), &mut out));
            out
        };
        Some(Self {
            row,
            source: [
                strings(&[DEBEZIUM_VERSION, "postgresql", &options.topic_prefix]),
                strings(&[&options.database]),
                strings(&[schema, table]),
            ],
            // Its default stands first in the union.
            streamed: if replace_null { b"\0\x0afalse" } else { b"\x02" },
        })
    }

    /// Appends an envelope.
    #[expect(clippy::too_many_arguments, reason = "the parts of a change")]
    pub(super) fn append(
        &self,
        encoder: &RelationEncoder,
        operation: Operation,
        before: Option<RowRef<'_>>,
        after: Option<RowRef<'_>>,
        fallback: Option<RowRef<'_>>,
        context: &Context<'_>,
        out: &mut Vec<u8>,
        key: &mut KeyParts,
    ) -> Result<(), EncodeError> {
        match before {
            None => out.push(0),
            Some(row) => {
                out.push(2);
                self.row.append(encoder.row(), row, None, out, key)?;
            }
        }
        match after {
            None => out.push(0),
            Some(row) => {
                out.push(2);
                self.row.append(encoder.row(), row, fallback, out, key)?;
            }
        }
        self.append_source(context, out);
        match context.ordinal {
            None => out.push(0),
            Some(ordinal) => {
                let mut id = Vec::with_capacity(32);
                append_id(context.xid, context.lsn, &mut id);
                out.push(2);
                put_bytes(&id, out);
                for number in [ordinal.total, ordinal.of_table] {
                    put_long(i64::try_from(number).unwrap_or(i64::MAX), out);
                }
            }
        }
        // The operation's letter is a string of one byte.
        out.extend_from_slice(&[2, operation.letter() as u8]);
        for time in [context.now_ns / 1_000_000, context.now_ns / 1000, context.now_ns] {
            optional(time, out);
        }
        Ok(())
    }

    fn append_source(&self, context: &Context<'_>, out: &mut Vec<u8>) {
        let [head, database, table] = &self.source;
        let us = context.timestamp_us;
        out.extend_from_slice(head);
        put_long(us.div_euclid(1000), out);
        if context.snapshot == Snapshot::False {
            out.extend_from_slice(self.streamed);
        } else {
            out.push(0);
            put_bytes(context.snapshot.as_str().as_bytes(), out);
        }
        out.extend_from_slice(database);
        append_sequence(context, out);
        optional(us, out);
        optional(us.saturating_mul(1000), out);
        out.extend_from_slice(table);
        match context.xid {
            None => out.push(0),
            Some(xid) => optional(xid.into(), out),
        }
        optional(context.lsn.as_u64() as i64, out);
        match context.xmin {
            None => out.push(0),
            Some(xmin) => optional(xmin.into(), out),
        }
        match context.origin {
            None => out.extend_from_slice(&[0, 0]),
            Some((name, lsn)) => {
                out.push(2);
                put_bytes(name.as_bytes(), out);
                optional(lsn.as_u64() as i64, out);
            }
        }
    }
}

/// `["last commit","lsn"]`: a string of at most 47 bytes.
fn append_sequence(context: &Context<'_>, out: &mut Vec<u8>) {
    let mut digits = itoa::Buffer::new();
    out.push(2);
    let at = out.len();
    out.extend_from_slice(b"\0[");
    match context.last_commit {
        None => out.extend_from_slice(b"null,\""),
        Some(lsn) => {
            out.push(b'"');
            out.extend_from_slice(digits.format(lsn.as_u64()).as_bytes());
            out.extend_from_slice(b"\",\"");
        }
    }
    out.extend_from_slice(digits.format(context.lsn.as_u64()).as_bytes());
    out.extend_from_slice(b"\"]");
    out[at] = ((out.len() - at - 1) << 1) as u8;
}

/// A long of a union whose first branch is null.
fn optional(value: i64, out: &mut Vec<u8>) {
    out.push(2);
    put_long(value, out);
}

/// A struct's fields, when they have these names.
fn named<'a>(schema: &'a Schema, names: &[&str]) -> Option<&'a [(Box<str>, Schema)]> {
    match &schema.kind {
        Kind::Struct(fields) if fields.iter().map(|(name, _)| &**name).eq(names.iter().copied()) => {
            Some(fields)
        }
        _ => None,
    }
}
