//! Checks the captured tables: whether a snapshot may read them, and whether their updates and
//! deletes can be published.
//!
//! The second matters most to a user: once a table without replica identity is in a publication,
//! the server refuses `UPDATE` and `DELETE` of it, and the application fails. Source: PostgreSQL
//! documentation, "Logical Replication", section "Publication", and
//! `ALTER TABLE … REPLICA IDENTITY`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use pgcdc_event::{ReplicaIdentity, TableName};

use super::Finding;
use crate::Result;
use crate::config::Settings;
use crate::postgres::{CapturedTable, Query, quote_identifier};
use crate::snapshot::policies_hint;

/// Adds a finding for each captured table: the worst thing about it, or its replica identity. Adds
/// one for each schema that may not be used.
pub(super) async fn tables(
    settings: &Settings,
    query: &Query,
    tables: &[CapturedTable],
    findings: &mut Vec<Finding>,
) -> Result<()> {
    let read = |table: &CapturedTable| {
        settings.snapshot.mode.reads_rows()
            && settings.snapshot.include.as_ref().is_none_or(|list| list.matches(&table.name.to_string()))
    };
    let read: Vec<&CapturedTable> = tables.iter().filter(|table| read(table)).collect();
    schemas(settings, query, &read, findings).await?;
    let mut unreadable = columns(settings, query, &read).await?;
    let hidden = hidden(query, &read).await?;
    let user = quote_identifier(&settings.connection.user);
    for table in tables {
        let subject = format!("table {}", table.name);
        let quoted = table.name.quoted();
        if let Some(columns) = unreadable.remove(&table.oid) {
            findings.push(if columns.is_empty() {
                let grant = format!("GRANT SELECT ON {quoted} TO {user};");
                Finding::error(subject, "may not be read, which a snapshot needs", grant)
            } else {
                let list: Vec<String> = columns.iter().map(|column| quote_identifier(column)).collect();
                Finding::error(
                    subject,
                    format!("columns may not be read, which a snapshot needs: {}", columns.join(", ")),
                    format!(
                        "GRANT SELECT ({}) ON {quoted} TO {user};  -- or leave them out by column.exclude.list",
                        list.join(", ")
                    ),
                )
            });
        } else if hidden.contains(&table.oid) {
            findings.push(Finding::error(
                subject,
                "row-level security hides rows from the role: a snapshot would miss them",
                policies_hint(&settings.connection.user),
            ));
        } else if table.partitioned {
            findings.push(partitions(query, table, subject).await?);
        } else {
            findings.push(identity(settings, table, subject));
        }
    }
    Ok(())
}

/// The finding about the replica identities of a partitioned table. Its rows are in its partitions,
/// so the partitions' identities count.
async fn partitions(query: &Query, table: &CapturedTable, subject: String) -> Result<Finding> {
    let sql = format!(
        "SELECT string_agg(c.oid::regclass::text, ', '), min(c.oid::regclass::text) FROM pg_partition_tree({}) p
         JOIN pg_class c ON c.oid = p.relid
         WHERE p.isleaf AND c.relkind = 'r' AND c.relpersistence = 'p' AND (c.relreplident = 'n' OR c.relreplident = 'd'
           AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary))",
        table.oid
    );
    let rows = query.rows("look at the partitions' replica identities", &sql).await?;
    let text = |at: usize| rows.first().and_then(|row| row.get(at));
    let (Some(without), Some(first)) = (text(0), text(1)) else {
        return Ok(Finding::ok(subject, "is partitioned; its partitions have replica identities"));
    };
    Ok(Finding::error(
        subject,
        format!(
            "has partitions without replica identity, of which updates and deletes fail once they are published: {without}"
        ),
        format!(
            "ALTER TABLE {first} REPLICA IDENTITY FULL;  -- and the others, or give the table a primary key"
        ),
    ))
}

/// Adds an error for each schema of the tables that the role may not use; without `USAGE` it cannot
/// read their tables.
async fn schemas(
    settings: &Settings,
    query: &Query,
    tables: &[&CapturedTable],
    findings: &mut Vec<Finding>,
) -> Result<()> {
    let names: BTreeSet<&str> = tables.iter().map(|table| &*table.name.schema).collect();
    let rows = query
        .rows(
            "read the schemas' privileges",
            "SELECT nspname FROM pg_namespace WHERE NOT has_schema_privilege(oid, 'USAGE')",
        )
        .await?;
    for schema in rows.iter().filter_map(|row| row.get(0)).filter(|schema| names.contains(schema)) {
        findings.push(Finding::error(
            format!("schema {schema}"),
            "may not be used, so that its tables cannot be read",
            format!(
                "GRANT USAGE ON SCHEMA {} TO {};",
                quote_identifier(schema),
                quote_identifier(&settings.connection.user)
            ),
        ));
    }
    Ok(())
}

