//! A target table: its columns and its two statements.

use pgcdc_format::decode::{Change, Field, Placeholder, Row};
use scylla::client::session::Session;
use scylla::cluster::metadata::ColumnType;
use scylla::errors::PrepareError;
use scylla::statement::Consistency;
use scylla::statement::prepared::PreparedStatement;
use scylla::value::{CqlValue, MaybeUnset};

use super::create::{COMMENT, quote, says_its_type};
use super::map::to_cql;

/// What a statement is executed with.
pub(super) type Values = Vec<MaybeUnset<Option<CqlValue>>>;

/// A table of the target, ready to be written.
#[derive(Debug)]
pub(super) struct Target {
    /// Columns of the primary key first.
    columns: Vec<(String, ColumnType<'static>)>,
    /// How many of them are the primary key.
    keys: usize,
    /// Whether the table was made here, and columns may be added to it.
    grows: bool,
    pub(super) upsert: PreparedStatement,
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
        let mut names: Vec<&String> = found.partition_key.iter().chain(&found.clustering_key).collect();
        let keys = names.len();
        let mut others: Vec<&String> = found.columns.keys().filter(|name| !names.contains(name)).collect();
        others.sort();
        names.extend(others);
        let columns = names.iter().map(|name| ((*name).clone(), found.columns[*name].typ.clone())).collect();
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
        Ok(Some(Self {
            columns,
            keys,
            grows,
            upsert: prepare(upsert).await?,
            delete: prepare(delete).await?,
        }))
    }

    /// Fields of a row for which a column is to be added.
    pub(super) fn lacks<'r>(&self, row: &'r Row<'r>, placeholder: &Placeholder) -> Vec<Field<'r, 'r>> {
        if !self.grows {
            return Vec::new();
        }
        let known = |name: &str| self.columns.iter().any(|(column, _)| column == name);
        row.fields().filter(|f| !known(f.name) && says_its_type(f) && !placeholder.is(f.value)).collect()
    }

    /// Values of the upsert for a row.
    pub(super) fn upsert(
        &self,
        row: &Row<'_>,
        timestamp: i64,
        placeholder: &Placeholder,
    ) -> Result<Values, String> {
        let mut values = Vec::with_capacity(self.columns.len() + 1);
        for (at, (name, target)) in self.columns.iter().enumerate() {
            let value = match row.field(name) {
                Some(field) if !placeholder.is(field.value) => MaybeUnset::Set(to_cql(&field, target)?),
                _ => MaybeUnset::Unset,
            };
            if at < self.keys && !matches!(value, MaybeUnset::Set(Some(_))) {
                return Err(format!(
                    "column {name:?} of the target's primary key has no value in the record"
                ));
            }
            values.push(value);
        }
        values.push(MaybeUnset::Set(Some(CqlValue::BigInt(timestamp))));
        Ok(values)
    }

    /// Values of the delete for a change that has the key in one of its parts.
    pub(super) fn delete(&self, change: &Change<'_>, timestamp: i64) -> Result<Values, String> {
        let mut values = vec![MaybeUnset::Set(Some(CqlValue::BigInt(timestamp)))];
        for (name, target) in &self.columns[..self.keys] {
            let parts = [change.key.as_ref(), change.before.as_ref()];
            let field =
                parts.into_iter().flatten().find_map(|part| part.field(name).filter(|f| !f.value.is_null()));
            let field = field.ok_or_else(|| {
                format!("column {name:?} of the target's primary key is in neither the record's key nor its old row")
            })?;
            values.push(MaybeUnset::Set(to_cql(&field, target)?));
        }
        Ok(values)
    }
}

/// Whether the table carries our comment. One that cannot be asked is left as it is.
async fn is_ours(session: &Session, keyspace: &str, table: &str) -> bool {
    let question = "SELECT comment FROM system_schema.tables WHERE keyspace_name = ? AND table_name = ?";
    let Ok(answer) = session.query_unpaged(question, (keyspace, table)).await else { return false };
    let Ok(rows) = answer.into_rows_result() else { return false };
    matches!(rows.maybe_first_row::<(Option<String>,)>(), Ok(Some((Some(comment),))) if comment == COMMENT)
}
