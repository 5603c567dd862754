//! Makes tables, slot and offset ready for the stream, with a snapshot where one is due.

use std::sync::Arc;

use pgcdc_event::Lsn;

use super::decide::{Start, decide};
use super::look::look;
use super::parts::Connector;
use crate::known_keys::KnownKeys;
use crate::lane::{Lane, Outlet};
use crate::offsets::{Home, Offset};
use crate::postgres::{
    CapturedTable, ExportedSlot, NewSlot, Query, Replication, captured_tables, drop_if_idle,
};
use crate::row_counts::RowCounts;
use crate::snapshot::Decision;
use crate::tables::Tables;
use crate::tolerance::Tolerance;
use crate::{Error, Result};

/// Everything that a stream starts from. It is made before the snapshot, which uses the same tables
/// and the same lane.
pub(super) struct Prepared {
    /// The compiled encoders so far.
    pub(super) tables: Tables,
    /// The keys that `tables` learns.
    pub(super) keys: KnownKeys,
    /// Where changes go, with its ledger.
    pub(super) lane: Lane,
    /// The SQL session for the catalog, which stays open beside the stream.
    pub(super) query: Query,
    /// Where to start; zero means the slot's own position.
    pub(super) start: Lsn,
    /// End of the transaction before the first one that is read; `None` when it is not known.
    pub(super) last_commit: Option<Lsn>,
    /// Where the last snapshot was taken; zero without one.
    pub(super) snapshot_at: Lsn,
    /// The database, slot and timeline of all positions here.
    pub(super) home: Home,
    /// The offset as it is stored now.
    pub(super) offset: Option<Offset>,
    /// `offset` is not stored yet: rows of the snapshot wait for a program's acknowledgement.
    pub(super) owed: bool,
}

impl Connector {
    /// The tables that the lists of the configuration allow, as the catalog has them now.
    ///
    /// # Errors
    /// A configuration error when a table that was named does not exist, none is allowed, or too
    /// many are.
    pub(super) async fn captured(&self, query: &Query) -> Result<Vec<CapturedTable>> {
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

    /// Keeps to `guardrail.collections.max`: more tables are an error or a warning, as
    /// `guardrail.collections.limit.action` says.
    pub(super) fn within_guardrail(&self, captured: &[CapturedTable]) -> Result<()> {
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

    /// Looks at the server, decides how to start, and does it: makes the slot, or takes the
    /// snapshot, or goes on. `None` when by `snapshot.mode` there is nothing to stream.
    ///
    /// # Errors
    /// Those of [`look`] and [`decide`], and of the snapshot.
    pub(super) async fn prepare(
        &self,
        query: Query,
        captured: Vec<CapturedTable>,
        outlet: Outlet,
    ) -> Result<Option<Prepared>> {
        let known = look(&self.settings, &self.offsets, &query).await?;
        let start = decide(&known, &self.settings)?;
        let (slot, decision) = (self.settings.slot.name.as_str(), start.decision);
        tracing::info!(slot, ?decision, tables = captured.len(), "connector starts");
        let mut prepared = self.prepared(query, &captured, outlet, &start).await?;
        match decision {
            Decision::Stream => self.go_on(&mut prepared, start).await?,
            Decision::Finished => {
                tracing::info!(mode = ?self.settings.snapshot.mode, "by snapshot.mode there is nothing to do");
                return Ok(None);
            }
            Decision::CreateAndStream => self.create_slot(&mut prepared).await?,
            Decision::Snapshot { recreate, stream } => {
                if recreate {
                    drop_if_idle(&prepared.query, slot).await?;
                }
                let reuse = start.slot_exists && !recreate;
                let interrupted = start.offset.filter(|offset| !offset.snapshot_completed);
                let interrupted = interrupted.map(|offset| offset.lsn);
                self.snapshot(&mut prepared, &captured, reuse, interrupted, stream).await?;
                if !stream {
                    return Ok(None);
                }
                tokio::time::sleep(self.settings.snapshot.streaming_delay).await;
            }
        }
        Ok(Some(prepared))
    }

    /// What all ways to start need: the keys, the tables, and the lane to `outlet`.
    async fn prepared(
        &self,
        query: Query,
        captured: &[CapturedTable],
        outlet: Outlet,
        start: &Start,
    ) -> Result<Prepared> {
        let settings = &self.settings;
        let keys = KnownKeys::load(&self.offsets, &start.home.database).await?;
        keys.add(&query, captured.iter().map(|table| table.oid)).await?;
        let tolerance = Tolerance::new(settings, Arc::clone(&self.metrics));
        let rows = RowCounts::new(self.metrics.capture.rows.clone());
        let mut tables = Tables::new(Arc::clone(settings), keys.clone(), tolerance, rows);
        tables.prime(&query).await?;
        Ok(Prepared {
            lane: Lane::new(outlet, start.confirmed, settings, &self.metrics, &mut tables)?,
            tables,
            keys,
            query,
            start: Lsn::ZERO,
            last_commit: None,
            snapshot_at: Lsn::ZERO,
            home: start.home.clone(),
            offset: None,
            owed: false,
        })
    }

    /// Goes on with an existing slot, as if the transaction before had just been read. Stores the
    /// offset when it had to be changed, before any position is confirmed.
    async fn go_on(&self, prepared: &mut Prepared, start: Start) -> Result<()> {
        let Start { confirmed, offset, changed, from, .. } = start;
        prepared.last_commit = Some(from.unwrap_or(confirmed)).filter(|lsn| !lsn.is_zero());
        if let Some(from) = from {
            prepared.start = from;
            prepared.lane.idle(from);
        }
        let Some(offset) = offset else { return self.started(prepared, confirmed).await };
        // The snapshot's position, or a later one.
        prepared.snapshot_at = offset.lsn;
        if changed {
            prepared.lane.store(&self.offsets, &offset).await?;
        }
        prepared.offset = Some(offset);
        Ok(())
    }

    /// Makes the slot of a connector that takes no snapshot.
    async fn create_slot(&self, prepared: &mut Prepared) -> Result<()> {
        let slot = self.settings.slot.name.as_str();
        let mut session = Replication::connect(&self.settings, slot, Lsn::ZERO).await?;
        let made = ExportedSlot::create(&mut session, self.new_slot(false, false)).await?;
        tracing::info!(slot, at = %made.consistent_point, "replication slot made");
        session.stop().await;
        self.started(prepared, made.consistent_point).await
    }

    /// Stores the offset of a first start, so that a slot that is lost later is noticed.
    pub(super) async fn started(&self, prepared: &mut Prepared, lsn: Lsn) -> Result<()> {
        let offset = offset_at(lsn, &prepared.home);
        prepared.lane.store(&self.offsets, &offset).await?;
        prepared.offset = Some(offset);
        Ok(())
    }

    /// The slot to make: the connector's own by default, `temporary` for a snapshot beside an
    /// existing slot; with `export` it exports a snapshot. `slot.failover` is for slots that stay.
    pub(super) fn new_slot(&self, temporary: bool, export: bool) -> NewSlot<'_> {
        NewSlot {
            name: &self.settings.slot.name,
            temporary,
            export,
            failover: self.settings.slot.failover && !temporary,
        }
    }
}

/// The offset of a connector whose snapshot is complete and whose records reach up to `lsn`.
pub(super) fn offset_at(lsn: Lsn, home: &Home) -> Offset {
    Offset {
        snapshot_completed: true,
        lsn,
        written: lsn,
        home: Some(home.clone()),
        reached: None,
        taken_over: None,
    }
}
