//! The time that records carry.

use std::time::{SystemTime, UNIX_EPOCH};

/// Changes that share one look at the clock: it costs as much as decoding a row.
const PER_TICK: u32 = 32;

/// The time, looked up now and then.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    now_ns: i64,
    /// How many may still be told the same.
    ticks: u32,
}

impl Clock {
    /// Nanoseconds since 1970, for one more change.
    #[inline]
    pub(crate) fn tick(&mut self) -> i64 {
        if self.ticks == 0 {
            self.now_ns = now_ns();
            self.ticks = PER_TICK;
        }
        self.ticks -= 1;
        self.now_ns
    }

    /// Some time has passed: the next change looks at the clock.
    pub(crate) fn reset(&mut self) {
        self.ticks = 0;
    }
}

/// Now, nanoseconds since 1970.
pub(crate) fn now_ns() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| i64::try_from(d.as_nanos()).unwrap_or(i64::MAX))
}
