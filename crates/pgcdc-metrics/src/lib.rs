//! The metrics of pgcdc: one table of names, handles that count, and the text that Prometheus reads.
//!
//! A part that counts (outbox, producer, driver, breaker, consumer) is given a group of handles, for instance
//! [`CaptureMetrics`]. It never sees a registry, and there is no global one: two connectors in one process, or two tests,
//! count apart. A handle is one atomic number: to count costs what an `AtomicU64` costs. Counters with further labels, such as
//! [`RowsByTable`], are looked up once for each label and then kept.
//!
//! [`Registry`] hands out the groups and writes the text. [`TABLE`] has each metric's name, kind and help; the
//! documentation is made from it. The format is OpenMetrics, as the official `prometheus-client` writes it:
//!
//! ```text
//! # HELP pgcdc_changes Changes read from the stream.
//! # TYPE pgcdc_changes counter
//! pgcdc_changes_total{connector="shop"} 3
//! ```
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

mod age;
mod debezium;
mod groups;
mod histogram;
mod labelled;
mod plain;
mod reference;

use std::fmt;
use std::sync::Arc;

pub use age::Age;
pub use groups::{CaptureMetrics, ConsumerMetrics, ProducerMetrics, SinkMetrics, TABLE};
pub use histogram::Seconds;
pub use labelled::{RestartsByReason, RowCounters, RowsByTable};
pub use plain::PLAIN_CONTENT_TYPE;
pub use reference::reference;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::{MetricType, TypedMetric, counter, gauge};

/// Counts upwards from 0. `inc`, `inc_by` and `get` take and give whole numbers. A restart of the process begins at 0 again,
/// which Prometheus expects.
pub type Counter = counter::Counter;

/// A whole number that rises and falls. Values beyond `i64::MAX` are kept as that number, since the client has no larger ones.
///
/// ```
/// let queued = pgcdc_metrics::Gauge::default();
/// queued.set(5);
/// queued.dec();
/// assert_eq!(queued.get(), 4);
/// ```
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

impl TypedMetric for Gauge {
    const TYPE: MetricType = MetricType::Gauge;
}

impl EncodeMetric for Gauge {
    fn encode(&self, encoder: MetricEncoder<'_>) -> fmt::Result {
        self.0.encode(encoder)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

/// How a metric's value moves, and how Prometheus reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only rises, until the process ends; its name ends in `_total`.
    Counter,
    /// Rises and falls.
    Gauge,
    /// Counts durations in buckets; its name ends in `_seconds`.
    Histogram,
}

/// One line of [`TABLE`]: all that the documentation and a dashboard need to know of a metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// The name that Prometheus stores, with unit and suffix.
    pub name: &'static str,
    /// How its value moves.
    pub kind: Kind,
    /// The labels that tell its values apart: the connector or the sink, then any further ones.
    pub labels: &'static [&'static str],
    /// The thing that it counts or measures, in one sentence.
    pub help: &'static str,
}

/// All metrics of one process, or of one test. Cheap to clone; clones share their values.
#[derive(Clone, Default)]
pub struct Registry(Arc<groups::Families>);

impl Registry {
    /// A registry without values.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The handles of one connector; the same ones for the same name, so that a connector that starts again counts on.
    #[must_use]
    pub fn capture(&self, connector: &str) -> CaptureMetrics {
        self.0.capture.handles(connector)
    }

    /// The handles of one connector's producer; the same ones for the same name.
    #[must_use]
    pub fn producer(&self, connector: &str) -> ProducerMetrics {
        self.0.producer.handles(connector)
    }

    /// The handles of one sink; the same ones for the same name.
    #[must_use]
    pub fn sink(&self, sink: &str) -> SinkMetrics {
        self.0.sink.handles(sink)
    }

    /// The handles of one sink's consumer; the same ones for the same name.
    #[must_use]
    pub fn consumer(&self, sink: &str) -> ConsumerMetrics {
        self.0.consumer.handles(sink)
    }

    /// Drops the values of a connector that is gone, so that they are no longer written. Handles that are still held count
    /// on, unseen.
    pub fn forget_capture(&self, connector: &str) {
        self.0.capture.forget(connector);
        self.0.producer.forget(connector);
    }

    /// Drops the values of a sink that is gone.
    pub fn forget_sink(&self, sink: &str) {
        self.0.sink.forget(sink);
        self.0.consumer.forget(sink);
    }

    /// Writes all values as OpenMetrics text, for a `/metrics` endpoint. Its content type is [`CONTENT_TYPE`]. Counting goes
    /// on meanwhile, so two values of one text may differ by what happened between them.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = String::new();
        // A String takes all that is written to it.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.0.registry);
        text
    }

    /// Writes all values in Prometheus' text format 0.0.4, for a reader that does not ask for OpenMetrics. Its content type is
    /// [`PLAIN_CONTENT_TYPE`].
    #[must_use]
    pub fn encode_plain(&self) -> String {
        plain::from_open_metrics(&self.encode())
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
