//! Records that cannot be sent yet, since their topic is being made or a transaction is being committed.

use pgcdc_event::{Record, RecordBatch};

use crate::ledger::Sequence;
use crate::output::Sent;

/// Bytes that are held back at most: what comes in about 100 ms at full speed.
const HELD_BACK: usize = 8 << 20;

/// Records of more bytes are not copied: the caller keeps them and hands them over again.
const LARGE: usize = 1 << 20;

/// Copies of records that wait, [`HELD_BACK`] bytes at most.
#[derive(Debug, Default)]
pub(super) struct Held {
    batch: RecordBatch,
    /// The sequence of each record in `batch`; `None` once it was sent.
    sequences: Vec<Option<Sequence>>,
    waiting: usize,
}

/// What became of a record that was to be released.
pub(super) enum Released {
    /// It was sent.
    Gone,
    /// It must wait; records of other topics need not.
    Later,
    /// The producer has no room for any record.
    Full,
}

impl Held {
    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// Keeps a copy, if there is room.
    pub(super) fn push(&mut self, record: &Record<'_>, sequence: Sequence) -> Sent {
        let size = record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
        if size > LARGE || self.batch.position() + size > HELD_BACK {
            return Sent::Full;
        }
        self.batch.copy(record);
        self.sequences.push(Some(sequence));
        self.waiting += 1;
        Sent::Queued
    }

    /// Sends what may go, in order. True when all were asked, false when there was no room.
    pub(super) fn release<E>(
        &mut self,
        mut send: impl FnMut(&Record<'_>, Sequence) -> Result<Released, E>,
    ) -> Result<bool, E> {
        for (record, waiting) in self.batch.iter().zip(&mut self.sequences) {
            let Some(sequence) = *waiting else { continue };
            match send(&record, sequence)? {
                Released::Gone => {
                    *waiting = None;
                    self.waiting -= 1;
                }
                Released::Later => {}
                Released::Full => return Ok(false),
            }
        }
        if self.waiting == 0 && !self.sequences.is_empty() {
            self.batch.clear();
            self.sequences.clear();
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pgcdc_event::TopicId;

    fn batch(topics: &[u32]) -> RecordBatch {
        let mut batch = RecordBatch::new();
        for topic in topics {
            batch.push(TopicId(*topic), None, None, None);
        }
        batch
    }

    #[test]
    fn what_may_go_goes_in_order_and_the_rest_stays() {
        let mut held = Held::default();
        for (at, record) in batch(&[1, 2, 1, 3]).iter().enumerate() {
            assert_eq!(held.push(&record, Sequence(at as u64)), Sent::Queued);
        }
        let mut gone = Vec::new();
        let mut only = |held: &mut Held, topics: &[u32], mut room: usize| {
            held.release(|record, sequence| {
                if !topics.contains(&record.topic.0) {
                    return Ok::<_, ()>(Released::Later);
                }
                if room == 0 {
                    return Ok(Released::Full);
                }
                room -= 1;
                gone.push(sequence.0);
                Ok(Released::Gone)
            })
        };
        assert_eq!(only(&mut held, &[1], 1), Ok(false));
        assert_eq!(only(&mut held, &[1, 3], 9), Ok(true));
        assert_eq!(held.len(), 1);
        assert_eq!(only(&mut held, &[2], 9), Ok(true));
        assert_eq!(gone, [0, 2, 3, 1]);
        assert!(held.is_empty() && held.sequences.is_empty());
    }

    #[test]
    fn there_is_an_end_to_what_is_kept() {
        let mut large = RecordBatch::new();
        large.buffer().resize(LARGE, 0);
        large.push(TopicId(0), None, Some(0..LARGE), None);
        let record = large.get(0).unwrap();
        let mut held = Held::default();
        while held.push(&record, Sequence(0)) == Sent::Queued {}
        assert_eq!(held.len(), HELD_BACK / LARGE);
    }
}
