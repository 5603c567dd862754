//! Whether a snapshot is due, by `snapshot.mode`. Pure: [`Facts`] go in, a [`Decision`] comes out.
//! The modes are Debezium's; see its documentation of the PostgreSQL connector, property
//! `snapshot.mode`.

use crate::config::{SnapshotMode, SnapshotParts as Parts};
use crate::position::Mismatch;
use crate::{Error, Result};

/// The facts on which the decision depends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Facts<'a> {
    /// Whether the slot exists.
    pub(crate) slot: bool,
    /// Whether an offset says that a snapshot was completed before.
    pub(crate) snapshot_completed: bool,
    /// Why changes would be missing if the stream went on from the slot; `None` when none would.
    pub(crate) trouble: Option<&'a Mismatch>,
}

/// What a start does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Stream from the slot as it is.
    Stream,
    /// Make the slot, and stream from where it starts.
    CreateAndStream,
    /// Take a snapshot. `recreate`: drop the lost slot first. `stream`: stream after the snapshot.
    Snapshot { recreate: bool, stream: bool },
    /// Do nothing: `initial_only` whose snapshot was taken before, or `configuration_based` with
    /// neither data nor stream.
    Finished,
}

/// Decides by `snapshot.mode`. `slot` is the slot's name, for the error.
///
/// # Errors
/// When changes are missing, and the mode does not allow a snapshot to make up for them. The hint
/// names both ways out.
pub(crate) fn plan(mode: SnapshotMode, facts: Facts<'_>, slot: &str) -> Result<Decision> {
    let Facts { slot: exists, snapshot_completed, trouble } = facts;
    let lost = matches!(trouble, Some(Mismatch::Lost { .. }));
    let snapshot = |recreate| Decision::Snapshot { recreate, stream: true };
    match (mode, trouble) {
        (SnapshotMode::Always, _) => Ok(snapshot(lost)),
        (SnapshotMode::WhenNeeded, None) if snapshot_completed && exists => Ok(Decision::Stream),
        (SnapshotMode::WhenNeeded, _) => Ok(snapshot(lost)),
        (SnapshotMode::Configured(Parts { data: true, stream, on_data_error }), _)
            if !lost || on_data_error =>
        {
            Ok(Decision::Snapshot { recreate: lost, stream })
        }
        (SnapshotMode::Configured(Parts { data: false, stream: false, .. }), _) => Ok(Decision::Finished),
        (SnapshotMode::Configured(Parts { on_data_error: true, .. }), Some(_)) => Ok(snapshot(lost)),
        (SnapshotMode::InitialOnly, _) if snapshot_completed => Ok(Decision::Finished),
        (SnapshotMode::InitialOnly, _) => Ok(Decision::Snapshot { recreate: false, stream: false }),
        (_, Some(trouble)) => Err(Error::fatal(trouble.describe(slot)).with_hint(trouble.remedy(slot))),
        (SnapshotMode::Initial, None) if !snapshot_completed => Ok(snapshot(false)),
        (_, None) if exists => Ok(Decision::Stream),
        (_, None) => Ok(Decision::CreateAndStream),
    }
}

#[cfg(test)]
mod tests {
    use pgcdc_event::Lsn;

    use super::*;

    /// No trouble, and each kind of trouble that an existing slot may have.
    fn troubles() -> [Option<Mismatch>; 5] {
        let (offset, lsn) = (Lsn::new(1), Lsn::new(2));
        [
            None,
            Some(Mismatch::SlotAhead { slot: lsn, offset }),
            Some(Mismatch::OtherDatabase { stored: "1/1".into(), here: "2/1".into() }),
            Some(Mismatch::OtherTimeline { offset, timeline: 1, here: 2, left: Some(lsn) }),
            Some(Mismatch::ServerBehind { offset, server: lsn }),
        ]
    }

