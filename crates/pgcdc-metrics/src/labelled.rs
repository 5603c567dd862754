//! Counters that tell a connector's counts apart by further labels: its rows by table and operation, its restarts by reason.
//!
//! Each combination of labels is a time series of its own, which Prometheus keeps for weeks. So a label's values must be
//! few: tables and reasons, never keys or messages.

use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::metrics::family::Family;

use crate::Counter;

/// The labels of a value and their texts, the connector's first.
pub(crate) type Labels = Vec<(&'static str, String)>;

/// A label whose text may hold anything: it is escaped here, since `prometheus-client` 0.24 writes texts as they are.
pub(crate) fn label(name: &'static str, value: &str) -> (&'static str, String) {
    (name, value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

/// The counters of one metric, by their labels.
#[derive(Clone, Debug, Default)]
pub(crate) struct Labelled {
    /// The client's counters.
    family: Family<Labels, Counter>,
    /// The labels that have a counter, so that they can be dropped: the family itself cannot list them.
    made: Arc<Mutex<Vec<Labels>>>,
}

impl Labelled {
    /// The counters, for a registry to write.
    pub(crate) fn family(&self) -> Family<Labels, Counter> {
        self.family.clone()
    }

    /// The counter of these labels; the same one for the same labels.
    fn counter(&self, labels: Labels) -> Counter {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let counter = self.family.get_or_create_owned(&labels);
        if !made.contains(&labels) {
            made.push(labels);
        }
        counter
    }

    /// Drops all counters whose first label has this value.
    pub(crate) fn forget(&self, first: &(&'static str, String)) {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        for labels in made.extract_if(.., |labels| labels.first() == Some(first)) {
            self.family.remove(&labels);
        }
    }
}

/// A connector's rows by table and operation. Look a table's counters up once, with [`table`](Self::table), and keep them.
///
/// ```
/// let shop = pgcdc_metrics::Registry::new().capture("shop");
/// let orders = shop.rows.table("public.orders");
/// orders.create.inc();
/// assert_eq!(shop.rows.table("public.orders").create.get(), 1);
/// ```
#[derive(Clone, Debug, Default)]
pub struct RowsByTable(Of);

/// The counters of one table's rows, one for each operation.
#[derive(Clone, Debug, Default)]
pub struct RowCounters {
    /// Rows that a snapshot has read.
    pub read: Counter,
    /// Rows inserted.
    pub create: Counter,
    /// Rows updated.
    pub update: Counter,
    /// Rows deleted.
    pub delete: Counter,
    /// Times that the table was truncated.
    pub truncate: Counter,
}

impl RowsByTable {
    /// The counters of a table, called `schema.table`; the same ones for the same name.
    #[must_use]
    pub fn table(&self, table: &str) -> RowCounters {
        let of = |operation: &str| self.0.counter(&[("table", table), ("operation", operation)]);
        RowCounters {
            read: of("read"),
            create: of("create"),
            update: of("update"),
            delete: of("delete"),
            truncate: of("truncate"),
        }
    }
}

/// How often a connector had to start again, by reason.
#[derive(Clone, Debug, Default)]
pub struct RestartsByReason(Of);

impl RestartsByReason {
    /// Counts a restart. Reasons must be few and fixed, since each is a time series of its own.
    pub fn inc(&self, reason: &str) {
        self.0.counter(&[("reason", reason)]).inc();
    }

    /// How many restarts this reason has had.
    #[must_use]
    pub fn get(&self, reason: &str) -> u64 {
        self.0.counter(&[("reason", reason)]).get()
    }
}

/// One connector's part of a metric.
#[derive(Clone, Debug, Default)]
struct Of {
    metric: Labelled,
    /// The label of the connector.
    first: Labels,
}

impl Of {
    /// The counter of the connector's label and these.
    fn counter(&self, further: &[(&'static str, &str)]) -> Counter {
        let further = further.iter().map(|(name, value)| label(name, value));
        self.metric.counter(self.first.iter().cloned().chain(further).collect())
    }
}

/// Makes the handle of one connector, for the table in `groups.rs`.
pub(crate) trait ByLabels {
    fn of(metric: &Labelled, first: (&'static str, String)) -> Self;
}

impl ByLabels for RowsByTable {
    fn of(metric: &Labelled, first: (&'static str, String)) -> Self {
        Self(Of { metric: metric.clone(), first: vec![first] })
    }
}

impl ByLabels for RestartsByReason {
    fn of(metric: &Labelled, first: (&'static str, String)) -> Self {
        Self(Of { metric: metric.clone(), first: vec![first] })
    }
}
