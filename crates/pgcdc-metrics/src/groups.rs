//! The table: each metric's field, name, kind and help, in one group for each part that counts.
//!
//! To add a metric, add a line to a group: it becomes a field of the handles, a family of the registry, and a row of
//! [`TABLE`]. Names follow Prometheus' rules: `pgcdc_`, the thing, its unit in full (`_bytes`, `_seconds`), and `_total` for
//! a counter.

use prometheus_client::encoding::EncodeMetric;
use prometheus_client::metrics::TypedMetric;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::labelled::{ByLabels, Labelled, Labels, RestartsByReason, RowsByTable, label};
use crate::{Age, Counter, Gauge, Kind, Metric, Seconds};

/// Registers one metric of the table. The client adds a counter's `_total` and the full stop of the help by itself.
fn register<M>(registry: &mut Registry, name: &'static str, help: &'static str, family: Family<Labels, M>)
where
    M: EncodeMetric + TypedMetric + Default + Clone + std::fmt::Debug + Send + Sync + 'static,
{
    registry.register(name.trim_end_matches("_total"), help.trim_end_matches('.'), family);
}

/// The Rust type of a kind of handle.
macro_rules! handle {
    (Counter) => {
        Counter
    };
    (Gauge) => {
        Gauge
    };
    (Age) => {
        Age
    };
    (Histogram) => {
        Seconds
    };
}

/// The [`Kind`] of a kind of handle.
macro_rules! kind {
    (Age) => {
        Kind::Gauge
    };
    ($Kind:ident) => {
        Kind::$Kind
    };
}

