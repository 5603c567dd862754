//! When a Kafka transaction ends. Pure: the time is handed in.
//!
//! `transaction.boundary=poll`: at once when nothing more is there to be read, so that a reader of committed records
//! waits no longer than the commit takes; every [`BUSY`] while records come without a pause, since a commit
//! holds everything up for some tens of milliseconds. `interval`: as often as the property says.

use std::time::{Duration, Instant};

use crate::config::TransactionBoundary;

/// How long a Kafka transaction lasts under full load.
pub(super) const BUSY: Duration = Duration::from_millis(500);

/// How much longer it may last to take a whole transaction of the server in.
const WHOLE: Duration = Duration::from_secs(2);

/// When records come slowly, a Kafka transaction lasts so long although the next record is there already.
const SLOW: Duration = Duration::from_millis(10);

/// Fewer records a millisecond than this are slow.
const SLOW_RATE: u64 = 10;

/// A transaction of this many records was no trickle. A short silence after it means that the server is scheduled out, and
/// a commit would cost more than it gains.
const MANY: u64 = 1000;

/// When there were many, nothing more is to be read after so long without a record.
const SILENCE: Duration = Duration::from_millis(20);

/// After so long without a record the next one is committed as soon as it can be.
const QUIET: Duration = Duration::from_millis(50);

/// Decides when the transaction that is being filled is to end.
#[derive(Debug)]
pub(super) struct Pace {
    /// `transaction.boundary=interval`; `None` for `poll`.
    interval: Option<Duration>,
    /// Longer than this no Kafka transaction may last.
    longest: Duration,
    /// When the first of its records came; meaningless without one.
    began: Instant,
    /// The first came after a pause.
    after_pause: bool,
    records: u64,
    /// Records at the last look, and when it was that they had become more.
    seen: u64,
    moved: Instant,
    /// The transaction before held many records, and they came fast.
    flood: bool,
    /// When the transaction before ended.
    ended: Option<Instant>,
}

impl Pace {
    pub(super) fn new(boundary: TransactionBoundary, timeout: Duration, now: Instant) -> Self {
        let interval = match boundary {
            TransactionBoundary::Poll => None,
            TransactionBoundary::Interval(interval) => Some(interval),
        };
        let longest = (interval.unwrap_or(BUSY) + WHOLE).min(timeout / 2);
        Self {
            interval,
            longest,
            began: now,
            after_pause: false,
            records: 0,
            seen: 0,
            moved: now,
            flood: false,
            ended: None,
        }
    }

    /// A record was written into the transaction. `now` is asked for the first one alone.
    #[inline]
    pub(super) fn record(&mut self, now: impl FnOnce() -> Instant) {
        if self.records == 0 {
            self.began = now();
            let pause = self.ended.map(|ended| self.began.saturating_duration_since(ended));
            self.after_pause = pause.is_none_or(|pause| pause >= QUIET);
        }
        self.records += 1;
    }

    /// The transaction has ended; the next one has nothing in it.
    pub(super) fn restart(&mut self, now: Instant) {
        self.flood = self.is_fast(self.age(now));
        (self.records, self.seen, self.ended) = (0, 0, Some(now));
    }

    /// Whether there is nothing to commit.
    pub(super) fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// How long the transaction has been open.
    pub(super) fn age(&self, now: Instant) -> Duration {
        if self.is_empty() { Duration::ZERO } else { now.saturating_duration_since(self.began) }
    }

    /// Whether the transaction is to end now, for its age. `inside`: a transaction of the server is half written.
    pub(super) fn is_due(&self, inside: bool, now: Instant) -> bool {
        if self.is_empty() {
            return false;
        }
        let age = self.age(now);
        match self.interval {
            _ if inside => age >= self.longest,
            Some(interval) => age >= interval.min(self.longest),
            None => age >= BUSY || (age >= SLOW && !self.flood && self.is_slow(age)),
        }
    }

