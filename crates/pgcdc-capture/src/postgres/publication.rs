//! Publications: which tables the server sends.

use std::collections::BTreeSet;

use pgcdc_event::TableName;

use super::{CapturedTable, Query, quote_identifier, quote_literal};
use crate::config::{Publication, PublicationMode};
use crate::{Error, Result};

/// A publication as the catalog has it.
#[derive(Clone, Debug)]
pub(crate) struct PublicationState {
    /// `FOR ALL TABLES`.
    pub(crate) all_tables: bool,
    /// Inserts, updates, deletes, truncates: whether each is published.
    pub(crate) publishes: [bool; 4],
    /// Its tables, partitions or roots as `publish_via_partition_root` says.
    pub(crate) tables: BTreeSet<TableName>,
}

/// Looks a publication up.
pub(crate) async fn inspect(query: &Query, name: &str) -> Result<Option<PublicationState>> {
    let literal = quote_literal(name);
    let what = "look up the publication";
    let sql = format!(
        "SELECT puballtables, pubinsert, pubupdate, pubdelete, pubtruncate FROM pg_publication WHERE pubname = {literal}"
    );
    let rows = query.rows(what, &sql).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let flag = |at: usize| row.get(at) == Some("t");
    let (all_tables, publishes) = (flag(0), [flag(1), flag(2), flag(3), flag(4)]);
    let sql = format!("SELECT schemaname, tablename FROM pg_publication_tables WHERE pubname = {literal}");
    let tables = query
        .rows(what, &sql)
        .await?
        .iter()
        .filter_map(|row| Some(TableName::new(row.get(0)?, row.get(1)?)))
        .collect();
    Ok(Some(PublicationState { all_tables, publishes, tables }))
}

/// Makes the publication what `publication.autocreate.mode` wants; returns what was done.
pub(crate) async fn ensure(
    query: &Query,
    wanted: &Publication,
    captured: &[CapturedTable],
) -> Result<Option<String>> {
    let name = quote_identifier(&wanted.name);
    let state = inspect(query, &wanted.name).await?;
    let with = if wanted.via_partition_root { " WITH (publish_via_partition_root = true)" } else { "" };
    let published = || captured.iter().filter(|table| table.published);
    let tables = || published().map(|table| table.name.quoted()).collect::<Vec<_>>().join(", ");
    let sql = match (wanted.autocreate, state) {
        (PublicationMode::Disabled, None) => {
            return Err(Error::configuration(format!(
                "publication {} does not exist, and publication.autocreate.mode is disabled",
                wanted.name
            ))
            .with_hint(format!(
                "CREATE PUBLICATION {name} FOR TABLE …; or set publication.autocreate.mode=filtered"
            )));
        }
        (PublicationMode::AllTables, None) => format!("CREATE PUBLICATION {name} FOR ALL TABLES{with}"),
        (PublicationMode::NoTables, None) => format!("CREATE PUBLICATION {name}{with}"),
        (PublicationMode::Filtered, None) => {
            if published().next().is_none() {
                return Err(no_tables(&wanted.name));
            }
            format!("CREATE PUBLICATION {name} FOR TABLE {}{with}", tables())
        }
        (PublicationMode::Filtered, Some(state)) if !state.all_tables => {
            let target: BTreeSet<TableName> = published().map(|table| table.name.clone()).collect();
            if target.is_empty() {
                return Err(no_tables(&wanted.name));
            }
            if target == state.tables {
                return Ok(None);
            }
            format!("ALTER PUBLICATION {name} SET TABLE {}", tables())
        }
        _ => return Ok(None),
    };
    query.execute("make the publication", &sql).await?;
    Ok(Some(sql))
}

fn no_tables(publication: &str) -> Error {
    Error::configuration(format!(
        "no table matches the include and exclude lists, so publication {publication} would be empty"
    ))
    .with_hint(
        "table.include.list is a list of regular expressions over schema.table, each for the whole name",
    )
}
