//! Cuts a table into ranges of pages that several connections read at once. Pure, except for
//! [`pages`], which asks for sizes.
//!
//! A range is a condition on `ctid`, the place of a row version: page and number. PostgreSQL reads
//! such a range without reading the rest of the table ("TID Range Scan", from version 14). Under
//! one snapshot the ranges together have each row exactly once.

use std::collections::HashMap;

use crate::Result;
use crate::postgres::{Ask, CapturedTable};

/// Pages of the smallest range, 1 MiB. With fewer pages a statement costs more than it gains.
const FEWEST: u64 = 128;

/// Pages of the largest range, 16 MiB. All readers wait for the range that was begun last, so it
/// should not take long.
const MOST: u64 = 2048;

/// How many ranges a table has for each reader, so that no reader has much more to do than another.
const PER_READER: u64 = 8;

/// The rows of a table from page `from` up to, but not including, page `to`; without `to`, up to
/// the table's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    /// The first page.
    from: u64,
    /// The page behind the last one; `None` for the table's end.
    to: Option<u64>,
}

impl Range {
    /// The range as a `WHERE` clause with a blank before it; empty for the whole table.
    pub(super) fn condition(self) -> String {
        match (self.from, self.to) {
            (0, None) => String::new(),
            (from, None) => format!(" WHERE ctid >= '({from},0)'::tid"),
            (0, Some(to)) => format!(" WHERE ctid < '({to},0)'::tid"),
            (from, Some(to)) => format!(" WHERE ctid >= '({from},0)'::tid AND ctid < '({to},0)'::tid"),
        }
    }
}

/// The ranges of one table, all of the same size but the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ranges {
    /// Pages of each range but the last.
    size: u64,
    /// How many ranges there are.
    count: u64,
}

impl Ranges {
    /// Cuts a table of `pages` pages for `readers` readers; `None` when it is too small to be cut.
    pub(super) fn of(pages: u64, readers: usize) -> Option<Self> {
        let readers = u64::try_from(readers).unwrap_or(u64::MAX).max(1);
        let size = (pages / readers.saturating_mul(PER_READER)).clamp(FEWEST, MOST);
        // The remainder belongs to the last range, which has no end.
        let count = pages / size;
        (count > 1).then_some(Self { size, count })
    }

    /// How many ranges there are.
    pub(super) fn count(self) -> u64 {
        self.count
    }

    /// The range with this number, counted from 0.
    pub(super) fn get(self, at: u64) -> Option<Range> {
        (at < self.count).then(|| Range {
            from: at * self.size,
            to: (at + 1 < self.count).then_some((at + 1) * self.size),
        })
    }
}

/// Asks how many pages tables have; the answer is by oid. Left out are tables that cannot be read
/// by ranges of pages: PostgreSQL scans ranges from version 14 on, and only of tables of its own
/// storage (`heap`). A table that others inherit from is left out, too, since it has rows outside
/// of its own pages. A table that grows later does no harm, since its new pages have no row of the
/// snapshot.
pub(super) async fn pages(session: &mut impl Ask, tables: &[&CapturedTable]) -> Result<HashMap<u32, u64>> {
    let oids: Vec<String> = tables.iter().map(|table| table.oid.to_string()).collect();
    let sql = format!(
        "SELECT c.oid, pg_relation_size(c.oid) / current_setting('block_size')::bigint
         FROM pg_class c JOIN pg_am a ON a.oid = c.relam
         WHERE c.oid = ANY('{{{}}}'::oid[]) AND c.relkind IN ('r', 'm') AND a.amname = 'heap'
           AND NOT c.relhassubclass AND current_setting('server_version_num')::int >= 140000",
        oids.join(",")
    );
    let rows = session.rows("look how large the tables are", &sql).await?;
    Ok(rows.iter().filter_map(|row| Some((row.get(0)?.parse().ok()?, row.get(1)?.parse().ok()?))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(ranges: Ranges) -> impl Iterator<Item = Range> {
        (0..).map_while(move |at| ranges.get(at))
    }

    #[test]
    fn ranges_follow_each_other_without_gap_or_overlap() {
        for pages in [256, 257, 1000, 4095, 34_111, 1_000_000, 1 << 32] {
            for readers in [0, 1, 2, 4, 64, usize::MAX] {
                let ranges = Ranges::of(pages, readers).expect("large enough");
                let (mut next, mut open, mut count) = (0, false, 0);
                for range in all(ranges) {
                    assert!(!open, "{pages}/{readers}: something after the open end");
                    assert_eq!(range.from, next, "{pages}/{readers}");
                    count += 1;
                    match range.to {
                        Some(to) => {
                            assert!(to > next && to < pages && to - next <= MOST, "{pages}: {range:?}");
                            next = to;
                        }
                        None => open = true,
                    }
                }
                assert!(open, "{pages}/{readers}: rows behind the last range");
                assert_eq!(count, ranges.count());
                assert!(pages - next < 2 * ranges.size, "{pages}/{readers}: the last one is about as large");
            }
        }
    }

    #[test]
    fn small_tables_stay_whole_and_large_ones_give_everybody_work() {
        for pages in [0, 1, 127, 128, 255] {
            assert_eq!(Ranges::of(pages, 4), None, "{pages}");
        }
        assert_eq!(Ranges::of(256, 4), Some(Ranges { size: 128, count: 2 }));
        assert_eq!(Ranges::of(16_000, 4), Some(Ranges { size: 500, count: 32 }));
        assert_eq!(Ranges::of(1_000_000, 4), Some(Ranges { size: 2048, count: 488 }));
    }

    #[test]
    fn conditions() {
        let found: Vec<String> = all(Ranges { size: 500, count: 3 }).map(Range::condition).collect();
        let expect = [
            " WHERE ctid < '(500,0)'::tid",
            " WHERE ctid >= '(500,0)'::tid AND ctid < '(1000,0)'::tid",
            " WHERE ctid >= '(1000,0)'::tid",
        ];
        assert_eq!(found, expect);
        assert_eq!(Range { from: 0, to: None }.condition(), "");
    }
}