    /// As [`is_due`](Self::is_due), when what was there has been read: also when no record came since the last look.
    pub(super) fn look(&mut self, inside: bool, now: Instant) -> bool {
        if std::mem::replace(&mut self.seen, self.records) != self.records {
            self.moved = now;
        }
        let quiet = now.saturating_duration_since(self.moved);
        let paused =
            if self.flood || self.is_fast(self.age(now)) { quiet >= SILENCE } else { !quiet.is_zero() };
        let early = self.interval.is_none() && !inside && !self.is_empty() && (paused || self.after_pause);
        early || self.is_due(inside, now)
    }

    fn is_fast(&self, age: Duration) -> bool {
        self.records >= MANY && !self.is_slow(age)
    }

    fn is_slow(&self, age: Duration) -> bool {
        u128::from(self.records) <= age.as_millis() * u128::from(SLOW_RATE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(60);

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn a_lone_record_is_committed_at_once_and_a_flood_every_half_second() {
        let start = Instant::now();
        let at = |n| start + ms(n);
        let mut pace = Pace::new(TransactionBoundary::Poll, TIMEOUT, start);
        assert!(!pace.look(false, start), "nothing to commit");
        pace.record(|| at(0));
        assert!(pace.look(false, at(0)), "the first after a pause");
        pace.restart(at(0));
        let mut due = Vec::new();
        for n in 1..1000 {
            for _ in 0..100 {
                pace.record(|| at(n));
            }
            if pace.look(false, at(n)) {
                due.push(n);
                pace.restart(at(n));
            }
        }
        assert_eq!(due, [501]);
        assert!(!pace.look(false, at(1001)) && !pace.look(false, at(1001)), "the server is scheduled out");
        pace.restart(at(1001));
        pace.record(|| at(1002));
        assert!(!pace.look(false, at(1002)) && !pace.look(false, at(1021)), "more is likely to come");
        assert!(pace.look(false, at(1022)), "it did not");
        assert!(!pace.look(true, at(1022)), "half of a transaction waits for the rest");
        pace.restart(at(1022));
        pace.record(|| at(1023));
        assert!(!pace.look(false, at(1023)));
        assert!(pace.look(false, at(1024)), "a trickle again");
    }

    #[test]
    fn few_records_without_a_pause_wait_ten_milliseconds() {
        let start = Instant::now();
        let mut pace = Pace::new(TransactionBoundary::Poll, TIMEOUT, start);
        pace.restart(start);
        let due: Vec<u64> = (0..12)
            .filter(|at| {
                pace.record(|| start + ms(*at));
                pace.look(false, start + ms(*at))
            })
            .collect();
        assert_eq!(due, [10, 11]);
    }

    #[test]
    fn a_flood_that_becomes_a_stream_is_committed_soon_again() {
        let start = Instant::now();
        let mut pace = Pace::new(TransactionBoundary::Poll, TIMEOUT, start);
        (0..50_000).for_each(|_| pace.record(|| start));
        pace.restart(start + ms(500));
        let mut lasted = Vec::new();
        let mut began = 500;
        // Three records a millisecond from now on.
        for n in 501..2000 {
            (0..3).for_each(|_| pace.record(|| start + ms(n)));
            if pace.look(false, start + ms(n)) {
                lasted.push(n - began);
                pace.restart(start + ms(n));
                began = n;
            }
        }
        assert_eq!(lasted[..3], [501, 11, 11], "{lasted:?}");
    }

    #[test]
    fn a_transaction_of_the_server_is_cut_only_when_it_lasts() {
        let start = Instant::now();
        for (boundary, timeout, expect) in [
            (TransactionBoundary::Poll, TIMEOUT, ms(2500)),
            (TransactionBoundary::Poll, Duration::from_secs(4), ms(2000)),
            (TransactionBoundary::Interval(ms(10_000)), TIMEOUT, ms(12_000)),
        ] {
            let mut pace = Pace::new(boundary, timeout, start);
            pace.record(|| start);
            assert!(!pace.look(true, start) && !pace.look(true, start + expect - ms(1)));
            assert!(pace.look(true, start + expect));
        }
    }

    #[test]
    fn an_interval_is_kept() {
        let start = Instant::now();
        let mut pace = Pace::new(TransactionBoundary::Interval(ms(300)), TIMEOUT, start);
        pace.record(|| start);
        assert!(!pace.look(false, start) && !pace.look(false, start + ms(299)));
        assert!(pace.is_due(false, start + ms(300)));
    }
}
