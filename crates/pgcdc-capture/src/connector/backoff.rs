//! How long a connector waits between one attempt and the next.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::Instant;

/// Pauses that begin at a tenth of `retriable.restart.connector.wait.ms` and double with each
/// failure up to six times of it. Each is random between a half and the whole of that, so that
/// connectors which failed together do not come back together.
///
/// The pauses start over after an attempt that confirmed a position, and after a session that
/// streamed for longer than the next pause: a session that was idle for an hour and then broke is a
/// first failure, not one of a long row.
#[derive(Debug)]
pub(crate) struct Backoff {
    /// The configured pause.
    wait: Duration,
    /// The series of pauses, and the count of failures.
    pauses: pgcdc_lifecycle::Backoff,
}

/// When the present attempt began to stream, if it has. The stream sets it, and the connector reads
/// it after the attempt.
#[derive(Debug, Default)]
pub(crate) struct Streaming(Cell<Option<Instant>>);

impl Streaming {
    /// Notes that the stream has begun.
    pub(crate) fn begins(&self) {
        self.0.set(Some(Instant::now()));
    }

    /// How long the attempt has streamed; zero if it never began to.
    pub(crate) fn duration(&self) -> Duration {
        self.0.get().map_or(Duration::ZERO, |since| since.elapsed())
    }
}

impl Backoff {
    /// The series for a configured pause.
    pub(crate) fn new(wait: Duration) -> Self {
        let (first, longest) = (wait / 10, wait.saturating_mul(6));
        let pauses = pgcdc_lifecycle::Backoff::new(
            first.max(Duration::from_millis(100)),
            longest.max(Duration::from_secs(1)),
        );
        Self { wait, pauses: pauses.at_least(0.5) }
    }

    /// Notes a failed attempt: how long it streamed, and whether it confirmed a position. Returns
    /// how many attempts have failed in a row, this one included.
    pub(crate) fn failed(&mut self, streamed: Duration, confirmed: bool) -> u32 {
        if confirmed || streamed > self.pauses.limit().max(self.wait) {
            self.pauses.reset();
        }
        self.pauses.failures().saturating_add(1)
    }

    /// How long to wait before the next attempt. Each call is the next of the series.
    pub(crate) fn pause(&mut self) -> Duration {
        self.pauses.pause()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Duration = Duration::from_secs(10);

    #[test]
    fn pauses_grow_to_a_limit() {
        let mut backoff = Backoff::new(WAIT);
        let pauses: Vec<Duration> = (0..12).map(|_| backoff.pause()).collect();
        assert!(pauses[0] <= Duration::from_secs(1), "{pauses:?}");
        assert!(pauses[11] >= Duration::from_secs(30) && pauses[11] <= Duration::from_secs(60), "{pauses:?}");
    }

    #[test]
    fn a_session_that_streamed_begins_anew_though_it_confirmed_nothing() {
        let mut backoff = Backoff::new(WAIT);
        for failures in 1..10 {
            assert_eq!(backoff.failed(Duration::ZERO, false), failures);
            backoff.pause();
        }
        assert_eq!(backoff.failed(Duration::from_secs(5), false), 10, "streamed for less than the pause");
        assert_eq!(backoff.failed(Duration::from_secs(600), false), 1);
        assert!(backoff.pause() <= Duration::from_secs(1));
        assert_eq!(backoff.failed(Duration::ZERO, true), 1, "it got on");
    }
}
