//! The table: each metric's field, name, kind and help, in one group for each part that counts.

use prometheus_client::encoding::EncodeMetric;
use prometheus_client::metrics::TypedMetric;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::{Counter, Gauge, Kind, Metric, Seconds};

/// One label and its value, as `prometheus-client` takes it.
type Label = [(&'static str, String); 1];

/// A label whose value may hold anything: `prometheus-client` 0.24 writes values as they are.
fn label(name: &'static str, value: &str) -> Label {
    [(name, value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))]
}

/// Registers one metric of the table. The client adds a counter's `_total` and the full stop of the help by itself.
fn register<M>(registry: &mut Registry, name: &'static str, help: &'static str) -> Family<Label, M>
where
    M: EncodeMetric + TypedMetric + Default + Clone + std::fmt::Debug + Send + Sync + 'static,
{
    let family = Family::default();
    registry.register(name.trim_end_matches("_total"), help.trim_end_matches('.'), family.clone());
    family
}

/// The type of a kind of handle.
macro_rules! handle {
    (Counter) => {
        Counter
    };
    (Gauge) => {
        Gauge
    };
    (Histogram) => {
        Seconds
    };
}

/// Declares a group: the struct of handles, the families that they come from, and the group's part of the table.
macro_rules! group {
    ($(#[$doc:meta])* $Handles:ident, $Families:ident, $ROWS:ident, label $label:literal {
        $($field:ident: $Kind:ident = $name:literal, $help:literal;)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default)]
        pub struct $Handles {
            $(#[doc = $help] #[doc = concat!("`", $name, "`")] pub $field: handle!($Kind),)*
        }

        #[derive(Debug)]
        pub(crate) struct $Families {
            $($field: Family<Label, handle!($Kind)>,)*
        }

        impl $Families {
            fn register(registry: &mut Registry) -> Self {
                Self { $($field: register(registry, $name, $help),)* }
            }

            /// The handles for one value of the label; the same ones for the same value.
            pub(crate) fn handles(&self, value: &str) -> $Handles {
                let label = label($label, value);
                $Handles { $($field: self.$field.get_or_create_owned(&label),)* }
            }

            /// Drops the values of one label's value.
            pub(crate) fn forget(&self, value: &str) {
                let label = label($label, value);
                $(self.$field.remove(&label);)*
            }
        }

        const $ROWS: &[Metric] =
            &[$(Metric { name: $name, kind: Kind::$Kind, label: $label, help: $help },)*];
    };
}

group! {
    /// What a connector has done since its start. All counts are of the whole connector, over its restarts.
    CaptureMetrics, CaptureFamilies, CAPTURE, label "connector" {
        snapshot_rows: Counter = "pgcdc_snapshot_rows_total", "Rows read by snapshots.";
        snapshot_estimate: Gauge = "pgcdc_snapshot_rows_expected", "Rows that the snapshot is expected to have, by the planner's estimate; 0 when unknown.";
        changes: Counter = "pgcdc_changes_total", "Changes read from the stream.";
        records: Counter = "pgcdc_records_total", "Records handed to the output.";
        transactions: Counter = "pgcdc_transactions_total", "Transactions read to their end.";
        in_flight: Gauge = "pgcdc_records_in_flight", "Records sent and not yet delivered.";
        confirmed_lsn: Gauge = "pgcdc_confirmed_lsn_bytes", "Last position confirmed to the server, as a number of bytes of WAL.";
        server_lsn: Gauge = "pgcdc_server_lsn_bytes", "Last position heard from the server, as a number of bytes of WAL.";
        values_not_converted: Counter = "pgcdc_values_not_converted_total", "Values that could not be converted and are null in their records.";
        records_left_out: Counter = "pgcdc_records_left_out_total", "Records left out because of errors.tolerance=all.";
        restarts: Counter = "pgcdc_restarts_total", "How often the connector had to start again.";
    }
}

group! {
    /// What a connector's Kafka producer has done.
    ProducerMetrics, ProducerFamilies, PRODUCER, label "connector" {
        requests: Counter = "pgcdc_producer_requests_total", "Produce requests sent to brokers.";
        batches: Counter = "pgcdc_producer_batches_total", "Batches of records that brokers acknowledged.";
        bytes: Counter = "pgcdc_producer_bytes_total", "Bytes of acknowledged batches, compressed.";
        retries: Counter = "pgcdc_producer_retries_total", "Batches that had to be sent again.";
        queued_bytes: Gauge = "pgcdc_producer_queued_bytes", "Bytes of records that wait in the producer.";
    }
}

group! {
    /// What a sink has done.
    SinkMetrics, SinkFamilies, SINK, label "sink" {
        records: Counter = "pgcdc_sink_records_total", "Records that are durable in the store.";
        batches: Counter = "pgcdc_sink_batches_total", "Batches that are durable in the store.";
        write_seconds: Histogram = "pgcdc_sink_write_seconds", "How long the store took for a batch.";
        retries: Counter = "pgcdc_sink_retries_total", "Batches that were tried again after a failure of the store.";
        dead_letters: Counter = "pgcdc_sink_dead_letters_total", "Records sent to the dead letter topic.";
        breaker_open: Gauge = "pgcdc_sink_breaker_open", "Partitions whose circuit breaker is open: the store fails, and the sink waits.";
    }
}

group! {
    /// What a sink's consumer has read.
    ConsumerMetrics, ConsumerFamilies, CONSUMER, label "sink" {
        records: Counter = "pgcdc_consumer_records_total", "Records read from Kafka.";
        partitions: Gauge = "pgcdc_consumer_partitions", "Partitions assigned to this process.";
        rebalances: Counter = "pgcdc_consumer_rebalances_total", "How often partitions were assigned or taken away.";
    }
}

/// Every metric, in the order in which they are written.
pub const TABLE: &[&[Metric]] = &[CAPTURE, PRODUCER, SINK, CONSUMER];

/// The groups of one registry.
#[derive(Debug)]
pub(crate) struct Families {
    pub(crate) registry: Registry,
    pub(crate) capture: CaptureFamilies,
    pub(crate) producer: ProducerFamilies,
    pub(crate) sink: SinkFamilies,
    pub(crate) consumer: ConsumerFamilies,
}

impl Default for Families {
    fn default() -> Self {
        let mut registry = Registry::default();
        Self {
            capture: CaptureFamilies::register(&mut registry),
            producer: ProducerFamilies::register(&mut registry),
            sink: SinkFamilies::register(&mut registry),
            consumer: ConsumerFamilies::register(&mut registry),
            registry,
        }
    }
}
