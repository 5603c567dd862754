//! Where the values of `add.fields` and `add.headers` come from.
//!
//! A name without a block is looked for in the order of Debezium's transform: the envelope's own `op` and times; the
//! `transaction` block (`id`, `total_order`, `data_collection_order`); the `source` block. A name with a block that the
//! block does not have falls back to the envelope's own fields.

use pgcdc_event::{Operation, Snapshot, TableName};

use super::options::{AddField, FieldSection};
use crate::envelope::context::Context;
use crate::envelope::options::EnvelopeOptions;
use crate::envelope::row::RowEncoder;
use crate::envelope::source::DEBEZIUM_VERSION;
use crate::envelope::transaction_block::append_id;

/// Where an added field's value comes from.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    /// `op`.
    Operation,
    /// `ts_ms`, `ts_us`, `ts_ns`: the time of encoding, which is nanoseconds, divided by this.
    Now(i64),
    /// `source.ts_ms`, `ts_us`, `ts_ns`: the commit's time in this unit.
    SourceTime(TimeUnit),
    /// `source.lsn`.
    Lsn,
    /// `source.txId`.
    Xid,
    /// `source.xmin`.
    Xmin,
    /// `source.origin`.
    Replicated,
    /// `source.origin_lsn`.
    ReplicatedLsn,
    /// `source.snapshot`.
    Snapshot,
    /// `source.sequence`.
    Sequence,
    /// `transaction.id`.
    TransactionId,
    /// `transaction.total_order`.
    TotalOrder,
    /// `transaction.data_collection_order`.
    TableOrder,
    /// A text that is the same for every record of the table.
    Constant(Box<str>),
    /// A column of a row, from `before` or `after`.
    Column {
        /// Whether the column is the old row's; else it is the new row's.
        before: bool,
        /// The column's position in the relation.
        at: usize,
    },
}

/// The unit of a time in `source`.
#[derive(Clone, Copy, Debug)]
pub(super) enum TimeUnit {
    Milli,
    Micro,
    Nano,
}

impl Origin {
    /// Looks a field of `add.fields` or `add.headers` up; `None` where the envelope has no such field.
    pub(super) fn of(
        field: &AddField,
        row: &RowEncoder,
        table: &TableName,
        options: &EnvelopeOptions,
    ) -> Option<Self> {
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
        // A field that the block does not have may be one of the envelope's own.
        found.or(match name {
            "op" => Some(Self::Operation),
            "ts_ms" => Some(Self::Now(1_000_000)),
            "ts_us" => Some(Self::Now(1000)),
            "ts_ns" => Some(Self::Now(1)),
            _ => None,
        })
    }

    /// A field of the `source` block; `None` where it has none of this name.
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

    /// Whether the value is a number in JSON. Any other value is a string.
    pub(super) const fn is_number(&self) -> bool {
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

    /// Appends the value as a header has it: text without quotes. Returns false for null, with nothing appended.
    pub(super) fn append_bare(&self, operation: Operation, context: &Context<'_>, out: &mut Vec<u8>) -> bool {
        match self {
            Self::Operation => out.push(operation.letter() as u8),
            Self::Now(divisor) => number(context.now_ns / divisor, out),
            Self::SourceTime(unit) => {
                let us = context.timestamp_us;
                let time = match unit {
                    TimeUnit::Milli => us.div_euclid(1000),
                    TimeUnit::Micro => us,
                    TimeUnit::Nano => us.saturating_mul(1000),
                };
                number(time, out);
            }
            Self::Lsn => number(context.lsn.as_u64(), out),
            Self::Xid => return some_number(context.xid, out),
            Self::Xmin => return some_number(context.xmin, out),
            Self::Replicated => match context.origin {
                Some((name, _)) => out.extend_from_slice(name.as_bytes()),
                None => return false,
            },
            Self::ReplicatedLsn => return some_number(context.origin.map(|(_, lsn)| lsn.as_u64()), out),
            Self::TransactionId if context.ordinal.is_none() => return false,
            Self::TransactionId => append_id(context.xid, context.lsn, out),
            Self::TotalOrder => return some_number(context.ordinal.map(|ordinal| ordinal.total), out),
            Self::TableOrder => return some_number(context.ordinal.map(|ordinal| ordinal.of_table), out),
            // Null while streaming: Debezium does not copy the default that the source block shows.
            Self::Snapshot if context.snapshot == Snapshot::False => return false,
            Self::Snapshot => out.extend_from_slice(context.snapshot.as_str().as_bytes()),
            Self::Sequence => {
                let last =
                    context.last_commit.map_or("null".to_owned(), |lsn| format!("\"{}\"", lsn.as_u64()));
                out.extend_from_slice(format!("[{last},\"{}\"]", context.lsn.as_u64()).as_bytes());
            }
            Self::Constant(text) => out.extend_from_slice(text.as_bytes()),
            Self::Column { .. } => return false,
        }
        true
    }
}

fn number(value: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends a number that may be absent; false when it is.
fn some_number(value: Option<impl itoa::Integer>, out: &mut Vec<u8>) -> bool {
    value.inspect(|&value| number(value, out)).is_some()
}
