//! Compares the stored offset with the slot and the server, at each start: whether it was written
//! for these, or whether changes may be missing. Pure.
//!
//! Three facts show that changes may be missing:
//! - We never confirm a position beyond the offset ([`Bound`](crate::offsets::Bound)). So a slot
//!   that is beyond the offset was made anew or advanced by somebody else.
//! - An offset of another timeline is valid up to where the server's own history left that
//!   timeline.
//! - A server whose WAL ends before what we have read from it was set back.
//!
//! `connector/look.rs` gathers the facts, and `connector/decide.rs` turns the result into a plan:
//! stream, snapshot, or an error with the two ways out that [`Mismatch::remedy`] writes. Source for
//! timelines: PostgreSQL documentation, "Continuous Archiving and Point-in-Time Recovery", section
//! "Timelines".

use pgcdc_event::Lsn;

use crate::config::MismatchStrategy;
use crate::offsets::Offset;

/// The server as it is now, read by `IDENTIFY_SYSTEM`, `TIMELINE_HISTORY` and a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    /// `system identifier/database oid`.
    pub(crate) database: String,
    /// The timeline that it writes, or replays if it is a standby.
    pub(crate) timeline: u32,
    /// Earlier timelines, each with the position where the server left it.
    pub(crate) history: Vec<(u32, Lsn)>,
    /// Where its WAL ends, or how far it has replayed if it is a standby.
    pub(crate) end: Lsn,
    /// Whether it is a standby.
    pub(crate) in_recovery: bool,
}

impl Server {
    /// The position up to which this server has the WAL of `timeline`; `None` when it never was on
    /// that timeline.
    fn shares(&self, timeline: u32) -> Option<Lsn> {
        if timeline == self.timeline {
            return Some(self.end);
        }
        self.history.iter().find(|(past, _)| *past == timeline).map(|(_, left)| *left)
    }
}

/// A slot's two positions, from `pg_replication_slots`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SlotPosition {
    /// `confirmed_flush_lsn`: the stream goes on with the first transaction that commits behind it.
    pub(crate) confirmed: Lsn,
    /// `restart_lsn`: the first position of the WAL that the server keeps for the slot.
    pub(crate) restart: Lsn,
}

/// The result of the comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    /// The slot still has all changes after the offset. The offset is valid up to this position.
    Fits(Lsn),
    /// The slot stands beyond the offset, and it may have been we who moved it: earlier versions
    /// confirmed more than their offset said.
    Uncertain(Mismatch),
    /// Changes may be missing.
    Mismatch(Mismatch),
    /// The standby has not replayed yet what we have read already, and will do so.
    NotYet { replayed: Lsn },
}

/// Why changes may be missing if the stream went on from the slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mismatch {
    /// The server has removed WAL that the slot needed, or invalidated it for this reason.
    Lost { reason: Option<String> },
    /// There is no such slot.
    SlotGone { offset: Lsn, stored_name: Option<String> },
    /// The slot stands beyond all that we can have confirmed.
    SlotAhead { slot: Lsn, offset: Lsn },
    /// The offset is of another cluster or database.
    OtherDatabase { stored: String, here: String },
    /// The last change that was read is not in this server's history.
    OtherTimeline { offset: Lsn, timeline: u32, here: u32, left: Option<Lsn> },
    /// The server's WAL ends before the last change that was read.
    ServerBehind { offset: Lsn, server: Lsn },
}

/// Compares an offset whose snapshot is complete with slot and server. `slot` is `None` when there
/// is no such slot.
pub(crate) fn compare(offset: &Offset, slot: Option<SlotPosition>, server: &Server) -> Fit {
    if let Some(home) = &offset.home
        && home.database != server.database
    {
        let (stored, here) = (home.database.clone(), server.database.clone());
        return Fit::Mismatch(Mismatch::OtherDatabase { stored, here });
    }
    let stored_name = offset.home.as_ref().and_then(|home| home.slot.clone());
    let Some(slot) = slot else {
        return Fit::Mismatch(Mismatch::SlotGone { offset: offset.lsn, stored_name });
    };
    let timeline = offset.timeline().unwrap_or(server.timeline);
    let written = offset.last_written();
    let shared = server.shares(timeline);
    if timeline != server.timeline && !shared.is_some_and(|left| written.is_within(left)) {
        return Fit::Mismatch(Mismatch::OtherTimeline {
            offset: written.lsn(),
            timeline,
            here: server.timeline,
            left: shared,
        });
    }
    if !written.is_within(server.end) {
        return match server.in_recovery {
            true => Fit::NotYet { replayed: server.end },
            false => Fit::Mismatch(Mismatch::ServerBehind { offset: written.lsn(), server: server.end }),
        };
    }
    // Behind the position where the server left the timeline, the same positions are in other WAL.
    let valid =
        if timeline == server.timeline { offset.lsn } else { offset.lsn.min(shared.unwrap_or_default()) };
    if slot.confirmed <= valid {
        return Fit::Fits(valid);
    }
    let ahead = Mismatch::SlotAhead { slot: slot.confirmed, offset: valid };
    // An offset of Debezium's has no home. Debezium may confirm more than its offset says. But if
    // the slot no longer keeps the offset's WAL, changes are missing for certain.
    let certain = offset.bounds_the_slot() || (offset.home.is_none() && slot.restart > valid);
    if certain { Fit::Mismatch(ahead) } else { Fit::Uncertain(ahead) }
}

