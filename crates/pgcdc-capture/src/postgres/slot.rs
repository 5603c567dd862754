//! Replication slots: looks one up, makes one, drops one.
//!
//! A logical slot is the server's memory of a reader: from where to decode, and which WAL to keep.
//! pgcdc makes its slot at the first start. It drops it only by `slot.drop.on.stop`, or to make it
//! anew for a snapshot. Source: PostgreSQL documentation, "Logical Decoding Concepts", section
//! "Replication Slots", the view `pg_replication_slots`, and "Streaming Replication Protocol"
//! (`CREATE_REPLICATION_SLOT`).

use std::time::Duration;

use pgcdc_event::Lsn;

use super::server::POSITION;
use super::{Query, Replication, Row, quote_identifier, quote_literal};
use crate::position::{Mismatch, SlotPosition};
use crate::{Error, Result};

/// A slot as `pg_replication_slots` shows it. Fields that the server leaves empty are `None`.
#[derive(Clone, Debug)]
pub(crate) struct SlotState {
    /// The decoding plug-in.
    pub(crate) plugin: String,
    /// `logical` or `physical`.
    pub(crate) kind: String,
    /// The database that a logical slot decodes; empty for a physical slot.
    pub(crate) database: String,
    /// The server process that reads from it now; `None` for a free slot.
    pub(crate) active_pid: Option<i32>,
    /// `confirmed_flush_lsn`: the position that its reader confirmed last. Transactions that commit
    /// later are sent.
    pub(crate) confirmed: Option<Lsn>,
    /// `restart_lsn`: where the WAL begins that the server keeps for it.
    pub(crate) restart: Option<Lsn>,
    /// `reserved`, `extended`, `unreserved` or `lost`.
    pub(crate) wal_status: Option<String>,
    /// `invalidation_reason`, from PostgreSQL 17 on; on 16 it is derived from `conflicting`.
    pub(crate) invalidation: Option<String>,
    /// Bytes of WAL that the server keeps for it.
    pub(crate) retained_bytes: Option<i64>,
}

impl SlotState {
    /// Whether the server invalidated the slot, so that it can no longer be read from; and why, if
    /// the server says so.
    pub(crate) fn lost(&self) -> Option<Mismatch> {
        let lost = self.wal_status.as_deref() == Some("lost") || self.invalidation.is_some();
        lost.then(|| Mismatch::Lost { reason: self.invalidation.clone() })
    }

    /// Its positions, for the comparison with the stored offset.
    pub(crate) fn position(&self) -> SlotPosition {
        SlotPosition {
            confirmed: self.confirmed.unwrap_or_default(),
            restart: self.restart.unwrap_or_default(),
        }
    }
}

/// A slot with its name, and with what only newer servers say of it.
#[derive(Clone, Debug)]
pub(crate) struct ServerSlot {
    pub(crate) name: String,
    /// PostgreSQL 14 and later.
    pub(crate) two_phase: Option<bool>,
    /// PostgreSQL 17 and later.
    pub(crate) failover: Option<bool>,
    pub(crate) state: SlotState,
}

/// Looks a slot up; `None` when there is no slot of this name.
///
/// # Errors
/// Those of the query.
pub(crate) async fn inspect(query: &Query, name: &str) -> Result<Option<SlotState>> {
    let named = format!("slot_name = {}", quote_literal(name));
    let slots = look(query, "look up the replication slot", &named).await?;
    Ok(slots.into_iter().next().map(|slot| slot.state))
}

/// All slots of the server, of every kind and database, by their names.
///
/// # Errors
/// Those of the query.
pub(crate) async fn all(query: &Query) -> Result<Vec<ServerSlot>> {
    look(query, "list the replication slots", "true").await
}

/// The slots for which a condition on `pg_replication_slots` holds.
async fn look(query: &Query, what: &str, condition: &str) -> Result<Vec<ServerSlot>> {
    let sql = format!(
        "SELECT plugin, slot_type, database, active_pid, confirmed_flush_lsn, wal_status, restart_lsn,
                COALESCE(to_jsonb(s) ->> 'invalidation_reason',
                         CASE WHEN to_jsonb(s) ->> 'conflicting' = 'true' THEN 'rows_removed' END),
                pg_wal_lsn_diff({POSITION}, restart_lsn)::bigint,
                slot_name, to_jsonb(s) ->> 'two_phase', to_jsonb(s) ->> 'failover'
         FROM pg_replication_slots s WHERE {condition} ORDER BY slot_name"
    );
    let rows = query.rows(what, &sql).await?;
    Ok(rows.iter().map(server_slot).collect())
}