/// The captured columns that the role may not read, by the table's oid. An empty list means that it
/// may read no column of the table.
async fn columns(
    settings: &Settings,
    query: &Query,
    tables: &[&CapturedTable],
) -> Result<HashMap<u32, Vec<String>>> {
    let parts: BTreeMap<u32, &TableName> =
        tables.iter().filter(|table| !table.readable).map(|table| (table.oid, &table.name)).collect();
    if parts.is_empty() {
        return Ok(HashMap::new());
    }
    let oids: Vec<String> = parts.keys().map(u32::to_string).collect();
    let sql = format!(
        "SELECT attrelid, attname, has_column_privilege(attrelid, attnum, 'SELECT') FROM pg_attribute
         WHERE attrelid = ANY('{{{}}}'::oid[]) AND attnum > 0 AND NOT attisdropped ORDER BY attrelid, attnum",
        oids.join(",")
    );
    let mut found: HashMap<u32, Vec<(String, bool)>> = HashMap::new();
    for row in query.rows("read the columns' privileges", &sql).await? {
        if let (Some(Ok(oid)), Some(name)) = (row.get(0).map(str::parse), row.get(1)) {
            found.entry(oid).or_default().push((name.to_owned(), row.get(2) == Some("t")));
        }
    }
    let mut unreadable = HashMap::new();
    for (oid, name) in parts {
        let columns = found.remove(&oid).unwrap_or_default();
        let included = |(column, _): &&(String, bool)| settings.columns.allows(name, column);
        // When the column filters leave out all columns, a snapshot reads all of them.
        let any = columns.iter().any(|column| included(&column));
        let read: Vec<_> = columns.iter().filter(|column| !any || included(column)).collect();
        if !columns.iter().any(|(_, readable)| *readable) {
            unreadable.insert(oid, Vec::new());
        } else if read.iter().any(|(_, readable)| !readable) {
            let names = read.iter().filter(|(_, readable)| !readable).map(|(name, _)| name.clone());
            unreadable.insert(oid, names.collect());
        }
    }
    Ok(unreadable)
}

/// The tables of which row-level security hides rows from the role. Source: PostgreSQL
/// documentation, "Row Security Policies".
async fn hidden(query: &Query, tables: &[&CapturedTable]) -> Result<BTreeSet<u32>> {
    let oids: Vec<String> = tables.iter().map(|table| table.oid.to_string()).collect();
    let sql = format!(
        "SELECT t FROM unnest('{{{}}}'::oid[]) u(t)
         WHERE current_setting('row_security') = 'off' AND row_security_active(u.t)",
        oids.join(",")
    );
    let rows = query.rows("look at row-level security", &sql).await?;
    Ok(rows.iter().filter_map(|row| row.get(0)?.parse().ok()).collect())
}

/// Checks whether updates and deletes of a table can be published.
/// `replica.identity.autoset.values` counts as if it were set already.
fn identity(settings: &Settings, table: &CapturedTable, subject: String) -> Finding {
    let name = table.name.to_string();
    let rule = settings.identities.iter().find(|rule| rule.tables.matches(&name));
    let full =
        format!("ALTER TABLE {} REPLICA IDENTITY FULL;  -- or give it a primary key", table.name.quoted());
    match (rule.map_or(table.identity, |rule| rule.identity), table.has_primary_key) {
        _ if !table.permanent => Finding::ok(subject, "is read by a snapshot, and is not in the stream"),
        (ReplicaIdentity::Nothing, _) => Finding::error(
            subject,
            "has replica identity NOTHING: updates and deletes fail once it is published",
            full,
        ),
        (ReplicaIdentity::Default, false) => Finding::error(
            subject,
            "has no primary key and so no replica identity: updates and deletes fail once it is published",
            full,
        ),
        (identity, _) if rule.is_some_and(|rule| rule.identity != table.identity) => Finding::ok(
            subject,
            format!("gets replica identity {} at the start", format!("{identity:?}").to_lowercase()),
        ),
        (identity, _) => Finding::ok(subject, format!("replica identity {identity:?}").to_lowercase()),
    }
}
