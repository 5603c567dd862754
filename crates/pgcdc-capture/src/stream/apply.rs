//! Messages of the replication stream, decoded and given to the [`Lane`].
//!
//! pgoutput's order is `Begin`, then for each table once a `Relation` (with `Type` before it), then
//! rows, then `Commit`. Source: PostgreSQL documentation, "Logical Replication Message Formats" and
//! "Logical Streaming Replication Protocol".

use std::sync::Arc;

use pgcdc_event::{Lsn, Operation};
use pgcdc_format::envelope::RowRef;
use pgcdc_format::pgoutput::{Message, RelationIdentity, Tuple, decode};

use super::latency::Latency;
use super::reselect::{NewRow, Reselector};
use super::transaction::Transaction;
use super::xmin::Xmin;
use crate::clock::{Clock, now_ns};
use crate::config::Settings;
use crate::lane::{Lane, LogicalMessage, RowChange, Waiting, at};
use crate::meters::Meters;
use crate::offsets::{TakenOver, Takeover};
use crate::postgres::Query;
use crate::tables::Tables;
use crate::{Error, Result};

/// Takes one message after the other. It follows the open transaction, keeps [`Tables`] up to date
/// with the relations that the stream announces, and gives changes to the lane.
pub(super) struct Applier<'a> {
    /// Filters of logical messages, and columns to read again.
    settings: &'a Settings,
    /// The SQL session for the catalog.
    query: &'a Query,
    /// The encoders; they change with each `Relation` message.
    tables: &'a mut Tables,
    /// Where changes go.
    pub(super) lane: &'a mut Lane,
    /// The connector's counters.
    metrics: &'a Arc<Meters>,
    /// The open transaction.
    transaction: Transaction,
    /// The end of the transaction before, for `source.sequence`.
    last_commit: Option<Lsn>,
    /// Where the snapshot before this stream was taken; zero without one.
    snapshot_at: Lsn,
    /// Knows the changes that Debezium wrote of the transaction in which it stopped.
    takeover: Option<Box<Takeover>>,
    /// `snapshot_at` while the open transaction is one that the snapshot does not have, else zero.
    floor: Lsn,
    /// Reads columns again, if `post.processors` asks for it.
    reselect: Option<Box<Reselector>>,
    /// The furthest position that the server has shown, by a commit, a keepalive or an answer. For
    /// the lag, and to know whether the stream has caught up.
    pub(super) seen: Lsn,
    /// The time of processing that records carry.
    clock: Clock,
    /// Changes since [`take_changes`](Self::take_changes).
    changes: u64,
    /// Whether the open transaction has changes of captured tables.
    changed: bool,
    /// Transactions whose acknowledgement is measured.
    latency: Latency,
    /// `source.xmin`.
    xmin: Xmin,
}

/// What was before the stream begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Before {
    /// End of the transaction before the first one, where that is known.
    pub(crate) last_commit: Option<Lsn>,
    /// Where the snapshot before the stream was taken; zero without one.
    pub(crate) snapshot_at: Lsn,
    /// The transaction in which Debezium stopped, when the stream goes on from there.
    pub(crate) taken_over: Option<TakenOver>,
}

impl<'a> Applier<'a> {
    /// No transaction is open, and no table is known but those of `tables`.
    pub(super) fn new(
        settings: &'a Settings,
        query: &'a Query,
        tables: &'a mut Tables,
        lane: &'a mut Lane,
        metrics: &'a Arc<Meters>,
        before: Before,
        xmin: Xmin,
    ) -> Self {
        Self {
            reselect: Reselector::new(settings),
            settings,
            query,
            tables,
            lane,
            metrics,
            transaction: Transaction::default(),
            last_commit: before.last_commit,
            snapshot_at: before.snapshot_at,
            takeover: before.taken_over.map(|of| Box::new(Takeover::new(of))),
            floor: Lsn::ZERO,
            seen: Lsn::ZERO,
            clock: Clock::default(),
            changes: 0,
            changed: false,
            latency: Latency::default(),
            xmin,
        }
    }

    /// How many changes were taken since the last call.
    pub(super) fn take_changes(&mut self) -> u64 {
        std::mem::take(&mut self.changes)
    }

    /// Tells the metrics which rows were read, and how long acknowledgements take.
    pub(super) fn measure(&mut self) {
        self.tables.tell_rows();
        let position = self.lane.acknowledged();
        self.latency.acknowledged(position, now_ns() / 1000, &self.metrics.capture);
    }

    /// Hands over everything that was gathered, and logs values that could not be converted. Called
    /// when the socket has nothing more for now, so it also lets the next change look at the clock.
    pub(super) async fn flush(&mut self) -> Result<()> {
        self.clock.reset();
        self.tables.tolerance.tell();
        self.lane.flush().await
    }

