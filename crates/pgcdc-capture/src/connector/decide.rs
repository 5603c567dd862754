//! What a start does, from what it found: whether slot, server and stored offset belong together,
//! whether a snapshot is due, and where the stream begins. Pure: [`Known`] goes in, [`Start`] comes
//! out.
//!
//! In three steps. Does the stored offset count at all ([`Known::counts`])? Does it fit slot and
//! server ([`Known::fit`], which asks [`compare`])? And what does `snapshot.mode` make of these
//! facts ([`plan`])? The tests go through the combinations.

use pgcdc_event::Lsn;

use super::look::Known;
use crate::config::{MismatchStrategy, Settings, Slot};
use crate::offsets::{Home, Offset};
use crate::position::{Fit, Mismatch, compare};
use crate::postgres::SlotState;
use crate::snapshot::{Decision, Facts, plan};
use crate::{Error, Result};

/// What a start does, and what it begins with.
#[derive(Debug)]
pub(crate) struct Start {
    /// Whether to take a snapshot, to stream, both or neither.
    pub(crate) decision: Decision,
    /// The slot exists.
    pub(crate) slot_exists: bool,
    /// The slot's confirmed position; zero without a slot.
    pub(crate) confirmed: Lsn,
    /// The database, slot and timeline in which positions are valid from now on.
    pub(crate) home: Home,
    /// The offset to go on with: the stored one, as far as it is valid for this slot and server.
    pub(crate) offset: Option<Offset>,
    /// `offset` differs from the stored one, and must be written before a position is confirmed.
    pub(crate) changed: bool,
    /// Where the stream begins, when that is further than the slot.
    pub(crate) from: Option<Lsn>,
}

/// Decides what to do at a start.
///
/// # Errors
/// When changes are missing and `snapshot.mode` does not allow a snapshot to make up for them; a
/// transient one when a standby has not replayed yet what was read before.
pub(crate) fn decide(known: &Known, settings: &Settings) -> Result<Start> {
    let name = settings.slot.name.as_str();
    let confirmed = known.confirmed();
    let home = known.home(name);
    let stored = known.stored.clone().filter(|offset| known.counts(offset, name));
    let completed = stored.as_ref().filter(|offset| offset.snapshot_completed);
    let (mut trouble, mut fitted) = (known.slot.as_ref().and_then(SlotState::lost), None);
    if let (None, Some(offset)) = (&trouble, completed) {
        match known.fit(offset, &settings.slot)? {
            Ok(valid) => fitted = Some(Offset { home: Some(home.clone()), ..valid }),
            Err(mismatch) => trouble = Some(mismatch),
        }
    }
    warn_of_deleted_rows(stored.as_ref(), confirmed, name);
    let facts = Facts {
        slot: known.slot.is_some(),
        snapshot_completed: completed.is_some(),
        trouble: trouble.as_ref(),
    };
    let decision = plan(settings.snapshot.mode, facts, name)?;
    if let (Some(trouble), Decision::Snapshot { .. }) = (&trouble, decision) {
        tracing::warn!("{}; a new snapshot makes up for it", trouble.describe(name));
    }
    let resumed = stored.map(|offset| resumed(offset, decision, confirmed, &home));
    let offset = fitted.or(resumed.flatten());
    let changed = offset.as_ref().is_some_and(|offset| offset.snapshot_completed) && offset != known.stored;
    // Debezium goes on from its own offset, and so do we.
    // So it is until a transaction behind the takeover is written: until then the slot may lag.
    let theirs =
        known.stored.as_ref().is_some_and(|offset| offset.home.is_none() || offset.taken_over.is_some());
    let trusted = theirs || trusts_the_offset(&settings.slot);
    let from = offset
        .as_ref()
        .filter(|offset| offset.lsn > confirmed && trusted && offset.can_begin_there())
        .map(|offset| offset.lsn);
    Ok(Start { decision, slot_exists: known.slot.is_some(), confirmed, home, offset, changed, from })
}

