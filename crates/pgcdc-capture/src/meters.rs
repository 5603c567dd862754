//! The handles that one connector counts in. The names, kinds and meanings of the metrics are in `pgcdc-metrics`.

use pgcdc_metrics::{CaptureMetrics, ProducerMetrics, Registry};

/// Handles of one connector. The default ones count, but no registry shows them.
#[derive(Debug, Default)]
pub(crate) struct Meters {
    pub(crate) capture: CaptureMetrics,
    pub(crate) producer: ProducerMetrics,
}

impl Meters {
    /// The handles of the connector with this name.
    pub(crate) fn of(registry: &Registry, connector: &str) -> Self {
        Self { capture: registry.capture(connector), producer: registry.producer(connector) }
    }
}
