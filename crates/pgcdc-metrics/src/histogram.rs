//! Durations in buckets: a histogram that is counted without a lock.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::{MetricType, TypedMetric};

/// The buckets' upper bounds in microseconds: 100 µs to 5 minutes, each about twice the one before. One more bucket has the
/// longer durations. A change of them breaks the comparison with values that Prometheus stored before.
const BOUNDS_US: [u64; 19] = [
    100,
    250,
    500,
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    30_000_000,
    60_000_000,
    300_000_000,
];

/// How long something took, in seconds, in buckets from 100 µs to 5 minutes. Clones count together.
///
/// It replaces the histogram of `prometheus-client`, which takes a lock for each duration, and has no way to add many equal
/// durations at once.
///
/// ```
/// use std::time::Duration;
/// let latency = pgcdc_metrics::Seconds::default();
/// latency.observe(Duration::from_millis(3));
/// latency.observe_many(Duration::from_millis(40), 9);
/// assert_eq!(latency.count(), 10);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Seconds(Arc<Buckets>);

/// The counts that all clones share.
#[derive(Debug, Default)]
struct Buckets {
    /// How many durations each bucket has; the last one has those above all bounds.
    counts: [AtomicU64; BOUNDS_US.len() + 1],
    /// The sum of all durations, in microseconds.
    sum_us: AtomicU64,
}

impl Seconds {
    /// Adds one duration.
    pub fn observe(&self, took: Duration) {
        self.observe_many(took, 1);
    }

    /// Adds `count` durations of about this length at the cost of one: for instance of all transactions that one
    /// acknowledgement covers.
    pub fn observe_many(&self, took: Duration, count: u64) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_US.partition_point(|&bound| bound < took);
        self.0.counts[bucket].fetch_add(count, Ordering::Relaxed);
        self.0.sum_us.fetch_add(took.saturating_mul(count), Ordering::Relaxed);
    }

    /// How many durations were added.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.counts.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }
}

impl TypedMetric for Seconds {
    const TYPE: MetricType = MetricType::Histogram;
}

impl EncodeMetric for Seconds {
    #[expect(clippy::cast_precision_loss, reason = "a sum of durations need not be exact to the microsecond")]
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let bounds = BOUNDS_US.iter().map(|&bound| bound as f64 / 1e6).chain([f64::MAX]);
        let counts = self.0.counts.iter().map(|count| count.load(Ordering::Relaxed));
        let buckets: Vec<(f64, u64)> = bounds.zip(counts).collect();
        // Counted from the buckets, so that count and buckets agree while others count on.
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = self.0.sum_us.load(Ordering::Relaxed) as f64 / 1e6;
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}
