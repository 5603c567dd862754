//! The SQL of a snapshot, and what its errors mean.

use crate::postgres::{CapturedTable, quote_literal};
use crate::{Error, SqlState};

/// Begins a transaction that sees an exported snapshot. It must be the first statement of the
/// transaction that looks at data.
pub(super) fn import(snapshot: &str) -> String {
    format!(
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT {}",
        quote_literal(snapshot)
    )
}

/// All rows of a table, and those of tables that inherit from it. The rows of the latter come once
/// more under the names of their own tables, as with Debezium.
pub(super) fn select(table: &CapturedTable, columns: &str) -> String {
    format!("SELECT {columns} FROM {}", table.name.quoted())
}

/// `COPY` of a table's columns: from the table, or from the user's statement in
/// `snapshot.select.statement.overrides`. The columns are those of the table in its order, whatever
/// the statement's order is.
pub(super) fn copy(table: &CapturedTable, columns: &str, override_: Option<&String>) -> String {
    match override_ {
        Some(statement) => copy_override(columns, statement),
        None => format!("COPY ({}) TO STDOUT", select(table, columns)),
    }
}

/// Reads the rows of a statement of `snapshot.select.statement.overrides`. The statement ends with
/// its line, since it may end in a comment.
fn copy_override(columns: &str, statement: &str) -> String {
    let statement = statement.trim().trim_end_matches(';');
    format!("COPY (SELECT {columns} FROM ({statement}\n) AS pgcdc_override) TO STDOUT")
}

/// An error while rows are read. A missing column was dropped after the snapshot was exported: a
/// new snapshot knows that, so the connector tries again.
#[cold]
pub(super) fn copy_error(error: Error) -> Error {
    match error.sqlstate() {
        Some(code @ SqlState::UNDEFINED_COLUMN) => Error::transient(error.to_string()).with_sqlstate(code),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_override_may_end_in_a_comment() {
        let sql = copy_override("a", "SELECT * FROM s.t -- all; ");
        assert_eq!(sql, "COPY (SELECT a FROM (SELECT * FROM s.t -- all\n) AS pgcdc_override) TO STDOUT");
    }

    #[test]
    fn a_dropped_column_is_tried_again() {
        let error = |code| Error::fatal("no").with_sqlstate(code);
        assert!(copy_error(error(SqlState::UNDEFINED_COLUMN)).is_transient());
        assert_eq!(
            copy_error(error(SqlState::UNDEFINED_COLUMN)).sqlstate(),
            Some(SqlState::UNDEFINED_COLUMN)
        );
        assert!(!copy_error(error(SqlState::UNDEFINED_TABLE)).is_transient());
    }
}
