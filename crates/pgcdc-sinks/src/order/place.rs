//! A record's place in its source's WAL: a function of the record alone.

use pgcdc_event::Operation;
use pgcdc_format::decode::{Change, Form};

use super::number::Kind;

/// Where a record stands, from the record alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The number by which changes of different transactions compare, before a base is added.
    pub(crate) position: u64,
    /// The change's own position.
    pub(crate) change: u64,
    pub(crate) kind: Kind,
    pub(crate) origin: Origin,
}

/// What read the row from the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The replication stream.
    Stream,
    /// A snapshot at the start.
    Snapshot,
    /// Between two transactions of the stream.
    IncrementalSnapshot,
}

impl Place {
    /// `None` when the record carries no position, or its topic's deletes do not: then only offsets order the records.
    ///
    /// `floor` stands in for a `sequence[0]` of null: the position of the snapshot that came before. A connector
    /// without offsets writes null in its first transaction, which may have begun before the snapshot that does not
    /// have it.
    pub(crate) fn of(change: &Change<'_>, floor: Option<u64>) -> Option<Self> {
        if change.form != Form::Envelope && !change.rewritten {
            return None;
        }
        let source = &change.source;
        let sequence = source.sequence.unwrap_or_default();
        let lsn = source.lsn.or(sequence.lsn)?.as_u64();
        let is_read = source.snapshot || change.operation == Operation::Read;
        if is_read && !source.incremental {
            let position = lsn.saturating_sub(1);
            return Some(Self { position, change: lsn, kind: Kind::Snapshot, origin: Origin::Snapshot });
        }
        let origin = if source.incremental { Origin::IncrementalSnapshot } else { Origin::Stream };
        let before = sequence.last_commit.map(|lsn| lsn.as_u64()).or(floor);
        Some(match before {
            Some(before) if before >= lsn => Self { position: before, change: lsn, kind: Kind::Tied, origin },
            _ => Self { position: lsn, change: lsn, kind: Kind::Own, origin },
        })
    }

    /// Whether the record says the order of commits, and not only its own position.
    pub(crate) fn is_sequenced(change: &Change<'_>) -> bool {
        change.source.sequence.is_some() || change.source.snapshot || change.operation == Operation::Read
    }
}
