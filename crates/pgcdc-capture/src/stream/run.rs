use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use pgcdc_event::{Lsn, Operation, RecordBatch, TopicId};
use pgcdc_format::envelope::{Change, Context, EncodeError, MessageEncoder, RowRef};
use pgcdc_format::pgoutput::{Message, RelationIdentity, Tuple, decode};

use super::pace::{NAP, Pace};
use super::typed;
use crate::config::Settings;
use crate::metrics::Metrics;
use crate::outbox::Outbox;
use crate::postgres::{Query, Replication, Wal, quote_literal};
use crate::snapshot::now_ns;
use crate::tables::Tables;
use crate::{Error, Result};

/// Changes read before deliveries are looked at again.
const DRAIN: u32 = 1024;

/// One run of the stream, from START_REPLICATION to an error, an end or a cancellation.
///
/// Dropping the future of [`run`](Self::run) is safe at any await: what was not confirmed is sent
/// again by the server.
pub(crate) struct Stream<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) replication: &'a mut Replication,
    pub(crate) query: &'a Query,
    pub(crate) tables: &'a mut Tables,
    pub(crate) outbox: &'a mut Outbox,
    pub(crate) metrics: &'a Arc<Metrics>,
    /// `--until-idle`.
    pub(crate) until_idle: Option<Duration>,
    /// Position that must have been seen before the stream can count as idle.
    pub(crate) catch_up: Lsn,
    /// End of the transaction before the first one, where that is known.
    pub(crate) last_commit: Option<Lsn>,
}

/// What the loop keeps between messages.
struct State {
    transaction: Transaction,
    last_commit: Option<Lsn>,
    batch: RecordBatch,
    messages: MessageEncoder,
    message_topic: Option<TopicId>,
    heartbeat: Option<Heartbeat>,
    last_change: Instant,
    /// When the server was last asked how far it is.
    asked: Instant,
    seen: Lsn,
    pace: Pace,
    changes: u64,
}

#[derive(Default)]
struct Transaction {
    xid: Option<u32>,
    commit_time_us: i64,
    origin: Option<(String, Lsn)>,
}

struct Heartbeat {
    topic: TopicId,
    interval: Duration,
    next: Instant,
}

