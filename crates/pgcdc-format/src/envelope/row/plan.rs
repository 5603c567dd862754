//! The plan of a column: its codecs for the value and the key, and the text before its value.
//!
//! | the column is | codec in the value | codec in the key |
//! |---|---|---|
//! | plain | by its type | the same bytes |
//! | masked or cut | by its type, with the rule | by its type: Debezium does not change keys |
//! | excluded, and in the key | none | by its type |
//! | of a type that Debezium leaves out | none | none |

use pgcdc_event::{Column, Relation};

use crate::envelope::options::{EnvelopeOptions, TablePlan};
use crate::json::write_json_string;
use crate::types::{Codec, Shaping};

/// One column, compiled.
#[derive(Clone, Debug)]
pub(super) struct ColumnPlan {
    /// The column's name in the database.
    pub(super) name: Box<str>,
    /// Its name in records.
    pub(super) field: Box<str>,
    /// The text before its value: `,"name":`, for the first without the comma.
    pub(super) fragment: Box<[u8]>,
    /// Writes the column's values; `None` when records leave its type out.
    pub(super) codec: Option<Codec>,
    /// Writes the column's values in the key, where they differ from those in the row: the key has another converter, or the
    /// column is shaped or excluded.
    pub(super) key_codec: Option<Codec>,
    /// Whether the value of a record has the column.
    pub(super) in_value: bool,
    /// Its position in the key.
    pub(super) key_slot: Option<usize>,
}

/// The input of every column's plan.
pub(super) struct Table<'a> {
    pub(super) relation: &'a Relation,
    pub(super) plan: &'a TablePlan,
    pub(super) options: &'a EnvelopeOptions,
    /// Positions of the key's columns.
    pub(super) key: &'a [usize],
}

impl ColumnPlan {
    /// Compiles column `at` of the table. `first` says that no column before it is part of the value; it is cleared when
    /// this column is.
    pub(super) fn compile(table: &Table<'_>, at: usize, column: &Column, first: &mut bool) -> Self {
        let included = table.plan.included.get(at).copied().unwrap_or(true);
        let shaping = table.plan.shaping.get(at).and_then(Option::as_deref);
        let key_slot = table.key.iter().position(|&key| key == at);
        let codec = table.value_codec(column, shaping, included, key_slot.is_some());
        let in_value = codec.is_some() && included;
        let field = table.options.field_names.field(&column.name);
        let mut fragment = Vec::new();
        if in_value {
            if !std::mem::take(first) {
                fragment.push(b',');
            }
            write_json_string(field.as_bytes(), &mut fragment);
            fragment.push(b':');
        }
        let differs = table.options.key_types != table.options.types || shaping.is_some() || !included;
        let key_codec = if key_slot.is_some() && differs { table.key_codec(column, included) } else { None };
        Self {
            name: column.name.clone(),
            field: field.into(),
            fragment: fragment.into(),
            codec,
            key_codec,
            in_value,
            key_slot,
        }
    }

    /// The codec that writes the column in a key.
    pub(super) fn in_key(&self) -> Option<&Codec> {
        self.key_codec.as_ref().or(self.codec.as_ref())
    }
}

impl Table<'_> {
    /// The codec of a column in the value; `None` when records leave its type out.
    fn value_codec(
        &self,
        column: &Column,
        shaping: Option<&Shaping>,
        included: bool,
        in_key: bool,
    ) -> Option<Codec> {
        let mut codec = Codec::compile_shaped(column, &self.options.types, shaping, self.plan.snapshot)?;
        if included {
            let table = self.relation.name.to_string();
            codec = codec.counted(self.options.failures.column(&table, &column.name));
        }
        // A key column stays required: two rows whose keys were both null would share a key.
        if self.options.null_where_required && !in_key {
            codec = codec.null_where_required();
        }
        Some(codec)
    }

    /// The codec of a column in the key, where that is not the value's.
    fn key_codec(&self, column: &Column, included: bool) -> Option<Codec> {
        // A snapshot does not read a column that is excluded, and in the stream Debezium then knows only its type.
        let bare = Column { not_null: false, default: None, comment: None, ..column.clone() };
        let known = included || self.plan.snapshot;
        let codec = Codec::compile(if known { column } else { &bare }, &self.options.key_types)?;
        // A snapshot of a table whose columns are all excluded reads all of them.
        let reads_all = !self.plan.snapshot || !self.plan.included.contains(&true);
        Some(if included || reads_all { codec } else { codec.unread() })
    }
}
