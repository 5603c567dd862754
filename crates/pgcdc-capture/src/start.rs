//! What a start finds: slot, server and stored offset. Whether they belong together, and what to do.

use pgcdc_event::Lsn;

use crate::config::{MismatchStrategy, Settings, Slot};
use crate::offsets::{Home, Offset, OffsetStore};
use crate::position::{Fit, Mismatch, Server, compare};
use crate::postgres::{Query, SlotState, identify_server, inspect_slot};
use crate::snapshot::{Decision, Known, decide};
use crate::{Error, Result};

/// What a start begins with.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) decision: Decision,
    /// The slot exists.
    pub(crate) slot_exists: bool,
    /// Where the slot stands; zero without one.
    pub(crate) confirmed: Lsn,
    /// What positions are from now on positions of.
    pub(crate) home: Home,
    /// The stored offset, as far as it is valid here.
    pub(crate) offset: Option<Offset>,
    /// It is not what is stored, and must be written before anything is confirmed.
    pub(crate) changed: bool,
    /// Where the stream begins when that is further than the slot.
    pub(crate) from: Option<Lsn>,
}

/// Looks at slot, server and offset, and decides.
pub(crate) async fn look(settings: &Settings, offsets: &OffsetStore, query: &Query) -> Result<Start> {
    let slot = inspect_slot(query, &settings.slot.name).await?;
    if let Some(slot) = &slot {
        is_usable(slot, settings)?;
    }
    let stored = match &settings.exactly_once {
        None => offsets.load().await?,
        Some(_) => {
            offsets.prepare().await?;
            offsets.load_committed().await?
        }
    };
    let timeline = stored.as_ref().and_then(Offset::timeline);
    let server = identify_server(query, settings, timeline).await?;
    let found = Found { slot: slot.as_ref(), stored, server: &server, implicit: offsets.is_implicit() };
    found.decide(settings)
}

/// Refuses a slot of another kind, and one that somebody reads from.
fn is_usable(slot: &SlotState, settings: &Settings) -> Result<()> {
    let (name, dbname) = (&settings.slot.name, &settings.connection.dbname);
    if slot.kind != "logical" || slot.plugin != "pgoutput" || slot.database != *dbname {
        return Err(Error::configuration(format!(
            "replication slot {name} is a {} slot of plug-in {:?} in database {:?}, not one of pgoutput in {dbname}",
            slot.kind, slot.plugin, slot.database
        ))
        .with_hint(crate::preflight::other_slot_remedy(name)));
    }
    match slot.active_pid {
        None => Ok(()),
        Some(pid) => {
            Err(Error::transient(format!("replication slot {name} is in use by process {pid} of the server"))
                .with_hint(format!("stop its reader, or end it: SELECT pg_terminate_backend({pid})")))
        }
    }
}

/// Everything that the decision needs. Pure from here on.
struct Found<'a> {
    slot: Option<&'a SlotState>,
    stored: Option<Offset>,
    server: &'a Server,
    /// Nobody asked for the store: it may hold an offset of something else that went by the same name.
    implicit: bool,
}

