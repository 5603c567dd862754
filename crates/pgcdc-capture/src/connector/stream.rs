//! The step that streams, and the drain at its end.
//!
//! Draining means: what was read is delivered, then the offset is written, then the server is told
//! the position, and only then the session ends. That is why a stop makes no duplicates, and why it
//! may take some seconds.

use std::time::Duration;

use pgcdc_event::Lsn;
use pgcdc_lifecycle::State;

use super::backoff::Streaming;
use super::parts::Connector;
use super::prepare::{Prepared, offset_at};
use crate::known_keys::KnownKeys;
use crate::lane::Lane;
use crate::offsets::{Home, Offset, Pauses};
use crate::postgres::{Query, Replication, current_position, drop_when_free};
use crate::stream::{Before, Ended, Stream};
use crate::{Error, Result};

/// How long a stop or a pause may take until everything that was read is delivered and confirmed.
/// After that the rest is sent again at the next start.
pub(super) const DRAIN_LIMIT: Duration = Duration::from_secs(20);

/// How long a pause waits for the end of the open transaction. A longer transaction is left in its
/// middle, and all of it is read again after the pause.
const TRANSACTION_LIMIT: Duration = Duration::from_secs(10);

/// How long a stop waits for it.
const LAST_TRANSACTION_LIMIT: Duration = Duration::from_secs(5);

/// How long the last write of offsets, and that of keys, may take.
const LAST_WORD: Duration = Duration::from_secs(5);

/// What a stream leaves behind to be drained. Its parts are those of [`Prepared`], with the session
/// that streamed.
struct Session {
    keys: KnownKeys,
    query: Query,
    lane: Lane,
    replication: Replication,
    home: Home,
}

impl Connector {
    /// Streams until stopped, paused, idle or failed, then drains. `streaming` is told when the
    /// stream has begun, for the back-off.
    pub(super) async fn stream(&self, prepared: Prepared, streaming: &Streaming) -> Result<Ended> {
        let Prepared {
            mut tables,
            keys,
            mut lane,
            query,
            start,
            last_commit,
            snapshot_at,
            home,
            offset,
            owed,
        } = prepared;
        keys.save_or_warn(&self.offsets).await;
        let taken_over = offset.as_ref().and_then(|offset| offset.taken_over);
        if let Some(offset) = offset {
            lane.stream_from(&self.offsets, offset, !owed, Pauses::new(self.settings.report_interval()));
        }
        let mut replication = tokio::select! {
            biased;
            () = self.orders.stopped() => return Ok(Ended::Stopped),
            session = self.start_replication(start) => session?,
        };
        let catch_up = current_position(&query).await?;
        self.say_streaming();
        streaming.begins();
        let mut stream = Stream {
            settings: &self.settings,
            replication: &mut replication,
            query: &query,
            tables: &mut tables,
            lane: &mut lane,
            metrics: &self.metrics,
            orders: self.orders.clone(),
            until_idle: self.until_idle,
            catch_up,
            before: Before { last_commit, snapshot_at, taken_over },
        };
        let ended = tokio::select! {
            biased;
            () = self.stop_overdue() => Ok(Ended::Stopped),
            ended = Box::pin(stream.run()) => ended,
            () = self.pause_overdue() => Ok(Ended::Paused),
            () = keys.keep(&self.offsets) => Ok(Ended::Stopped),
        };
        self.drain(Session { keys, query, lane, replication, home }, ended).await
    }

    /// Opens the replication session and starts it at `start`; zero means the slot's own position.
    async fn start_replication(&self, start: Lsn) -> Result<Replication> {
        let mut session = Replication::connect(&self.settings, &self.settings.slot.name, start).await?;
        session.start().await?;
        Ok(session)
    }

    /// Tells log and state that the stream runs, and warns when `lsn.flush.mode` never lets the
    /// slot move.
    fn say_streaming(&self) {
        if self.settings.slot.manual {
            tracing::warn!(
                slot = self.settings.slot.name,
                hint = "move it with pg_replication_slot_advance while the connector is stopped",
                "lsn.flush.mode=manual: nothing is confirmed, and the server keeps all WAL from the slot's position on"
            );
        }
        tracing::info!(slot = self.settings.slot.name, "streaming");
        self.status.set(State::Streaming);
    }

    /// Waits until a stop has been wanted for as long as the stream may take to come to the end of a
    /// transaction. A transaction that is left in its middle is sent again, and whoever goes on from
    /// there repeats its first changes.
    async fn stop_overdue(&self) {
        self.orders.stopped().await;
        tokio::time::sleep(LAST_TRANSACTION_LIMIT).await;
    }

