//! Which tables are captured, and their compiled encoders.

use std::collections::HashMap;
use std::sync::Arc;

use pgcdc_event::{Operation, Relation, TopicId};
use pgcdc_format::envelope::{
    EnvelopeOptions, MessageEncoder, RelationEncoder, TablePlan, TransactionEncoder,
};
use pgcdc_format::pgoutput::RelationBody;

use crate::Result;
use crate::config::Settings;
use crate::output::Output;
use crate::postgres::{CapturedTable, Catalog, Query};

/// The tables of one run, by the oid that rows carry.
#[derive(Debug)]
pub(crate) struct Tables {
    settings: Arc<Settings>,
    options: EnvelopeOptions,
    catalog: Catalog,
    /// `None` for a table that the filters leave out.
    encoders: Vec<Option<RelationEncoder>>,
    by_oid: HashMap<u32, usize>,
    /// The table of the row before: mostly that of the next one, too.
    last: Option<(u32, usize)>,
}

impl Tables {
    pub(crate) fn new(settings: Arc<Settings>) -> Self {
        let options = envelope_options(&settings);
        Self {
            settings,
            options,
            catalog: Catalog::default(),
            encoders: Vec::new(),
            by_oid: HashMap::new(),
            last: None,
        }
    }

    /// An encoder for what belongs to no table.
    pub(crate) fn messages(&self) -> MessageEncoder {
        MessageEncoder::compile(&self.options)
    }

    /// An encoder for the begin and end of transactions.
    pub(crate) fn transactions(&self) -> TransactionEncoder {
        TransactionEncoder::compile(&self.options)
    }

    /// The encoder of a row's table: `None` when the stream never announced it, `Some(None)` when
    /// it is not captured.
    #[inline]
    pub(crate) fn get(&mut self, oid: u32) -> Option<Option<&mut RelationEncoder>> {
        let at = match self.last {
            Some((last, at)) if last == oid => at,
            _ => {
                let at = *self.by_oid.get(&oid)?;
                self.last = Some((oid, at));
                at
            }
        };
        self.encoders.get_mut(at).map(Option::as_mut)
    }

    /// Learns a table from its `Relation` message; what was known of it before is replaced.
    pub(crate) async fn learn(
        &mut self,
        body: &RelationBody<'_>,
        query: &Query,
        output: &mut Output,
    ) -> Result<()> {
        let name = pgcdc_event::TableName::new(body.schema, body.table);
        let encoder = if self.settings.tables.allows(&name) {
            let relation = self.catalog.streamed(query, body).await?;
            tracing::debug!(table = %name, columns = relation.columns.len(), "table announced");
            Some(self.compile(relation, output).await?)
        } else {
            None
        };
        match self.by_oid.get(&body.oid) {
            Some(&at) => self.encoders[at] = encoder,
            None => {
                self.by_oid.insert(body.oid, self.encoders.len());
                self.encoders.push(encoder);
            }
        }
        Ok(())
    }

    /// An encoder for a table as it is now, and its columns, for a snapshot.
    pub(crate) async fn for_snapshot(
        &mut self,
        table: &CapturedTable,
        query: &Query,
        output: &mut Output,
    ) -> Result<RelationEncoder> {
        let relation = self.catalog.current(query, table).await?;
        self.compile(relation, output).await
    }

    async fn compile(&self, relation: Relation, output: &mut Output) -> Result<RelationEncoder> {
        let settings = &self.settings;
        let topic_name = settings.topic.of(&relation.name);
        let topic: TopicId = output.topic(&topic_name).await?;
        let names = relation.columns.iter().map(|column| &*column.name);
        let key = settings
            .key_columns
            .positions(&relation.name, names.clone())
            .unwrap_or_else(|| relation.primary_key());
        let included = names.map(|column| settings.columns.allows(&relation.name, column)).collect();
        let key_field = settings.topic.key_field(&relation.name);
        let plan = TablePlan { topic, topic_name, included, key, key_field };
        Ok(RelationEncoder::compile(Arc::new(relation), &plan, &self.options))
    }
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
        unwrap: settings.unwrap.clone(),
    }
}
