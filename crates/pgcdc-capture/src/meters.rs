//! The handles that one connector counts in. The names, kinds and meanings of the metrics are in
//! `pgcdc-metrics`.
//!
//! A handle is a shared atomic number: the capture thread adds, whoever serves `/metrics` reads.

use pgcdc_metrics::{CaptureMetrics, ProducerMetrics, Registry};

/// Handles of one connector. The default ones count too, but no registry shows them.
#[derive(Debug, Default)]
pub(crate) struct Meters {
    /// What capture does: rows, records, lag, the slot, snapshots, restarts.
    pub(crate) capture: CaptureMetrics,
    /// What its Kafka producer does: batches, bytes, retries. Stays at zero without Kafka.
    pub(crate) producer: ProducerMetrics,
}

impl Meters {
    /// The handles of the connector with this name.
    pub(crate) fn of(registry: &Registry, connector: &str) -> Self {
        Self { capture: registry.capture(connector), producer: registry.producer(connector) }
    }
}
