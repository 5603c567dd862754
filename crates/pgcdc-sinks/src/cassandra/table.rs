//! A target table: its columns and its two statements.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use pgcdc_format::decode::{Change, Field, Placeholder, Row};
use scylla::client::session::Session;
use scylla::cluster::metadata::{ColumnType, Table};
use scylla::errors::PrepareError;
use scylla::statement::Consistency;
use scylla::statement::prepared::PreparedStatement;

use super::cells::Cells;
use super::create::{COMMENT, quote, says_its_type};
use super::map::write_cql;

/// A table of the target, ready to be written.
#[derive(Debug)]
pub(super) struct Target {
    /// Columns of the primary key first.
    columns: Vec<(String, ColumnType<'static>)>,
    /// How many of them are the primary key.
    keys: usize,
    /// The table as the driver knew it when the statements were prepared.
    shape: Shape,
    /// Whether each of its rows goes in a request of its own: the size of a mutation is unknown here, or the server refused batches.
    pub(super) is_solitary: AtomicBool,
    /// Whether the table was made here, and columns may be added to it.
    pub(super) grows: bool,
    /// Bytes of the previous row's values: the room that the next row gets.
    row_bytes: AtomicUsize,
    /// `INSERT … USING TIMESTAMP ?`, the timestamp last.
    pub(super) upsert: PreparedStatement,
    /// `DELETE … USING TIMESTAMP ? WHERE` the whole primary key; the timestamp first.
    pub(super) delete: PreparedStatement,
}

impl Target {
    /// Prepares the statements; `None` when there is no such table.
    pub(super) async fn load(
        session: &Session,
        keyspace: &str,
        table: &str,
        consistency: Consistency,
    ) -> Result<Option<Self>, PrepareError> {
        let state = session.get_cluster_state();
        let Some(found) = state.get_keyspace(keyspace).and_then(|k| k.tables.get(table)) else {
            return Ok(None);
        };
        let shape = Shape::of(found);
        let mut names: Vec<&String> = found.partition_key.iter().chain(&found.clustering_key).collect();
        let keys = names.len();
        let mut others: Vec<&String> = found.columns.keys().filter(|name| !names.contains(name)).collect();
        others.sort();
        names.extend(others);
        let list = |names: &[&String], separator: &str, render: fn(&str) -> String| {
            names.iter().map(|name| render(name)).collect::<Vec<_>>().join(separator)
        };
        let place = format!("{}.{}", quote(keyspace), quote(table));
        let upsert = format!(
            "INSERT INTO {place} ({}) VALUES ({}) USING TIMESTAMP ?",
            list(&names, ", ", quote),
            list(&names, ", ", |_| "?".to_owned())
        );
        let delete = format!(
            "DELETE FROM {place} USING TIMESTAMP ? WHERE {}",
            list(&names[..keys], " AND ", |name| format!("{} = ?", quote(name)))
        );
        let grows = is_ours(session, keyspace, table).await;
        let prepare = async |text: String| {
            let mut statement = session.prepare(text).await?;
            statement.set_is_idempotent(true); // the timestamp makes it so
            statement.set_consistency(consistency);
            Ok::<_, PrepareError>(statement)
        };
        let (upsert, delete) = (prepare(upsert).await?, prepare(delete).await?);
        // The types are those that the server prepared for: what the driver knows of the schema may be older.
        let types = upsert.get_variable_col_specs();
        let columns = names
            .iter()
            .zip(types.iter())
            .map(|(name, spec)| ((*name).clone(), spec.typ().clone()))
            .collect();
        // Cassandra counts each element of a collection that is not frozen as a cell.
        let has_cells_within = |typ: &ColumnType<'_>| match typ {
            ColumnType::Collection { frozen, .. } | ColumnType::UserDefinedType { frozen, .. } => !frozen,
            _ => false,
        };
        // In a keyspace of tablets the driver learns where rows lie only from the answers to single statements, not to batches.
        let has_tablets = state.get_keyspace(keyspace).is_some_and(|keyspace| keyspace.tablet_based);
        let is_solitary = AtomicBool::new(
            has_tablets || found.columns.values().any(|column| has_cells_within(&column.typ)),
        );
        let row_bytes = AtomicUsize::new(256);
        Ok(Some(Self { columns, keys, shape, is_solitary, grows, row_bytes, upsert, delete }))
    }

