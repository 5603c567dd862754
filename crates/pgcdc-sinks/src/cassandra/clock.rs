//! Which timestamp a record writes with.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use pgcdc_format::decode::Form;
use pgcdc_kafka::consumer::Partition;

use crate::Record;

/// Bits below a position, for the ranks of tied changes. With ten, positions up to 8 PiB of WAL have their place, and
/// 24,576 ranks.
const BITS: u32 = 10;

/// One clock for each form of record: the order of commits where every change carries it, deletes too; else the offset.
/// Two clocks in one table would order its writes by accident.
#[derive(Debug)]
pub(super) struct Clock {
    /// Partitions whose deletes are records of their own, so that their tombstones say nothing new.
    with_deletes: Mutex<HashMap<Partition, bool>>,
    bits: u32,
}

impl Clock {
    /// ScyllaDB takes no timestamp that is days in the future, and reads them as microseconds since 1970: there positions
    /// go as they are, up to 1.7 PB of WAL, with 24 ranks.
    pub(super) fn new(is_scylla: bool) -> Self {
        Self { with_deletes: Mutex::default(), bits: if is_scylla { 0 } else { BITS } }
    }

    /// What is known of a partition; [`note`](Self::note) it again after its records.
    pub(super) fn look(&self, partition: &Partition) -> Hand {
        let known = self.with_deletes.lock().unwrap_or_else(PoisonError::into_inner);
        Hand { with_deletes: known.get(partition).copied(), bits: self.bits }
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
    bits: u32,
}

impl Hand {
    /// The record's timestamp, or nothing when there is nothing to write. Notes the partition's form.
    pub(super) fn timestamp(&mut self, record: &Record<'_>) -> Option<i64> {
        let (change, offset) = (&record.change, record.position);
        if change.form == Form::Tombstone {
            // The first record after a start may be a tombstone. If rows go by offsets, its offset is what
            // it needs; if they go by positions, the offset is below all of them and the delete came before it.
            return (self.with_deletes != Some(true)).then_some(offset);
        }
        self.with_deletes = Some(change.form == Form::Envelope || change.rewritten);
        Some(record.order.map_or(offset, |order| order.timestamp(self.bits)))
    }
}

#[cfg(test)]
mod tests {
    use pgcdc_format::decode::Decoder;
    use pgcdc_kafka::consumer::Message;

    use super::*;
    use crate::order::history::History;

    /// Timestamps of records at offsets 10, 11, …
    fn timestamps(values: &[Option<&str>]) -> Vec<Option<i64>> {
        let (clock, mut decoder, mut history) = (Clock::new(true), Decoder::default(), History::default());
        let partition = Partition { topic: "t".into(), id: 0 };
        let stamp = |(value, offset): (&Option<&str>, i64)| {
            let key = br#"{"id":1}"#;
            let message = Message::new(offset, Some(key), None);
            let change = decoder.decode(Some(key), value.map(str::as_bytes)).expect("decodes");
            let order = history.mark(offset, message.key(), &change).expect("no fall");
            // As if each were in a piece of its own.
            let mut hand = clock.look(&partition);
            let timestamp = hand.timestamp(&Record { order, ..Record::of(&message, change) });
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
