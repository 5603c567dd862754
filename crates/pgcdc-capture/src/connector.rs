//! One connector's life: look, snapshot if due, stream; after a failure that passes, again.
//!
//! ```text
//!           ┌──────────── transient error: back-off with jitter ────────────┐
//!           ▼                                                               │
//!  prepare (slot, publication, offsets) ─▶ snapshot? ─▶ stream ─▶ shutdown or idle ─▶ drained
//! ```

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pgcdc_event::Lsn;
use tokio_util::sync::CancellationToken;

use crate::backoff::{Backoff, Streaming};
use crate::config::Settings;
use crate::known_keys::KnownKeys;
use crate::metrics::Metrics;
use crate::offsets::{Home, Offset, OffsetStore, Pauses};
use crate::outbox::Outbox;
use crate::output::{Output, TransactionalOutput};
use crate::postgres::{
    CapturedTable, ExportedSlot, NewSlot, Query, Replication, captured_tables, drop_if_idle,
    publication_gaps, quote_literal, set_identities,
};
use crate::snapshot::{Begun, Decision, Snapshotter, begin, publish};
use crate::stage::Stage;
use crate::start::{Start, look};
use crate::stream::Stream;
use crate::tables::Tables;
use crate::tolerance::Tolerance;
use crate::{Error, Result};

/// How long a stop may take to get what was read delivered and confirmed.
const DRAIN_LIMIT: Duration = Duration::from_secs(20);

/// How long the last write of offsets may take.
const LAST_WORD: Duration = Duration::from_secs(5);

/// What a connector runs with.
pub(crate) struct Connector {
    pub(crate) settings: Arc<Settings>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) offsets: OffsetStore,
    pub(crate) until_idle: Option<Duration>,
    /// Tables that must exist, as `schema.table`; for those named one by one.
    pub(crate) named_tables: Vec<String>,
    pub(crate) shutdown: CancellationToken,
}