impl Mismatch {
    /// Whether `offset.mismatch.strategy` lets the stream go on from the slot nevertheless.
    /// `checked` says whether the slot's position is compared with the offset at all.
    pub(crate) fn is_accepted(&self, strategy: MismatchStrategy, checked: bool) -> bool {
        match self {
            Self::Lost { .. } => false,
            Self::SlotGone { .. } | Self::SlotAhead { .. } => {
                !checked
                    || matches!(strategy, MismatchStrategy::TrustSlot | MismatchStrategy::TrustGreaterLsn)
            }
            // Positions in different WAL cannot be compared, so `trust_greater_lsn` does not help.
            Self::OtherDatabase { .. } | Self::OtherTimeline { .. } | Self::ServerBehind { .. } => {
                !checked || strategy == MismatchStrategy::TrustSlot
            }
        }
    }

    /// What happened to a lost slot, as the rest of a sentence that begins with the slot's name;
    /// empty for other mismatches. The reasons are those of
    /// `pg_replication_slots.invalidation_reason`.
    pub(crate) fn of_the_slot(&self) -> String {
        let Self::Lost { reason } = self else { return String::new() };
        let why = match reason.as_deref() {
            None | Some("wal_removed") => "removed WAL that it needed (max_slot_wal_keep_size)",
            Some("idle_timeout") => {
                "invalidated it because nobody read from it for longer than idle_replication_slot_timeout"
            }
            Some("rows_removed") => "removed rows of the catalog that it needed (a conflict on the standby)",
            Some("wal_level_insufficient") => "invalidated it because wal_level is below logical",
            Some(other) => &format!("invalidated it (invalidation_reason {other})"),
        };
        format!("is lost: the server {why}. Changes since then are missing")
    }

    /// What does not fit, as the beginning of an error or a warning.
    pub(crate) fn describe(&self, slot: &str) -> String {
        match self {
            Self::Lost { .. } => format!("replication slot {slot} {}", self.of_the_slot()),
            Self::SlotGone { offset, stored_name } => {
                let other = stored_name.as_deref().filter(|name| *name != slot);
                let other = other
                    .map_or_else(String::new, |name| format!(" The offset was written for slot {name}."));
                format!(
                    "replication slot {slot} is gone, and the stored offset says that this connector has read up to \
                     {offset}. Changes since then are missing.{other}"
                )
            }
            Self::SlotAhead { slot: at, offset } => format!(
                "replication slot {slot} stands at {at}, but the stored offset says that this connector has read and \
                 confirmed no further than {offset}. The slot was made anew, or something else advanced it. Changes \
                 between the two positions are missing"
            ),
            Self::OtherDatabase { stored, here } => format!(
                "the stored offset belongs to another database than the one that holds replication slot {slot}: it was \
                 written for system identifier/oid {stored}, and this is {here}. The database was made anew, upgraded \
                 or restored into a new cluster, or the connector was pointed at another one"
            ),
            Self::OtherTimeline { offset, timeline, here, left } => {
                let left = match left {
                    Some(left) => format!("which left timeline {timeline} at {left}"),
                    None => format!("whose history does not have timeline {timeline}"),
                };
                format!(
                    "the stored offset says that this connector has read up to {offset} on timeline {timeline}, but the \
                     server with replication slot {slot} is on timeline {here}, {left}. A standby that was behind was \
                     promoted, or a backup was restored: changes that were sent no longer exist, and others took their place"
                )
            }
            Self::ServerBehind { offset, server } => format!(
                "the stored offset says that this connector has read up to {offset} from replication slot {slot}, but \
                 the server's WAL ends at {server}: the database was set back to an earlier state"
            ),
        }
    }

    /// The two ways out, as a hint: with a new snapshot, or without the missing changes.
    pub(crate) fn remedy(&self, slot: &str) -> String {
        let snapshot = "to take a new snapshot and go on from there, set snapshot.mode=when_needed";
        match self {
            Self::Lost { .. } => format!(
                "{snapshot}. To do without the changes in between and without a snapshot, drop the slot, \
                 SELECT pg_drop_replication_slot('{slot}'), and start with snapshot.mode=no_data under another connector name"
            ),
            Self::SlotGone { stored_name, .. } => {
                let other = stored_name.as_deref().filter(|name| *name != slot);
                let other = other.map_or_else(String::new, |name| {
                    format!("if slot {name} is still there, set slot.name={name}; or ")
                });
                format!(
                    "{other}{snapshot}. To do without the changes in between, set offset.mismatch.strategy=trust_slot: \
                     the slot is made anew"
                )
            }
            _ => format!(
                "{snapshot}. To go on from the slot and do without what is missing, set offset.mismatch.strategy=trust_slot"
            ),
        }
    }
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;
