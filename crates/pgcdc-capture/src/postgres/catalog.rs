//! What the catalog knows of tables and types that the stream does not say.

use std::collections::HashMap;
use std::sync::Arc;

use pgcdc_event::{Column, PgType, Relation, ReplicaIdentity, TableName, TypeKind};
use pgcdc_format::pgoutput::RelationBody;

use super::{Ask, Query, visibility};
use crate::config::Settings;
use crate::{Error, Result};

/// A table that the filters allow.
#[derive(Clone, Debug)]
pub(crate) struct CapturedTable {
    pub(crate) oid: u32,
    pub(crate) name: TableName,
    pub(crate) identity: ReplicaIdentity,
    pub(crate) has_primary_key: bool,
    /// The planner's estimate; -1 when it has none.
    pub(crate) estimated_rows: i64,
    /// Whether the connector puts it into a publication of its own. An `UNLOGGED` table can only be read; and of a
    /// partitioned table and its partitions only one or the other is published.
    pub(crate) published: bool,
}

/// The tables that the filters allow, in the order in which a snapshot reads them.
///
/// A partitioned table and its partitions are all there, each with all of its rows, as Debezium's snapshot has them; the
/// stream has only what is published.
pub(crate) async fn captured_tables(query: &Query, settings: &Settings) -> Result<Vec<CapturedTable>> {
    let of_partitions =
        if settings.publication.via_partition_root { "NOT c.relispartition" } else { "c.relkind = 'r'" };
    let sql = format!(
        "SELECT c.oid, n.nspname, c.relname, c.relreplident, c.reltuples::bigint,
                c.relpersistence = 'p' AND {of_partitions},
                EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'p') AND c.relpersistence IN ('p', 'u')
           AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
         ORDER BY n.nspname, c.relname"
    );
    let rows = query.rows("list the tables", &sql).await?;
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
            })
        })
        .filter(|table| settings.tables.allows(&table.name))
        .collect();
    tables.sort_by_cached_key(|table| (settings.tables.rank(&table.name), table.name.clone()));
    Ok(tables)
}

/// Reads relations, and remembers types.
#[derive(Debug)]
pub(crate) struct Catalog {
    /// The slot whose stream is read.
    slot: String,
    types: HashMap<u32, Arc<PgType>>,
    /// The transaction that was waited for last, and whether it was visible then.
    waited: Option<(u32, bool)>,
}

/// What the catalog adds to a column.
#[derive(Debug)]
struct Extra {
    name: Box<str>,
    not_null: bool,
    default: Option<Box<str>>,
    generated: bool,
    key_position: Option<u16>,
    type_oid: u32,
    typmod: i32,
}

impl Catalog {
    pub(crate) fn new(slot: &str) -> Self {
        Self { slot: slot.to_owned(), types: HashMap::new(), waited: None }
    }

    /// Waits until what transaction `xid` of the stream did is in the catalog.
    async fn wait_for(&mut self, query: &Query, xid: Option<u32>) -> Result<()> {
        if let Some(xid) = xid.filter(|xid| self.waited.is_none_or(|(waited, _)| waited != *xid)) {
            self.waited = Some((xid, visibility::wait_for(query, &self.slot, xid).await?));
        }
        Ok(())
    }

