//! Which tables are captured, and their compiled encoders.
//!
//! Rows in pgoutput carry a table's oid and no names. The names came before, in a `Relation`
//! message. [`Tables::learn`] takes such a message, completes it from the catalog (nullability,
//! keys, type names), and compiles a [`RelationEncoder`]; from then on each row finds its encoder
//! here by oid. A table that is altered sends a new `Relation` message, which replaces the encoder
//! from that row on. A snapshot gets its encoders from the catalog alone, by
//! [`Tables::for_snapshot`].

use std::collections::HashMap;
use std::sync::Arc;

use pgcdc_event::{Operation, Relation};
use pgcdc_format::avro::AvroError;
use pgcdc_format::envelope::{
    AvroHalves, EnvelopeOptions, Half, MessageEncoder, MessageKind, RelationEncoder, RowRef, TablePlan,
};
use pgcdc_format::names::NameAdjustment;
use pgcdc_format::pgoutput::RelationBody;
use pgcdc_format::types::Failures;

use crate::config::Settings;
use crate::destination::TopicIds;
use crate::known_keys::KnownKeys;
use crate::postgres::{Ask, CapturedTable, Catalog, Query, money_scale};
use crate::registry::Registries;
use crate::row_counts::RowCounts;
use crate::tolerance::Tolerance;
use crate::{Error, Result};

/// The tables of one attempt, by the oid that rows carry.
#[derive(Debug)]
pub(crate) struct Tables {
    /// Filters, topics, keys and converters.
    settings: Arc<Settings>,
    /// What all encoders have in common.
    options: EnvelopeOptions,
    /// Decides about values and records that cannot be converted.
    pub(crate) tolerance: Tolerance,
    /// Which halves of a record, key and value, the encoder itself writes as Avro.
    avro: AvroHalves,
    /// Numbers the schemas of Avro.
    registries: Registries,
    /// Completes what `Relation` messages do not say.
    catalog: Catalog,
    /// The encoder of each table that the stream announced; `None` for a table that the filters
    /// leave out.
    encoders: Vec<Option<RelationEncoder>>,
    /// The table's index in `encoders`.
    by_oid: HashMap<u32, usize>,
    /// Counts rows, by the same index.
    rows: RowCounts,
    /// Oid and index of the last row's table: the next row is mostly of the same table, and the
    /// look-up is saved.
    last: Option<(u32, usize)>,
    /// Whether any table has an enum column. Without one, no row is looked at for labels.
    any_labels: bool,
}

impl Tables {
    /// No table yet. Encoders write JSON until [`write_avro`](Self::write_avro) is called.
    pub(crate) fn new(
        settings: Arc<Settings>,
        keys: KnownKeys,
        tolerance: Tolerance,
        rows: RowCounts,
    ) -> Self {
        let options = EnvelopeOptions { failures: tolerance.failures(), ..envelope_options(&settings) };
        let catalog = Catalog::new(&settings.slot.name, keys);
        Self {
            settings,
            options,
            tolerance,
            avro: AvroHalves::default(),
            registries: Registries::default(),
            catalog,
            encoders: Vec::new(),
            by_oid: HashMap::new(),
            rows,
            last: None,
            any_labels: false,
        }
    }

    /// From now on encoders write Avro where the converters say so. With transforms they never do:
    /// the chain needs JSON, and its results are converted behind it.
    ///
    /// # Errors
    /// When a registry is configured wrongly.
    pub(crate) fn write_avro(&mut self) -> Result<()> {
        if self.settings.transforms.is_none() {
            let Settings { key_format, value_format, .. } = &*self.settings;
            self.avro = AvroHalves { key: key_format.avro(), value: value_format.avro() };
            self.registries = Registries::new(&self.settings)?;
        }
        Ok(())
    }

    /// Learns how many digits money has, and the labels of all enum types. Called once, before the
    /// first row. A type's labels are read again when a row has an unknown one.
    pub(crate) async fn prime(&mut self, query: &Query) -> Result<()> {
        let digits = money_scale(query).await?;
        (self.options.types.money_scale, self.options.key_types.money_scale) = (digits, digits);
        self.catalog.prime(query).await
    }

    /// Notes the name that the stream gives a type (its `Type` message), for the case that the
    /// catalog no longer has it.
    pub(crate) fn announce_type(&mut self, oid: u32, schema: &str, name: &str) {
        self.catalog.announce(oid, schema, name);
    }

    /// Waits until queries see what transaction `xid` of the stream wrote. A walsender may send a
    /// transaction a moment before other sessions see it.
    pub(crate) async fn wait_for(&mut self, query: &Query, xid: Option<u32>) -> Result<()> {
        self.catalog.wait_for(query, xid).await
    }