    /// Waits until a pause has been wanted for as long as the stream may take to come to the end of
    /// a transaction. A pause that is taken back before does not count.
    async fn pause_overdue(&self) {
        let mut orders = self.orders.clone();
        loop {
            orders.paused().await;
            tokio::select! {
                biased;
                () = orders.resumed() => {}
                () = tokio::time::sleep(TRANSACTION_LIMIT) => return,
            }
        }
    }

    /// Waits until everything that was read is delivered and confirmed, and ends the session. After
    /// a failure it does not wait, but still confirms what has been delivered, so that little comes
    /// twice.
    async fn drain(&self, session: Session, ended: Result<Ended>) -> Result<Ended> {
        let Session { keys, query, mut lane, mut replication, home } = session;
        if matches!(ended, Ok(Ended::Done | Ended::Stopped)) {
            self.status.set(State::Stopping);
        }
        if lane.ledger().in_transaction() && matches!(ended, Ok(Ended::Stopped | Ended::Paused)) {
            tracing::warn!("the open transaction was left in its middle: the server sends it again");
        }
        let limit = if ended.is_ok() { DRAIN_LIMIT } else { Duration::ZERO };
        let drained = lane.settle_complete(limit).await;
        // A reader that went away acknowledges nothing more, so there is nothing to wait for.
        let gone = lane.is_gone();
        let complete = drained.as_ref().is_ok_and(|all| *all || gone);
        let confirmed = if complete { self.last_word(&mut lane).await } else { lane.confirmable() };
        if let Ok(confirmed) = confirmed {
            replication.confirm(confirmed);
        }
        replication.stop().await;
        let _ =
            tokio::time::timeout(LAST_WORD, self.keep_keys(&keys, &query, lane.ledger().confirmed())).await;
        if !matches!((&ended, &drained), (Ok(_), Ok(true))) {
            lane.close().await;
            let ended = ended?;
            drained?;
            if gone {
                tracing::info!(
                    "the reader of the changes went away; what it did not acknowledge will come again"
                );
            } else {
                tracing::warn!(
                    "some records were not acknowledged in time; they will be sent again after the next start"
                );
            }
            return Ok(ended);
        }
        let (ended, confirmed) = (ended?, confirmed?);
        if ended == Ended::Paused {
            tracing::info!(confirmed = %confirmed, "drained");
            return Ok(ended);
        }
        if self.settings.slot.drop_on_stop {
            self.drop_slot(&query, &mut lane, &home).await?;
        }
        tracing::info!(confirmed = %confirmed, "drained and stopped");
        Ok(ended)
    }

    /// Does what `slot.drop.on.stop` asks for: drops the slot, and stores an offset with which the
    /// next start begins anew.
    async fn drop_slot(&self, query: &Query, lane: &mut Lane, home: &Home) -> Result<()> {
        let slot = &self.settings.slot.name;
        let dropped = drop_when_free(query, slot).await?;
        tracing::info!(slot, dropped, "slot.drop.on.stop");
        let last = Offset { snapshot_completed: false, ..offset_at(Lsn::ZERO, home) };
        let stored = tokio::time::timeout(LAST_WORD, lane.store(&self.offsets, &last)).await;
        if !matches!(stored, Ok(Ok(()))) {
            tracing::warn!(
                slot,
                "the offset could not be written: the next start will miss the slot that was dropped"
            );
        }
        Ok(())
    }

    /// Writes the last offset, which must be durable before the server hears of it; returns the
    /// position that the server may be told.
    async fn last_word(&self, lane: &mut Lane) -> Result<Lsn> {
        let late = || Err(Error::transient(format!("no answer within {} s", LAST_WORD.as_secs())));
        let finished = tokio::time::timeout(LAST_WORD, lane.finish()).await.unwrap_or_else(|_| late());
        finished.or_else(|error| {
            tracing::warn!(%error, "the last offset could not be written; what came since the one before will come again");
            lane.confirmable()
        })
    }

    /// Writes the tables' keys. They are first read anew from the catalog, unless changes that may
    /// need an older key still wait in the slot.
    async fn keep_keys(&self, keys: &KnownKeys, query: &Query, confirmed: Lsn) {
        if current_position(query).await.is_ok_and(|here| here <= confirmed)
            && let Err(error) = keys.refresh(query).await
        {
            tracing::debug!(%error, "the tables' keys could not be read again");
        }
        keys.save_or_warn(&self.offsets).await;
    }
}