    /// The relation of a `Relation` message: names, types and identity as the message has them,
    /// which is right for the rows that follow; nullability, defaults and keys as of now, but not from before
    /// transaction `xid`, which the message is part of.
    pub(crate) async fn streamed(
        &mut self,
        mut query: &Query,
        body: &RelationBody<'_>,
        xid: Option<u32>,
    ) -> Result<Relation> {
        self.wait_for(query, xid).await?;
        let bad = |error| Error::fatal("replication stream: a Relation message").with_source(error);
        let columns: Vec<_> = body.columns().collect::<Result<_, _>>().map_err(bad)?;
        let extras = extras(&mut query, body.oid).await?;
        self.load_types(&mut query, columns.iter().map(|column| column.type_oid)).await?;
        let same_key = body.identity != ReplicaIdentity::Default
            || columns.iter().all(|column| {
                let keyed = extras.iter().any(|e| *e.name == *column.name && e.key_position.is_some());
                !column.in_identity || keyed
            });
        let mut flagged = 0;
        let columns = columns
            .into_iter()
            .map(|column| {
                let extra = extras.iter().find(|extra| *extra.name == *column.name);
                // The table may have changed since: then what the message flags is the key.
                let key_position = if same_key {
                    extra.and_then(|extra| extra.key_position)
                } else {
                    flagged += u16::from(column.in_identity);
                    column.in_identity.then_some(flagged)
                };
                Ok(Column {
                    name: column.name.into(),
                    pg_type: self.pg_type(column.type_oid)?,
                    typmod: column.typmod,
                    not_null: extra.is_some_and(|extra| extra.not_null),
                    default: extra.and_then(|extra| extra.default.clone()),
                    key_position,
                    in_identity: column.in_identity,
                    generated: extra.is_some_and(|extra| extra.generated),
                    // Debezium's schemas of Postgres have none, whatever `include.schema.comments` says.
                    comment: None,
                })
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Relation {
            oid: body.oid,
            name: TableName::new(body.schema, body.table),
            identity: body.identity,
            columns,
            comment: None,
        })
    }

    /// A table's relation as of now; other than the stream, a snapshot reads generated columns too.
    pub(crate) async fn current(
        &mut self,
        session: &mut impl Ask,
        table: &CapturedTable,
    ) -> Result<Relation> {
        let extras = extras(session, table.oid).await?;
        self.load_types(session, extras.iter().map(|extra| extra.type_oid)).await?;
        let columns = extras
            .into_iter()
            .map(|extra| {
                Ok(Column {
                    name: extra.name,
                    pg_type: self.pg_type(extra.type_oid)?,
                    typmod: extra.typmod,
                    not_null: extra.not_null,
                    default: extra.default,
                    key_position: extra.key_position,
                    in_identity: false,
                    generated: extra.generated,
                    comment: None,
                })
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Relation {
            oid: table.oid,
            name: table.name.clone(),
            identity: table.identity,
            columns,
            comment: None,
        })
    }

    fn pg_type(&self, oid: u32) -> Result<Arc<PgType>> {
        self.types.get(&oid).cloned().ok_or_else(|| {
            if let Some((xid, false)) = self.waited {
                return Error::transient(format!(
                    "type {oid} is in the stream but not yet in the catalog: the commit of transaction {xid} waits for a \
                     synchronous standby"
                ));
            }
            // The type was dropped after the row was written.
            Error::fatal(format!("type {oid} is in the stream but no longer in the catalog"))
                .with_hint("its columns can no longer be read; a new slot and snapshot start after it")
        })
    }

    /// Loads the enum types, their arrays and the domains over them. Debezium knows their labels as they were when it
    /// started, until a value is none of them.
    pub(crate) async fn prime(&mut self, mut query: &Query) -> Result<()> {
        let sql = "SELECT p.oid FROM pg_type p LEFT JOIN pg_type e ON e.oid = p.typelem
                   WHERE p.typcategory = 'E' OR (p.typcategory = 'A' AND e.typcategory = 'E')";
        let rows = query.rows("read the enum types", sql).await?;
        let oids: Vec<u32> = rows.iter().filter_map(|row| row.get(0)?.parse().ok()).collect();
        self.load_types(&mut query, oids.into_iter()).await
    }

    /// Reads a type again, of which transaction `xid` has a label that is not known.
    pub(crate) async fn refresh(
        &mut self,
        mut query: &Query,
        oid: u32,
        xid: Option<u32>,
    ) -> Result<Arc<PgType>> {
        self.wait_for(query, xid).await?;
        self.types.remove(&oid);
        self.load_types(&mut query, std::iter::once(oid)).await?;
        self.pg_type(oid)
    }

    /// Loads types with what they are made of, those that are not known yet.
    async fn load_types(&mut self, session: &mut impl Ask, oids: impl Iterator<Item = u32>) -> Result<()> {
        let mut wanted: Vec<String> =
            oids.filter(|oid| !self.types.contains_key(oid)).map(|oid| oid.to_string()).collect();
        wanted.sort_unstable();
        wanted.dedup();
        if wanted.is_empty() {
            return Ok(());
        }
        let sql = format!(
            "WITH RECURSIVE t(oid, depth) AS (
               SELECT oid, 0 FROM pg_type WHERE oid = ANY('{{{}}}'::oid[])
               UNION
               SELECT CASE p.typtype WHEN 'd' THEN p.typbasetype ELSE p.typelem END, t.depth + 1
               FROM pg_type p JOIN t USING (oid)
               WHERE p.typtype = 'd' OR (p.typcategory = 'A' AND p.typelem <> 0))
             SELECT p.oid, n.nspname, p.typname, p.typtype, p.typcategory, p.typelem, p.typbasetype, p.typtypmod,
                    (SELECT string_agg(enumlabel, E'\\x01' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = p.oid)
             FROM (SELECT oid, max(depth) AS depth FROM t GROUP BY oid) t
             JOIN pg_type p USING (oid) JOIN pg_namespace n ON n.oid = p.typnamespace
             ORDER BY t.depth DESC",
            wanted.join(",")
        );
        for row in session.rows("read types", &sql).await? {
            let text = |at: usize| row.get(at).unwrap_or_default();
            let number = |at: usize| text(at).parse::<u32>().unwrap_or_default();
            let name = text(2);
            let kind = match (text(3), text(4)) {
                ("e", _) => TypeKind::Enum(text(8).split('\u{1}').map(Into::into).collect()),
                ("d", _) => {
                    TypeKind::Domain { base: self.pg_type(number(6))?, typmod: text(7).parse().unwrap_or(-1) }
                }
                (_, "A") if number(5) != 0 => TypeKind::Array(self.pg_type(number(5))?),
                ("c", _) => TypeKind::Composite,
                ("r", _) => TypeKind::Range,
                ("m", _) => TypeKind::Multirange,
                _ => TypeKind::Base,
            };
            let pg_type = PgType { oid: number(0), schema: text(1).into(), name: name.into(), kind };
            self.types.entry(pg_type.oid).or_insert_with(|| Arc::new(pg_type));
        }
        Ok(())
    }
}

/// Reads a table's columns. The key is the primary key, or for a table without one its first
/// unique index by name, as Debezium takes it.
async fn extras(session: &mut impl Ask, oid: u32) -> Result<Vec<Extra>> {
    let sql = format!(
        "SELECT a.attname, a.attnotnull OR (t.typtype = 'd' AND t.typnotnull), pg_get_expr(d.adbin, d.adrelid), a.attgenerated,
                array_position(k.columns, a.attnum), a.atttypid, a.atttypmod
         FROM pg_attribute a
         JOIN pg_type t ON t.oid = a.atttypid
         LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
         LEFT JOIN LATERAL (
           SELECT (i.indkey::int2[])[0:i.indnkeyatts - 1] AS columns
           FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
           WHERE i.indrelid = a.attrelid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
           ORDER BY i.indisprimary DESC, c.relname LIMIT 1) k ON true
         WHERE a.attrelid = {oid} AND a.attnum > 0 AND NOT a.attisdropped
         ORDER BY a.attnum"
    );
    let rows = session.rows("read a table's columns", &sql).await?;
    Ok(rows
        .iter()
        .filter_map(|row| {
            Some(Extra {
                name: row.get(0)?.into(),
                not_null: row.get(1)? == "t",
                default: row.get(2).map(Into::into),
                generated: row.get(3).is_some_and(|letter| !letter.is_empty()),
                key_position: row.get(4).and_then(|position| position.parse().ok()),
                type_oid: row.get(5)?.parse().ok()?,
                typmod: row.get(6)?.parse().ok()?,
            })
        })
        .collect())
}
