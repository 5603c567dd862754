//! Finds captured tables of which the publication does not send all changes.
//!
//! Such a table is in the snapshot, and then silent: the worst kind of gap, since nothing fails. So
//! a start warns of it, and `pgcdc check` lists it with the SQL that mends it. Source: PostgreSQL
//! documentation, "Logical Replication", sections "Publication", "Row Filters" and "Column Lists".

use std::collections::{BTreeMap, BTreeSet};

use pgcdc_event::TableName;

use super::publication::{PublicationState, inspect};
use super::{CapturedTable, Query, quote_identifier, quote_literal};
use crate::Result;
use crate::config::Settings;

/// Changes that a publication does not send as one would expect.
#[derive(Clone, Debug)]
pub(crate) struct Gap {
    /// Which changes do not arrive, or arrive in another form; the end of a sentence that begins
    /// "publication p".
    pub(crate) what: String,
    /// The SQL or the property that mends it.
    pub(crate) remedy: String,
}

/// Finds captured tables whose changes do not arrive, or arrive in another form than their snapshot.
///
/// # Errors
/// Those of the queries.
pub(crate) async fn gaps(query: &Query, settings: &Settings, tables: &[CapturedTable]) -> Result<Vec<Gap>> {
    let state = inspect(query, &settings.publication.name).await?;
    let via_root = state.as_ref().map_or(settings.publication.via_partition_root, |state| state.via_root);
    let mut found = Vec::new();
    let others = if via_root { roots(query, tables).await? } else { leaves(query, tables).await? };
    found.extend(other_names(settings, state.as_ref(), tables, &others, via_root));
    if let Some(state) = &state {
        found.extend(missing(settings, state, tables, via_root));
        if settings.snapshot.mode.reads_rows() {
            found.extend(narrowed(query, settings, tables).await?);
        }
    }
    Ok(found)
}

/// The captured tables that the publication does not have, as one gap.
fn missing(
    settings: &Settings,
    state: &PublicationState,
    tables: &[CapturedTable],
    via_root: bool,
) -> Option<Gap> {
    let sent_as_itself = |table: &&CapturedTable| {
        table.permanent && if via_root { !table.partition } else { !table.partitioned }
    };
    let missing: Vec<String> = tables
        .iter()
        .filter(sent_as_itself)
        .filter(|table| !state.all_tables && !state.tables.contains(&table.name))
        .map(|table| table.name.quoted())
        .collect();
    // With `filtered` the publication gets these tables at the next start.
    let filtered = settings.publication.autocreate == crate::config::PublicationMode::Filtered;
    if missing.is_empty() || filtered {
        return None;
    }
    let missing = missing.join(", ");
    Some(Gap {
        what: format!("has no {missing}: their changes are not sent"),
        remedy: format!(
            "ALTER PUBLICATION {} ADD TABLE {missing};",
            quote_identifier(&settings.publication.name)
        ),
    })
}

/// Captured tables whose changes come under the names of other tables, which are not captured: of a
/// partitioned table under those of its partitions, or the other way round.
fn other_names(
    settings: &Settings,
    state: Option<&PublicationState>,
    tables: &[CapturedTable],
    others: &BTreeMap<u32, BTreeSet<TableName>>,
    via_root: bool,
) -> Vec<Gap> {
    let lost = |table: &CapturedTable| {
        // A partition that is itself in the publication is sent under its own name.
        if via_root && state.is_some_and(|state| state.tables.contains(&table.name)) {
            return None;
        }
        let names = others.get(&table.oid)?.iter().filter(|name| !settings.tables.allows(name));
        let names: Vec<String> = names.map(ToString::to_string).collect();
        (!names.is_empty()).then(|| names.join(", "))
    };
    let gap = |(table, names): (&CapturedTable, String)| {
        let name = &table.name;
        if via_root {
            return Gap {
                what: format!(
                    "sends changes of {name} as those of {names}, which table.include.list leaves out"
                ),
                remedy: format!("add {names} to table.include.list"),
            };
        }
        let (via, and) = match state {
            Some(_) => (
                format!(
                    "ALTER PUBLICATION {} SET (publish_via_partition_root = true);",
                    quote_identifier(&settings.publication.name)
                ),
                "  -- and set publish.via.partition.root=true",
            ),
            None => ("set publish.via.partition.root=true".to_owned(), ""),
        };
        Gap {
            what: format!(
                "sends changes of {name} under the names of its partitions, of which table.include.list leaves out {names}"
            ),
            remedy: format!("{via}{and}, or add the partitions to table.include.list"),
        }
    };
    tables.iter().filter_map(|table| Some((table, lost(table)?))).map(gap).collect()
}

