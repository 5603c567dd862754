use std::sync::Arc;

use pgcdc_event::{Lsn, Operation, RecordBatch, TopicId};
use pgcdc_format::envelope::{Change, Context, EncodeError, MessageEncoder, MessageKind, Ordinal, RowRef};
use pgcdc_format::pgoutput::{Message, RelationIdentity, Tuple, decode};

use super::numbering::Numbering;
use super::reselect::{NewRow, Reselector};
use super::typed;
use super::xmin::Xmin;
use crate::clock::{Clock, now_ns};
use crate::config::Settings;
use crate::metrics::Metrics;
use crate::outbox::Outbox;
use crate::postgres::{Query, Replication};
use crate::tables::Tables;
use crate::{Error, Result};

/// Turns messages into records, gathered in a batch that goes out at each commit at the latest:
/// the ledger must have counted a transaction's records before it hears of its end.
pub(super) struct Applier<'a> {
    settings: &'a Settings,
    query: &'a Query,
    tables: &'a mut Tables,
    pub(super) outbox: &'a mut Outbox,
    metrics: &'a Arc<Metrics>,
    transaction: Transaction,
    last_commit: Option<Lsn>,
    /// Where the snapshot before this stream was taken.
    snapshot_at: Lsn,
    /// The same in a transaction that the snapshot does not have, else zero.
    floor: Lsn,
    batch: RecordBatch,
    messages: MessageEncoder,
    message_topic: Option<TopicId>,
    /// `provide.transaction.metadata`.
    metadata: Option<Box<Metadata>>,
    /// `post.processors`.
    reselect: Option<Box<Reselector>>,
    /// The registry knows the schemas of heartbeats.
    heartbeats_numbered: bool,
    /// The furthest position that the server has shown.
    pub(super) seen: Lsn,
    clock: Clock,
    changes: u64,
    xmin: Xmin,
}

/// What came before the stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Before {
    /// End of the transaction before the first one, where that is known.
    pub(super) last_commit: Option<Lsn>,
    /// Where the snapshot was taken; zero without one.
    pub(super) snapshot_at: Lsn,
}

/// What tells of transactions.
#[derive(Default)]
struct Metadata {
    topic: Option<TopicId>,
    numbering: Numbering,
}

#[derive(Default)]
struct Transaction {
    xid: Option<u32>,
    /// `source.xmin`: the slot's, as last read.
    xmin: Option<u32>,
    commit_time_us: i64,
    origin: Option<(String, Lsn)>,
}

impl<'a> Applier<'a> {
    pub(super) fn new(
        settings: &'a Settings,
        query: &'a Query,
        tables: &'a mut Tables,
        outbox: &'a mut Outbox,
        metrics: &'a Arc<Metrics>,
        before: Before,
        xmin: Xmin,
    ) -> Result<Self> {
        let told = settings.transaction_metadata && !outbox.output.wants_events();
        let metadata = told.then(Box::<Metadata>::default);
        Ok(Self {
            messages: tables.messages()?,
            metadata,
            reselect: Reselector::new(settings),
            settings,
            query,
            tables,
            outbox,
            metrics,
            transaction: Transaction::default(),
            last_commit: before.last_commit,
            snapshot_at: before.snapshot_at,
            floor: Lsn::ZERO,
            batch: RecordBatch::new(),
            message_topic: None,
            heartbeats_numbered: false,
            seen: Lsn::ZERO,
            clock: Clock::default(),
            changes: 0,
            xmin,
        })
    }

    /// Changes taken since the last call.
    pub(super) fn take_changes(&mut self) -> u64 {
        std::mem::take(&mut self.changes)
    }

    /// Bytes that wait in the batch. [`take`](Self::take) leaves a batch of [`Replication::LARGE`] or more to
    /// its caller, who frees the message's memory before the output copies the record.
    pub(super) fn gathered(&self) -> usize {
        self.batch.position()
    }

    /// Hands what was gathered to the output.
    pub(super) async fn flush(&mut self) -> Result<()> {
        self.clock.reset();
        self.tables.tolerance.tell();
        self.outbox.flush(&mut self.batch).await
    }

    /// The server has nothing more up to here.
    pub(super) async fn keepalive(&mut self, wal_end: Lsn) -> Result<()> {
        // What waits in the batch lies before it.
        self.flush().await?;
        self.outbox.idle(wal_end);
        self.seen = self.seen.max(wal_end);
        Ok(())
    }

