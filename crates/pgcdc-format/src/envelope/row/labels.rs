//! Labels that were added to an enum after its table's encoder was compiled.
//!
//! The server sends no message for `ALTER TYPE … ADD VALUE`, and the schema of an enum column lists all labels. So each
//! row's labels are compared with the known ones, which costs a few comparisons for each enum column. Columns of a domain
//! over an enum, and arrays of enums, are not looked at.

use pgcdc_event::{Relation, TypeKind};

use super::source::RowRef;
use crate::pgoutput::TupleValue;

/// The labels that are known of a table's enum columns.
#[derive(Clone, Debug)]
pub(super) struct Labels {
    /// The enum columns, in the order of the row.
    columns: Vec<EnumColumn>,
}

/// One enum column.
#[derive(Clone, Debug)]
struct EnumColumn {
    /// The column's position in the relation.
    at: usize,
    /// The enum type, which the caller reads again when a label is not known.
    type_oid: u32,
    /// The labels in the type's order, then those that were accepted later.
    known: Vec<Box<str>>,
}

impl Labels {
    /// The labels that the relation names.
    pub(super) fn of(relation: &Relation) -> Self {
        let columns = relation.columns.iter().enumerate().filter_map(|(at, column)| {
            let TypeKind::Enum(known) = &column.pg_type.kind else { return None };
            Some(EnumColumn { at, type_oid: column.pg_type.oid, known: known.clone() })
        });
        Self { columns: columns.collect() }
    }

    /// Whether the table has no enum columns.
    pub(super) fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// See [`RelationEncoder::unknown_label`](crate::envelope::RelationEncoder::unknown_label).
    pub(super) fn unknown(&self, row: RowRef<'_>) -> Option<u32> {
        let mut values = row.values();
        let mut next = 0;
        for column in &self.columns {
            let value = values.nth(column.at - next)?.ok()?;
            next = column.at + 1;
            if let TupleValue::Text(text) = value
                && !column.known.iter().any(|label| label.as_bytes() == text)
            {
                return Some(column.type_oid);
            }
        }
        None
    }

    /// See [`RelationEncoder::accept_labels`](crate::envelope::RelationEncoder::accept_labels).
    pub(super) fn accept(&mut self, type_oid: u32, row: RowRef<'_>) {
        let mut values = row.values();
        let mut next = 0;
        for column in &mut self.columns {
            let Some(Ok(value)) = values.nth(column.at - next) else { return };
            next = column.at + 1;
            if column.type_oid == type_oid
                && let TupleValue::Text(text) = value
                && let Ok(text) = std::str::from_utf8(text)
                && !column.known.iter().any(|label| &**label == text)
            {
                column.known.push(text.into());
            }
        }
    }
}
