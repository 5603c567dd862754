//! The clock behind `ts_ms`, `ts_us` and `ts_ns` of records.
//!
//! Debezium writes the time at which it processed a change. A look at the clock costs as much as
//! decoding a row, so several changes share one.

use std::time::{SystemTime, UNIX_EPOCH};

/// How many changes share one look at the clock. At 50,000 changes a second these are less than a
/// millisecond apart.
const PER_TICK: u32 = 32;

/// A clock that is looked at once for several changes. Each lane has one, and resets it whenever it
/// has waited.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    /// The time at the last look, in nanoseconds since 1970.
    now_ns: i64,
    /// How many more changes get the same time.
    ticks: u32,
}

impl Clock {
    /// The time for one change, in nanoseconds since 1970.
    #[inline]
    pub(crate) fn tick(&mut self) -> i64 {
        if self.ticks == 0 {
            self.now_ns = now_ns();
            self.ticks = PER_TICK;
        }
        self.ticks -= 1;
        self.now_ns
    }

    /// Lets the next change look at the clock again. Called when some time has passed since the
    /// last change.
    pub(crate) fn reset(&mut self) {
        self.ticks = 0;
    }
}

/// The time now, in nanoseconds since 1970; 0 when the machine's clock is set before that.
pub(crate) fn now_ns() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| i64::try_from(d.as_nanos()).unwrap_or(i64::MAX))
}
