//! Envelopes in Avro, written straight from rows: the way of nearly all records of a connector with Avro.
//!
//! The fields come in the order of the schema that `envelope/schemas.rs` renders, each in the form that `avro/mod.rs` lists.
//! An optional field begins with its branch: 0 for null and 2 for a value, except that `source.snapshot` has a default and
//! its branches are the other way round.

use pgcdc_event::{Snapshot, TableName};

use super::half::AvroHalves;
use crate::avro::{AvroOptions, put_bytes, put_long};
use crate::envelope::change::ChangeParts;
use crate::envelope::context::Context;
use crate::envelope::error::EncodeError;
use crate::envelope::options::EnvelopeOptions;
use crate::envelope::row::{AvroRow, KeyParts, RowEncoder};
use crate::envelope::source::DEBEZIUM_VERSION;
use crate::envelope::transaction_block::append_id;
use crate::schema::{Kind, Schema};

/// Writes a table's envelopes straight from rows.
#[derive(Clone, Debug)]
pub(in crate::envelope) struct Direct {
    /// Writes `before` and `after`.
    row: AvroRow,
    /// The constant strings of `source`, encoded: the three before `ts_ms`; `db`; `schema` and `table`.
    source: [Vec<u8>; 3],
    /// `source.snapshot` while streaming, encoded: the default, or null with `ignore.default.for.nullables`.
    streamed: &'static [u8],
}

/// The fields of an envelope that [`Direct`] writes, in order. A schema with other fields goes through JSON.
const ENVELOPE: [&str; 8] = ["before", "after", "source", "transaction", "op", "ts_ms", "ts_us", "ts_ns"];
/// The fields of an envelope's `source` block, in order.
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

/// The Connect schemas of those halves of a table's records that are Avro.
pub(super) struct Fields<'a> {
    /// The value's schema.
    pub(super) value: Option<&'a Schema>,
    /// The key's fields in the key's order, when each is a column of the row.
    pub(super) key: Option<&'a [(Box<str>, Schema)]>,
}

impl Direct {
    /// Compiles a table's values; `None` when they are not plain envelopes, or not Avro.
    pub(super) fn compile(
        rows: &RowEncoder,
        name: &TableName,
        fields: &Fields<'_>,
        options: &EnvelopeOptions,
        halves: &AvroHalves,
    ) -> Option<Self> {
        let envelope = named(fields.value?, &ENVELOPE)?;
        named(&envelope.get(2)?.1, &SOURCE)?;
        let replace =
            |options: &Option<AvroOptions>| options.is_none_or(|options| options.replace_null_with_default);
        let replace_null = replace(&halves.value);
        let row =
            AvroRow::compile(rows, &envelope.get(1)?.1, fields.key, (replace_null, replace(&halves.key)))?;
        let TableName { schema, table } = name;
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
            // The default's branch stands first in the union.
            streamed: if replace_null { b"\0\x0afalse" } else { b"\x02" },
        })
    }

    /// Appends an envelope and gathers its key.
    pub(in crate::envelope) fn append(
        &self,
        rows: &RowEncoder,
        parts: &ChangeParts<'_>,
        out: &mut Vec<u8>,
        key: &mut KeyParts,
    ) -> Result<(), EncodeError> {
        let context = parts.context;
        match parts.before {
            None => out.push(0),
            Some(row) => {
                out.push(2);
                self.row.append(rows, row, None, out, key)?;
            }
        }
        match parts.after {
            None => out.push(0),
            Some(row) => {
                out.push(2);
                self.row.append(rows, row, parts.fallback, out, key)?;
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
        out.extend_from_slice(&[2, parts.operation.letter() as u8]);
        for time in [context.now_ns / 1_000_000, context.now_ns / 1000, context.now_ns] {
            optional(time, out);
        }
        Ok(())
    }

    /// Appends the `source` block.
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

/// Appends `source.sequence`: the text `["last commit","lsn"]`. It has at most 47 bytes, so its length always takes one
/// byte, which is filled in at the end.
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

/// Appends a long in a union whose first branch is null.
fn optional(value: i64, out: &mut Vec<u8>) {
    out.push(2);
    put_long(value, out);
}

/// The fields of a struct schema; `None` when it is not a struct with exactly these names.
fn named<'a>(schema: &'a Schema, names: &[&str]) -> Option<&'a [(Box<str>, Schema)]> {
    match &schema.kind {
        Kind::Struct(fields) if fields.iter().map(|(name, _)| &**name).eq(names.iter().copied()) => {
            Some(fields)
        }
        _ => None,
    }
}