/// The partitions that hold the rows of captured partitioned tables.
async fn leaves(query: &Query, tables: &[CapturedTable]) -> Result<BTreeMap<u32, BTreeSet<TableName>>> {
    let of = tables.iter().filter(|table| table.partitioned);
    let from =
        "pg_partition_tree(u.t) p JOIN pg_class c ON c.oid = p.relid AND p.isleaf AND c.relpersistence = 'p'";
    names(query, of, from).await
}

/// The topmost tables of captured partitions.
async fn roots(query: &Query, tables: &[CapturedTable]) -> Result<BTreeMap<u32, BTreeSet<TableName>>> {
    let of = tables.iter().filter(|table| table.partition && table.permanent);
    names(query, of, "pg_partition_root(u.t) p JOIN pg_class c ON c.oid = p").await
}

/// For each of the tables `of`, the names of the tables that `from` finds for it. `from` is SQL
/// with `u.t` for the table and `c` for the rows of `pg_class` that it finds.
async fn names(
    query: &Query,
    of: impl Iterator<Item = &CapturedTable>,
    from: &str,
) -> Result<BTreeMap<u32, BTreeSet<TableName>>> {
    let oids: Vec<String> = of.map(|table| table.oid.to_string()).collect();
    let mut found: BTreeMap<u32, BTreeSet<TableName>> = BTreeMap::new();
    if oids.is_empty() {
        return Ok(found);
    }
    let sql = format!(
        "SELECT u.t, n.nspname, c.relname FROM unnest('{{{}}}'::oid[]) u(t), {from}
         JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid <> u.t",
        oids.join(",")
    );
    for row in query.rows("look up partitions", &sql).await? {
        if let (Some(Ok(oid)), Some(schema), Some(table)) =
            (row.get(0).map(str::parse), row.get(1), row.get(2))
        {
            found.entry(oid).or_default().insert(TableName::new(schema, table));
        }
    }
    Ok(found)
}

/// Tables with a column list or a row filter (PostgreSQL 15). A snapshot also reads the columns and
/// rows that these hide, as Debezium's does.
async fn narrowed(query: &Query, settings: &Settings, tables: &[CapturedTable]) -> Result<Vec<Gap>> {
    let version = query.value("read the server's version", "SHOW server_version_num").await?;
    if version.and_then(|version| version.parse::<u32>().ok()).unwrap_or(0) < 150_000 {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT n.nspname, c.relname, pg_get_expr(r.prqual, r.prrelid),
                (SELECT string_agg(a.attname, E'\\x01' ORDER BY a.attnum) FROM pg_attribute a
                 WHERE a.attrelid = r.prrelid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
                   AND r.prattrs IS NOT NULL AND a.attnum <> ALL (r.prattrs::int2[])),
                (SELECT string_agg(relid::text, ' ') FROM pg_partition_tree(r.prrelid))
         FROM pg_publication p JOIN pg_publication_rel r ON r.prpubid = p.oid
         JOIN pg_class c ON c.oid = r.prrelid JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE p.pubname = {} AND (r.prqual IS NOT NULL OR r.prattrs IS NOT NULL)",
        quote_literal(&settings.publication.name)
    );
    let mut found = Vec::new();
    for row in query.rows("look up the publication's column lists and row filters", &sql).await? {
        let (Some(schema), Some(table)) = (row.get(0), row.get(1)) else { continue };
        let name = TableName::new(schema, table);
        let parts: BTreeSet<u32> =
            row.get(4).unwrap_or_default().split(' ').filter_map(|oid| oid.parse().ok()).collect();
        if !tables.iter().any(|table| table.name == name || parts.contains(&table.oid)) {
            continue;
        }
        let hidden: Vec<&str> = row
            .get(3)
            .unwrap_or_default()
            .split('\u{1}')
            .filter(|column| !column.is_empty() && settings.columns.allows(&name, column))
            .collect();
        if !hidden.is_empty() {
            let list: Vec<String> = hidden.iter().map(|column| format!("{name}.{column}")).collect();
            found.push(Gap {
                what: format!(
                    "has a column list for {name}: a snapshot sends what it hides, {}",
                    hidden.join(", ")
                ),
                remedy: format!("add {} to column.exclude.list", list.join(",")),
            });
        }
        if let Some(filter) = row.get(2)
            && !settings.snapshot.select_overrides.contains_key(&name.to_string())
        {
            found.push(Gap {
                what: format!("has a row filter for {name}: a snapshot sends all rows, also those that it hides"),
                remedy: format!(
                    "set snapshot.select.statement.overrides={name} and snapshot.select.statement.overrides.{name}=SELECT * FROM {} WHERE {filter}",
                    name.quoted()
                ),
            });
        }
    }
    Ok(found)
}