impl Found<'_> {
    fn decide(self, settings: &Settings) -> Result<Start> {
        let name = settings.slot.name.as_str();
        let confirmed = self.slot.and_then(|slot| slot.confirmed).unwrap_or_default();
        let home = Home {
            database: self.server.database.clone(),
            slot: Some(name.to_owned()),
            timeline: Some(if self.server.in_recovery { 0 } else { self.server.timeline }),
        };
        let stored = self.stored.clone().filter(|offset| self.is_ours(offset, name));
        let completed = stored.as_ref().filter(|offset| offset.snapshot_completed);
        let (mut trouble, mut fitted) = (self.slot.and_then(SlotState::lost), None);
        if let (None, Some(offset)) = (&trouble, completed) {
            match self.fit(offset, confirmed, &settings.slot)? {
                Ok(valid) => fitted = Some(Offset { home: Some(home.clone()), ..valid }),
                Err(mismatch) => trouble = Some(mismatch),
            }
        }
        let interrupted = stored.as_ref().filter(|offset| !offset.snapshot_completed);
        if let Some(offset) = interrupted.filter(|offset| confirmed > offset.lsn && !offset.lsn.is_zero()) {
            tracing::warn!(
                slot = name,
                "the slot stands at {confirmed}, beyond {}, where a snapshot began that was interrupted: rows that it sent \
                 and that were deleted between the two positions are not told of",
                offset.lsn
            );
        }
        let known = Known {
            slot: self.slot.is_some(),
            snapshot_completed: completed.is_some(),
            trouble: trouble.as_ref(),
        };
        let decision = decide(settings.snapshot.mode, known, name)?;
        if let (Some(trouble), Decision::Snapshot { .. }) = (&trouble, decision) {
            tracing::warn!("{}; a new snapshot makes up for it", trouble.describe(name));
        }
        let resumed = stored.map(|offset| resumed(offset, decision, confirmed, &home));
        let offset = fitted.or(resumed.flatten());
        let changed =
            offset.as_ref().is_some_and(|offset| offset.snapshot_completed) && offset != self.stored;
        // Debezium goes on from its own offset, and so do we.
        let theirs = self.stored.as_ref().is_some_and(|offset| offset.home.is_none());
        let from = offset.as_ref().filter(|offset| {
            offset.lsn > confirmed
                && (theirs || trusts_the_offset(&settings.slot))
                && offset.can_begin_there()
        });
        Ok(Start {
            from: from.map(|offset| offset.lsn),
            slot_exists: self.slot.is_some(),
            decision,
            confirmed,
            home,
            offset,
            changed,
        })
    }

    /// Whether the offset counts. One that does not is as good as none, and this is a first start.
    fn is_ours(&self, offset: &Offset, slot: &str) -> bool {
        let of = offset.home.as_ref().map(|home| home.database.as_str());
        let elsewhere = of.is_some_and(|of| of != self.server.database);
        if elsewhere && (self.implicit || !offset.snapshot_completed) {
            tracing::warn!(
                of,
                here = self.server.database,
                "the offset belongs to another database and is ignored"
            );
            return false;
        }
        if self.slot.is_none() && self.implicit {
            tracing::warn!(
                slot,
                offset = %offset.lsn,
                "the slot that the stored offset was written for is gone: this is a first start, and changes since then \
                 are missing unless the snapshot has them"
            );
            return false;
        }
        true
    }

    /// The offset as far as it is valid here, or why it is not.
    fn fit(&self, offset: &Offset, confirmed: Lsn, slot: &Slot) -> Result<Result<Offset, Mismatch>> {
        let from_slot = |mismatch: &Mismatch| {
            tracing::warn!(
                "{}; the stream goes on from the slot all the same",
                mismatch.describe(&slot.name)
            );
        };
        Ok(match compare(offset, self.slot.map(SlotState::position), self.server) {
            Fit::Fits(lsn) => Ok(offset.up_to(lsn)),
            // Only the confirmed position is beyond what it says: what is written, and skipped, stays.
            Fit::Uncertain(mismatch) => {
                tracing::warn!(
                    "{}. An older version, or Debezium with lsn.flush.mode=connector_and_driver, leaves it so, and then \
                     nothing is missing",
                    mismatch.describe(&slot.name)
                );
                Ok(offset.up_to(confirmed))
            }
            Fit::Mismatch(mismatch) if mismatch.is_accepted(slot.mismatch, slot.check_position) => {
                from_slot(&mismatch);
                Ok(offset.moved_to(confirmed))
            }
            Fit::Mismatch(mismatch) => Err(mismatch),
            Fit::NotYet { replayed } => {
                return Err(Error::transient(format!(
                    "this standby has replayed its WAL up to {replayed}, and this connector has read up to {} before: \
                     it waits until the standby has come as far",
                    offset.last_written().lsn()
                ))
                .with_hint("if the standby was restored from an older backup, see offset.mismatch.strategy"));
            }
        })
    }
}

/// What an offset still says that was not fitted: that of an interrupted snapshot, as a rule.
fn resumed(offset: Offset, decision: Decision, confirmed: Lsn, home: &Home) -> Option<Offset> {
    match decision {
        _ if offset.snapshot_completed => Some(offset),
        // The snapshot is given up. Nothing is certain but the slot; from here on a slot that is gone is missed.
        Decision::Stream => {
            Some(Offset { snapshot_completed: true, home: Some(home.clone()), ..offset.moved_to(confirmed) })
        }
        // What `slot.drop.on.stop` leaves: no snapshot has begun.
        _ if offset.lsn.is_zero() => None,
        // An offset below the slot would look like a slot that somebody else moved.
        _ => Some(Offset { lsn: offset.lsn.max(confirmed), ..offset }),
    }
}

/// Whether the stream begins at an offset that is further than the slot. Usually the slot's position counts: what was
/// written since is read once more.
fn trusts_the_offset(slot: &Slot) -> bool {
    slot.manual || matches!(slot.mismatch, MismatchStrategy::TrustOffset | MismatchStrategy::TrustGreaterLsn)
}

#[cfg(test)]
#[path = "start_tests.rs"]
mod tests;
