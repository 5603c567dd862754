//! Whether a row is the first or last one of its table or of the snapshot: `source.snapshot` in
//! Debezium's records. Pure. The answer comes one row late, since only the next row tells whether a
//! row was the last.

use pgcdc_event::Snapshot;

/// Follows the rows in their order.
#[derive(Debug, Default)]
pub(crate) struct Markers {
    /// The table of the row before.
    table: Option<usize>,
}

/// Where a row stands in the snapshot, as far as that is known when it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The number of its table, in the order of reading.
    pub(crate) table: usize,
    /// The first row of the snapshot.
    first: bool,
    /// The first row of its table.
    first_in_table: bool,
}

impl Markers {
    /// Notes a row of the table with this number. Only the first table can have the snapshot's
    /// first row: when that table is empty, Debezium marks no row as first.
    pub(crate) fn row(&mut self, table: usize) -> Place {
        let begun = self.table.is_some();
        let place = Place { table, first: !begun && table == 0, first_in_table: self.table != Some(table) };
        self.table = Some(table);
        place
    }
}

impl Place {
    /// Whether this is the first row of its table, which must be sent before all others of the
    /// table.
    pub(crate) fn opens(self) -> bool {
        self.first_in_table
    }

    /// The row's marker, given the number of the next row's table (`None` when there is no next
    /// row). When several markers fit, the order is Debezium's.
    pub(crate) fn marker(self, next: Option<usize>) -> Snapshot {
        match next {
            None => Snapshot::Last,
            _ if self.first => Snapshot::First,
            Some(table) if table != self.table => Snapshot::LastInDataCollection,
            _ if self.first_in_table => Snapshot::FirstInDataCollection,
            _ => Snapshot::True,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(tables: &[usize], expect: &[&str]) {
        let mut markers = Markers::default();
        let places: Vec<Place> = tables.iter().map(|&table| markers.row(table)).collect();
        let next = tables.iter().skip(1).copied().map(Some).chain([None]);
        let found: Vec<&str> =
            places.iter().zip(next).map(|(place, next)| place.marker(next).as_str()).collect();
        assert_eq!(found, expect, "{tables:?}");
    }

    #[test]
    fn as_debezium_recorded_them() {
        check(&[0], &["last"]);
        check(
            &[0, 0, 0, 1, 1, 1],
            &["first", "true", "last_in_data_collection", "first_in_data_collection", "true", "last"],
        );
        check(&[0, 2], &["first", "last"]);
        check(
            &[1, 1, 2, 2],
            &["first_in_data_collection", "last_in_data_collection", "first_in_data_collection", "last"],
        );
        check(&[], &[]);
    }

    #[test]
    fn the_first_row_of_each_table_opens_it() {
        let mut markers = Markers::default();
        let opens: Vec<bool> = [0, 0, 1, 1].map(|table| markers.row(table).opens()).into();
        assert_eq!(opens, [true, false, true, false]);
    }
}