impl Stream<'_> {
    /// Runs until an error, or until idle.
    pub(crate) async fn run(&mut self) -> Result<()> {
        let mut state = self.state().await?;
        loop {
            let drained = self.drain(&mut state).await?;
            self.acknowledge(&mut state)?;
            self.beat(&mut state).await?;
            if drained == DRAIN {
                tokio::task::yield_now().await;
                continue;
            }
            if state.pace.nap_after(drained, Instant::now()) {
                // The client's reader shares this thread: nobody reads while bytes pile up.
                std::thread::sleep(NAP);
                tokio::task::yield_now().await;
                continue;
            }
            match tokio::time::timeout(self.patience(&state), self.replication.receive()).await {
                Ok(wal) => self.take(wal?, &mut state).await?,
                Err(_) => self.acknowledge(&mut state)?,
            }
            // Not only when nothing came: other databases' load keeps the server talking without a change for us.
            if self.is_idle(&mut state).await? {
                return Ok(());
            }
        }
    }

    /// Takes what is there without waiting for the server, up to a limit; returns how many messages.
    async fn drain(&mut self, state: &mut State) -> Result<u32> {
        let (mut drained, mut asked) = (0, false);
        while drained < DRAIN {
            match self.replication.try_receive()? {
                Some(wal) => {
                    self.take(wal, state).await?;
                    drained += 1;
                    asked = false;
                }
                None if asked => break,
                None => {
                    // The client's reader shares this thread: it may have more in hand than fits its queue.
                    tokio::task::yield_now().await;
                    asked = true;
                }
            }
        }
        Ok(drained)
    }

    async fn state(&mut self) -> Result<State> {
        let now = Instant::now();
        let heartbeat = match self.settings.heartbeat.interval {
            None => None,
            Some(interval) => {
                let topic =
                    self.outbox.output.topic(&self.settings.heartbeat.topic(&self.settings.topic)).await?;
                Some(Heartbeat { topic, interval, next: now + interval })
            }
        };
        Ok(State {
            transaction: Transaction::default(),
            last_commit: self.last_commit,
            batch: RecordBatch::new(),
            messages: self.tables.messages(),
            message_topic: None,
            heartbeat,
            last_change: now,
            asked: now,
            seen: Lsn::ZERO,
            pace: Pace::new(now),
            changes: 0,
        })
    }

    /// How long to wait for the next message before looking after other things.
    fn patience(&self, state: &State) -> Duration {
        let mut patience = Duration::from_millis(250);
        if self.outbox.ledger().in_flight().records > 0 {
            patience = Duration::from_millis(2);
        }
        if let Some(heartbeat) = &state.heartbeat {
            patience = patience.min(heartbeat.next.saturating_duration_since(Instant::now()));
        }
        patience
    }

    async fn is_idle(&self, state: &mut State) -> Result<bool> {
        let Some(limit) = self.until_idle else { return Ok(false) };
        let ledger = self.outbox.ledger();
        let done = !ledger.in_transaction() && ledger.in_flight().records == 0;
        if !done || state.last_change.elapsed() < limit {
            return Ok(false);
        }
        if state.seen >= self.catch_up {
            return Ok(true);
        }
        // A server that still reads old WAL says nothing for a while: ask it how far it is.
        if state.asked.elapsed() < Duration::from_secs(1) {
            return Ok(false);
        }
        state.asked = Instant::now();
        let sql = format!(
            "SELECT r.sent_lsn FROM pg_replication_slots s JOIN pg_stat_replication r ON r.pid = s.active_pid
             WHERE s.slot_name = {}",
            quote_literal(&self.settings.slot.name)
        );
        let sent = self.query.value("read how far the server has come", &sql).await?;
        state.seen = state.seen.max(sent.and_then(|lsn| lsn.parse().ok()).unwrap_or_default());
        Ok(false)
    }

    /// Takes deliveries in and confirms what they complete.
    fn acknowledge(&mut self, state: &mut State) -> Result<()> {
        self.outbox.poll()?;
        let confirmed = self.outbox.ledger().confirmed();
        self.replication.confirm(confirmed);
        Metrics::set(&self.metrics.confirmed_lsn, confirmed.as_u64());
        Metrics::set(&self.metrics.server_lsn, state.seen.as_u64());
        Metrics::add(&self.metrics.changes, std::mem::take(&mut state.changes));
        Ok(())
    }

    async fn take(&mut self, wal: Wal, state: &mut State) -> Result<()> {
        match wal {
            Wal::Data { lsn, data } => return self.data(lsn, &data, state).await,
            Wal::Begin { final_lsn, xid, commit_time_us } => {
                tracing::trace!(%final_lsn, xid, "begin");
                state.transaction = Transaction { xid: Some(xid), commit_time_us, origin: None };
                self.outbox.begin(final_lsn);
            }
            Wal::Commit { end } => {
                self.outbox.commit(end)?;
                state.last_commit = Some(end);
                state.seen = state.seen.max(end);
                state.transaction = Transaction::default();
                Metrics::add(&self.metrics.transactions, 1);
            }
            Wal::KeepAlive { wal_end } => {
                self.outbox.ledger_mut().idle(wal_end);
                state.seen = state.seen.max(wal_end);
            }
            Wal::Message { transactional, lsn, prefix, content } => {
                return self.message(transactional, lsn, &prefix, &content, state).await;
            }
        }
        Ok(())
    }

    async fn data(&mut self, lsn: Lsn, data: &Bytes, state: &mut State) -> Result<()> {
        let message = decode(data).map_err(|error| at(lsn, &error).with_source(error))?;
        let (relation, operation, before, after) = match message {
            Message::Insert { relation, new } => (relation, Operation::Create, None, Some(new)),
            Message::Update { relation, old, new } => (relation, Operation::Update, old, Some(new)),
            Message::Delete { relation, kind, old } => (relation, Operation::Delete, Some((kind, old)), None),
            Message::Relation(body) => {
                return self.tables.learn(&body, self.query, &mut self.outbox.output).await;
            }
            Message::Truncate { relations, .. } => {
                for oid in relations.chunks_exact(4) {
                    let oid = u32::from_be_bytes([oid[0], oid[1], oid[2], oid[3]]);
                    self.change(lsn, oid, Operation::Truncate, None, None, data, state).await?;
                }
                return Ok(());
            }
            Message::Origin { lsn, name } => {
                state.transaction.origin = Some((name.to_owned(), lsn));
                return Ok(());
            }
            // Types are read from the catalog; the rest comes typed, not as data.
            _ => return Ok(()),
        };
        self.change(lsn, relation, operation, before, after, data, state).await
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of a change")]
    #[inline]
    async fn change(
        &mut self,
        lsn: Lsn,
        relation: u32,
        operation: Operation,
        before: Option<(RelationIdentity, Tuple<'_>)>,
        after: Option<Tuple<'_>>,
        data: &Bytes,
        state: &mut State,
    ) -> Result<()> {
        state.last_change = Instant::now();
        let Some(encoder) = self.tables.get(relation) else {
            return Err(Error::fatal(format!(
                "replication stream at {lsn}: a row of relation {relation}, which was never announced"
            )));
        };
        let Some(encoder) = encoder else { return Ok(()) };
        state.changes += 1;
        let context = state.transaction.context(lsn, state.last_commit);
        if self.outbox.output.wants_events() {
            let event =
                typed::event(operation, encoder.relation(), data, before.map(|(_, t)| t), after, &context)
                    .map_err(|error| at(lsn, &error).with_source(error))?;
            return self.outbox.event(event).await;
        }
        let old = before.map(|(kind, tuple)| (RowRef::Wire(tuple), kind == RelationIdentity::Row));
        let change = match (operation, old, after) {
            (Operation::Truncate, ..) => Change::Truncate,
            (_, None, Some(new)) if operation == Operation::Create => {
                Change::Insert { new: RowRef::Wire(new) }
            }
            (_, old, Some(new)) => Change::Update { old, new: RowRef::Wire(new) },
            (_, Some((old, _)), None) => Change::Delete { old },
            (_, None, None) => return Ok(()),
        };
        encoder
            .encode(change, &context, &mut state.batch)
            .map_err(|error: EncodeError| at(lsn, &error).with_source(error))?;
        self.outbox.send(&mut state.batch).await
    }

    async fn message(
        &mut self,
        transactional: bool,
        lsn: Lsn,
        prefix: &str,
        content: &[u8],
        state: &mut State,
    ) -> Result<()> {
        if !self.settings.messages.allows(prefix) || self.outbox.output.wants_events() {
            return Ok(());
        }
        state.last_change = Instant::now();
        let topic = match state.message_topic {
            Some(topic) => topic,
            None => {
                let topic = self.outbox.output.topic(&self.settings.topic.of_messages()).await?;
                *state.message_topic.insert(topic)
            }
        };
        let now = now_ns();
        let outside = Transaction { xid: None, commit_time_us: now / 1000, origin: None };
        let transaction = if transactional { &state.transaction } else { &outside };
        let context = transaction.context(lsn, state.last_commit);
        if !transactional {
            self.outbox.outside(lsn);
        }
        state.messages.logical(topic, prefix, content, &context, &mut state.batch);
        self.outbox.send(&mut state.batch).await
    }

    /// Sends a heartbeat when one is due. Its record keeps a position nobody else would confirm
    /// moving: the action query writes WAL that comes back as a commit.
    async fn beat(&mut self, state: &mut State) -> Result<()> {
        let Some(heartbeat) = &mut state.heartbeat else { return Ok(()) };
        let now = Instant::now();
        if now < heartbeat.next {
            return Ok(());
        }
        heartbeat.next = now + heartbeat.interval;
        if !self.outbox.output.wants_events() {
            state.messages.heartbeat(heartbeat.topic, now_ns(), &mut state.batch);
            self.outbox.send_beside(&mut state.batch).await?;
        }
        if let Some(statement) = &self.settings.heartbeat.action_query {
            match self.query.execute("heartbeat.action.query", statement).await {
                Err(error) if !error.is_transient() => {
                    tracing::warn!(%error, "the heartbeat's action failed; capture goes on");
                }
                result => result?,
            }
        }
        Ok(())
    }
}

impl Transaction {
    fn context(&self, lsn: Lsn, last_commit: Option<Lsn>) -> Context<'_> {
        Context {
            lsn,
            last_commit,
            xid: self.xid,
            timestamp_us: self.commit_time_us,
            snapshot: pgcdc_event::Snapshot::False,
            origin: self.origin.as_ref().map(|(name, lsn)| (name.as_str(), *lsn)),
            now_ns: now_ns(),
        }
    }
}

fn at(lsn: Lsn, error: &dyn std::error::Error) -> Error {
    Error::fatal(format!("replication stream at {lsn}: {error}"))
}