impl Connector {
    /// Runs until stopped, idle, or a failure that does not pass. `make_output` is called for each
    /// attempt, since a broken producer is replaced, not mended.
    pub(crate) async fn run(&self, mut make_output: impl FnMut(&Settings) -> Result<Output>) -> Result<()> {
        let mut backoff = Backoff::new(self.settings.retry.wait);
        loop {
            let before = Metrics::get(&self.metrics.confirmed_lsn);
            let streaming = Streaming::default();
            let error = match self.attempt(&mut make_output, &streaming).await {
                Ok(()) => return Ok(()),
                Err(error) if !error.is_transient() || self.shutdown.is_cancelled() => return Err(error),
                Err(error) => error,
            };
            let confirmed = Metrics::get(&self.metrics.confirmed_lsn) > before;
            let failures = backoff.failed(streaming.duration(), confirmed);
            let most = self.settings.retry.max_retries;
            if most.is_some_and(|most| failures > most) {
                return Err(error);
            }
            let pause = backoff.pause();
            Metrics::add(&self.metrics.restarts, 1);
            tracing::warn!(
                error = %error,
                hint = error.hint(),
                failures_in_a_row = failures,
                retries_at_most = most,
                again_in_ms = pause.as_millis(),
                "connector failed; it starts again"
            );
            tokio::select! {
                biased;
                () = self.shutdown.cancelled() => return Ok(()),
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    async fn attempt(
        &self,
        make_output: &mut impl FnMut(&Settings) -> Result<Output>,
        streaming: &Streaming,
    ) -> Result<()> {
        let work = async {
            let mut output = make_output(&self.settings)?;
            // Which of several servers is the one may have changed since the last attempt.
            self.settings.connection.chosen.forget();
            let query = Query::connect(&self.settings.connection).await?;
            let mut captured = self.captured(&query).await?;
            publish(&query, &self.settings, &mut captured).await?;
            for gap in publication_gaps(&query, &self.settings, &captured).await? {
                let publication = &self.settings.publication.name;
                tracing::warn!(hint = gap.remedy, "publication {publication} {}", gap.what);
            }
            set_identities(&query, &self.settings.identities, &mut captured).await?;
            if let Some(on) = &self.settings.exactly_once {
                let Output::Kafka(kafka) = output else { return Err(only_kafka()) };
                output = Output::Transactional(Box::new(TransactionalOutput::open(*kafka, on).await?));
            }
            self.prepare(query, captured, output).await
        };
        let prepared = tokio::select! {
            biased;
            () = self.shutdown.cancelled() => return Ok(()),
            prepared = work => prepared?,
        };
        match prepared {
            None => Ok(()),
            Some(prepared) => self.stream(prepared, streaming).await,
        }
    }

    /// The tables that the lists allow; an error when none of them is there.
    async fn captured(&self, query: &Query) -> Result<Vec<CapturedTable>> {
        let captured = captured_tables(&mut &*query, &self.settings).await?;
        let missing: Vec<&str> = self
            .named_tables
            .iter()
            .filter(|name| !captured.iter().any(|table| table.name.to_string() == **name))
            .map(String::as_str)
            .collect();
        if !missing.is_empty() {
            return Err(Error::configuration(format!(
                "no such table in database {}: {}",
                self.settings.connection.dbname,
                missing.join(", ")
            ))
            .with_hint("tables are named schema.table, in the case in which they were made"));
        }
        if captured.is_empty() && !self.settings.tables.allows_all() {
            return Err(Error::configuration(format!(
                "no table of database {} matches table.include.list, table.exclude.list, schema.include.list and schema.exclude.list",
                self.settings.connection.dbname
            ))
            .with_hint("each entry is a regular expression for the whole of schema.table"));
        }
        self.within_guardrail(&captured)?;
        Ok(captured)
    }

    /// `guardrail.collections.max`.
    fn within_guardrail(&self, captured: &[CapturedTable]) -> Result<()> {
        if let Some((most, fail)) = self.settings.most_tables
            && captured.len() > most
        {
            let what = format!("{} tables are captured, guardrail.collections.max is {most}", captured.len());
            if fail {
                return Err(Error::configuration(what)
                    .with_hint("narrow table.include.list, or set guardrail.collections.limit.action=warn"));
            }
            tracing::warn!("{what}");
        }
        Ok(())
    }

    /// Slot and snapshot; `None` when there is nothing to stream.
    async fn prepare(
        &self,
        query: Query,
        captured: Vec<CapturedTable>,
        output: Output,
    ) -> Result<Option<Prepared>> {
        let settings = &self.settings;
        let slot_name = settings.slot.name.as_str();
        let Start { decision, slot_exists, confirmed, home, offset, changed, from } =
            look(settings, &self.offsets, &query).await?;
        tracing::info!(slot = slot_name, ?decision, tables = captured.len(), "connector starts");
        let keys = KnownKeys::load(&self.offsets, &home.database).await?;
        keys.add(&query, captured.iter().map(|table| table.oid)).await?;
        let tolerance = Tolerance::new(settings, Arc::clone(&self.metrics));
        let mut prepared = Prepared {
            outbox: Outbox::new(
                output,
                confirmed,
                Arc::clone(&self.metrics),
                Stage::new(settings, tolerance.clone())?,
            ),
            tables: Tables::new(Arc::clone(settings), keys.clone(), tolerance)?,
            keys,
            query,
            start: Lsn::ZERO,
            last_commit: None,
            snapshot_at: Lsn::ZERO,
            home,
            offset: None,
        };
        prepared.tables.prime(&prepared.query).await?;
        match decision {
            Decision::Stream => {
                // A restart goes on as if the transaction before had just been read.
                prepared.last_commit = Some(from.unwrap_or(confirmed)).filter(|lsn| !lsn.is_zero());
                if let Some(from) = from {
                    prepared.start = from;
                    prepared.outbox.ledger_mut().idle(from);
                }
                match offset {
                    None => self.started(&mut prepared, confirmed).await?,
                    Some(offset) => {
                        // The snapshot's position, or a later one.
                        prepared.snapshot_at = offset.lsn;
                        if changed {
                            prepared.outbox.store(&self.offsets, &offset).await?;
                        }
                        prepared.offset = Some(offset);
                    }
                }
            }
            Decision::Finished => {
                tracing::info!(mode = ?settings.snapshot.mode, "by snapshot.mode there is nothing to do");
                return Ok(None);
            }
            Decision::CreateAndStream => {
                let mut session = Replication::connect(settings, slot_name, Lsn::ZERO).await?;
                let made = ExportedSlot::create(&mut session, self.new_slot(false, false)).await?;
                tracing::info!(slot = slot_name, at = %made.consistent_point, "replication slot made");
                session.stop().await;
                self.started(&mut prepared, made.consistent_point).await?;
            }
            Decision::Snapshot { recreate, stream } => {
                if recreate {
                    drop_if_idle(&prepared.query, slot_name).await?;
                }
                let reuse = slot_exists && !recreate;
                let interrupted = offset.filter(|offset| !offset.snapshot_completed).map(|offset| offset.lsn);
                self.snapshot(&mut prepared, &captured, reuse, interrupted, stream).await?;
                if !stream {
                    return Ok(None);
                }
                tokio::time::sleep(settings.snapshot.streaming_delay).await;
            }
        }
        Ok(Some(prepared))
    }

    /// Notes a first start, so that a slot that is lost later is noticed.
    async fn started(&self, prepared: &mut Prepared, lsn: Lsn) -> Result<()> {
        let offset = self.offset(lsn, &prepared.home);
        prepared.outbox.store(&self.offsets, &offset).await?;
        prepared.offset = Some(offset);
        Ok(())
    }

    fn new_slot(&self, temporary: bool, export: bool) -> NewSlot<'_> {
        NewSlot {
            name: &self.settings.slot.name,
            temporary,
            export,
            failover: self.settings.slot.failover && !temporary,
        }
    }

    /// Takes the snapshot at the start of a slot: the connector's own if it is made now, else a
    /// temporary one, from whose start the existing slot is then read.
    ///
    /// After an `interrupted` snapshot the slot is read from where that one stood: rows that it sent and that
    /// were deleted since are not in the new one, and only the stream can tell that they are gone.
    async fn snapshot(
        &self,
        prepared: &mut Prepared,
        captured: &[CapturedTable],
        reuse: bool,
        interrupted: Option<Lsn>,
        stream: bool,
    ) -> Result<()> {
        let settings = &self.settings;
        if !settings.snapshot.delay.is_zero() {
            tokio::time::sleep(settings.snapshot.delay).await;
        }
        let temporary = format!("pgcdc_snapshot_{:016x}", fastrand::u64(..));
        let mut slot = self.new_slot(reuse || !stream, true);
        if slot.temporary {
            slot.name = &temporary;
        }
        let Begun { session, made, name, reader, tables } =
            begin(&prepared.query, settings, captured, slot).await?;
        self.within_guardrail(&tables)?;
        tracing::info!(slot = slot.name, at = %made.consistent_point, "snapshot begins");
        if interrupted.is_none() {
            let begun =
                Offset { snapshot_completed: false, ..self.offset(made.consistent_point, &prepared.home) };
            prepared.outbox.store(&self.offsets, &begun).await?;
        }
        let rows = Snapshotter {
            settings,
            tables: &mut prepared.tables,
            outbox: &mut prepared.outbox,
            metrics: &self.metrics,
        }
        .run(reader, &name, made.consistent_point, &tables)
        .await?;
        // What the stream brings from an interrupted snapshot on is not written yet.
        self.started(prepared, interrupted.filter(|_| reuse).unwrap_or(made.consistent_point)).await?;
        tracing::info!(rows, at = %made.consistent_point, "snapshot complete");
        session.stop().await;
        // What the snapshot's rows left open in the ledger belongs to no transaction.
        prepared.outbox.ledger_mut().idle(Lsn::ZERO);
        prepared.snapshot_at = made.consistent_point;
        if reuse {
            prepared.start = interrupted.unwrap_or(made.consistent_point);
            // What comes between the two is older than the rows of the second.
            prepared.last_commit = interrupted;
        }
        Ok(())
    }

    /// Writes the tables' keys; those of now where nothing waits in the slot that could have an older one.
    async fn keep_keys(&self, keys: &KnownKeys, query: &Query, confirmed: Lsn) {
        if current_position(query).await.is_ok_and(|here| here <= confirmed)
            && let Err(error) = keys.refresh(query).await
        {
            tracing::debug!(%error, "the tables' keys could not be read again");
        }
        keys.save_or_warn(&self.offsets).await;
    }

    fn offset(&self, lsn: Lsn, home: &Home) -> Offset {
        Offset { snapshot_completed: true, lsn, written: lsn, home: Some(home.clone()), reached: None }
    }

    async fn stream(&self, prepared: Prepared, streaming: &Streaming) -> Result<()> {
        let Prepared { mut tables, keys, mut outbox, query, start, last_commit, snapshot_at, home, offset } =
            prepared;
        keys.save_or_warn(&self.offsets).await;
        if let Some(offset) = offset {
            outbox.stream_from(&self.offsets, offset, Pauses::new(self.settings.report_interval()));
        }
        let mut replication = tokio::select! {
            biased;
            () = self.shutdown.cancelled() => return Ok(()),
            session = async {
                let mut session = Replication::connect(&self.settings, &self.settings.slot.name, start).await?;
                session.start().await?;
                Ok(session)
            } => session?,
        };
        let catch_up = current_position(&query).await?;
        if self.settings.slot.manual {
            tracing::warn!(
                slot = self.settings.slot.name,
                hint = "move it with pg_replication_slot_advance while the connector is stopped",
                "lsn.flush.mode=manual: nothing is confirmed, and the server keeps all WAL from the slot's position on"
            );
        }
        tracing::info!(slot = self.settings.slot.name, "streaming");
        streaming.begins();
        let mut stream = Stream {
            settings: &self.settings,
            replication: &mut replication,
            query: &query,
            tables: &mut tables,
            outbox: &mut outbox,
            metrics: &self.metrics,
            until_idle: self.until_idle,
            catch_up,
            last_commit,
            snapshot_at,
        };
        let ended = tokio::select! {
            biased;
            () = self.shutdown.cancelled() => Ok(()),
            ended = Box::pin(stream.run()) => ended,
            () = keys.keep(&self.offsets) => Ok(()),
        };
        // Even after a failure, what did arrive is confirmed, so that little comes twice.
        let limit = if ended.is_ok() { DRAIN_LIMIT } else { Duration::ZERO };
        let drained = outbox.settle_complete(limit).await;
        let confirmed = if matches!(drained, Ok(true)) {
            self.last_word(&mut outbox).await
        } else {
            outbox.confirmable()
        };
        if let Ok(confirmed) = confirmed {
            replication.confirm(confirmed);
        }
        replication.stop().await;
        let _ =
            tokio::time::timeout(LAST_WORD, self.keep_keys(&keys, &query, outbox.ledger().confirmed())).await;
        if !matches!((&ended, &drained), (Ok(()), Ok(true))) {
            outbox.close().await;
            ended?;
            drained?;
            tracing::warn!(
                "some records were not acknowledged in time; they will be sent again after the next start"
            );
            return Ok(());
        }
        let confirmed = confirmed?;
        if self.settings.slot.drop_on_stop {
            let dropped = drop_when_free(&query, &self.settings.slot.name).await?;
            tracing::info!(slot = self.settings.slot.name, dropped, "slot.drop.on.stop");
            // The next start begins anew.
            let last = Offset { snapshot_completed: false, ..self.offset(Lsn::ZERO, &home) };
            let stored = tokio::time::timeout(LAST_WORD, outbox.store(&self.offsets, &last)).await;
            if !matches!(stored, Ok(Ok(()))) {
                tracing::warn!(
                    slot = self.settings.slot.name,
                    "the offset could not be written: the next start will miss the slot that was dropped"
                );
            }
        }
        tracing::info!(confirmed = %confirmed, "drained and stopped");
        Ok(())
    }

    /// Writes the last offset, which must be durable before the server hears of it; says what it may hear.
    async fn last_word(&self, outbox: &mut Outbox) -> Result<Lsn> {
        let late = || Err(Error::transient(format!("no answer within {} s", LAST_WORD.as_secs())));
        let finished = tokio::time::timeout(LAST_WORD, outbox.finish()).await.unwrap_or_else(|_| late());
        finished.or_else(|error| {
            tracing::warn!(%error, "the last offset could not be written; what came since the one before will come again");
            outbox.confirmable()
        })
    }
}

/// Everything that a stream starts from.
struct Prepared {
    tables: Tables,
    /// What `tables` learns of keys.
    keys: KnownKeys,
    outbox: Outbox,
    query: Query,
    /// Where to start; zero for the slot's own position.
    start: Lsn,
    /// End of the transaction before the first one.
    last_commit: Option<Lsn>,
    /// Where the snapshot before was taken; zero without one.
    snapshot_at: Lsn,
    /// What positions are positions of.
    home: Home,
    /// What the offsets say now.
    offset: Option<Offset>,
}

fn only_kafka() -> Error {
    Error::configuration("exactly.once.support=required: only Kafka has transactions")
        .with_hint("set exactly.once.support=requested for an output other than Kafka")
}

async fn current_position(query: &Query) -> Result<Lsn> {
    let sql =
        "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END";
    let text = query.value("read the server's position", sql).await?;
    Ok(text.and_then(|text| text.parse().ok()).unwrap_or_default())
}

/// The walsender lets go of the slot a moment after the session ends.
pub(crate) async fn drop_when_free(query: &Query, slot: &str) -> Result<bool> {
    for _ in 0..100 {
        if drop_if_idle(query, slot).await? {
            return Ok(true);
        }
        let there = format!("SELECT 1 FROM pg_replication_slots WHERE slot_name = {}", quote_literal(slot));
        if query.value("look up the replication slot", &there).await?.is_none() {
            return Ok(false);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(false)
}

/// Where offsets are when nothing else is said and Kafka is not there to hold them.
pub(crate) fn default_offset_file() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let state =
        state.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state")))?;
    Some(state.join("pgcdc").join("offsets.json"))
}
