//! The step that takes the initial snapshot. It chooses the slot, stores the offset before and
//! after, and says where the stream goes on. How rows are read is told in [`crate::snapshot`].

use pgcdc_event::Lsn;

use super::parts::Connector;
use super::prepare::{Prepared, offset_at};
use super::stream::DRAIN_LIMIT;
use crate::Result;
use crate::offsets::Offset;
use crate::postgres::CapturedTable;
use crate::snapshot::{Begun, Snapshotter, begin};
use pgcdc_lifecycle::State;

impl Connector {
    /// Takes a snapshot at the consistent point of a new slot. If the connector's own slot is made
    /// now, it is that slot. Else (`reuse`) it is a temporary slot, from whose consistent point the
    /// existing slot is then read. Without a `stream` behind it, the slot is temporary, too.
    ///
    /// After an `interrupted` snapshot the slot is read from that snapshot's position. Rows that it
    /// sent and that were deleted since are not in the new snapshot; only the stream can tell that
    /// they are gone.
    ///
    /// # Errors
    /// Whatever ends the snapshot. Nothing of it is kept: the next attempt takes another one.
    pub(super) async fn snapshot(
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
        self.status.set(State::Snapshotting);
        if interrupted.is_none() {
            let at = offset_at(made.consistent_point, &prepared.home);
            prepared.lane.store(&self.offsets, &Offset { snapshot_completed: false, ..at }).await?;
        }
        let rows = Snapshotter {
            settings,
            tables: &mut prepared.tables,
            lane: &mut prepared.lane,
            metrics: &self.metrics,
        }
        .run(reader, &name, made.consistent_point, &tables)
        .await?;
        // After an interrupted snapshot the stream begins there, and nothing of it is written yet.
        let at = interrupted.filter(|_| reuse).unwrap_or(made.consistent_point);
        // The snapshot's rows belong to no transaction: this closes the one that they opened in the ledger.
        prepared.lane.idle(Lsn::ZERO);
        if prepared.lane.delivers_by_itself() {
            self.started(prepared, at).await?;
        } else if stream {
            // Acknowledged rows stand for everything up to here, and then the offset is due.
            prepared.lane.idle(at);
            prepared.offset = Some(offset_at(at, &prepared.home));
            prepared.owed = true;
        } else if prepared.lane.settle_complete(DRAIN_LIMIT).await? {
            self.started(prepared, at).await?;
        } else {
            tracing::warn!("some rows of the snapshot were not acknowledged: the next start takes it again");
        }
        tracing::info!(rows, at = %made.consistent_point, "snapshot complete");
        session.stop().await;
        prepared.snapshot_at = made.consistent_point;
        if reuse {
            prepared.start = interrupted.unwrap_or(made.consistent_point);
            // Changes between the two snapshots are older than the rows of the second.
            prepared.last_commit = interrupted;
        }
        Ok(())
    }
}
