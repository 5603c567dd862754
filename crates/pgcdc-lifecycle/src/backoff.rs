//! Pauses between one try and the next.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// Exponential back-off with jitter: each failure doubles the longest possible pause, up to a limit.
///
/// The pause is drawn at random below that limit, so that many callers that failed together do not come back together.
///
/// ```
/// use std::time::Duration;
/// use pgcdc_lifecycle::Backoff;
///
/// let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
/// assert!(backoff.pause() <= Duration::from_millis(100));
/// assert!(backoff.pause() <= Duration::from_millis(200));
/// backoff.reset();
/// assert_eq!(backoff.failures(), 0);
/// ```
#[derive(Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    least: f64,
    failures: u32,
}

impl Backoff {
    /// The first pause is at most `first`; no pause is longer than `longest`.
    #[must_use]
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, least: 0.0, failures: 0 }
    }

    /// Makes each pause at least this share of what it may be, between 0 (the default) and 1.
    #[must_use]
    pub fn at_least(mut self, share: f64) -> Self {
        self.least = share.clamp(0.0, 1.0);
        self
    }

    /// Failures in a row: the pauses since the last [`reset`](Self::reset).
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// How long the next pause is at most.
    #[must_use]
    pub fn limit(&self) -> Duration {
        self.first.saturating_mul(1 << self.failures.min(20)).min(self.longest)
    }

    /// Notes a failure; returns how long to wait after it.
    pub fn pause(&mut self) -> Duration {
        let limit = self.limit();
        self.failures = self.failures.saturating_add(1);
        limit.mul_f64(self.least + (1.0 - self.least) * fastrand::f64())
    }

    /// Notes a success: the pauses begin anew.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

/// Waits; `false` when told to stop meanwhile.
pub async fn sleep(wait: Duration, stop: &CancellationToken) -> bool {
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
        let (first, longest) = (Duration::from_millis(100), Duration::from_secs(1));
        let mut backoff = Backoff::new(first, longest);
        for limit in [1, 2, 4, 8, 10, 10].map(|tenths| Duration::from_millis(tenths * 100)) {
            assert_eq!(backoff.limit(), limit);
            assert!(backoff.pause() <= limit);
        }
        assert!((0..100).map(|_| backoff.pause()).all(|wait| wait <= longest));
        assert!((0..100).map(|_| backoff.pause()).any(|wait| wait > first));
        backoff.reset();
        assert!(backoff.failures() == 0 && backoff.pause() <= first);
    }

    #[test]
    fn a_share_is_always_waited() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(1)).at_least(0.5);
        let (least, most) = (Duration::from_millis(500), Duration::from_secs(1));
        assert!((0..100).map(|_| backoff.pause()).all(|wait| wait >= least && wait <= most));
    }
}