/// Warns when the slot has moved beyond the position of a snapshot that was interrupted: the rows
/// that it sent and that were deleted in between get no delete record.
fn warn_of_deleted_rows(stored: Option<&Offset>, confirmed: Lsn, slot: &str) {
    let interrupted = stored.filter(|offset| !offset.snapshot_completed);
    if let Some(offset) = interrupted.filter(|offset| confirmed > offset.lsn && !offset.lsn.is_zero()) {
        tracing::warn!(
            slot,
            "the slot stands at {confirmed}, beyond {}, where a snapshot began that was interrupted: rows that it sent \
             and that were deleted between the two positions get no delete record",
            offset.lsn
        );
    }
}

impl Known {
    /// The slot's confirmed position; zero without a slot.
    fn confirmed(&self) -> Lsn {
        self.slot.as_ref().and_then(|slot| slot.confirmed).unwrap_or_default()
    }

    /// The home of the positions that are written from now on.
    fn home(&self, slot: &str) -> Home {
        Home {
            database: self.server.database.clone(),
            slot: Some(slot.to_owned()),
            timeline: Some(if self.server.in_recovery { 0 } else { self.server.timeline }),
        }
    }

    /// Whether the stored offset counts. When it does not, this is a first start. An offset that
    /// nobody asked us to keep is given up when its slot or database is gone; one that the user
    /// configured is not, since then changes are missing.
    fn counts(&self, offset: &Offset, slot: &str) -> bool {
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

    /// The part of the offset that is valid for this slot and server; or, as the inner error, why
    /// it is not.
    ///
    /// # Errors
    /// A transient one when a standby has not replayed yet what this connector has read.
    fn fit(&self, offset: &Offset, slot: &Slot) -> Result<Result<Offset, Mismatch>> {
        let from_slot = |mismatch: &Mismatch| {
            tracing::warn!(
                "{}; the stream goes on from the slot all the same",
                mismatch.describe(&slot.name)
            );
        };
        Ok(match compare(offset, self.slot.as_ref().map(SlotState::position), &self.server) {
            Fit::Fits(lsn) => Ok(offset.up_to(lsn)),
            // Only the confirmed position is beyond the offset: keep its record of what is written
            // and skipped.
            Fit::Uncertain(mismatch) => {
                tracing::warn!(
                    "{}. An older version, or Debezium with lsn.flush.mode=connector_and_driver, leaves it so, and then \
                     nothing is missing",
                    mismatch.describe(&slot.name)
                );
                Ok(offset.up_to(self.confirmed()))
            }
            Fit::Mismatch(mismatch) if mismatch.is_accepted(slot.mismatch, slot.check_position) => {
                from_slot(&mismatch);
                Ok(offset.moved_to(self.confirmed()))
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

/// The offset to keep when the stored one was not compared with the slot: mostly the offset of an
/// interrupted snapshot.
fn resumed(offset: Offset, decision: Decision, confirmed: Lsn, home: &Home) -> Option<Offset> {
    match decision {
        _ if offset.snapshot_completed => Some(offset),
        // The snapshot is given up, so that only the slot's position is certain. With this offset a
        // slot that disappears later is noticed.
        Decision::Stream => {
            Some(Offset { snapshot_completed: true, home: Some(home.clone()), ..offset.moved_to(confirmed) })
        }
        // `slot.drop.on.stop` leaves such an offset: no snapshot has begun.
        _ if offset.lsn.is_zero() => None,
        // An offset below the slot's position would look as if somebody else had moved the slot.
        _ => Some(Offset { lsn: offset.lsn.max(confirmed), ..offset }),
    }
}

/// Whether the stream begins at the offset when that is further than the slot. By default it begins
/// at the slot's position, and changes between the two are read and sent once more.
fn trusts_the_offset(slot: &Slot) -> bool {
    slot.manual || matches!(slot.mismatch, MismatchStrategy::TrustOffset | MismatchStrategy::TrustGreaterLsn)
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
