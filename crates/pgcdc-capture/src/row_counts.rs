//! Counts the rows of the stream by table and operation, for `pgcdc_rows_total`.
//!
//! The stream may handle a hundred thousand rows a second. An atomic addition and a look-up by name
//! for each would show, so rows are counted in a plain number first.

use pgcdc_event::{Operation, TableName};
use pgcdc_metrics::{Counter, RowCounters, RowsByTable};

/// Counters by the index of a table in [`Tables`](crate::tables::Tables).
///
/// Rows of one table and operation mostly follow each other. Such a run is counted in a plain
/// number, and added to its counter when another run begins or when [`tell`](Self::tell) is called.
#[derive(Debug)]
pub(crate) struct RowCounts {
    /// Makes the counters of a table's name.
    by_table: RowsByTable,
    /// One entry a table, in the order of `Tables`.
    counters: Vec<RowCounters>,
    /// The table and operation of the rows that were counted last.
    run: Option<(usize, Operation)>,
    /// How many rows of the run are not told yet.
    rows: u64,
}

impl RowCounts {
    /// No rows yet. The counters may hold some from an earlier attempt, and go on.
    pub(crate) fn new(by_table: RowsByTable) -> Self {
        Self { by_table, counters: Vec::new(), run: None, rows: 0 }
    }

    /// Says that the table at index `at` has this name from now on. `at` is an index that was named
    /// before, or the next one.
    pub(crate) fn name(&mut self, at: usize, table: &TableName) {
        self.tell();
        let counters = self.by_table.table(&table.to_string());
        match self.counters.get_mut(at) {
            Some(known) => *known = counters,
            None => self.counters.push(counters),
        }
    }

    /// Counts a row of the table at index `at`.
    #[inline]
    pub(crate) fn add(&mut self, at: usize, operation: Operation) {
        if self.run != Some((at, operation)) {
            self.tell();
            self.run = Some((at, operation));
        }
        self.rows += 1;
    }

    /// Adds the rows of the present run to their counter. Called whenever the socket has nothing
    /// more, so that the metrics lag no further than that.
    pub(crate) fn tell(&mut self) {
        let rows = std::mem::take(&mut self.rows);
        if let Some((at, operation)) = self.run.filter(|_| rows > 0)
            && let Some(counter) = self.counters.get(at).and_then(|counters| counter(counters, operation))
        {
            counter.inc_by(rows);
        }
    }
}

impl Drop for RowCounts {
    fn drop(&mut self) {
        self.tell();
    }
}

/// The counter of an operation; `None` for a logical message, which is about no row.
fn counter(counters: &RowCounters, operation: Operation) -> Option<&Counter> {
    Some(match operation {
        Operation::Read => &counters.read,
        Operation::Create => &counters.create,
        Operation::Update => &counters.update,
        Operation::Delete => &counters.delete,
        Operation::Truncate => &counters.truncate,
        Operation::Message => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_run_is_counted_for_its_table_and_operation() {
        let by_table = RowsByTable::default();
        let mut counts = RowCounts::new(by_table.clone());
        counts.name(0, &TableName::new("public", "a"));
        counts.name(1, &TableName::new("public", "b"));
        for (at, operation) in [(0, Operation::Create), (0, Operation::Create), (1, Operation::Create)] {
            counts.add(at, operation);
        }
        counts.add(1, Operation::Delete);
        counts.tell();
        counts.tell();
        counts.add(1, Operation::Delete);
        // A renamed table counts under its new name from then on.
        counts.name(1, &TableName::new("public", "c"));
        counts.add(1, Operation::Delete);
        drop(counts);
        let [a, b, c] = ["public.a", "public.b", "public.c"].map(|table| by_table.table(table));
        assert_eq!((a.create.get(), b.create.get(), b.delete.get(), c.delete.get()), (2, 1, 2, 1));
    }
}
