//! What the log says while a store does not take records: a line when that begins, one for each new reason, a reminder now
//! and then, and one when it is over. Not a line for every try.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use pgcdc_kafka::consumer::Partition;
use tokio::time::Instant;

/// How often a trouble that lasts is told again.
const REMINDER: Duration = Duration::from_secs(600);
/// Reasons that are told of one outage: a text that differs at each try must not fill the log.
const REASONS: usize = 8;

/// The trouble of one sink, shared by its partitions. Takes the time as an argument, so that it can be tested.
#[derive(Debug, Default)]
pub struct Outage {
    state: Mutex<Option<State>>,
}

#[derive(Debug)]
struct State {
    since: Instant,
    told: Instant,
    reasons: Vec<String>,
    /// The partitions that wait. The outage is over when none is left.
    waiting: HashSet<Partition>,
}

impl Outage {
    /// Notes a failure. `Some` when it is to be told: for how long the sink has been waiting.
    pub fn failed(&self, partition: &Partition, reason: &str, now: Instant) -> Option<Duration> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = state.get_or_insert_with(|| State {
            since: now,
            told: now,
            reasons: Vec::new(),
            waiting: HashSet::new(),
        });
        state.waiting.insert(partition.clone());
        let is_new = state.reasons.len() < REASONS && !state.reasons.iter().any(|told| told == reason);
        if is_new {
            state.reasons.push(reason.to_owned());
        }
        if !is_new && now < state.told + REMINDER {
            return None;
        }
        state.told = now;
        Some(now - state.since)
    }

    /// Notes that a partition goes on. `Some` when that ends the outage: how long it lasted.
    pub fn passed(&self, partition: &Partition, now: Instant) -> Option<Duration> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = &mut state.as_mut()?.waiting;
        waiting.remove(partition);
        if !waiting.is_empty() {
            return None;
        }
        state.take().map(|state| now - state.since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_for_each_change() {
        let outage = Outage::default();
        let partition = |id| Partition { topic: "t".into(), id };
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(outage.passed(&partition(0), start), None, "nothing was wrong");
        assert_eq!(outage.failed(&partition(0), "401", start), Some(Duration::ZERO));
        assert_eq!(outage.failed(&partition(0), "401", after(1)), None);
        assert_eq!(outage.failed(&partition(1), "401", after(2)), None, "the same trouble");
        assert_eq!(outage.failed(&partition(1), "503", after(3)), Some(Duration::from_secs(3)));
        assert_eq!(outage.failed(&partition(1), "401", after(700)), Some(Duration::from_secs(700)));
        assert_eq!(outage.passed(&partition(1), after(701)), None, "another one waits");
        assert_eq!(outage.passed(&partition(0), after(702)), Some(Duration::from_secs(702)));
        assert_eq!(outage.failed(&partition(0), "401", after(703)), Some(Duration::ZERO));
        let reasons = (0..100).filter(|n| outage.failed(&partition(0), &n.to_string(), after(704)).is_some());
        assert_eq!(reasons.count(), REASONS - 1);
    }
}