    /// Whether rows of this table have enum values, and need [`learn_labels`](Self::learn_labels).
    #[inline]
    pub(crate) fn has_labels(&mut self, oid: u32) -> bool {
        self.any_labels && self.get(oid).flatten().is_some_and(|encoder| encoder.has_labels())
    }

    /// Reads an enum type again when a row of transaction `xid` has an unknown label of it, as
    /// Debezium does: `ALTER TYPE … ADD VALUE` sends no `Relation` message.
    pub(crate) async fn learn_labels(
        &mut self,
        oid: u32,
        row: RowRef<'_>,
        xid: Option<u32>,
        query: &Query,
        topics: &mut dyn TopicIds,
    ) -> Result<()> {
        let mut asked = Vec::new();
        while let Some(encoder) = self.get(oid).flatten()
            && let Some(type_oid) = encoder.unknown_label(row)
        {
            if asked.contains(&type_oid) {
                // The label was removed since. The catalog is asked only once for it.
                encoder.accept_labels(type_oid, row);
                continue;
            }
            asked.push(type_oid);
            let mut relation = Relation::clone(encoder.relation());
            let fresh = self.catalog.refresh(query, type_oid, xid).await?;
            for column in relation.columns.iter_mut().filter(|column| column.pg_type.oid == type_oid) {
                column.pg_type = Arc::clone(&fresh);
            }
            let encoder = self.compile(relation, false, topics).await?;
            if let Some(&at) = self.by_oid.get(&oid) {
                self.encoders[at] = Some(encoder);
            }
        }
        Ok(())
    }

    /// A new encoder for records that belong to no table: logical messages, heartbeats, transaction
    /// metadata. Before Avro is written, [`number_messages`](Self::number_messages) is to be
    /// called.
    pub(crate) fn messages(&self) -> Result<MessageEncoder> {
        let encoder = MessageEncoder::compile(&self.options);
        if self.avro.any() {
            encoder.with_avro(&self.avro).map_err(|error| no_avro("messages", &error))
        } else {
            Ok(encoder)
        }
    }

    /// Asks the registry for the numbers of the schemas of one kind of message that goes to
    /// `topic`. Does nothing without Avro.
    pub(crate) async fn number_messages(
        &mut self,
        encoder: &mut MessageEncoder,
        kind: MessageKind,
        topic: &str,
    ) -> Result<()> {
        for half in [Half::Key, Half::Value] {
            if let Some(schema) = encoder.avro_schema(kind, half) {
                let id = self.registries.number(half, topic, schema).await?;
                encoder.number(kind, half, id);
            }
        }
        Ok(())
    }

    /// The encoder of a row's table: `None` when the stream never announced the table, `Some(None)`
    /// when it is not captured.
    #[inline]
    pub(crate) fn get(&mut self, oid: u32) -> Option<Option<&mut RelationEncoder>> {
        let at = self.place(oid)?;
        self.encoders.get_mut(at).map(Option::as_mut)
    }

    /// As [`get`](Self::get), for a row of the stream: counts the row, if its table is captured.
    #[inline]
    pub(crate) fn changed(&mut self, oid: u32, operation: Operation) -> Option<Option<&mut RelationEncoder>> {
        let at = self.place(oid)?;
        let encoder = self.encoders.get_mut(at)?;
        if encoder.is_some() {
            self.rows.add(at, operation);
        }
        Some(encoder.as_mut())
    }

    /// Adds the rows that were counted to the metrics.
    pub(crate) fn tell_rows(&mut self) {
        self.rows.tell();
    }

    /// The table's index in `encoders`.
    #[inline]
    fn place(&mut self, oid: u32) -> Option<usize> {
        if let Some((last, at)) = self.last
            && last == oid
        {
            return Some(at);
        }
        let at = *self.by_oid.get(&oid)?;
        self.last = Some((oid, at));
        Some(at)
    }

    /// Learns a table from a `Relation` message of transaction `xid` (`None` outside of one). It
    /// replaces what was known of the table. It may wait for the catalog, for the registry, and for
    /// transaction `xid` to be visible.
    ///
    /// # Errors
    /// When the catalog cannot be read, or the table has no schema that the format allows.
    pub(crate) async fn learn(
        &mut self,
        body: &RelationBody<'_>,
        xid: Option<u32>,
        query: &Query,
        topics: &mut dyn TopicIds,
    ) -> Result<()> {
        let name = pgcdc_event::TableName::new(body.schema, body.table);
        let encoder = if self.settings.tables.allows(&name) {
            let relation = self.catalog.streamed(query, body, xid).await?;
            tracing::debug!(table = %name, columns = relation.columns.len(), "table announced");
            Some(self.compile(relation, false, topics).await?)
        } else {
            None
        };
        self.any_labels |= encoder.as_ref().is_some_and(RelationEncoder::has_labels);
        match self.by_oid.get(&body.oid) {
            Some(&at) => {
                self.rows.name(at, &name);
                self.encoders[at] = encoder;
            }
            None => {
                self.rows.name(self.encoders.len(), &name);
                self.by_oid.insert(body.oid, self.encoders.len());
                self.encoders.push(encoder);
            }
        }
        Ok(())
    }

