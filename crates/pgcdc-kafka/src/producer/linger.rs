//! When unfinished batches are sent.
//!
//! librdkafka sends a batch when it is full or `linger.ms` old. An idempotent producer has one batch of a partition in flight at a
//! time. While records older than `linger.ms` wait for that batch, librdkafka's thread asks the clock and the socket without a
//! pause: up to two fifths of all CPU while a backlog is drained. So `linger.ms` is set longer than the queue takes to drain, and
//! this file decides when there is nothing to wait for. (Only a little longer, since the small batches of many tables, too many for
//! any of them to fill, are sent when they are that old.)

use std::time::{Duration, Instant};

/// `linger.ms`, unless the properties say otherwise.
pub(super) const LIMIT_MS: &str = "250";
/// The same where records go in transactions, whose ends send what is there.
pub(super) const TRANSACTIONAL_MS: &str = "50";

/// With more bytes than this in the queue, more records are likely to come: unfinished batches wait for them.
const SMALL: usize = 256 << 10;
/// How long no record may become durable before the order to send is repeated: on a busy machine the client's thread may not have
/// woken up in time.
const ANSWER: Duration = Duration::from_millis(3);
/// How long the counts must stay the same before all is sent,
const QUIET: Duration = Duration::from_millis(5);
/// and how long when the queue is full: a full batch may be in flight.
const STUCK: Duration = Duration::from_millis(25);
/// The small batches of many tables wait no longer than this.
const LONG: Duration = Duration::from_millis(100);

/// The producer's counts at one moment. Records are counted from the start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// Records that were handed over.
    pub(super) handed: u64,
    /// Records that are durable.
    pub(super) delivered: u64,
    /// Bytes of records that are not durable.
    pub(super) bytes: usize,
    /// The queue is full; else there are no more records for now.
    pub(super) full: bool,
}

/// Decides when to send. It has no clock: counts and the time are passed in.
#[derive(Debug)]
pub(super) struct Linger {
    /// Records that had been handed over when all was last sent, and when that was.
    sent: u64,
    /// When batches were sent last.
    sent_at: Instant,
    /// Records handed over and delivered at the last look, and since when these counts are the same.
    seen: (u64, u64),
    /// Since when the oldest record waits.
    since: Instant,
    /// When all was last sent, or more records became durable after that.
    moved: Instant,
}

impl Linger {
    pub(super) fn new(now: Instant) -> Self {
        Self { sent: 0, sent_at: now, seen: (0, 0), since: now, moved: now }
    }

    /// Whether to send all unfinished batches now.
    pub(super) fn is_due(&mut self, look: Look, now: Instant) -> bool {
        let Look { handed, delivered, bytes, full } = look;
        if handed == delivered {
            self.sent_at = now;
            return false;
        }
        if self.seen.1 != delivered {
            self.moved = now;
        }
        if self.seen != (handed, delivered) {
            self.seen = (handed, delivered);
            self.since = now;
        }
        let is_over = |since: Instant, limit| now.saturating_duration_since(since) >= limit;
        // One batch at a time: records that come while it is in flight make the next.
        let free = self.sent <= delivered || is_over(self.moved, ANSWER);
        let little = !full && free && bytes < SMALL;
        let quiet = is_over(self.since, if full { STUCK } else { QUIET });
        let due = little || quiet || is_over(self.sent_at, LONG);
        if due {
            (self.sent, self.sent_at) = (handed, now);
            (self.since, self.moved) = (now, now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(handed: u64, delivered: u64, bytes: usize) -> Look {
        Look { handed, delivered, bytes, full: false }
    }

    #[test]
    fn a_little_goes_at_once_and_what_comes_meanwhile_with_the_next() {
        let now = Instant::now();
        let mut linger = Linger::new(now);
        assert!(!linger.is_due(look(0, 0, 0), now), "there is nothing");
        assert!(linger.is_due(look(3, 0, 900), now));
        assert!(!linger.is_due(look(5, 0, 1500), now), "the first three are on their way");
        assert!(!linger.is_due(look(5, 2, 900), now));
        assert!(linger.is_due(look(5, 3, 600), now));
        assert!(!linger.is_due(look(5, 5, 0), now));
    }

    #[test]
    fn what_was_not_heard_is_said_again() {
        let now = Instant::now();
        let at = |ms| now + Duration::from_millis(ms);
        let mut linger = Linger::new(now);
        assert!(linger.is_due(look(1, 0, 300), at(0)));
        assert!(!linger.is_due(look(2, 0, 600), at(2)));
        assert!(linger.is_due(look(3, 0, 900), at(3)));
        assert!(!linger.is_due(look(4, 1, 900), at(5)));
        assert!(!linger.is_due(look(4, 1, 900), at(7)), "answers come");
    }

    #[test]
    fn much_waits_for_more_until_none_comes() {
        let now = Instant::now();
        let at = |ms| now + Duration::from_millis(ms);
        let mut linger = Linger::new(now);
        assert!(!linger.is_due(look(1000, 0, SMALL), at(0)));
        assert!(!linger.is_due(look(2000, 0, 2 * SMALL), at(5)), "more came");
        assert!(!linger.is_due(look(2000, 1000, SMALL), at(9)), "some became durable");
        assert!(!linger.is_due(look(2000, 1000, SMALL), at(13)));
        assert!(linger.is_due(look(2000, 1000, SMALL), at(14)));
        assert!(!linger.is_due(look(2000, 1000, SMALL), at(15)), "they were told");
        assert!(linger.is_due(look(2000, 1000, SMALL), at(19)), "they may have been behind another batch");
    }

    #[test]
    fn a_full_queue_moves_by_itself_or_is_moved() {
        let now = Instant::now();
        let at = |ms| now + Duration::from_millis(ms);
        let full = |delivered| Look { handed: 9000, delivered, bytes: 16 << 20, full: true };
        let mut linger = Linger::new(now);
        assert!((0..90).all(|ms| !linger.is_due(full(100 + ms / 10), at(ms))), "full batches go and arrive");
        assert!((90..130).any(|ms| linger.is_due(full(108), at(ms))), "nothing does");
    }

    #[test]
    fn the_small_batches_of_many_tables_go_now_and_then() {
        let now = Instant::now();
        let mut linger = Linger::new(now);
        let mut due = |ms| linger.is_due(look(10 * ms, ms, 9 << 20), now + Duration::from_millis(ms));
        assert_eq!((1..=300).filter(|ms| due(*ms)).count(), 3);
    }
}
