//! Waits between tries.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// Exponential with full jitter: a wait anywhere up to the doubled one, so that many do not come back at
/// once.
#[derive(Debug)]
pub(crate) struct Backoff {
    initial: Duration,
    max: Duration,
    failures: u32,
}

impl Backoff {
    pub(crate) fn new(initial: Duration, max: Duration) -> Self {
        Self { initial, max, failures: 0 }
    }

    /// Failures in a row.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// Notes a failure; returns how long to wait after it.
    pub(crate) fn next(&mut self) -> Duration {
        let doubled = self.initial.saturating_mul(1 << self.failures.min(20));
        self.failures = self.failures.saturating_add(1);
        doubled.min(self.max).mul_f64(fastrand::f64())
    }

    /// Notes a success.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

/// Waits; `false` when told to stop meanwhile.
pub(crate) async fn sleep(wait: Duration, stop: &CancellationToken) -> bool {
    tokio::select! {
        biased;
        () = stop.cancelled() => false,
        () = tokio::time::sleep(wait) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_longest_and_begins_anew_after_a_success() {
        let (initial, max) = (Duration::from_millis(100), Duration::from_secs(1));
        let mut backoff = Backoff::new(initial, max);
        for limit in [1, 2, 4, 8, 10, 10].map(|tenths| Duration::from_millis(tenths * 100)) {
            assert!(backoff.next() <= limit);
        }
        assert!((0..100).map(|_| backoff.next()).all(|wait| wait <= max));
        assert!((0..100).map(|_| backoff.next()).any(|wait| wait > initial));
        backoff.reset();
        assert!(backoff.failures() == 0 && backoff.next() <= initial);
    }
}