    /// Takes a keepalive: the server has nothing more for us up to `wal_end`.
    pub(super) async fn keepalive(&mut self, wal_end: Lsn) -> Result<()> {
        // Records that wait in the batch are of positions before it.
        self.flush().await?;
        self.lane.idle(wal_end);
        self.seen = self.seen.max(wal_end);
        Ok(())
    }

    /// Sends a heartbeat's record, behind what was gathered.
    pub(super) async fn heartbeat(&mut self) -> Result<()> {
        self.flush().await?;
        self.lane.heartbeat(self.tables).await
    }

    /// Takes one message. `lsn` is its position; for a row, that of the change.
    ///
    /// Rows, the bulk of the stream, are handled here; all other messages take the way of `rare`.
    ///
    /// # Errors
    /// A message that is not understood, a table or value that cannot be encoded, and all failures
    /// of catalog, registry and output.
    #[inline]
    pub(super) async fn take(&mut self, lsn: Lsn, data: &[u8]) -> Result<()> {
        let message = decode(data).map_err(|error| at(lsn, error))?;
        let (oid, operation, before, after) = match message {
            Message::Insert { relation, new } => (relation, Operation::Create, None, Some(new)),
            Message::Update { relation, old, new } => (relation, Operation::Update, old, Some(new)),
            Message::Delete { relation, kind, old } => (relation, Operation::Delete, Some((kind, old)), None),
            Message::Begin { final_lsn, commit_time_us, xid } => {
                self.begin(final_lsn, commit_time_us, xid);
                let told = self.takeover.as_ref().is_some_and(|takeover| takeover.is_inside());
                return if self.lane.tells_transactions() {
                    self.tell_begin(lsn, told).await
                } else {
                    Ok(())
                };
            }
            Message::Commit { end_lsn, .. } => {
                self.flush().await?;
                if self.lane.tells_transactions() {
                    self.tell_end(lsn).await?;
                }
                return self.commit(end_lsn);
            }
            other => return self.rare(lsn, other, data).await,
        };
        let mut again = Vec::new();
        let after = match after {
            Some(new) if self.reselect.is_some() => {
                let whole = matches!(before, Some((RelationIdentity::Row, _)));
                Some(Box::pin(self.reselected(oid, new, whole, &mut again)).await?)
            }
            after => after,
        };
        if let Some(new) = after
            && self.tables.has_labels(oid)
        {
            let (row, xid) = (RowRef::Wire(new), self.transaction.xid);
            self.tables.learn_labels(oid, row, xid, self.query, self.lane).await?;
        }
        match self.change(lsn, oid, RowChange { operation, before, after, data })? {
            Some(waiting) => self.lane.send_waiting(waiting).await,
            None => Ok(()),
        }
    }

    /// Begins a transaction. `final_lsn` is the start of its commit record.
    #[inline]
    fn begin(&mut self, final_lsn: Lsn, commit_time_us: i64, xid: u32) {
        tracing::trace!(%final_lsn, xid, "begin");
        let xmin = self.xmin.now();
        self.transaction = Transaction { xid: Some(xid), xmin, commit_time_us, origin: None };
        self.floor = if final_lsn >= self.snapshot_at { self.snapshot_at } else { Lsn::ZERO };
        self.lane.begin(final_lsn);
        if let Some(takeover) = &mut self.takeover {
            takeover.begin(xid);
        }
    }

    /// Sends the record of the transaction's begin.
    /// `told` says that Debezium has written the record of the begin.
    async fn tell_begin(&mut self, lsn: Lsn, told: bool) -> Result<()> {
        let context = self.transaction.context(lsn, self.last_commit, 0);
        self.lane.tell_begin(context, told, self.tables).await
    }

    /// Sends the record of the transaction's end.
    async fn tell_end(&mut self, lsn: Lsn) -> Result<()> {
        self.lane.tell_end(self.transaction.context(lsn, self.last_commit, 0)).await
    }

    /// Ends the transaction. Its records were flushed before, so that the ledger has counted them.
    #[inline]
    fn commit(&mut self, end: Lsn) -> Result<()> {
        self.lane.commit(end)?;
        if std::mem::take(&mut self.changed) {
            self.latency.committed(end, self.transaction.commit_time_us);
        }
        self.last_commit = Some(end);
        self.seen = self.seen.max(end);
        self.transaction = Transaction::default();
        self.metrics.capture.transactions.inc_by(1);
        Ok(())
    }