    /// Sends a heartbeat's record.
    pub(super) async fn heartbeat(&mut self, topic: TopicId) -> Result<()> {
        if self.outbox.output.wants_events() {
            return Ok(());
        }
        self.flush().await?;
        if !self.heartbeats_numbered {
            let name = self.settings.heartbeat.topic(&self.settings.topic);
            self.tables.number_messages(&mut self.messages, MessageKind::Heartbeat, &name).await?;
            self.heartbeats_numbered = true;
        }
        self.messages
            .heartbeat(topic, now_ns(), &mut self.batch)
            .map_err(|error| Error::fatal(format!("a heartbeat in Avro: {error}")))?;
        self.outbox.send_beside(&mut self.batch).await
    }

    /// Takes one message. `lsn` is the change's position.
    #[inline]
    pub(super) async fn take(&mut self, lsn: Lsn, data: &[u8]) -> Result<()> {
        let message = decode(data).map_err(|error| at(lsn, &error).with_source(error))?;
        let (relation, operation, before, after) = match message {
            Message::Insert { relation, new } => (relation, Operation::Create, None, Some(new)),
            Message::Update { relation, old, new } => (relation, Operation::Update, old, Some(new)),
            Message::Delete { relation, kind, old } => (relation, Operation::Delete, Some((kind, old)), None),
            Message::Begin { final_lsn, commit_time_us, xid } => {
                tracing::trace!(%final_lsn, xid, "begin");
                let xmin = self.xmin.now();
                self.transaction = Transaction { xid: Some(xid), xmin, commit_time_us, origin: None };
                self.floor = if final_lsn >= self.snapshot_at { self.snapshot_at } else { Lsn::ZERO };
                self.outbox.begin(final_lsn);
                return if self.metadata.is_some() { self.begin(lsn).await } else { Ok(()) };
            }
            Message::Commit { end_lsn, .. } => {
                self.flush().await?;
                if self.metadata.is_some() {
                    self.end(lsn).await?;
                }
                self.outbox.commit(end_lsn)?;
                self.last_commit = Some(end_lsn);
                self.seen = self.seen.max(end_lsn);
                self.transaction = Transaction::default();
                Metrics::add(&self.metrics.transactions, 1);
                return Ok(());
            }
            other => return self.rare(lsn, other, data).await,
        };
        let mut again = Vec::new();
        let after = match after {
            Some(new) if self.reselect.is_some() => {
                let whole = matches!(before, Some((RelationIdentity::Row, _)));
                Some(Box::pin(self.reselected(relation, new, whole, &mut again)).await?)
            }
            after => after,
        };
        if let Some(new) = after
            && self.tables.has_labels(relation)
        {
            self.tables
                .learn_labels(
                    relation,
                    RowRef::Wire(new),
                    self.transaction.xid,
                    self.query,
                    &mut self.outbox.output,
                )
                .await?;
        }
        if self.outbox.output.wants_events() {
            return self.event(lsn, relation, operation, before, after, data).await;
        }
        if self.change(lsn, relation, operation, before, after)? { self.changed().await } else { Ok(()) }
    }

