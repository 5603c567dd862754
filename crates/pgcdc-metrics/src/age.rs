//! How old something is at the moment when the metrics are read.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::SystemTime;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::{MetricType, TypedMetric};

/// Stands for "nothing".
const NONE: i64 = i64::MIN;

/// Seconds since something began; 0 while there is nothing. Clones share the beginning.
///
/// It keeps the beginning rather than the age. So the age also grows while the part that tells it stands still, which is when
/// people look at it.
///
/// ```
/// let lag = pgcdc_metrics::Age::default();
/// assert_eq!(lag.get(), 0.0);
/// lag.begun(Some(1_000_000)); // one second into 1970
/// assert!(lag.get() > 1e9);
/// ```
#[derive(Clone, Debug)]
pub struct Age(Arc<AtomicI64>);

impl Default for Age {
    fn default() -> Self {
        Self(Arc::new(AtomicI64::new(NONE)))
    }
}

impl Age {
    /// Says when it began, in microseconds since 1970; `None` when there is nothing.
    pub fn begun(&self, at_us: Option<i64>) {
        self.0.store(at_us.unwrap_or(NONE), Ordering::Relaxed);
    }

    /// When it began, in microseconds since 1970; `None` when there is nothing.
    #[must_use]
    pub fn since_us(&self) -> Option<i64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|at| *at != NONE)
    }

    /// The age in seconds; 0 when there is nothing, or the clock that told the beginning is ahead of ours.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "an age need not be exact to the microsecond")]
    pub fn get(&self) -> f64 {
        let Some(since) = self.since_us() else { return 0.0 };
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(now.as_micros()).unwrap_or(i64::MAX);
        now.saturating_sub(since).max(0) as f64 / 1e6
    }
}

impl TypedMetric for Age {
    const TYPE: MetricType = MetricType::Gauge;
}

impl EncodeMetric for Age {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        encoder.encode_gauge(&self.get())
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}
