//! How long the output takes to acknowledge a transaction, counted from its commit on the server.
//! This is what a user waits for, for `pgcdc_commit_to_acknowledged_seconds` and
//! `pgcdc_lag_seconds`.

use std::collections::VecDeque;
use std::time::Duration;

use pgcdc_event::Lsn;
use pgcdc_metrics::CaptureMetrics;

/// Transactions whose commits lie within this many microseconds are measured as one.
const STEP_US: i64 = 1000;

/// The most groups that are kept. When there are more, transactions join the last group.
const MOST: usize = 1 << 14;

/// Transactions that were read and are not acknowledged yet, in groups of about a millisecond.
/// Pure: the time is handed in. All times are in microseconds since 1970; commits have the server's
/// clock.
#[derive(Debug, Default)]
pub(super) struct Latency(VecDeque<Group>);

/// Transactions that were committed at about the same time.
#[derive(Debug)]
struct Group {
    /// The commit of the first of them.
    committed_us: i64,
    /// The end of the last of them.
    end: Lsn,
    /// How many they are.
    transactions: u64,
}

impl Latency {
    /// Notes that a transaction with captured changes was read. It ends at `end`.
    pub(super) fn committed(&mut self, end: Lsn, committed_us: i64) {
        let full = self.0.len() >= MOST;
        match self.0.back_mut() {
            Some(last) if full || (0..STEP_US).contains(&(committed_us - last.committed_us)) => {
                last.end = end;
                last.transactions += 1;
            }
            _ => self.0.push_back(Group { committed_us, end, transactions: 1 }),
        }
    }

    /// Notes that everything up to `position` is acknowledged: measures these transactions, and tells
    /// the metrics when the oldest one that is left was committed.
    pub(super) fn acknowledged(&mut self, position: Lsn, now_us: i64, metrics: &CaptureMetrics) {
        while let Some(group) = self.0.front()
            && group.end <= position
        {
            let took = since(group.committed_us, now_us);
            metrics.commit_to_acknowledged.observe_many(took, group.transactions);
            self.0.pop_front();
        }
        metrics.lag_seconds.begun(self.0.front().map(|oldest| oldest.committed_us));
    }
}

/// The time from a commit to now; zero when the server's clock is ahead of ours.
fn since(committed_us: i64, now_us: i64) -> Duration {
    Duration::from_micros(u64::try_from(now_us.saturating_sub(committed_us)).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transactions_are_measured_once_their_end_is_acknowledged() {
        let (mut latency, metrics) = (Latency::default(), CaptureMetrics::default());
        let lsn = Lsn::new;
        latency.committed(lsn(10), 1_000_000);
        latency.committed(lsn(20), 1_000_400);
        latency.committed(lsn(30), 2_000_000);
        latency.acknowledged(lsn(10), 2_500_000, &metrics);
        assert_eq!(metrics.commit_to_acknowledged.count(), 0, "the second one of the group is missing");
        assert_eq!(metrics.lag_seconds.since_us(), Some(1_000_000));
        latency.acknowledged(lsn(20), 2_500_000, &metrics);
        assert_eq!(metrics.commit_to_acknowledged.count(), 2);
        assert_eq!(metrics.lag_seconds.since_us(), Some(2_000_000));
        latency.acknowledged(lsn(30), 1_900_000, &metrics);
        assert_eq!(metrics.commit_to_acknowledged.count(), 3, "the server's clock is ahead");
        assert_eq!(metrics.lag_seconds.since_us(), None);
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut latency = Latency::default();
        for n in 0..2 * MOST as u64 {
            latency.committed(Lsn::new(n), i64::try_from(n).unwrap() * 10_000);
        }
        assert_eq!(latency.0.len(), MOST);
        let metrics = CaptureMetrics::default();
        latency.acknowledged(Lsn::new(u64::MAX), 0, &metrics);
        assert_eq!(metrics.commit_to_acknowledged.count(), 2 * MOST as u64);
    }
}
