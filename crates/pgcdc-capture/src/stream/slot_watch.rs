//! Asks the server now and then how much WAL it keeps for the slot, for `pgcdc_slot_retained_bytes`
//! and `pgcdc_slot_lag_bytes`. A slot that nobody reads fills the server's disk, so this is the
//! figure to alert on.

use std::time::{Duration, Instant};

use pgcdc_metrics::CaptureMetrics;

use super::pending::Pending;
use crate::Result;
use crate::postgres::{Query, quote_literal};

/// The pause between two questions.
const PAUSE: Duration = Duration::from_secs(10);

/// How long to wait for an answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// WAL that the server has written beyond the slot's positions, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SlotSize {
    /// From the first position that the server keeps for the slot to the end of its WAL.
    retained: u64,
    /// From the slot's confirmed position to the end of its WAL.
    lag: u64,
}

impl SlotSize {
    /// Sets the metrics.
    pub(super) fn tell(self, metrics: &CaptureMetrics) {
        metrics.slot_retained_bytes.set(self.retained);
        metrics.slot_lag_bytes.set(self.lag);
    }
}

/// Asks every ten seconds, one question at a time. See the [module](self).
pub(super) struct SlotWatch<'a> {
    /// The session to ask on.
    query: &'a Query,
    /// The slot's name.
    slot: &'a str,
    /// When to ask next.
    due: Instant,
    /// The open question. Its answer is `None` when the server did not give one in time.
    pub(super) pending: Pending<'a, Option<SlotSize>>,
}

impl<'a> SlotWatch<'a> {
    /// A watch that asks at once.
    pub(super) fn new(query: &'a Query, slot: &'a str, now: Instant) -> Self {
        Self { query, slot, due: now, pending: Pending::nothing() }
    }

    /// Asks, if it is time.
    pub(super) fn ask_if_due(&mut self, now: Instant) {
        if !self.pending.is_asked() && now >= self.due {
            self.due = now + PAUSE;
            self.pending.ask(size(self.query, self.slot));
        }
    }
}

/// The answer, or `None`. Metrics must not end a stream, so an error only means that there is no
/// answer.
async fn size(query: &Query, slot: &str) -> Option<SlotSize> {
    match tokio::time::timeout(ANSWER_LIMIT, ask(query, slot)).await {
        Ok(Ok(size)) => size,
        Ok(Err(error)) => {
            tracing::debug!(%error, "how much WAL the slot keeps could not be asked");
            None
        }
        Err(_) => None,
    }
}

/// Asks by the function rather than by the view `pg_replication_slots`: the view also reads a
/// catalog, and may have to wait for a lock on it. Source: PostgreSQL documentation, "System
/// Views", view `pg_replication_slots`.
async fn ask(query: &Query, slot: &str) -> Result<Option<SlotSize>> {
    let sql = format!(
        "SELECT pg_wal_lsn_diff(e.lsn, s.restart_lsn)::bigint, pg_wal_lsn_diff(e.lsn, s.confirmed_flush_lsn)::bigint
         FROM pg_get_replication_slots() s,
              (SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END AS lsn) e
         WHERE s.slot_name = {}",
        quote_literal(slot)
    );
    let rows = query.rows("ask how much WAL the slot keeps", &sql).await?;
    let bytes = |at: usize| {
        let text = rows.first().and_then(|row| row.get(at))?;
        Some(u64::try_from(text.parse::<i64>().ok()?).unwrap_or(0))
    };
    Ok(bytes(0).zip(bytes(1)).map(|(retained, lag)| SlotSize { retained, lag }))
}
