//! Lists the captured tables.

use pgcdc_event::{ReplicaIdentity, TableName};

use super::Ask;
use crate::Result;
use crate::config::Settings;

/// A table that the include and exclude lists allow, as the catalog has it at a start. The
/// publication, the snapshot and the checks begin with this list.
#[derive(Clone, Debug)]
pub(crate) struct CapturedTable {
    /// Its number in this database, by which rows name it.
    pub(crate) oid: u32,
    pub(crate) name: TableName,
    /// Its replica identity.
    pub(crate) identity: ReplicaIdentity,
    pub(crate) has_primary_key: bool,
    /// The planner's estimate of its rows, for the progress of a snapshot; -1 when there is none.
    pub(crate) estimated_rows: i64,
    /// Whether the connector puts the table into a publication that it makes. Not an `UNLOGGED`
    /// table, which has no changes in the WAL. Of a partitioned table and its partitions either the
    /// table or the partitions, never both.
    pub(crate) published: bool,
    /// Whether it is a partitioned table, whose rows are in its partitions.
    pub(crate) partitioned: bool,
    /// Whether it is a partition of another table.
    pub(crate) partition: bool,
    /// Whether its changes are in the WAL: it is not `UNLOGGED`.
    pub(crate) permanent: bool,
    /// Whether the role has `SELECT` on the whole table. Without it the role may still read single columns.
    pub(crate) readable: bool,
}

/// Lists the tables that the include and exclude lists allow, in the order in which a snapshot
/// reads them. A session that imported a snapshot lists the tables of that snapshot.
///
/// The list has partitioned tables and their partitions. A snapshot reads all rows of each, as
/// Debezium's does; the stream has only the tables that are published.
///
/// # Errors
/// Those of the query.
pub(crate) async fn captured_tables(
    session: &mut impl Ask,
    settings: &Settings,
) -> Result<Vec<CapturedTable>> {
    let of_partitions =
        if settings.publication.via_partition_root { "NOT c.relispartition" } else { "c.relkind = 'r'" };
    // The privilege is that of now, also in a session with a snapshot; NULL for a table that was
    // dropped since.
    let sql = format!(
        "SELECT c.oid, n.nspname, c.relname, c.relreplident, c.reltuples::bigint,
                c.relpersistence = 'p' AND {of_partitions},
                EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary),
                c.relkind = 'p', c.relispartition, c.relpersistence = 'p',
                coalesce(has_table_privilege(c.oid, 'SELECT'), false)
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'p') AND c.relpersistence IN ('p', 'u')
           AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
         ORDER BY n.nspname, c.relname"
    );
    let rows = session.rows("list the tables", &sql).await?;
    let mut tables: Vec<CapturedTable> = rows
        .iter()
        .filter_map(|row| {
            Some(CapturedTable {
                oid: row.get(0)?.parse().ok()?,
                name: TableName::new(row.get(1)?, row.get(2)?),
                identity: ReplicaIdentity::from_letter(*row.get(3)?.as_bytes().first()?)?,
                estimated_rows: row.get(4)?.parse().ok()?,
                published: row.get(5)? == "t",
                has_primary_key: row.get(6)? == "t",
                partitioned: row.get(7)? == "t",
                partition: row.get(8)? == "t",
                permanent: row.get(9)? == "t",
                readable: row.get(10)? == "t",
            })
        })
        .filter(|table| settings.tables.allows(&table.name))
        .collect();
    tables.sort_by_cached_key(|table| (settings.tables.rank(&table.name), table.name.clone()));
    Ok(tables)
}