    fn check(
        mode: SnapshotMode,
        slot: bool,
        completed: bool,
        trouble: Option<&Mismatch>,
        expect: Option<Decision>,
    ) {
        let facts = Facts { slot, snapshot_completed: completed, trouble };
        match plan(mode, facts, "my_slot") {
            Ok(found) => assert_eq!(Some(found), expect, "{mode:?} {facts:?}"),
            Err(error) => {
                assert_eq!(None, expect, "{mode:?} {facts:?}: {error}");
                assert!(!error.is_transient() && error.to_string().contains("my_slot"), "{error}");
                assert!(error.hint().is_some_and(|hint| hint.contains("when_needed")), "{error}");
            }
        }
    }

    const SNAPSHOT: Option<Decision> = Some(Decision::Snapshot { recreate: false, stream: true });
    const ALONE: Option<Decision> = Some(Decision::Snapshot { recreate: false, stream: false });
    const AGAIN: Option<Decision> = Some(Decision::Snapshot { recreate: true, stream: true });
    const STREAM: Option<Decision> = Some(Decision::Stream);

    fn configured(data: bool, stream: bool, on_data_error: bool) -> SnapshotMode {
        SnapshotMode::Configured(Parts { data, stream, on_data_error })
    }

    #[test]
    fn a_first_start() {
        use SnapshotMode::{Always, Initial, InitialOnly, NoData, WhenNeeded};
        for slot in [false, true] {
            check(Initial, slot, false, None, SNAPSHOT);
            check(Always, slot, false, None, SNAPSHOT);
            check(WhenNeeded, slot, false, None, SNAPSHOT);
            check(InitialOnly, slot, false, None, ALONE);
            check(configured(true, true, false), slot, false, None, SNAPSHOT);
            check(configured(true, false, false), slot, false, None, ALONE);
            check(configured(false, false, false), slot, false, None, Some(Decision::Finished));
            let stream = if slot { Decision::Stream } else { Decision::CreateAndStream };
            check(NoData, slot, false, None, Some(stream));
            check(configured(false, true, false), slot, false, None, Some(stream));
        }
    }

    #[test]
    fn a_slot_that_fits_the_offset_and_one_that_does_not() {
        use SnapshotMode::{Always, Initial, InitialOnly, NoData, WhenNeeded};
        for trouble in &troubles() {
            let trouble = trouble.as_ref();
            let stream = STREAM.filter(|_| trouble.is_none());
            check(Initial, true, true, trouble, stream);
            check(NoData, true, true, trouble, stream);
            check(configured(false, true, false), true, true, trouble, stream);
            check(WhenNeeded, true, true, trouble, stream.or(SNAPSHOT));
            check(configured(false, true, true), true, true, trouble, stream.or(SNAPSHOT));
            check(Always, true, true, trouble, SNAPSHOT);
            check(configured(true, true, false), true, true, trouble, SNAPSHOT);
            check(InitialOnly, true, true, trouble, Some(Decision::Finished));
            check(configured(false, false, false), true, true, trouble, Some(Decision::Finished));
        }
    }

    #[test]
    fn a_slot_that_is_gone_or_lost() {
        use SnapshotMode::{Always, Initial, InitialOnly, NoData, WhenNeeded};
        let gone = Mismatch::SlotGone { offset: Lsn::new(1), stored_name: None };
        let lost = Mismatch::Lost { reason: None };
        for mode in [Initial, NoData, configured(false, true, false)] {
            check(mode, false, true, Some(&gone), None);
            check(mode, true, true, Some(&lost), None);
            check(mode, true, false, Some(&lost), None);
        }
        for mode in [WhenNeeded, Always, configured(false, true, true), configured(true, true, true)] {
            check(mode, false, true, Some(&gone), SNAPSHOT);
            check(mode, true, true, Some(&lost), AGAIN);
        }
        check(configured(true, true, false), true, true, Some(&lost), None);
        check(InitialOnly, false, true, Some(&gone), Some(Decision::Finished));
        check(InitialOnly, true, true, Some(&lost), Some(Decision::Finished));
    }
}
