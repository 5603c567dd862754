//! A circuit breaker: after several failures in a row no call reaches the store for a pause, then a single call tries it.
//!
//! ```text
//!            5 failures in a row                 pause over
//!   closed ─────────────────────▶ open(until) ───────────────▶ half-open: one probe
//!     ▲                               ▲                              │     │
//!     └───────────── success ─────────┼──────────────────────────────┘     │
//!                                     └────────── failure, pause doubled ──┘
//! ```

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pgcdc_metrics::Gauge;
use tokio::time::Instant;

/// Failures in a row, of all partitions together.
const FAILURES_TO_OPEN: u32 = 5;
/// The pause after the breaker opened; it doubles with each probe that fails.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Short, so that a store that is back is found soon; one request in this time is no burden to it.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A probe whose result never came (its task is gone) is replaced after this.
const PROBE_LIMIT: Duration = Duration::from_secs(60);

/// Shared by all writers of one sink. Takes the time as an argument, so that it can be tested.
///
/// ```
/// use pgcdc_sinks::driver::{Admission, Breaker};
/// use tokio::time::Instant;
///
/// let (breaker, now) = (Breaker::default(), Instant::now());
/// for _ in 0..5 {
///     assert_eq!(breaker.admit(now), Admission::Go);
///     breaker.failed(now);
/// }
/// let Admission::Wait(pause) = breaker.admit(now) else { panic!("it is open") };
/// assert_eq!(breaker.admit(now + pause), Admission::Go, "one call tries the store");
/// breaker.succeeded();
/// assert_eq!(breaker.admit(now), Admission::Go);
/// ```
#[derive(Debug, Default)]
pub struct Breaker {
    state: Mutex<State>,
    /// 1 while the breaker is not closed.
    is_open: Gauge,
}

#[derive(Debug)]
enum State {
    /// Calls go; so many failed in a row.
    Closed { failures: u32 },
    /// No call goes until then.
    Open { until: Instant, pause: Duration },
    /// One call tries the store since then; the others wait for its result.
    HalfOpen { since: Instant, pause: Duration },
}

/// Whether a call may go to the store now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It may; report how it went.
    Go,
    /// Ask again after this long.
    Wait(Duration),
}

impl Default for State {
    fn default() -> Self {
        Self::Closed { failures: 0 }
    }
}

impl Breaker {
    /// A closed breaker that sets the gauge to 1 while it is open or half open, and to 0 otherwise.
    #[must_use]
    pub fn counted(is_open: Gauge) -> Self {
        Self { state: Mutex::default(), is_open }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for a call.
    pub fn admit(&self, now: Instant) -> Admission {
        let mut state = self.state();
        match *state {
            State::Closed { .. } => Admission::Go,
            State::Open { until, .. } if now < until => Admission::Wait(until - now),
            State::HalfOpen { since, .. } if now < since + PROBE_LIMIT => {
                Admission::Wait(Duration::from_millis(50))
            }
            State::Open { pause, .. } | State::HalfOpen { pause, .. } => {
                *state = State::HalfOpen { since: now, pause };
                Admission::Go
            }
        }
    }

    /// A call went well.
    pub fn succeeded(&self) {
        let before = std::mem::take(&mut *self.state());
        if !matches!(before, State::Closed { .. }) {
            self.is_open.set(0);
        }
    }

    /// A call was given up before its end, which says nothing of the store. If it was the probe, another call may go.
    pub fn abandoned(&self, now: Instant) {
        let mut state = self.state();
        if let State::HalfOpen { pause, .. } = *state {
            *state = State::Open { until: now, pause };
        }
    }

    /// A call failed because of the store. Answers whether that opened the breaker.
    pub fn failed(&self, now: Instant) -> bool {
        let mut state = self.state();
        let opens = matches!(*state, State::Closed { failures } if failures + 1 >= FAILURES_TO_OPEN);
        *state = match *state {
            State::Closed { failures } if failures + 1 < FAILURES_TO_OPEN => {
                State::Closed { failures: failures + 1 }
            }
            State::Closed { .. } => State::Open { until: now + FIRST_PAUSE, pause: FIRST_PAUSE },
            State::HalfOpen { pause, .. } => {
                let pause = (pause * 2).min(LONGEST_PAUSE);
                State::Open { until: now + pause, pause }
            }
            State::Open { until, pause } => State::Open { until, pause },
        };
        if opens {
            self.is_open.set(1);
        }
        opens
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_probes_and_closes() {
        let gauge = Gauge::default();
        let breaker = Breaker::counted(gauge.clone());
        let start = Instant::now();
        for _ in 0..FAILURES_TO_OPEN {
            assert_eq!(breaker.admit(start), Admission::Go);
            breaker.failed(start);
        }
        assert_eq!((breaker.admit(start), gauge.get()), (Admission::Wait(FIRST_PAUSE), 1));
        let later = start + FIRST_PAUSE;
        assert_eq!(breaker.admit(later), Admission::Go, "one probe");
        assert!(matches!(breaker.admit(later), Admission::Wait(_)), "and no second one");
        breaker.failed(later);
        assert_eq!(breaker.admit(later), Admission::Wait(FIRST_PAUSE * 2));
        let again = later + FIRST_PAUSE * 2;
        assert_eq!(breaker.admit(again), Admission::Go);
        breaker.abandoned(again);
        assert_eq!(breaker.admit(again), Admission::Go, "a probe that was given up is replaced at once");
        breaker.succeeded();
        assert_eq!((breaker.admit(again), gauge.get()), (Admission::Go, 0));
        assert_eq!(breaker.admit(again), Admission::Go);
    }
}