fn server_slot(row: &Row) -> ServerSlot {
    let text = |at: usize| row.get(at).map(str::to_owned);
    let flag = |at: usize| row.get(at).and_then(|flag| flag.parse().ok());
    ServerSlot {
        name: text(9).unwrap_or_default(),
        two_phase: flag(10),
        failover: flag(11),
        state: SlotState {
            plugin: text(0).unwrap_or_default(),
            kind: text(1).unwrap_or_default(),
            database: text(2).unwrap_or_default(),
            active_pid: row.get(3).and_then(|pid| pid.parse().ok()),
            confirmed: row.get(4).and_then(|lsn| lsn.parse().ok()),
            wal_status: text(5),
            restart: row.get(6).and_then(|lsn| lsn.parse().ok()),
            invalidation: text(7),
            retained_bytes: row.get(8).and_then(|bytes| bytes.parse().ok()),
        },
    }
}

/// A slot that was made just now, with the snapshot that the server exported for it. The snapshot
/// can be imported until the next command on the session that made the slot.
#[derive(Clone, Debug)]
pub(crate) struct ExportedSlot {
    /// What was committed before this position is in the snapshot, what is committed later in the
    /// stream.
    pub(crate) consistent_point: Lsn,
    /// The name for `SET TRANSACTION SNAPSHOT`; `None` when none was asked for.
    pub(crate) snapshot: Option<String>,
}

/// The options of a slot that is to be made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewSlot<'a> {
    /// Its name.
    pub(crate) name: &'a str,
    /// Whether the slot goes with the session that makes it.
    pub(crate) temporary: bool,
    /// Whether the server exports the snapshot at the slot's start.
    pub(crate) export: bool,
    /// `slot.failover` (PostgreSQL 17): whether standbys get a copy of the slot.
    pub(crate) failover: bool,
}

impl ExportedSlot {
    /// Makes a slot on a session that does not stream yet. The server waits for the end of all
    /// transactions that are open at the beginning; the log names them after some seconds.
    ///
    /// # Errors
    /// The server's: for instance that the name is taken, that `max_replication_slots` is reached,
    /// or that `wal_level` is too low.
    pub(crate) async fn create(session: &mut Replication, slot: NewSlot<'_>) -> Result<Self> {
        let NewSlot { name, temporary, export, failover } = slot;
        let temporary = if temporary { " TEMPORARY" } else { "" };
        // The options without parentheses are understood by every version from 14 on.
        let options = match (failover, export) {
            (false, true) => " EXPORT_SNAPSHOT",
            (false, false) => " NOEXPORT_SNAPSHOT",
            (true, true) => " (SNAPSHOT 'export', FAILOVER true)",
            (true, false) => " (SNAPSHOT 'nothing', FAILOVER true)",
        };
        let sql = format!(
            "CREATE_REPLICATION_SLOT {}{temporary} LOGICAL pgoutput{options}",
            quote_identifier(name)
        );
        let rows = session.command(&format!("create replication slot {name}"), &sql).await?;
        let column = |at: usize| rows.first().and_then(|row| row.get(at)?.clone());
        let consistent_point = column(1).and_then(|text| text.parse().ok()).ok_or_else(|| {
            Error::fatal(format!("create replication slot {name}: the server named no position"))
        })?;
        Ok(Self { consistent_point, snapshot: column(2).filter(|name| !name.is_empty()) })
    }
}

/// Drops a slot that nobody reads from; true when it was dropped.
pub(crate) async fn drop_if_idle(query: &Query, name: &str) -> Result<bool> {
    let sql = format!(
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = {} AND NOT active",
        quote_literal(name)
    );
    Ok(!query.rows(&format!("drop replication slot {name}"), &sql).await?.is_empty())
}

/// Drops a slot once nobody reads from it: the walsender releases it a moment after its session has
/// ended. Waits for up to five seconds. False when the slot was gone already, or is still in use
/// then.
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
