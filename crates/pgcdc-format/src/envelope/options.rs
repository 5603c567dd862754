//! The configuration of encoders: the values of a connector's properties, checked and typed.

use std::sync::Arc;

use pgcdc_event::TopicId;

use super::flat::Unwrap;
use crate::names::NameAdjustment;
use crate::types::{Failures, Shaping, TypeOptions};

/// The settings that all tables of a connector share. Each field names the property that it comes from.
#[derive(Clone, Debug)]
pub struct EnvelopeOptions {
    /// `topic.prefix`: `source.name`, and the first part of schema names.
    pub topic_prefix: String,
    /// `database.dbname`: `source.db`.
    pub database: String,
    /// `key.converter.schemas.enable`.
    pub key_schemas: bool,
    /// `value.converter.schemas.enable`.
    pub value_schemas: bool,
    /// `tombstones.on.delete`: a delete is followed by a record of the same key with a null value.
    pub tombstones: bool,
    /// `extended.headers.enabled`: room for the connector's context headers, which the sender of a batch fills.
    pub context_headers: bool,
    /// `skipped.operations`: the letters (`c`, `u`, `d`, `t`) of operations that make no record.
    pub skipped: String,
    /// `skip.messages.without.change`: no record for an update that changes no included column, as
    /// far as the replica identity tells.
    pub skip_unchanged: bool,
    /// How columns are written in values.
    pub types: TypeOptions,
    /// How columns are written in keys, whose converter may have another `decimal.format`.
    pub key_types: TypeOptions,
    /// `schema.name.adjustment.mode`.
    pub schema_names: NameAdjustment,
    /// `field.name.adjustment.mode`.
    pub field_names: NameAdjustment,
    /// Counts the values that cannot be converted. The connector's other parts hold clones of it, to warn and to measure.
    pub failures: Failures,
    /// Whether a NOT NULL column is null in a record when its value cannot be converted. Only values without a schema allow
    /// that; with a schema the record is refused.
    pub null_where_required: bool,
    /// The flattened form, where `ExtractNewRecordState` is configured.
    pub unwrap: Option<Unwrap>,
}

impl EnvelopeOptions {
    /// Debezium's defaults for a connector of this `topic.prefix` and `database.dbname`, with records as JSON without schemas
    /// and without context headers.
    ///
    /// ```
    /// use pgcdc_format::envelope::EnvelopeOptions;
    /// let options = EnvelopeOptions { value_schemas: true, ..EnvelopeOptions::new("shop", "orders_db") };
    /// assert!(options.tombstones && options.skipped == "t");
    /// ```
    #[must_use]
    pub fn new(topic_prefix: impl Into<String>, database: impl Into<String>) -> Self {
        Self {
            topic_prefix: topic_prefix.into(),
            database: database.into(),
            key_schemas: false,
            value_schemas: false,
            tombstones: true,
            context_headers: false,
            skipped: "t".into(),
            skip_unchanged: false,
            types: TypeOptions::default(),
            key_types: TypeOptions::default(),
            schema_names: NameAdjustment::None,
            field_names: NameAdjustment::None,
            failures: Failures::default(),
            null_where_required: false,
            unwrap: None,
        }
    }
}

/// The connector's decisions about one table, beyond the facts of its relation. The connector makes one for each version of
/// a table, together with its [`RelationEncoder`](super::RelationEncoder).
#[derive(Clone, Debug)]
pub struct TablePlan {
    /// The topic's number in the output's table of topics: a record carries it in place of the name.
    pub topic: TopicId,
    /// The topic's name, from which schema names are made.
    pub topic_name: String,
    /// Whether column `i` of the relation is part of the value (`column.include.list`, `column.exclude.list`). A column beyond
    /// the list's end is.
    pub included: Vec<bool>,
    /// Positions of the key's columns, in the key's order: the primary key's, a unique index's, or those of
    /// `message.key.columns`. Empty for a table without a key.
    pub key: Vec<usize>,
    /// Name and constant text of a field at the end of the key, for tables that share a topic: Debezium's
    /// `SchemaRegexTopicNamingStrategy` puts the table's name there (`topic.key.enforce.uniqueness`).
    pub key_field: Option<(String, String)>,
    /// The rule that shapes column `i`, where there is one (`column.mask.…`, `column.truncate.…`, …).
    pub shaping: Vec<Option<Arc<Shaping>>>,
    /// Whether the relation was read from the catalog for a snapshot. Debezium then knows the types by its JDBC driver, which
    /// shows in `column.propagate.source.type`.
    pub snapshot: bool,
}