/// Declares a group: the struct of handles, the families that they come from, and the group's part of the table. Metrics under
/// `by` have further labels.
macro_rules! group {
    ($(#[$doc:meta])* $Handles:ident, $Families:ident, $ROWS:ident, label $label:literal {
        $($field:ident: $Kind:ident = $name:literal, $help:literal;)*
    } by {
        $($by:ident: $By:ident = $by_name:literal, [$($further:literal),*], $by_help:literal;)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default)]
        pub struct $Handles {
            $(#[doc = $help] #[doc = concat!("`", $name, "`")] pub $field: handle!($Kind),)*
            $(#[doc = $by_help] #[doc = concat!("`", $by_name, "`")] pub $by: $By,)*
        }

        #[derive(Debug, Default)]
        pub(crate) struct $Families {
            $($field: Family<Labels, handle!($Kind)>,)*
            $($by: Labelled,)*
        }

        impl $Families {
            fn registered(registry: &mut Registry) -> Self {
                let families = Self::default();
                $(register(registry, $name, $help, families.$field.clone());)*
                $(register(registry, $by_name, $by_help, families.$by.family());)*
                families
            }

            /// The handles for one value of the label; the same ones for the same value.
            pub(crate) fn handles(&self, value: &str) -> $Handles {
                let labels = vec![label($label, value)];
                $Handles {
                    $($field: self.$field.get_or_create_owned(&labels),)*
                    $($by: $By::of(&self.$by, label($label, value)),)*
                }
            }

            /// Drops the values of one label's value.
            pub(crate) fn forget(&self, value: &str) {
                let labels = vec![label($label, value)];
                $(self.$field.remove(&labels);)*
                $(self.$by.forget(&labels[0]);)*
            }
        }

        const $ROWS: &[Metric] = &[
            $(Metric { name: $name, kind: kind!($Kind), labels: &[$label], help: $help },)*
            $(Metric { name: $by_name, kind: Kind::Counter, labels: &[$label, $($further),*], help: $by_help },)*
        ];
    };
}

group! {
    /// What a connector has done since its start. All counts are of the whole connector, over its restarts.
    CaptureMetrics, CaptureFamilies, CAPTURE, label "connector" {
        ready: Gauge = "pgcdc_connector_ready", "1 while the connector streams or takes a snapshot, 0 while it does not: what /readyz says of it.";
        snapshot_running: Gauge = "pgcdc_snapshot_running", "1 while a snapshot is read, else 0.";
        snapshot_tables: Gauge = "pgcdc_snapshot_tables", "Tables that the snapshot reads.";
        snapshot_tables_remaining: Gauge = "pgcdc_snapshot_tables_remaining", "Tables that the snapshot has not read to their end yet.";
        snapshot_rows: Counter = "pgcdc_snapshot_rows_total", "Rows read by snapshots.";
        snapshot_estimate: Gauge = "pgcdc_snapshot_rows_expected", "Rows that the snapshot is expected to have, by the planner's estimate; 0 when unknown.";
        changes: Counter = "pgcdc_changes_total", "Changes read from the stream.";
        records: Counter = "pgcdc_records_total", "Records handed to the output.";
        transactions: Counter = "pgcdc_transactions_total", "Transactions read to their end.";
        in_flight: Gauge = "pgcdc_records_in_flight", "Records sent and not yet delivered.";
        confirmed_lsn: Gauge = "pgcdc_confirmed_lsn_bytes", "Last position confirmed to the server, as a number of bytes of WAL.";
        server_lsn: Gauge = "pgcdc_server_lsn_bytes", "Last position heard from the server, as a number of bytes of WAL.";
        lag_bytes: Gauge = "pgcdc_lag_bytes", "WAL between the last position heard from the server and the last one confirmed to it.";
        lag_seconds: Age = "pgcdc_lag_seconds", "Age of the oldest transaction that was read and is not acknowledged yet; 0 when there is none. By the server's clock at its commit and ours now.";
        commit_to_acknowledged: Histogram = "pgcdc_commit_to_acknowledged_seconds", "Time from a transaction's commit until the output has acknowledged all its records, in steps of about a millisecond.";
        slot_retained_bytes: Gauge = "pgcdc_slot_retained_bytes", "WAL that the server keeps for the replication slot.";
        slot_lag_bytes: Gauge = "pgcdc_slot_lag_bytes", "WAL between the end of the server's WAL and the slot's confirmed position.";
        values_not_converted: Counter = "pgcdc_values_not_converted_total", "Values that could not be converted and are null in their records.";
        records_left_out: Counter = "pgcdc_records_left_out_total", "Records left out because of errors.tolerance=all.";
    } by {
        rows: RowsByTable = "pgcdc_rows_total", ["table", "operation"], "Rows read from snapshots and from the stream, by table and operation: read, create, update, delete, truncate.";
        restarts: RestartsByReason = "pgcdc_restarts_total", ["reason"], "How often the connector had to start again, by reason: an SQLSTATE, kafka, connection, or other.";
    }
}

group! {
    /// What a connector's Kafka producer has done.
    ProducerMetrics, ProducerFamilies, PRODUCER, label "connector" {
        records: Counter = "pgcdc_producer_records_total", "Records handed to the producer.";
        delivered: Counter = "pgcdc_producer_records_delivered_total", "Records that brokers acknowledged.";
        requests: Counter = "pgcdc_producer_requests_total", "Produce requests sent to brokers.";
        batches: Counter = "pgcdc_producer_batches_total", "Batches of records that brokers acknowledged.";
        bytes: Counter = "pgcdc_producer_bytes_total", "Bytes of acknowledged batches, compressed.";
        retries: Counter = "pgcdc_producer_retries_total", "Batches that had to be sent again.";
        queued_bytes: Gauge = "pgcdc_producer_queued_bytes", "Bytes of records that wait in the producer.";
    } by {}
}

group! {
    /// What a sink has done.
    SinkMetrics, SinkFamilies, SINK, label "sink" {
        ready: Gauge = "pgcdc_sink_ready", "1 while the sink runs, 0 while it does not: what /readyz says of it.";
        records: Counter = "pgcdc_sink_records_total", "Records that are durable in the store.";
        batches: Counter = "pgcdc_sink_batches_total", "Batches that are durable in the store.";
        write_seconds: Histogram = "pgcdc_sink_write_seconds", "How long the store took for a batch.";
        retries: Counter = "pgcdc_sink_retries_total", "Batches that were tried again after a failure of the store.";
        dead_letters: Counter = "pgcdc_sink_dead_letters_total", "Records sent to the dead letter topic.";
        breaker_open: Gauge = "pgcdc_sink_breaker_open", "Partitions whose circuit breaker is open: the store fails, and the sink waits.";
    } by {}
}

group! {
    /// What a sink's consumer has read.
    ConsumerMetrics, ConsumerFamilies, CONSUMER, label "sink" {
        records: Counter = "pgcdc_consumer_records_total", "Records read from Kafka.";
        partitions: Gauge = "pgcdc_consumer_partitions", "Partitions assigned to this process.";
        rebalances: Counter = "pgcdc_consumer_rebalances_total", "How often partitions were assigned or taken away.";
    } by {}
}

/// Every metric by its group, in the order in which they are written.
///
/// ```
/// let all = pgcdc_metrics::TABLE.iter().flat_map(|group| group.iter());
/// assert!(all.clone().any(|metric| metric.name == "pgcdc_lag_bytes"));
/// assert!(all.clone().all(|metric| metric.help.ends_with('.')));
/// ```
pub const TABLE: &[&[Metric]] = &[CAPTURE, PRODUCER, SINK, CONSUMER];

/// The groups of one registry, and the client's registry, which writes them.
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
            capture: CaptureFamilies::registered(&mut registry),
            producer: ProducerFamilies::registered(&mut registry),
            sink: SinkFamilies::registered(&mut registry),
            consumer: ConsumerFamilies::registered(&mut registry),
            registry,
        }
    }
}
