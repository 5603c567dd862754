//! Many dead letters in a row say something about the sink's configuration, not about the records.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use pgcdc_kafka::consumer::{Message, Partition};

/// This many dead letters in a row are an error in the log.
const LOUD: u64 = 100;

/// Counts the dead letters of each partition that follow each other without a record between them that was written.
///
/// A wrong column type or a wrong URL makes a dead letter of every record; the topic would be gone through in minutes, and every
/// record would have to be brought back by hand. So the hundredth in a row is an error in the log, and `max_dead_letters` ends
/// the sink before more are written.
#[derive(Debug, Default)]
pub struct Flood {
    /// `max_dead_letters`: this many in a row are taken; the next one ends the sink.
    limit: Option<u64>,
    /// By partition, since batches of different partitions are written at the same time.
    in_a_row: Mutex<HashMap<Partition, u64>>,
}

/// What a dead letter means for the sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// Go on.
    Fine,
    /// Log an error, and go on: this many came in a row.
    Loud(u64),
    /// There are more than the limit allows: end before this one is written.
    End(u64),
}

impl Flood {
    /// With a limit, or without one.
    #[must_use]
    pub fn new(limit: Option<u64>) -> Self {
        Self { limit, in_a_row: Mutex::default() }
    }

    /// What each of the `next` dead letters of a batch means, in the order of the batch. `all` are the batch's dead letters so
    /// far, `next` among them.
    pub(super) fn judge(
        &self,
        partition: &Partition,
        messages: &[Message],
        all: &BTreeSet<i64>,
        next: &BTreeSet<i64>,
    ) -> Vec<(i64, Flow)> {
        let mut flows = Vec::with_capacity(next.len());
        let mut row = self.row(partition);
        for message in messages {
            if all.contains(&message.offset) {
                row += 1;
                if next.contains(&message.offset) {
                    flows.push((message.offset, self.flow(row)));
                }
            } else if message.value().is_some() {
                row = 0; // written; a tombstone says nothing, since most stores skip it
            }
        }
        flows
    }

    /// What the dead letter means that is this many in a row.
    fn flow(&self, row: u64) -> Flow {
        match self.limit {
            Some(limit) if row > limit => Flow::End(limit),
            _ if row == LOUD => Flow::Loud(row),
            _ => Flow::Fine,
        }
    }

    /// Notes what became of a batch once it is durable.
    pub(super) fn note(&self, partition: &Partition, messages: &[Message], dead: &BTreeSet<i64>) {
        let before = self.row(partition);
        if dead.is_empty() && before == 0 {
            return;
        }
        let row = messages.iter().fold(before, |row, message| match dead.contains(&message.offset) {
            true => row + 1,
            false if message.value().is_some() => 0,
            false => row,
        });
        self.in_a_row.lock().unwrap_or_else(PoisonError::into_inner).insert(partition.clone(), row);
    }

    fn row(&self, partition: &Partition) -> u64 {
        let rows = self.in_a_row.lock().unwrap_or_else(PoisonError::into_inner);
        rows.get(partition).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(from: i64, to: i64) -> Vec<Message> {
        (from..to).map(|offset| Message::new(offset, None, Some(b"{}"))).collect()
    }

    #[test]
    fn a_row_goes_on_over_batches_and_ends_with_a_record_that_is_written() {
        let flood = Flood::new(Some(3));
        let partition = Partition { topic: "t".into(), id: 0 };
        let judge = |from, to, dead: &[i64]| {
            let (batch, dead) = (messages(from, to), dead.iter().copied().collect());
            let flows = flood.judge(&partition, &batch, &dead, &dead);
            flood.note(&partition, &batch, &dead);
            flows.into_iter().map(|(_, flow)| flow).collect::<Vec<_>>()
        };
        assert_eq!(judge(0, 3, &[1, 2]), [Flow::Fine, Flow::Fine]);
        assert_eq!(judge(3, 5, &[3]), [Flow::Fine], "the third; 4 is written");
        assert_eq!(judge(5, 8, &[5, 6, 7]), [Flow::Fine; 3]);
        assert_eq!(judge(8, 9, &[8]), [Flow::End(3)]);
        assert_eq!(
            Flood::new(Some(0)).judge(&partition, &messages(0, 1), &[0].into(), &[0].into()),
            [(0, Flow::End(0))]
        );
    }

    #[test]
    fn without_a_limit_it_is_told_once() {
        let flood = Flood::default();
        let partition = Partition { topic: "t".into(), id: 0 };
        let (batch, dead) = (messages(0, 500), (0..500).collect());
        let flows = flood.judge(&partition, &batch, &dead, &dead);
        let told: Vec<_> = flows.iter().filter(|(_, flow)| *flow != Flow::Fine).collect();
        assert_eq!(told, [&(99, Flow::Loud(100))]);
    }

    #[test]
    fn a_tombstone_between_them_says_nothing() {
        let flood = Flood::default();
        let partition = Partition { topic: "t".into(), id: 0 };
        let batch: Vec<Message> =
            (0..10).map(|at| Message::new(at, None, (at % 2 == 0).then_some(b"{".as_slice()))).collect();
        flood.note(&partition, &batch, &(0..10).filter(|at| at % 2 == 0).collect());
        assert_eq!(flood.row(&partition), 5);
    }
}