    /// A new row, with columns that `post.processors` names read again from the table. `again`
    /// holds their bytes.
    async fn reselected<'t>(
        &mut self,
        oid: u32,
        new: Tuple<'t>,
        old_is_whole: bool,
        again: &'t mut Vec<u8>,
    ) -> Result<Tuple<'t>> {
        let Some(Some(encoder)) = self.tables.get(oid) else { return Ok(new) };
        let relation = Arc::clone(encoder.relation());
        let Some(reselect) = &mut self.reselect else { return Ok(new) };
        let row = NewRow { relation: &relation, values: new, old_is_whole, xid: self.transaction.xid };
        if !reselect.read(row, self.settings, self.tables, self.query, again).await? {
            return Ok(new);
        }
        Tuple::parse(again).map_err(|error| Error::fatal("columns that were read again").with_source(error))
    }

    /// Gives a change to the lane, unless its table is not captured. What the lane answers must be
    /// sent.
    ///
    /// # Errors
    /// When the table was never announced, which breaks the protocol.
    #[inline]
    fn change(&mut self, lsn: Lsn, oid: u32, change: RowChange<'_>) -> Result<Option<Waiting>> {
        let written = self.takeover.as_mut().is_some_and(|takeover| takeover.has_written(lsn));
        let (now_ns, last_commit) = (self.clock.tick(), self.commit_before(lsn));
        let encoder = self.tables.changed(oid, change.operation);
        let Some(encoder) = encoder else { return Err(unannounced(lsn, oid)) };
        let Some(encoder) = encoder else { return Ok(None) };
        self.changes += 1;
        self.changed = true;
        let context = self.transaction.context(lsn, last_commit, now_ns);
        if written {
            self.lane.pass_over(encoder, change, context)?;
            return Ok(None);
        }
        self.lane.change(encoder, change, context)
    }

    /// The first number of `source.sequence`: the end of the commit before. By it a reader tells an
    /// older row from a newer one.
    ///
    /// A transaction may have made this change before a snapshot that does not have it, since it
    /// committed after. The end of the commit before is then not known, or lies before the
    /// snapshot, too, and a reader would take the snapshot's row for the newer one. So the
    /// snapshot's own position stands in. Debezium writes null here.
    #[inline]
    fn commit_before(&self, lsn: Lsn) -> Option<Lsn> {
        if lsn < self.floor { self.last_commit.max(Some(self.floor)) } else { self.last_commit }
    }

    /// Takes a message that is neither a row nor the begin or end of a transaction.
    async fn rare(&mut self, lsn: Lsn, message: Message<'_>, data: &[u8]) -> Result<()> {
        match message {
            Message::Relation(body) => {
                self.lane.announce(body.oid, body.schema, body.table);
                self.tables.learn(&body, self.transaction.xid, self.query, self.lane).await?;
            }
            Message::Truncate { relations, .. } => {
                let truncate = RowChange { operation: Operation::Truncate, before: None, after: None, data };
                for oid in relations.chunks_exact(4) {
                    let oid = u32::from_be_bytes([oid[0], oid[1], oid[2], oid[3]]);
                    if let Some(waiting) = self.change(lsn, oid, truncate)? {
                        self.lane.send_waiting(waiting).await?;
                    }
                }
            }
            Message::Origin { lsn, name } => self.transaction.origin = Some((name.to_owned(), lsn)),
            Message::Logical { transactional, lsn, prefix, content }
                if self.settings.messages.allows(prefix) =>
            {
                self.logical(LogicalMessage { transactional, lsn, prefix, content }).await?;
            }
            // Types are read from the catalog. Their names are noted for types that are gone from
            // it.
            Message::Type { oid, schema, name } => self.tables.announce_type(oid, schema, name),
            _ => {}
        }
        Ok(())
    }

    /// Takes a logical message. One outside of transactions has no commit time, so the present time
    /// stands in, as with Debezium.
    async fn logical(&mut self, message: LogicalMessage<'_>) -> Result<()> {
        let now = now_ns();
        let xmin = self.xmin.now();
        let outside = Transaction { xid: None, xmin, commit_time_us: now / 1000, origin: None };
        let transaction = if message.transactional { &self.transaction } else { &outside };
        let context = transaction.context(message.lsn, self.last_commit, now);
        let takeover = self.takeover.as_ref().filter(|_| message.transactional);
        if takeover.is_some_and(|takeover| takeover.has_written_message(message.lsn)) {
            return self.lane.pass_over_message(message, context, self.tables).await;
        }
        if self.lane.message(message, context, self.tables).await? {
            self.changes += 1;
        }
        Ok(())
    }
}

/// The error for a row without a `Relation` message before it.
fn unannounced(lsn: Lsn, oid: u32) -> Error {
    Error::fatal(format!("replication stream at {lsn}: a row of relation {oid}, which was never announced"))
}
