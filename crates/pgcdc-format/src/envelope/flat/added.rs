//! A field of `add.fields` or a header of `add.headers`, compiled for one table.

use std::sync::Arc;

use pgcdc_event::{Operation, TableName};

use super::options::{AddField, FieldSection};
use super::origin::Origin;
use crate::envelope::change::ChangeParts;
use crate::envelope::context::Context;
use crate::envelope::error::EncodeError;
use crate::envelope::options::EnvelopeOptions;
use crate::envelope::row::RowEncoder;
use crate::envelope::schemas::SNAPSHOT_VALUES;
use crate::json::write_json_string;
use crate::schema::Schema;

/// A field that the transform adds to a row, or a header that it adds to a record.
#[derive(Clone, Debug)]
pub(super) struct Added {
    /// The text before the value: `,"name":`.
    pub(super) fragment: Box<[u8]>,
    /// The name, for a header.
    pub(super) name: Arc<str>,
    /// Where the value comes from.
    pub(super) origin: Origin,
    /// Whether the configuration names the `transaction` block: the value is then null wherever that block is, even if the
    /// field is found elsewhere.
    in_transaction: bool,
    /// The field's Connect schema in JSON, always optional, as a member of the value's `fields`.
    pub(super) schema: Box<[u8]>,
}

impl Added {
    /// Compiles a field; `None` where the envelope has no such field, since Debezium then adds none.
    pub(super) fn compile(
        field: &AddField,
        row: &RowEncoder,
        table: &TableName,
        options: &EnvelopeOptions,
    ) -> Option<Self> {
        let origin = Origin::of(field, row, table, options)?;
        let mut fragment = vec![b','];
        write_json_string(field.name.as_bytes(), &mut fragment);
        fragment.push(b':');
        let mut schema = Vec::new();
        match &origin {
            Origin::Column { at, .. } => {
                if let Some((_, column)) = row.field(*at) {
                    let mut column = column.clone();
                    column.optional = true;
                    column.default = None;
                    column.append_json(Some(&field.name), &mut schema);
                }
            }
            Origin::Snapshot => {
                let mut snapshot = Schema::string().optional().named("io.debezium.data.Enum", 1);
                snapshot = snapshot.with_parameter("allowed", SNAPSHOT_VALUES);
                snapshot.append_json(Some(&field.name), &mut schema);
            }
            other => {
                let kind = if other.is_number() { Schema::int64() } else { Schema::string() };
                kind.optional().append_json(Some(&field.name), &mut schema);
            }
        }
        let (fragment, schema) = (fragment.into(), schema.into());
        let in_transaction = field.section == Some(FieldSection::Transaction);
        Some(Self { fragment, name: field.name.as_str().into(), origin, in_transaction, schema })
    }

    /// Appends the field's value as JSON.
    pub(super) fn append(
        &self,
        row: &RowEncoder,
        parts: &ChangeParts<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        if let Origin::Column { before, at } = self.origin {
            let (state, fallback) = if before { (parts.before, None) } else { (parts.after, parts.fallback) };
            return match state {
                Some(state) => row.append_column(at, state, fallback, out),
                None => {
                    out.extend_from_slice(b"null");
                    Ok(())
                }
            };
        }
        let start = out.len();
        if !self.append_bare(parts.operation, parts.context, out) {
            out.extend_from_slice(b"null");
        } else if !self.origin.is_number() {
            let text = out.split_off(start);
            write_json_string(&text, out);
        }
        Ok(())
    }

    /// Appends the value as a header has it: text without quotes. Returns false for null, with nothing appended.
    pub(super) fn append_bare(&self, operation: Operation, context: &Context<'_>, out: &mut Vec<u8>) -> bool {
        if self.in_transaction && context.ordinal.is_none() {
            return false;
        }
        self.origin.append_bare(operation, context, out)
    }
}
