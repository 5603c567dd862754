//! Records that belong to no table: heartbeats, logical messages, and the begin and end of
//! transactions.
//!
//! Debezium's names: `heartbeat.interval.ms` with `topic.heartbeat.prefix`,
//! `pg_logical_emit_message` with the topic `<prefix>.message`, and `provide.transaction.metadata`
//! with the topic `<prefix>.transaction`.

use std::sync::Arc;

use pgcdc_event::{RecordBatch, TableName, TopicId};
use pgcdc_format::envelope::{Context, MessageEncoder, MessageKind, Ordinal};

use super::change::{LogicalMessage, at};
use super::numbering::Numbering;
use crate::clock::now_ns;
use crate::config::Settings;
use crate::destination::TopicIds;
use crate::output::Output;
use crate::tables::Tables;
use crate::{Error, Result};

/// Encodes such records into the lane's batch. Each kind has one topic, which gets its number (and
/// its Avro schemas' numbers) with its first record.
#[derive(Debug)]
pub(super) struct Messages {
    /// The topics' names.
    settings: Arc<Settings>,
    /// Encodes all kinds.
    encoder: MessageEncoder,
    /// The topic of logical messages, once there was one.
    logical: Option<TopicId>,
    /// The topic of heartbeats, once there was one.
    heartbeats: Option<TopicId>,
    /// The state for `provide.transaction.metadata`; `None` without it.
    transactions: Option<Box<Transactions>>,
}

/// What is needed for records of transactions.
#[derive(Debug, Default)]
struct Transactions {
    /// Their topic, once there was one.
    topic: Option<TopicId>,
    /// Counts the changes of the open transaction.
    numbering: Numbering,
}

impl Messages {
    /// Encodes by the options that `tables` have.
    pub(super) fn new(settings: Arc<Settings>, tables: &Tables) -> Result<Self> {
        Ok(Self {
            encoder: tables.messages()?,
            logical: None,
            heartbeats: None,
            transactions: settings.transaction_metadata.then(Box::default),
            settings,
        })
    }

    /// Whether transactions have records of their begin and end.
    pub(super) fn tells_transactions(&self) -> bool {
        self.transactions.is_some()
    }

    /// The number that the next change of a table would have within its transaction; `None` when
    /// records do not carry it.
    #[inline]
    pub(super) fn ordinal(&self, oid: u32) -> Option<Ordinal> {
        self.transactions.as_ref().map(|transactions| transactions.numbering.next(oid))
    }

    /// Counts `changes` of a table: as many as the encoder made records for.
    #[inline]
    pub(super) fn count(&mut self, oid: u32, table: &TableName, changes: u64) {
        if let Some(transactions) = &mut self.transactions {
            transactions.numbering.count(oid, table, changes);
        }
    }

    /// Notes the name that a table has from now on.
    pub(super) fn announce(&mut self, oid: u32, schema: &str, table: &str) {
        if let Some(transactions) = &mut self.transactions {
            transactions.numbering.announce(oid, schema, table);
        }
    }

    /// Appends the record of a transaction's begin; false when there is none.
    pub(super) async fn begin(
        &mut self,
        context: &Context<'_>,
        tables: &mut Tables,
        output: &mut Output,
        batch: &mut RecordBatch,
    ) -> Result<bool> {
        let Some(transactions) = &mut self.transactions else { return Ok(false) };
        let topic = match transactions.topic {
            Some(topic) => topic,
            None => {
                let name = self.settings.topic.of_transactions();
                tables.number_messages(&mut self.encoder, MessageKind::Transaction, &name).await?;
                *transactions.topic.insert(output.topic(&name))
            }
        };
        transactions.numbering.begin();
        self.encoder.begin(topic, context, batch).map_err(|error| at(context.lsn, error))?;
        Ok(true)
    }

    /// Appends the record of a transaction's end, with the sums of its changes; false when there is
    /// none.
    pub(super) fn end(&mut self, context: &Context<'_>, batch: &mut RecordBatch) -> Result<bool> {
        let Some(transactions) = &self.transactions else { return Ok(false) };
        let Some(topic) = transactions.topic else { return Ok(false) };
        let numbering = &transactions.numbering;
        let sums = numbering.sums();
        self.encoder
            .end(topic, numbering.total(), sums.into_iter(), context, batch)
            .map_err(|error| at(context.lsn, error))?;
        Ok(true)
    }

    /// The topic of logical messages. It may wait for the registry the first time.
    pub(super) async fn logical_topic(
        &mut self,
        tables: &mut Tables,
        output: &mut Output,
    ) -> Result<TopicId> {
        if let Some(topic) = self.logical {
            return Ok(topic);
        }
        let name = self.settings.topic.of_messages();
        let topic = output.topic(&name);
        tables.number_messages(&mut self.encoder, MessageKind::Logical, &name).await?;
        Ok(*self.logical.insert(topic))
    }

    /// Appends the record of a logical message.
    pub(super) fn logical(
        &mut self,
        topic: TopicId,
        message: LogicalMessage<'_>,
        mut context: Context<'_>,
        batch: &mut RecordBatch,
    ) -> Result<()> {
        let LogicalMessage { transactional, lsn, prefix, content } = message;
        let numbered = self.transactions.as_mut().filter(|_| transactional);
        context.ordinal = numbered.map(|transactions| transactions.numbering.message(lsn));
        self.encoder.logical(topic, prefix, content, &context, batch).map_err(|error| at(lsn, error))
    }

    /// Appends a heartbeat.
    pub(super) async fn heartbeat(
        &mut self,
        tables: &mut Tables,
        output: &mut Output,
        batch: &mut RecordBatch,
    ) -> Result<()> {
        let topic = match self.heartbeats {
            Some(topic) => topic,
            None => {
                let name = self.settings.heartbeat.topic(&self.settings.topic);
                tables.number_messages(&mut self.encoder, MessageKind::Heartbeat, &name).await?;
                *self.heartbeats.insert(output.topic(&name))
            }
        };
        self.encoder
            .heartbeat(topic, now_ns(), batch)
            .map_err(|error| Error::fatal(format!("a heartbeat in Avro: {error}")))
    }
}
