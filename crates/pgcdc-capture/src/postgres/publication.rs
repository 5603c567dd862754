//! Publications: which tables' changes the server sends. Looks one up, and creates or alters it.
//! Source: PostgreSQL documentation, `CREATE PUBLICATION`, `ALTER PUBLICATION`, and the view
//! `pg_publication_tables`.

use std::collections::BTreeSet;

use pgcdc_event::TableName;

use super::{CapturedTable, Query, quote_identifier, quote_literal};
use crate::config::{Publication, PublicationMode};
use crate::{Error, Result, SqlState};

/// A publication as the catalog has it.
#[derive(Clone, Debug)]
pub(crate) struct PublicationState {
    /// `FOR ALL TABLES`.
    pub(crate) all_tables: bool,
    /// Whether inserts, updates, deletes and truncates are published, in this order.
    pub(crate) publishes: [bool; 4],
    /// `publish_via_partition_root`.
    pub(crate) via_root: bool,
    /// Whether the role may alter it.
    pub(crate) owned: bool,
    /// Its tables. Of a partitioned table, the partitions or the root, as `publish_via_partition_root` says.
    pub(crate) tables: BTreeSet<TableName>,
}

/// A statement that creates or alters a publication. A start runs it; `pgcdc check` shows it.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// The statement, without a semicolon.
    pub(crate) sql: String,
    /// Tables that the statement takes out of the publication.
    pub(crate) taken_away: Vec<String>,
}

/// Looks a publication up; `None` when it does not exist.
///
/// # Errors
/// Those of the queries.
pub(crate) async fn inspect(query: &Query, name: &str) -> Result<Option<PublicationState>> {
    let literal = quote_literal(name);
    let what = "look up the publication";
    let sql = format!(
        "SELECT puballtables, pubinsert, pubupdate, pubdelete, pubtruncate, pubviaroot, pg_has_role(pubowner, 'USAGE')
         FROM pg_publication WHERE pubname = {literal}"
    );
    let rows = query.rows(what, &sql).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let flag = |at: usize| row.get(at) == Some("t");
    let (all_tables, publishes) = (flag(0), [flag(1), flag(2), flag(3), flag(4)]);
    let (via_root, owned) = (flag(5), flag(6));
    let sql = format!("SELECT schemaname, tablename FROM pg_publication_tables WHERE pubname = {literal}");
    let tables = query
        .rows(what, &sql)
        .await?
        .iter()
        .filter_map(|row| Some(TableName::new(row.get(0)?, row.get(1)?)))
        .collect();
    Ok(Some(PublicationState { all_tables, publishes, via_root, owned, tables }))
}

/// Creates or alters the publication as `publication.autocreate.mode` says. Returns the statement
/// that was run, if one was.
///
/// # Errors
/// When the publication must exist and does not, when it would be empty, or when the role may not
/// make it.
pub(crate) async fn ensure(
    query: &Query,
    wanted: &Publication,
    captured: &[CapturedTable],
) -> Result<Option<String>> {
    let state = inspect(query, &wanted.name).await?;
    let Some(statement) = wanted_statement(wanted, state.as_ref(), captured)? else { return Ok(None) };
    if !statement.taken_away.is_empty() {
        tracing::warn!(
            publication = wanted.name,
            tables = statement.taken_away.join(", "),
            "publication.autocreate.mode=filtered takes tables out of the publication: another connector that reads it no \
             longer gets them; give each connector a publication.name of its own"
        );
    }
    query
        .execute("make the publication", &statement.sql)
        .await
        .map_err(|error| refused(error, &statement.sql))?;
    Ok(Some(statement.sql))
}

/// The statement that makes the publication as `publication.autocreate.mode` wants it; `None` when
/// nothing is to be done. Pure. Only the mode `filtered` alters a publication that exists.
///
/// # Errors
/// When the publication must exist and does not, or when it would be empty.
pub(crate) fn wanted_statement(
    wanted: &Publication,
    state: Option<&PublicationState>,
    captured: &[CapturedTable],
) -> Result<Option<Wanted>> {
    let name = quote_identifier(&wanted.name);
    let with = if wanted.via_partition_root { " WITH (publish_via_partition_root = true)" } else { "" };
    let published = || captured.iter().filter(|table| table.published);
    let tables = || published().map(|table| table.name.quoted()).collect::<Vec<_>>().join(", ");
    let mut taken_away = Vec::new();
    let sql = match (wanted.autocreate, state) {
        (PublicationMode::Disabled, None) => {
            let list = tables();
            let list = if list.is_empty() { "ALL TABLES".to_owned() } else { format!("TABLE {list}") };
            return Err(Error::configuration(format!(
                "publication {} does not exist, and publication.autocreate.mode is disabled",
                wanted.name
            ))
            .with_hint(format!(
                "CREATE PUBLICATION {name} FOR {list}{with};  -- or set publication.autocreate.mode=filtered"
            )));
        }
        (PublicationMode::AllTables, None) => format!("CREATE PUBLICATION {name} FOR ALL TABLES{with}"),
        (PublicationMode::NoTables, None) => format!("CREATE PUBLICATION {name}{with}"),
        (PublicationMode::Filtered, None) => {
            if published().next().is_none() {
                return Err(no_tables(&wanted.name, captured));
            }
            format!("CREATE PUBLICATION {name} FOR TABLE {}{with}", tables())
        }
        (PublicationMode::Filtered, Some(state)) if !state.all_tables => {
            let target: BTreeSet<TableName> = published().map(|table| table.name.clone()).collect();
            if target.is_empty() {
                return Err(no_tables(&wanted.name, captured));
            }
            if target == state.tables {
                return Ok(None);
            }
            taken_away = state.tables.difference(&target).map(ToString::to_string).collect();
            format!("ALTER PUBLICATION {name} SET TABLE {}", tables())
        }
        _ => return Ok(None),
    };
    Ok(Some(Wanted { sql, taken_away }))
}

/// An error of the statement that makes the publication. When the role may not run it, the hint is
/// the statement and who can run it.
fn refused(error: Error, sql: &str) -> Error {
    let who = match error.sqlstate() {
        Some(SqlState::INSUFFICIENT_PRIVILEGE) => {
            "as a superuser, or as the owner of the tables with CREATE on the database"
        }
        Some(SqlState::READ_ONLY_SQL_TRANSACTION) => "on the primary, in a session that may write",
        _ => return error,
    };
    Error::fatal(error.to_string()).with_hint(format!("{sql};  -- {who}")).with_sqlstate(error.sqlstate())
}

/// The error for a publication that would be empty. The usual cause has a message of its own: only
/// the partitioned table was listed, and its partitions were not.
fn no_tables(publication: &str, captured: &[CapturedTable]) -> Error {
    let roots: Vec<String> =
        captured.iter().filter(|table| table.partitioned).map(|table| table.name.to_string()).collect();
    if !roots.is_empty() {
        return Error::configuration(format!(
            "publication {publication} would be empty: changes of a partitioned table come under the names of its \
             partitions, and none of those of {} is in table.include.list",
            roots.join(", ")
        ))
        .with_hint(format!(
            "set publish.via.partition.root=true to get them as {}, or add the partitions to table.include.list",
            roots.join(", ")
        ));
    }
    Error::configuration(format!(
        "no table matches the include and exclude lists, so publication {publication} would be empty"
    ))
    .with_hint(
        "table.include.list is a list of regular expressions over schema.table, each for the whole name",
    )
}
