//! What is left out of records, and which records are left out: counted and logged, but never with
//! a line for each row.
//!
//! Two properties decide. `event.converting.failure.handling.mode` is about one value that cannot
//! be converted, which becomes null; the encoder counts these values. `errors.tolerance=all` is
//! about a whole record that cannot be written, transformed or converted, which is left out. A user
//! notices the second only by the warning and by `pgcdc_records_left_out_total`, so both
//! are always there.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use pgcdc_format::envelope::EncodeError;
use pgcdc_format::types::{FailureMode, Failures};

use crate::Error;
use crate::config::Settings;
use crate::meters::Meters;

/// The rules of the configuration, with the counts so far. Clones share the counts. See the
/// [module](self).
#[derive(Clone, Debug)]
pub(crate) struct Tolerance(Arc<Inner>);

/// What the clones share.
#[derive(Debug)]
struct Inner {
    /// `errors.tolerance=all`.
    all: bool,
    /// `errors.log.enable`: a line for each record that is left out, not only for the 1st, 10th,
    /// 100th and so on.
    log_each: bool,
    /// `event.converting.failure.handling.mode`.
    mode: FailureMode,
    /// Where encoders count values that they could not convert.
    failures: Failures,
    /// [`Failures::total`] when it was logged last.
    told: AtomicU64,
    /// Records left out, by the place where they failed.
    left_out: Mutex<BTreeMap<String, u64>>,
    /// The connector's counters.
    metrics: Arc<Meters>,
}

impl Tolerance {
    /// The rules of the settings. Made once for a connector, so that counts outlive an attempt.
    pub(crate) fn new(settings: &Settings, metrics: Arc<Meters>) -> Self {
        Self(Arc::new(Inner {
            all: settings.errors.tolerant,
            log_each: settings.errors.log_each,
            mode: settings.types.failures,
            failures: Failures::default(),
            told: AtomicU64::new(0),
            left_out: Mutex::default(),
            metrics,
        }))
    }

    /// Where encoders count values that they cannot convert.
    pub(crate) fn failures(&self) -> Failures {
        self.0.failures.clone()
    }

    /// Logs the columns that have new values which could not be converted. Without new ones it is
    /// one comparison, so the stream calls it whenever the socket has nothing more.
    #[inline]
    pub(crate) fn tell(&self) {
        let total = self.0.failures.total();
        if total != self.0.told.load(Ordering::Relaxed) {
            self.tell_news(total);
        }
    }

    /// Logs and counts what is new.
    #[cold]
    fn tell_news(&self, total: u64) {
        let before = self.0.told.swap(total, Ordering::Relaxed);
        self.0.metrics.capture.values_not_converted.inc_by(total.saturating_sub(before));
        for news in self.0.failures.news() {
            let (table, column, reason, values) = (&news.table, &news.column, news.reason, news.values);
            if self.0.mode == FailureMode::Skip {
                tracing::debug!(table, column, values, "values of a column are written as null: {reason}");
            } else {
                tracing::warn!(
                    table,
                    column,
                    values,
                    "values of a column cannot be converted and are written as null \
                     (event.converting.failure.handling.mode): {reason}"
                );
            }
        }
    }

    /// Whether a record that failed is left out. If so, it is counted by `place`, where it failed,
    /// and logged with `why`. Neither text may show a row's values.
    #[cold]
    pub(crate) fn leaves_out(&self, place: &str, why: &str) -> bool {
        if !self.0.all {
            return false;
        }
        self.0.metrics.capture.records_left_out.inc_by(1);
        let mut left_out = self.0.left_out.lock().unwrap_or_else(PoisonError::into_inner);
        let count = left_out.entry(place.to_owned()).or_default();
        *count += 1;
        if self.0.log_each || is_power_of_ten(*count) {
            tracing::warn!(records = *count, "{place}: records are left out (errors.tolerance=all): {why}");
        }
        true
    }

    /// How many records were left out.
    #[cfg(test)]
    pub(crate) fn left_out(&self) -> u64 {
        self.0.metrics.capture.records_left_out.get()
    }

    /// The error for a row that cannot become a record and may not be left out. `what` names the
    /// row's table and position.
    #[cold]
    pub(crate) fn refusal(&self, what: &str, error: EncodeError) -> Error {
        let hint = match (&error, self.0.mode) {
            (EncodeError::Value { .. }, FailureMode::Fail) => {
                "event.converting.failure.handling.mode=warn writes null in the value's place"
            }
            (EncodeError::Value { .. }, _) => {
                "the schema allows no null there: decimal.handling.mode=string keeps NaN and infinities, a default or dropping \
                 NOT NULL gives the column another value, errors.tolerance=all leaves such records out"
            }
            _ => return Error::fatal(format!("{what}: {error}")).with_source(error),
        };
        Error::fatal(format!("{what}: {error}")).with_source(error).with_hint(hint)
    }
}

/// 1, 10, 100 and so on: a flood of failures makes a few lines.
fn is_power_of_ten(mut count: u64) -> bool {
    while count >= 10 && count.is_multiple_of(10) {
        count /= 10;
    }
    count == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_ten() {
        let powers: Vec<u64> = (0..=1000).filter(|count| is_power_of_ten(*count)).collect();
        assert_eq!(powers, [1, 10, 100, 1000]);
    }
}
