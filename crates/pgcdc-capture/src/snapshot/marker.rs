//! Where in the snapshot a row stands. Pure; one row behind, since only the next one tells whether
//! a row was the last.

use pgcdc_event::Snapshot;

/// Hands out markers in the order of rows.
#[derive(Debug, Default)]
pub(crate) struct Markers {
    table: Option<usize>,
}

/// What is known of a row when it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) table: usize,
    first: bool,
    first_in_table: bool,
}

impl Markers {
    /// A row of the table with this number was read. Only the first table can have the first row: where that is empty,
    /// Debezium marks none.
    pub(crate) fn row(&mut self, table: usize) -> Place {
        let begun = self.table.is_some();
        let place = Place { table, first: !begun && table == 0, first_in_table: self.table != Some(table) };
        self.table = Some(table);
        place
    }
}

impl Place {
    /// Whether the row must come before all others of its table.
    pub(crate) fn opens(self) -> bool {
        self.first_in_table
    }

    /// The row's marker, given the table of the row after it (`None`: there is none).
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