    /// A new row, its columns read again where `post.processors` asks for it.
    async fn reselected<'t>(
        &mut self,
        relation: u32,
        new: Tuple<'t>,
        old_is_whole: bool,
        again: &'t mut Vec<u8>,
    ) -> Result<Tuple<'t>> {
        let Some(Some(encoder)) = self.tables.get(relation) else { return Ok(new) };
        let relation = Arc::clone(encoder.relation());
        let Some(reselect) = &mut self.reselect else { return Ok(new) };
        let row = NewRow { relation: &relation, values: new, old_is_whole, xid: self.transaction.xid };
        if !reselect.read(row, self.settings, self.tables, self.query, again).await? {
            return Ok(new);
        }
        Tuple::parse(again).map_err(|error| Error::fatal("columns that were read again").with_source(error))
    }

    /// A change was encoded: it goes out when enough is gathered, or alone where changes are counted.
    #[inline]
    async fn changed(&mut self) -> Result<()> {
        if self.gathered() < Replication::LARGE && self.outbox.is_due(&self.batch) {
            self.outbox.send(&mut self.batch).await?;
        }
        Ok(())
    }

    /// Tells that a transaction begins.
    async fn begin(&mut self, lsn: Lsn) -> Result<()> {
        let topic = match self.metadata.as_ref().and_then(|metadata| metadata.topic) {
            Some(topic) => topic,
            None => {
                let name = self.settings.topic.of_transactions();
                self.tables.number_messages(&mut self.messages, MessageKind::Transaction, &name).await?;
                self.outbox.output.topic(&name)
            }
        };
        let Some(metadata) = &mut self.metadata else { return Ok(()) };
        metadata.topic = Some(topic);
        metadata.numbering.begin();
        let context = self.transaction.context(lsn, self.last_commit, 0, None);
        self.messages
            .begin(topic, &context, &mut self.batch)
            .map_err(|error| at(lsn, &error).with_source(error))?;
        self.changed().await
    }

    /// Tells that it ends, with the sums of its changes.
    async fn end(&mut self, lsn: Lsn) -> Result<()> {
        let Some(metadata) = &self.metadata else { return Ok(()) };
        let Some(topic) = metadata.topic else { return Ok(()) };
        let context = self.transaction.context(lsn, self.last_commit, 0, None);
        let numbering = &metadata.numbering;
        let sums = numbering.sums();
        self.messages
            .end(topic, numbering.total(), sums.into_iter(), &context, &mut self.batch)
            .map_err(|error| at(lsn, &error).with_source(error))?;
        self.flush().await
    }

    async fn rare(&mut self, lsn: Lsn, message: Message<'_>, data: &[u8]) -> Result<()> {
        match message {
            Message::Relation(body) => {
                if let Some(metadata) = &mut self.metadata {
                    metadata.numbering.announce(body.oid, body.schema, body.table);
                }
                self.tables.learn(&body, self.transaction.xid, self.query, &mut self.outbox.output).await?;
            }
            Message::Truncate { relations, .. } => {
                for oid in relations.chunks_exact(4) {
                    let oid = u32::from_be_bytes([oid[0], oid[1], oid[2], oid[3]]);
                    if self.outbox.output.wants_events() {
                        self.event(lsn, oid, Operation::Truncate, None, None, data).await?;
                    } else if self.change(lsn, oid, Operation::Truncate, None, None)? {
                        self.changed().await?;
                    }
                }
            }
            Message::Origin { lsn, name } => self.transaction.origin = Some((name.to_owned(), lsn)),
            Message::Logical { transactional, lsn, prefix, content } => {
                self.logical(transactional, lsn, prefix, content).await?;
            }
            // Types are read from the catalog; the name is for those that are gone.
            Message::Type { oid, schema, name } => self.tables.announce_type(oid, schema, name),
            _ => {}
        }
        Ok(())
    }

    /// Encodes a change; false when its table is not captured.
    #[inline]
    fn change(
        &mut self,
        lsn: Lsn,
        relation: u32,
        operation: Operation,
        before: Option<(RelationIdentity, Tuple<'_>)>,
        after: Option<Tuple<'_>>,
    ) -> Result<bool> {
        let (now_ns, last_commit) = (self.clock.tick(), self.commit_before(lsn));
        let Some(encoder) = self.tables.get(relation) else { return Err(unannounced(lsn, relation)) };
        let Some(encoder) = encoder else { return Ok(false) };
        self.changes += 1;
        let ordinal = self.metadata.as_ref().map(|metadata| metadata.numbering.next(relation));
        let context = self.transaction.context(lsn, last_commit, now_ns, ordinal);
        let old = before.map(|(kind, tuple)| (RowRef::Wire(tuple), kind == RelationIdentity::Row));
        let change = match (operation, old, after) {
            (Operation::Truncate, ..) => Change::Truncate,
            (_, None, Some(new)) if operation == Operation::Create => {
                Change::Insert { new: RowRef::Wire(new) }
            }
            (_, old, Some(new)) => Change::Update { old, new: RowRef::Wire(new) },
            (_, Some((old, _)), None) => Change::Delete { old },
            (_, None, None) => return Ok(true),
        };
        let mark = self.batch.mark();
        let counted = match encoder.encode(change, &context, &mut self.batch) {
            Ok(counted) => counted,
            Err(error) => {
                self.batch.rewind(mark);
                return self.refuse(lsn, error);
            }
        };
        if let Some(metadata) = &mut self.metadata {
            metadata.numbering.count(relation, &encoder.relation().name, counted);
        }
        Ok(true)
    }

    /// The first number of `source.sequence`: the end of the commit before.
    ///
    /// A transaction may have made this change before a snapshot that does not have it, since it committed after. The
    /// end of the commit before is then not known, or lies before the snapshot, too, and a reader would take the
    /// snapshot's row for the newer one: the snapshot's own position stands in. Debezium writes null here.
    #[inline]
    fn commit_before(&self, lsn: Lsn) -> Option<Lsn> {
        if lsn < self.floor { self.last_commit.max(Some(self.floor)) } else { self.last_commit }
    }

    /// A row that has no record: left out where `errors.tolerance` says so.
    #[cold]
    fn refuse(&self, lsn: Lsn, error: EncodeError) -> Result<bool> {
        let tolerance = &self.tables.tolerance;
        if error.is_of_values() && tolerance.leaves_out(&error.to_string(), "the row has no record") {
            return Ok(true);
        }
        Err(tolerance.refusal(&format!("replication stream at {lsn}"), error))
    }

    async fn event(
        &mut self,
        lsn: Lsn,
        relation: u32,
        operation: Operation,
        before: Option<(RelationIdentity, Tuple<'_>)>,
        after: Option<Tuple<'_>>,
        data: &[u8],
    ) -> Result<()> {
        let (now_ns, last_commit) = (self.clock.tick(), self.commit_before(lsn));
        let Some(encoder) = self.tables.get(relation) else { return Err(unannounced(lsn, relation)) };
        let Some(encoder) = encoder else { return Ok(()) };
        self.changes += 1;
        let context = self.transaction.context(lsn, last_commit, now_ns, None);
        let before = before.map(|(_, tuple)| tuple);
        let event = typed::event(operation, encoder.relation(), data, before, after, &context)
            .map_err(|error| at(lsn, &error).with_source(error))?;
        self.outbox.event(event).await
    }

    async fn logical(&mut self, transactional: bool, lsn: Lsn, prefix: &str, content: &[u8]) -> Result<()> {
        if !self.settings.messages.allows(prefix) || self.outbox.output.wants_events() {
            return Ok(());
        }
        let topic = match self.message_topic {
            Some(topic) => topic,
            None => {
                let name = self.settings.topic.of_messages();
                let topic = self.outbox.output.topic(&name);
                self.tables.number_messages(&mut self.messages, MessageKind::Logical, &name).await?;
                *self.message_topic.insert(topic)
            }
        };
        self.changes += 1;
        if !transactional {
            self.flush().await?;
            self.outbox.outside(lsn);
        }
        let now = now_ns();
        let xmin = self.xmin.now();
        let outside = Transaction { xid: None, xmin, commit_time_us: now / 1000, origin: None };
        let transaction = if transactional { &self.transaction } else { &outside };
        let numbered = self.metadata.as_mut().filter(|_| transactional);
        let ordinal = numbered.map(|metadata| metadata.numbering.message(lsn));
        let context = transaction.context(lsn, self.last_commit, now, ordinal);
        self.messages
            .logical(topic, prefix, content, &context, &mut self.batch)
            .map_err(|error| at(lsn, &error).with_source(error))?;
        self.changed().await
    }
}

impl Transaction {
    #[inline]
    fn context(
        &self,
        lsn: Lsn,
        last_commit: Option<Lsn>,
        now_ns: i64,
        ordinal: Option<Ordinal>,
    ) -> Context<'_> {
        Context {
            lsn,
            last_commit,
            xid: self.xid,
            xmin: self.xmin,
            timestamp_us: self.commit_time_us,
            snapshot: pgcdc_event::Snapshot::False,
            origin: self.origin.as_ref().map(|(name, lsn)| (name.as_str(), *lsn)),
            now_ns,
            ordinal,
        }
    }
}

fn unannounced(lsn: Lsn, relation: u32) -> Error {
    Error::fatal(format!(
        "replication stream at {lsn}: a row of relation {relation}, which was never announced"
    ))
}

fn at(lsn: Lsn, error: &dyn std::error::Error) -> Error {
    Error::fatal(format!("replication stream at {lsn}: {error}"))
}