    /// An encoder for a table as the snapshot sees it. `session` is the session that reads the
    /// snapshot, so that catalog and rows agree.
    pub(crate) async fn for_snapshot(
        &mut self,
        table: &CapturedTable,
        session: &mut impl Ask,
        topics: &mut dyn TopicIds,
    ) -> Result<RelationEncoder> {
        let relation = self.catalog.current(session, table).await?;
        self.compile(relation, true, topics).await
    }

    /// Compiles a table's encoder by the settings: topic, key, included columns, masks, and with
    /// Avro the schemas' numbers.
    async fn compile(
        &mut self,
        relation: Relation,
        snapshot: bool,
        topics: &mut dyn TopicIds,
    ) -> Result<RelationEncoder> {
        let settings = &self.settings;
        let topic_name = settings.topic.of(&relation.name);
        distinct_fields(&relation, settings)?;
        let topic = topics.topic(&topic_name);
        let names = relation.columns.iter().map(|column| &*column.name);
        let key =
            settings.key_columns.positions(&relation.name, names).unwrap_or_else(|| relation.primary_key());
        let included = included(settings, &relation);
        let shaping = if settings.shaping.is_empty() {
            Vec::new()
        } else {
            relation.columns.iter().map(|column| settings.shaping.of(&relation.name, column)).collect()
        };
        let key_field = settings.topic.key_field(&relation.name);
        let plan = TablePlan { topic, topic_name, included, key, key_field, shaping, snapshot };
        let encoder = RelationEncoder::compile(Arc::new(relation), &plan, &self.options);
        if !self.avro.any() {
            return Ok(encoder);
        }
        let table = encoder.relation().name.to_string();
        let mut encoder =
            encoder.with_avro(&plan, &self.options, &self.avro).map_err(|error| no_avro(&table, &error))?;
        for half in [Half::Key, Half::Value] {
            if let Some(schema) = encoder.avro_schema(half) {
                let id = self.registries.number(half, &plan.topic_name, schema).await?;
                encoder.number(half, id);
            }
        }
        tracing::debug!(table, direct = encoder.is_direct(), "table's records are Avro");
        Ok(encoder)
    }
}

/// For each column of a table, whether it is captured (`column.include.list`,
/// `column.exclude.list`).
pub(crate) fn included(settings: &Settings, relation: &Relation) -> Vec<bool> {
    relation.columns.iter().map(|column| settings.columns.allows(&relation.name, &column.name)).collect()
}

/// A table or message whose names or defaults Avro does not allow.
fn no_avro(of: &str, error: &AvroError) -> Error {
    Error::fatal(format!("the records of {of} have no schema in Avro: {error}")).with_hint(
        "schema.name.adjustment.mode=avro and field.name.adjustment.mode=avro put _ in place of what Avro does not allow",
    )
}

/// Refuses a table of which two columns would become one field by the adjustment of names.
fn distinct_fields(relation: &Relation, settings: &Settings) -> Result<()> {
    if settings.field_names == NameAdjustment::None {
        return Ok(());
    }
    let mut seen = HashMap::new();
    for column in &relation.columns {
        let field = settings.field_names.field(&column.name);
        if let Some(other) = seen.insert(field.clone(), &column.name) {
            return Err(Error::configuration(format!(
                "table {}: columns {other} and {} both become the field {field} under field.name.adjustment.mode",
                relation.name, column.name
            ))
            .with_hint("rename one of them, or choose avro_unicode, which keeps names apart"));
        }
    }
    Ok(())
}

/// What all tables have in common, from the settings.
fn envelope_options(settings: &Settings) -> EnvelopeOptions {
    let letters = [Operation::Create, Operation::Update, Operation::Delete, Operation::Truncate];
    let skipped = letters.iter().filter(|op| settings.skipped.contains(**op)).map(|op| op.letter()).collect();
    EnvelopeOptions {
        topic_prefix: settings.topic.prefix.clone(),
        database: settings.connection.dbname.clone(),
        key_schemas: settings.key_converter.schemas_enable,
        value_schemas: settings.value_converter.schemas_enable,
        tombstones: settings.tombstones_on_delete,
        context_headers: settings.extended_headers,
        skipped,
        skip_unchanged: settings.skip_unchanged,
        types: settings.types.clone(),
        key_types: settings.key_types(),
        schema_names: settings.schema_names,
        field_names: settings.field_names,
        failures: Failures::default(),
        null_where_required: settings.transforms.is_none()
            && settings.value_format.avro().is_none()
            && !settings.value_converter.schemas_enable,
        unwrap: settings.unwrap.clone(),
    }
}
