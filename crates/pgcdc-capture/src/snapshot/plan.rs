//! Whether a snapshot is due. Pure: what is known goes in, what to do comes out.

use crate::config::{SnapshotMode, SnapshotParts as Parts};
use crate::{Error, Result};

/// What is known at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    /// The slot exists.
    pub(crate) slot: bool,
    /// The server removed WAL that the slot needed.
    pub(crate) lost: bool,
    /// An offset says that a snapshot was completed before.
    pub(crate) snapshot_completed: bool,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Stream from the slot as it is.
    Stream,
    /// Make the slot, and stream from where it starts.
    CreateAndStream,
    /// Take a snapshot. `recreate`: drop the lost slot first. `stream`: go on streaming after it.
    Snapshot { recreate: bool, stream: bool },
    /// `initial_only`, and it was done before; or `configuration_based` with neither data nor stream.
    Finished,
}

/// Decides by `snapshot.mode`.
pub(crate) fn decide(mode: SnapshotMode, known: Known, slot: &str) -> Result<Decision> {
    let Known { slot: exists, lost, snapshot_completed } = known;
    let usable = exists && !lost;
    let snapshot = |recreate| Decision::Snapshot { recreate, stream: true };
    match mode {
        SnapshotMode::Always => Ok(snapshot(lost)),
        SnapshotMode::WhenNeeded if snapshot_completed && usable => Ok(Decision::Stream),
        SnapshotMode::WhenNeeded => Ok(snapshot(lost)),
        SnapshotMode::Configured(Parts { data: true, stream, on_data_error }) => match lost {
            true if !on_data_error => Err(gap(slot, "the server has removed WAL that replication slot")),
            recreate => Ok(Decision::Snapshot { recreate, stream }),
        },
        SnapshotMode::Configured(Parts { stream: false, .. }) => Ok(Decision::Finished),
        SnapshotMode::Configured(Parts { on_data_error: true, .. })
            if lost || (!exists && snapshot_completed) =>
        {
            Ok(snapshot(lost))
        }
        SnapshotMode::InitialOnly if snapshot_completed => Ok(Decision::Finished),
        SnapshotMode::InitialOnly => Ok(Decision::Snapshot { recreate: false, stream: false }),
        _ if lost => Err(gap(slot, "the server has removed WAL that replication slot")),
        SnapshotMode::Initial if !snapshot_completed => Ok(snapshot(false)),
        SnapshotMode::Initial | SnapshotMode::NoData | SnapshotMode::Configured(_) if usable => {
            Ok(Decision::Stream)
        }
        SnapshotMode::NoData | SnapshotMode::Configured(_) if !snapshot_completed => {
            Ok(Decision::CreateAndStream)
        }
        SnapshotMode::Initial | SnapshotMode::NoData | SnapshotMode::Configured(_) => {
            Err(gap(slot, "offsets say that this connector has run before, but replication slot"))
        }
    }
}

fn gap(slot: &str, what: &str) -> Error {
    let end = if what.starts_with("the server") {
        "still needed: changes are missing"
    } else {
        "is gone: changes since are missing"
    };
    Error::fatal(format!("{what} {slot} {end}")).with_hint(
        "set snapshot.mode=when_needed to take a new snapshot and go on from there \
         (a lost slot must be dropped first: SELECT pg_drop_replication_slot('…'))",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(mode: SnapshotMode, slot: bool, lost: bool, completed: bool, expect: Option<Decision>) {
        let known = Known { slot, lost, snapshot_completed: completed };
        let found = decide(mode, known, "s").ok();
        assert_eq!(found, expect, "{mode:?} {known:?}");
    }

    #[test]
    fn every_case() {
        use Decision::{CreateAndStream, Finished, Stream};
        use SnapshotMode::{Always, Initial, InitialOnly, NoData, WhenNeeded};
        let snapshot = Some(Decision::Snapshot { recreate: false, stream: true });
        let again = Some(Decision::Snapshot { recreate: true, stream: true });
        check(Initial, false, false, false, snapshot);
        check(Initial, true, false, false, snapshot);
        check(Initial, true, false, true, Some(Stream));
        check(Initial, false, false, true, None);
        check(Initial, true, true, true, None);
        check(Always, true, false, true, snapshot);
        check(Always, true, true, true, again);
        check(WhenNeeded, true, false, true, Some(Stream));
        check(WhenNeeded, false, false, true, snapshot);
        check(WhenNeeded, true, true, true, again);
        check(WhenNeeded, false, false, false, snapshot);
        check(NoData, false, false, false, Some(CreateAndStream));
        check(NoData, true, false, false, Some(Stream));
        check(NoData, false, false, true, None);
        check(NoData, true, true, false, None);
        check(InitialOnly, false, false, false, Some(Decision::Snapshot { recreate: false, stream: false }));
        check(InitialOnly, false, false, true, Some(Finished));
        let configured =
            |data, stream, on_data_error| SnapshotMode::Configured(Parts { data, stream, on_data_error });
        check(configured(true, true, false), true, false, true, snapshot);
        check(configured(true, true, false), true, true, true, None);
        check(configured(true, true, true), true, true, true, again);
        let alone = Some(Decision::Snapshot { recreate: false, stream: false });
        check(configured(true, false, false), false, false, false, alone);
        check(configured(false, true, false), false, false, false, Some(CreateAndStream));
        check(configured(false, true, false), true, false, false, Some(Stream));
        check(configured(false, true, false), true, true, true, None);
        check(configured(false, true, false), false, false, true, None);
        check(configured(false, true, true), false, false, true, snapshot);
        check(configured(false, true, true), true, true, false, again);
        check(configured(false, false, false), true, false, false, Some(Finished));
    }
}
