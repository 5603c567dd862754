//! The metrics of pgcdc: one table of names, handles that count, and the text that Prometheus reads.
//!
//! A part that counts (outbox, producer, driver, breaker, consumer) is given a group of handles, for instance
//! [`CaptureMetrics`]. It never sees a registry, and there is no global one: two connectors in one process, or two tests,
//! count apart. A handle is one atomic number: to count costs what an `AtomicU64` costs.
//!
//! [`Registry`] hands out the groups and writes the text. [`TABLE`] has each metric's name, kind and help; the
//! documentation is made from it. The format is OpenMetrics, as the official `prometheus-client` writes it.
//!
//! To add a metric, add a line to `groups.rs`.
//!
//! ```
//! let registry = pgcdc_metrics::Registry::new();
//! let shop = registry.capture("shop");
//! shop.changes.inc_by(3);
//! assert!(registry.encode().contains("pgcdc_changes_total{connector=\"shop\"} 3"));
//!
//! registry.forget_capture("shop");
//! assert!(!registry.encode().contains("shop"));
//! ```

mod groups;

use std::fmt;
use std::sync::Arc;

pub use groups::{CaptureMetrics, ConsumerMetrics, ProducerMetrics, SinkMetrics, TABLE};
use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::{MetricType, TypedMetric, counter, gauge, histogram};

/// Counts upwards. `inc`, `inc_by` and `get` take and give whole numbers.
pub type Counter = counter::Counter;

/// A whole number that rises and falls. Values beyond `i64::MAX` are kept as that number, since the text has no larger ones.
#[derive(Clone, Debug, Default)]
pub struct Gauge(gauge::Gauge);

impl Gauge {
    /// Sets the value.
    pub fn set(&self, value: u64) {
        self.0.set(i64::try_from(value).unwrap_or(i64::MAX));
    }

    /// Adds one.
    pub fn inc(&self) {
        self.0.inc();
    }

    /// Takes one away.
    pub fn dec(&self) {
        self.0.dec();
    }

    /// The value; 0 when more was taken away than added.
    #[must_use]
    pub fn get(&self) -> u64 {
        u64::try_from(self.0.get()).unwrap_or(0)
    }
}

/// How long something took, in seconds: `observe`. Buckets from 100 µs to 50 s.
#[derive(Clone, Debug)]
pub struct Seconds(histogram::Histogram);

impl Default for Seconds {
    fn default() -> Self {
        Self(histogram::Histogram::new(histogram::exponential_buckets(0.0001, 2.5, 15)))
    }
}

/// Lets a wrapper be registered as the metric within it.
macro_rules! is_a {
    ($Wrapper:ty, $Type:ident) => {
        impl TypedMetric for $Wrapper {
            const TYPE: MetricType = MetricType::$Type;
        }

        impl EncodeMetric for $Wrapper {
            fn encode(&self, encoder: MetricEncoder<'_>) -> fmt::Result {
                self.0.encode(encoder)
            }

            fn metric_type(&self) -> MetricType {
                Self::TYPE
            }
        }
    };
}

is_a!(Gauge, Gauge);
is_a!(Seconds, Histogram);

impl Seconds {
    /// Adds one duration.
    pub fn observe(&self, took: std::time::Duration) {
        self.0.observe(took.as_secs_f64());
    }
}

/// What a metric does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only rises; its name ends in `_total`.
    Counter,
    /// Rises and falls.
    Gauge,
    /// Buckets of durations; its name ends in `_seconds`.
    Histogram,
}

/// One line of [`TABLE`].
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// The name that Prometheus stores, with unit and suffix.
    pub name: &'static str,
    /// What it does.
    pub kind: Kind,
    /// The one label that tells its values apart.
    pub label: &'static str,
    /// What it counts, in one sentence.
    pub help: &'static str,
}

/// All metrics of one process. Cheap to clone; clones share their values.
#[derive(Clone, Default)]
pub struct Registry(Arc<groups::Families>);

impl Registry {
    /// A registry without values.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The handles of one connector; the same ones for the same name.
    #[must_use]
    pub fn capture(&self, connector: &str) -> CaptureMetrics {
        self.families(|families| families.capture.handles(connector))
    }

    /// The handles of one connector's producer; the same ones for the same name.
    #[must_use]
    pub fn producer(&self, connector: &str) -> ProducerMetrics {
        self.families(|families| families.producer.handles(connector))
    }

    /// The handles of one sink; the same ones for the same name.
    #[must_use]
    pub fn sink(&self, sink: &str) -> SinkMetrics {
        self.families(|families| families.sink.handles(sink))
    }

    /// The handles of one sink's consumer; the same ones for the same name.
    #[must_use]
    pub fn consumer(&self, sink: &str) -> ConsumerMetrics {
        self.families(|families| families.consumer.handles(sink))
    }

    /// Drops the values of a connector that is gone, so that they are no longer written.
    pub fn forget_capture(&self, connector: &str) {
        self.families(|families| {
            families.capture.forget(connector);
            families.producer.forget(connector);
        });
    }

    /// Drops the values of a sink that is gone.
    pub fn forget_sink(&self, sink: &str) {
        self.families(|families| {
            families.sink.forget(sink);
            families.consumer.forget(sink);
        });
    }

    /// All values as OpenMetrics text, for a `/metrics` endpoint. Its content type is [`CONTENT_TYPE`].
    #[must_use]
    pub fn encode(&self) -> String {
        self.families(|families| {
            let mut text = String::new();
            // A String takes all that is written to it.
            let _ = prometheus_client::encoding::text::encode(&mut text, &families.registry);
            text
        })
    }

    fn families<T>(&self, look: impl FnOnce(&groups::Families) -> T) -> T {
        look(&self.0)
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Registry")
    }
}

/// The content type of [`Registry::encode`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[cfg(test)]
mod tests;