    /// Whether the driver now knows another table under the name: columns were added, or it was made again.
    pub(super) fn is_stale(&self, now: Option<&Table>) -> bool {
        now.is_none_or(|now| Shape::of(now) != self.shape)
    }

    /// Fields of a row for which a column is to be added.
    pub(super) fn lacks<'r>(&self, row: &'r Row<'r>, placeholder: &Placeholder) -> Vec<Field<'r, 'r>> {
        if !self.grows {
            return Vec::new();
        }
        let known = |name: &str| self.columns.iter().any(|(column, _)| column == name);
        row.fields().filter(|f| !known(f.name) && says_its_type(f) && !placeholder.is(f.value)).collect()
    }

    /// Values of the upsert for a row; `places` remembers where the previous row had its fields.
    pub(super) fn upsert(
        &self,
        row: &Row<'_>,
        timestamp: i64,
        placeholder: &Placeholder,
        places: &mut Vec<usize>,
    ) -> Result<Cells, String> {
        let mut cells = Cells::with_capacity(self.row_bytes.load(Relaxed));
        places.resize(self.columns.len(), 0);
        for (at, ((name, target), place)) in self.columns.iter().zip(places).enumerate() {
            let field = row.field_near(name, place).filter(|field| !placeholder.is(field.value));
            if at < self.keys && field.as_ref().is_none_or(|field| field.value.is_null()) {
                return Err(format!(
                    "column {name:?} of the target's primary key has no value in the record"
                ));
            }
            match field {
                Some(field) => write_cql(&field, target, cells.next())?,
                None => drop(cells.next().set_unset()),
            }
        }
        cells.timestamp(timestamp);
        self.row_bytes.store(cells.len(), Relaxed);
        Ok(cells)
    }

    /// Values of the delete for a change that has the key in one of its parts.
    pub(super) fn delete(&self, change: &Change<'_>, timestamp: i64) -> Result<Cells, String> {
        let mut cells = Cells::with_capacity(64);
        cells.timestamp(timestamp);
        for (name, target) in &self.columns[..self.keys] {
            let parts = [change.key.as_ref(), change.before.as_ref()];
            let field =
                parts.into_iter().flatten().find_map(|part| part.field(name).filter(|f| !f.value.is_null()));
            let field = field.ok_or_else(|| {
                format!("column {name:?} of the target's primary key is in neither the record's key nor its old row")
            })?;
            write_cql(&field, target, cells.next())?;
        }
        Ok(cells)
    }
}

/// A table's columns with their types, sorted by name, and its primary key.
#[derive(Debug, PartialEq)]
struct Shape {
    columns: Vec<(String, ColumnType<'static>)>,
    key: Vec<String>,
}

impl Shape {
    fn of(table: &Table) -> Self {
        let mut columns: Vec<_> =
            table.columns.iter().map(|(name, column)| (name.clone(), column.typ.clone())).collect();
        columns.sort_by(|(one, _), (other, _)| one.cmp(other));
        Self { columns, key: table.partition_key.iter().chain(&table.clustering_key).cloned().collect() }
    }
}

/// A record's statement, ready to be executed.
pub(super) struct Statement {
    /// The record's position, for a rejection.
    pub(super) position: i64,
    pub(super) target: Arc<Target>,
    pub(super) is_upsert: bool,
    pub(super) values: Cells,
}

impl Statement {
    pub(super) fn prepared(&self) -> &PreparedStatement {
        if self.is_upsert { &self.target.upsert } else { &self.target.delete }
    }

    /// Its size in a mutation, in bytes, or somewhat more.
    pub(super) fn weight(&self) -> usize {
        // Timestamp, time to live and time of deletion. The four bytes of a value's length are in `values` already.
        const CELL: usize = 16;
        let cells = if self.is_upsert { self.target.columns.len() } else { self.target.keys };
        self.values.len() + cells * CELL
    }
}

/// Whether the table carries our comment. When that cannot be read, the table is somebody else's.
async fn is_ours(session: &Session, keyspace: &str, table: &str) -> bool {
    let question = "SELECT comment FROM system_schema.tables WHERE keyspace_name = ? AND table_name = ?";
    let Ok(answer) = session.query_unpaged(question, (keyspace, table)).await else { return false };
    let Ok(rows) = answer.into_rows_result() else { return false };
    matches!(rows.maybe_first_row::<(Option<String>,)>(), Ok(Some((Some(comment),))) if comment == COMMENT)
}
