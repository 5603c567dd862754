//! Values that cannot be converted: how they are treated, and how many each column has had.
//!
//! Such values are rare but come in floods: one `'NaN'` in a job's code makes thousands of rows fail. So a failure costs two
//! atomic additions, and a warning is due only when a column's count has grown tenfold.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// `event.converting.failure.handling.mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FailureMode {
    /// The record is refused.
    Fail,
    /// The column is null in the record, and a warning is logged.
    #[default]
    Warn,
    /// The column is null in the record.
    Skip,
}

/// Counts a connector's values that could not be converted, by column. Clones share the counts, so that encoders count while
/// another part of the connector warns.
///
/// ```
/// use pgcdc_format::types::Failures;
/// let failures = Failures::default();
/// assert_eq!((failures.total(), failures.news()), (0, vec![]));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Failures(Arc<Counts>);

/// The counts behind all clones.
#[derive(Debug, Default)]
struct Counts {
    /// The sum over all columns.
    total: AtomicU64,
    /// By `schema.table` and column. Locked at a column's first failure and by [`Failures::news`].
    columns: Mutex<BTreeMap<(String, String), Arc<Count>>>,
}

/// One column's count.
#[derive(Debug, Default)]
struct Count {
    /// How many values could not be converted.
    values: AtomicU64,
    /// The count that the last warning named; 0 before the first.
    told: AtomicU64,
    /// The reason of the first failure.
    reason: OnceLock<&'static str>,
}

/// A column to warn about, as [`Failures::news`] tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedColumn {
    /// `schema.table`.
    pub table: String,
    /// The column.
    pub column: String,
    /// Why its first value could not be converted; never the value.
    pub reason: &'static str,
    /// How many of its values could not be converted so far.
    pub values: u64,
}

impl Failures {
    /// How many values of all columns could not be converted.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.total.load(Ordering::Relaxed)
    }

    /// The columns to warn about now: each column once when its first value fails, and again whenever its count has grown
    /// tenfold since. Asking takes the news: the next call does not repeat it.
    #[must_use]
    pub fn news(&self) -> Vec<FailedColumn> {
        let columns = self.0.columns.lock().unwrap_or_else(PoisonError::into_inner);
        let news = columns.iter().filter_map(|((table, column), count)| {
            let values = count.values.load(Ordering::Relaxed);
            let told = count.told.load(Ordering::Relaxed);
            if values == 0 || values < told.saturating_mul(10) {
                return None;
            }
            count.told.store(values, Ordering::Relaxed);
            let reason = count.reason.get().copied().unwrap_or_default();
            Some(FailedColumn { table: table.clone(), column: column.clone(), reason, values })
        });
        news.collect()
    }

    /// The counter for one column's codec.
    pub(crate) fn column(&self, table: &str, column: &str) -> ColumnFailures {
        ColumnFailures { all: self.clone(), place: (table.into(), column.into()), count: OnceLock::new() }
    }
}

/// Counts one column's failures. It costs nothing until there is one: only then does it look its counter up.
#[derive(Clone, Debug)]
pub(crate) struct ColumnFailures {
    all: Failures,
    /// `schema.table` and column.
    place: (Box<str>, Box<str>),
    /// The column's counter, once it was looked up.
    count: OnceLock<Arc<Count>>,
}

impl ColumnFailures {
    /// Counts one value. Only the first reason of a column is kept.
    #[cold]
    pub(super) fn note(&self, reason: &'static str) {
        let count = self.count.get_or_init(|| {
            let mut columns = self.all.0.columns.lock().unwrap_or_else(PoisonError::into_inner);
            let (table, column) = &self.place;
            Arc::clone(columns.entry((table.to_string(), column.to_string())).or_default())
        });
        let _ = count.reason.set(reason);
        count.values.fetch_add(1, Ordering::Relaxed);
        self.all.0.total.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_told_once_and_then_at_each_tenfold() {
        let failures = Failures::default();
        assert!(failures.news().is_empty());
        // A second codec of the same column continues its count.
        let codecs = [failures.column("s.t", "c"), failures.column("s.t", "c")];
        let mut told = Vec::new();
        for at in 0..120 {
            codecs[at % 2].note("why");
            told.extend(failures.news().into_iter().map(|news| news.values));
        }
        assert_eq!(told, [1, 10, 100]);
        assert_eq!(failures.total(), 120);
        failures.column("s.t", "other").note("else");
        let news = failures.news();
        assert_eq!((news.len(), &*news[0].column, news[0].reason), (1, "other", "else"));
    }
}
