//! Which timestamp a record writes with.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use pgcdc_event::Operation;
use pgcdc_format::decode::Form;
use pgcdc_kafka::consumer::Partition;

use crate::Record;

/// One clock for each form of record: the LSN where every change has one, deletes too; else the offset.
/// Two clocks in one table would order its writes by accident.
#[derive(Debug, Default)]
pub(super) struct Clock {
    /// Partitions whose deletes are records of their own, so that their tombstones say nothing new.
    with_deletes: Mutex<HashMap<Partition, bool>>,
}

impl Clock {
    /// What is known of a partition; [`note`](Self::note) it again after its records.
    pub(super) fn look(&self, partition: &Partition) -> Hand {
        let known = self.with_deletes.lock().unwrap_or_else(PoisonError::into_inner);
        Hand { with_deletes: known.get(partition).copied() }
    }

    pub(super) fn note(&self, partition: &Partition, hand: &Hand) {
        let Some(now) = hand.with_deletes else { return };
        let mut known = self.with_deletes.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get_mut(partition) {
            Some(known) => *known = now,
            None => drop(known.insert(partition.clone(), now)),
        }
    }

    pub(super) fn forget(&self, partition: &Partition) {
        self.with_deletes.lock().unwrap_or_else(PoisonError::into_inner).remove(partition);
    }
}

/// The clock of one partition.
#[derive(Debug)]
pub(super) struct Hand {
    with_deletes: Option<bool>,
}

impl Hand {
    /// The record's timestamp, or nothing when there is nothing to write. Notes the partition's form.
    pub(super) fn timestamp(&mut self, record: &Record<'_>) -> Option<i64> {
        let (change, offset) = (&record.change, record.message.offset);
        if change.form == Form::Tombstone {
            // The first record after a start may be a tombstone. If rows go by offsets, its offset is what
            // it needs; if they go by LSNs, the offset is below all of them and the delete came before it.
            return (self.with_deletes != Some(true)).then_some(offset);
        }
        let by_record = change.form == Form::Envelope || change.rewritten;
        self.with_deletes = Some(by_record);
        let Some(lsn) = change.source.lsn.filter(|_| by_record) else { return Some(offset) };
        let lsn = i64::try_from(lsn.as_u64()).unwrap_or(i64::MAX);
        // A snapshot's rows carry the position at which streaming begins, and so may the first change.
        let from_snapshot = change.source.snapshot || change.operation == Operation::Read;
        Some(if from_snapshot { lsn.saturating_sub(1) } else { lsn })
    }
}

#[cfg(test)]
mod tests {
    use pgcdc_format::decode::Decoder;
    use pgcdc_kafka::consumer::Message;

    use super::*;

    /// Timestamps of records at offsets 10, 11, …
    fn timestamps(values: &[Option<&str>]) -> Vec<Option<i64>> {
        let (clock, mut decoder) = (Clock::default(), Decoder::default());
        let partition = Partition { topic: "t".into(), id: 0 };
        let stamp = |(value, offset): (&Option<&str>, i64)| {
            let message = Message::new(offset, None, None);
            let change = decoder.decode(Some(b"{\"id\":1}"), value.map(str::as_bytes)).expect("decodes");
            // As if each were in a piece of its own.
            let mut hand = clock.look(&partition);
            let timestamp = hand.timestamp(&Record { message: &message, change });
            clock.note(&partition, &hand);
            timestamp
        };
        values.iter().zip(10..).map(stamp).collect()
    }

    #[test]
    fn rows_alone_and_their_tombstones_share_the_offsets_even_when_the_rows_say_an_lsn() {
        let (old, new) = (Some(r#"{"id":1,"__lsn":500}"#), Some(r#"{"id":1,"__lsn":900}"#));
        let seen = timestamps(&[None, old, None, new, None, new]);
        assert_eq!(seen, [10, 11, 12, 13, 14, 15].map(Some));
    }

    #[test]
    fn rewritten_deletes_have_lsns_and_their_tombstones_say_nothing() {
        let row = Some(r#"{"id":1,"__lsn":500,"__deleted":"false"}"#);
        let gone = Some(r#"{"id":1,"__lsn":900,"__deleted":"true"}"#);
        let read = Some(r#"{"id":1,"__lsn":700,"__op":"r","__deleted":"false"}"#);
        assert_eq!(timestamps(&[row, gone, None, read]), [Some(500), Some(900), None, Some(699)]);
        let bare = Some(r#"{"id":1,"__deleted":"true"}"#);
        assert_eq!(timestamps(&[bare, None]), [Some(10), None]);
    }

    #[test]
    fn envelopes_have_lsns_and_a_snapshot_is_below_the_first_change_at_its_position() {
        let read = Some(r#"{"op":"r","after":{"id":1},"source":{"lsn":700,"snapshot":"last"}}"#);
        let update = Some(r#"{"op":"u","after":{"id":1},"source":{"lsn":700,"snapshot":"false"}}"#);
        assert_eq!(timestamps(&[None, read, update, None]), [Some(10), Some(699), Some(700), None]);
    }
}
