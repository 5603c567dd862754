//! Locks the tables of a snapshot, so that they stay as they are until the snapshot has read them.
//!
//! The lock is the weakest there is (`ACCESS SHARE`): applications read and write meanwhile, and
//! only `ALTER TABLE`, `DROP TABLE`, `TRUNCATE` and the like wait. Source: PostgreSQL
//! documentation, "Explicit Locking", section "Table-Level Locks".

use std::time::Duration;

use crate::config::Settings;
use crate::postgres::{Ask, CapturedTable, RowReader, quote_identifier};
use crate::{Error, Result, SqlState};

/// Locks the tables against changes of their shape until the snapshot ends, and makes sure that no
/// table was rewritten since the snapshot was exported: a rewritten table would read as empty.
/// Returns the tables that still exist; one that was dropped since is left out with a warning.
///
/// # Errors
/// A transient one when a table was rewritten or renamed. A fatal one when row-level security would
/// hide rows.
pub(super) async fn lock<'a>(
    reader: &mut RowReader,
    mut tables: Vec<&'a CapturedTable>,
    settings: &Settings,
) -> Result<Vec<&'a CapturedTable>> {
    let again = |what: &str| Error::transient(format!("{what} while the snapshot began; it is taken again"));
    set_limit(reader, settings.snapshot.lock_timeout).await?;
    while !tables.is_empty() {
        reader.execute("lock the snapshot's tables", "SAVEPOINT pgcdc_lock").await?;
        match reader.execute("lock the snapshot's tables", &statement(&tables)).await {
            Ok(()) => break,
            Err(error) if error.sqlstate() == Some(SqlState::UNDEFINED_TABLE) => {
                reader.execute("lock the snapshot's tables", "ROLLBACK TO pgcdc_lock").await?;
                let before = tables.len();
                let dropped = dropped(reader, &tables).await?;
                tables.retain(|table| !dropped.contains(&table.oid));
                if tables.len() == before {
                    return Err(again("a table was renamed"));
                }
            }
            Err(error) => return Err(error),
        }
    }
    match rewritten(reader, &tables).await? {
        Some(table) => Err(again(&format!("table {table} was rewritten"))),
        None => {
            look_at_policies(reader, &tables, settings).await?;
            Ok(tables)
        }
    }
}

/// Sets `snapshot.lock.timeout.ms` for the transaction, if it is configured.
async fn set_limit(reader: &mut RowReader, limit: Option<Duration>) -> Result<()> {
    let Some(limit) = limit else { return Ok(()) };
    let sql = format!("SET LOCAL lock_timeout = {}", limit.as_millis());
    reader.execute("set the limit of snapshot.lock.timeout.ms", &sql).await
}

/// The statement that takes the lock that reading the tables would take. `LOCK TABLE` needs the
/// privilege to read the whole table. A role that may only read some columns gets the lock by a
/// query that reads no row.
pub(super) fn statement(tables: &[&CapturedTable]) -> String {
    let (whole, parts): (Vec<&CapturedTable>, _) = tables.iter().partition(|table| table.readable);
    let names: Vec<String> = whole.iter().map(|table| table.name.quoted()).collect();
    let mut statements = Vec::new();
    if !names.is_empty() {
        statements.push(format!("LOCK TABLE {} IN ACCESS SHARE MODE", names.join(", ")));
    }
    statements.extend(parts.iter().map(|table| format!("SELECT FROM {} LIMIT 0", table.name.quoted())));
    statements.join("; ")
}

/// The tables' oids as an SQL array.
fn oids(tables: &[&CapturedTable]) -> String {
    let oids: Vec<String> = tables.iter().map(|table| table.oid.to_string()).collect();
    format!("'{{{}}}'::oid[]", oids.join(","))
}

/// The tables that were dropped since the snapshot was exported. A query would still find them in
/// the snapshot's catalog; `pg_table_is_visible` looks at the catalog of now.
async fn dropped(reader: &mut RowReader, tables: &[&CapturedTable]) -> Result<Vec<u32>> {
    let sql = format!("SELECT t FROM unnest({}) u(t) WHERE pg_table_is_visible(u.t) IS NULL", oids(tables));
    let rows = reader.rows("look which tables were dropped", &sql).await?;
    let dropped: Vec<u32> = rows.iter().filter_map(|row| row.get(0)?.parse().ok()).collect();
    for table in tables.iter().filter(|table| dropped.contains(&table.oid)) {
        tracing::warn!(table = %table.name, "the table was dropped while the snapshot began: its rows are not read");
    }
    Ok(dropped)
}

/// A table that was rewritten since the snapshot was exported. `relfilenode` is read from the
/// snapshot's catalog, `pg_relation_filenode` from that of now.
async fn rewritten(reader: &mut RowReader, tables: &[&CapturedTable]) -> Result<Option<String>> {
    let sql = format!(
        "SELECT c.relname FROM pg_class c
         WHERE c.oid IN (SELECT t FROM unnest({0}) u(t)
                         UNION SELECT p.relid FROM unnest({0}) u(t), pg_partition_tree(u.t) p)
           AND c.relkind = 'r' AND pg_relation_filenode(c.oid) IS DISTINCT FROM c.relfilenode",
        oids(tables)
    );
    reader.value("look whether a table was rewritten", &sql).await
}

/// Refuses tables of which row-level security hides rows, since these rows would silently be
/// missing. Our sessions have `row_security=off`, so PostgreSQL would refuse to read such a table;
/// this error names the tables and the way out. With `row_security=on` the user has chosen the
/// policies, and gets a warning.
async fn look_at_policies(
    reader: &mut RowReader,
    tables: &[&CapturedTable],
    settings: &Settings,
) -> Result<()> {
    let sql = format!(
        "SELECT t, current_setting('row_security') FROM unnest({}) u(t) WHERE row_security_active(u.t)",
        oids(tables)
    );
    let rows = reader.rows("look at row-level security", &sql).await?;
    let hidden: Vec<u32> = rows.iter().filter_map(|row| row.get(0)?.parse().ok()).collect();
    let names: Vec<String> = tables
        .iter()
        .filter(|table| hidden.contains(&table.oid))
        .map(|table| table.name.to_string())
        .collect();
    let Some(setting) = rows.first().and_then(|row| row.get(1)) else { return Ok(()) };
    let names = names.join(", ");
    if setting == "on" {
        tracing::warn!(
            tables = names,
            "row-level security: the snapshot has only the rows that policies show"
        );
        return Ok(());
    }
    Err(Error::fatal(format!(
        "row-level security of {names} hides rows from role {}: a snapshot would miss them",
        settings.connection.user
    ))
    .with_hint(policies_hint(&settings.connection.user)))
}

/// The two ways to read rows that policies hide, for errors here and in `pgcdc check`.
pub(crate) fn policies_hint(user: &str) -> String {
    format!(
        "ALTER ROLE {} BYPASSRLS; -- or, to send only what the policies show: database.initial.statements=SET row_security=on",
        quote_identifier(user)
    )
}
