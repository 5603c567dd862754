//! What people learn while a store does not take records: the sink's state, and a few lines in the log.
//!
//! The log has a line when the trouble begins, one for each new reason, a reminder now and then, and one when it is over; not
//! a line for every try.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pgcdc_kafka::consumer::Partition;
use pgcdc_lifecycle::{Failure, Reporter};
use tokio::time::Instant;

/// How often a trouble that lasts is told again.
const REMINDER: Duration = Duration::from_secs(600);
/// How many reasons of one outage are told: a text that differs at each try must not fill the log.
const REASONS: usize = 8;

/// The trouble of one sink, shared by its partitions. Takes the time as an argument, so that it can be tested.
///
/// Those who wait are partitions, and the sink as a whole (`None`): while its store is opened, or flushed.
#[derive(Debug, Default)]
pub struct Outage {
    state: Mutex<Option<State>>,
    /// Where the sink's state is told.
    reporter: Option<Arc<Reporter>>,
}

/// An outage under way.
#[derive(Debug)]
struct State {
    /// When it began.
    since: Instant,
    /// When the log had its last line about it.
    told: Instant,
    /// The reasons that were told.
    reasons: Vec<String>,
    /// Who waits. The outage is over when nobody is left.
    waiting: HashSet<Option<Partition>>,
}

impl Outage {
    /// Tells the sink's state, too.
    #[must_use]
    pub fn reporting(reporter: Arc<Reporter>) -> Self {
        Self { state: Mutex::default(), reporter: Some(reporter) }
    }

    /// Notes that the sink has partitions to read: it runs, unless somebody waits for the store.
    pub(crate) fn joined(&self) {
        let waits = self.state.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        if let Some(reporter) = self.reporter.as_ref().filter(|_| !waits) {
            reporter.flows();
        }
    }

    /// Notes a failure, and that the next try begins after `wait`. `Some` when the log is to tell it: for how long the sink has
    /// been waiting.
    pub fn failed(
        &self,
        who: Option<&Partition>,
        failure: &Failure,
        wait: Duration,
        now: Instant,
    ) -> Option<Duration> {
        if let Some(reporter) = &self.reporter {
            reporter.failed(failure.clone(), wait);
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = state.get_or_insert_with(|| State {
            since: now,
            told: now,
            reasons: Vec::new(),
            waiting: HashSet::new(),
        });
        state.waiting.insert(who.cloned());
        let is_new = state.reasons.len() < REASONS && !state.reasons.contains(&failure.error);
        if is_new {
            state.reasons.push(failure.error.clone());
        }
        if !is_new && now < state.told + REMINDER {
            return None;
        }
        state.told = now;
        Some(now - state.since)
    }

    /// Notes that somebody goes on, since the store took what they had. `Some` when that ends the outage: how long it lasted.
    pub fn passed(&self, who: Option<&Partition>, now: Instant) -> Option<Duration> {
        let lasted = self.left(who, now)?;
        if let Some(reporter) = &self.reporter {
            reporter.flows();
        }
        Some(lasted)
    }

    /// Notes that somebody waits no longer, though the store has not answered. `Some` when nobody is left.
    pub fn left(&self, who: Option<&Partition>, now: Instant) -> Option<Duration> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = &mut state.as_mut()?.waiting;
        waiting.remove(&who.cloned());
        if !waiting.is_empty() {
            return None;
        }
        state.take().map(|state| now - state.since)
    }
}

#[cfg(test)]
mod tests {
    use pgcdc_lifecycle::State as Now;

    use super::*;

    #[test]
    fn one_line_for_each_change() {
        let outage = Outage::default();
        let partition = |id| Partition { topic: "t".into(), id };
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let failed = |id, text: &str, now| {
            let failure = Failure { error: text.to_owned(), hint: None };
            outage.failed(Some(&partition(id)), &failure, Duration::ZERO, now)
        };
        let passed = |id, now| outage.passed(Some(&partition(id)), now);
        assert_eq!(passed(0, start), None, "nothing was wrong");
        assert_eq!(failed(0, "401", start), Some(Duration::ZERO));
        assert_eq!(failed(0, "401", after(1)), None);
        assert_eq!(failed(1, "401", after(2)), None, "the same trouble");
        assert_eq!(failed(1, "503", after(3)), Some(Duration::from_secs(3)));
        assert_eq!(failed(1, "401", after(700)), Some(Duration::from_secs(700)));
        assert_eq!(passed(1, after(701)), None, "another one waits");
        assert_eq!(passed(0, after(702)), Some(Duration::from_secs(702)));
        assert_eq!(failed(0, "401", after(703)), Some(Duration::ZERO));
        let reasons = (0..100).filter(|n| failed(0, &n.to_string(), after(704)).is_some());
        assert_eq!(reasons.count(), REASONS - 1);
    }

    #[test]
    fn the_state_says_since_when_and_why() {
        let (reporter, status) = Reporter::new();
        let outage = Outage::reporting(Arc::new(reporter));
        let (partition, now) = (Partition { topic: "t".into(), id: 0 }, Instant::now());
        let failure = Failure { error: "401".to_owned(), hint: None };
        outage.failed(None, &failure, Duration::ZERO, now);
        outage.failed(Some(&partition), &failure, Duration::ZERO, now);
        outage.passed(None, now);
        let Now::Retrying(retry) = status.now() else { panic!("{}", status.now()) };
        assert_eq!((retry.failures, retry.failure), (2, failure));
        outage.passed(Some(&partition), now);
        assert_eq!(status.now(), Now::Running);
    }
}
