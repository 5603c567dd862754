//! Reads from the catalog what the stream does not say about tables and types: keys, defaults,
//! nullability, enum labels.
//!
//! The catalog says what is true now, and the stream what was true when a row was written. Between
//! the two a column, a type or a table may have changed or gone. So the message's own facts always
//! win, and [`gone`], [`key`] and [`KnownKeys`] fill in what the catalog no longer knows. Source:
//! PostgreSQL documentation, chapter "System Catalogs" (`pg_attribute`, `pg_attrdef`, `pg_index`,
//! `pg_type`, `pg_enum`).

use std::collections::HashMap;
use std::sync::Arc;

use pgcdc_event::{Column, PgType, Relation, ReplicaIdentity, TableName, TypeKind};
use pgcdc_format::pgoutput::{RelationBody, RelationColumn};

use super::gone::{self, Announced};
use super::key::{self, CatalogKey, Evidence};
use super::{Ask, CapturedTable, Query, quote_literal, visibility};
use crate::known_keys::KnownKeys;
use crate::{Error, Result};

/// Builds relations for [`Tables`](crate::tables::Tables), and remembers types and keys. There is
/// one for each attempt.
#[derive(Debug)]
pub(crate) struct Catalog {
    /// The slot whose stream is read.
    slot: String,
    /// Types by oid, read once. An enum is read again when a row has an unknown label.
    types: HashMap<u32, Arc<PgType>>,
    /// The names that the stream gives types.
    announced: Announced,
    /// The keys of tables, including tables that were dropped.
    keys: KnownKeys,
    /// The last transaction that was waited for, and whether it was visible at the end of the wait.
    waited: Option<(u32, bool)>,
}

/// What the catalog says of a column, beyond what a `Relation` message has.
#[derive(Debug)]
struct Extra {
    name: Box<str>,
    /// `NOT NULL`, of the column or of its domain.
    not_null: bool,
    /// The default's expression as SQL.
    default: Option<Box<str>>,
    /// `GENERATED ALWAYS AS`; not an identity column.
    generated: bool,
    /// Its position in the key, from 1; `None` outside of it.
    key_position: Option<u16>,
    /// The transaction that made the key's index.
    key_made: Option<u32>,
    type_oid: u32,
    /// The type modifier, for instance a `varchar`'s length; -1 for none.
    typmod: i32,
}

impl Catalog {
    /// Nothing is known yet. The keys may be from an earlier run.
    pub(crate) fn new(slot: &str, keys: KnownKeys) -> Self {
        let (types, announced) = (HashMap::new(), Announced::default());
        Self { slot: slot.to_owned(), types, announced, keys, waited: None }
    }

    /// Notes the name that the stream gives a type (its `Type` message).
    pub(crate) fn announce(&mut self, oid: u32, schema: &str, name: &str) {
        self.announced.insert(oid, schema, name);
    }

    /// Waits until queries see what transaction `xid` of the stream did to the catalog. Each
    /// transaction is waited for once.
    ///
    /// # Errors
    /// Those of the query.
    pub(crate) async fn wait_for(&mut self, query: &Query, xid: Option<u32>) -> Result<()> {
        if let Some(xid) = xid.filter(|xid| self.waited.is_none_or(|(waited, _)| waited != *xid)) {
            self.waited = Some((xid, visibility::wait_for(query, &self.slot, xid).await?));
        }
        Ok(())
    }

    /// Builds the relation of a `Relation` message. Names, types and identity are those of the
    /// message, which fit the rows that follow. Nullability, defaults and keys are those of the
    /// catalog now, read once transaction `xid`, which the message is part of, is visible.
    ///
    /// For a table that was dropped, nullability and defaults are unknown. For a type that was
    /// dropped, the columns' values may have to be left out; a warning says so.
    ///
    /// # Errors
    /// Those of the queries; a fatal one when the message is malformed.
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
        self.load_gone(query, &columns, &extras).await?;
        let key = self.key(body, &columns, &extras, xid);
        let name = TableName::new(body.schema, body.table);
        let columns = columns
            .into_iter()
            .enumerate()
            .map(|(at, column)| {
                let extra = extras.iter().find(|extra| *extra.name == *column.name);
                let key_position =
                    key.iter().position(|&of_key| of_key == at).and_then(|at| u16::try_from(at + 1).ok());
                let is_text = key_position.is_some()
                    || column_is_key(body, &column)
                    || extra.is_some_and(|extra| self.is_text(extra.type_oid));
                Ok(Column {
                    pg_type: self.type_of(&name, &column, is_text)?,
                    name: column.name.into(),
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
        Ok(Relation { oid: body.oid, name, identity: body.identity, columns, comment: None })
    }

    /// The indexes of the key's columns, in the key's order. Notes the key for later.
    fn key(
        &self,
        body: &RelationBody<'_>,
        columns: &[RelationColumn<'_>],
        extras: &[Extra],
        xid: Option<u32>,
    ) -> Vec<usize> {
        let now = key_names(extras);
        let made = extras.iter().find_map(|extra| extra.key_made);
        let younger = made.zip(xid).is_some_and(|(made, xid)| key::is_younger(made, xid));
        let flagged: Vec<(&str, bool)> =
            columns.iter().map(|column| (column.name, column.in_identity)).collect();
        let (known, first) = self.keys.get(body.oid);
        let key = key::choose(Evidence {
            identity: body.identity,
            columns: &flagged,
            catalog: (!extras.is_empty()).then_some(CatalogKey { columns: &now, younger }),
            known: &known,
            first,
        });
        self.keys.learn(body.oid, key.iter().map(|at| flagged[*at].0.into()).collect());
        key
    }

    /// A table's relation as the session sees it, for a snapshot. It also has generated columns,
    /// which the stream leaves out.
    ///
    /// # Errors
    /// Those of the queries.
    pub(crate) async fn current(
        &mut self,
        session: &mut impl Ask,
        table: &CapturedTable,
    ) -> Result<Relation> {
        let extras = extras(session, table.oid).await?;
        self.load_types(session, extras.iter().map(|extra| extra.type_oid)).await?;
        self.keys.learn(table.oid, key_names(&extras).into_iter().map(Into::into).collect());
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

    /// A type that was loaded before.
    ///
    /// # Errors
    /// When the catalog did not have it; a transient one while a synchronous standby holds up the
    /// commit that made it.
    fn pg_type(&self, oid: u32) -> Result<Arc<PgType>> {
        self.types.get(&oid).cloned().ok_or_else(|| {
            if let Some((xid, false)) = self.waited {
                return Error::transient(format!(
                    "type {oid} is in the stream but not yet in the catalog: the commit of transaction {xid} waits for a \
                     synchronous standby"
                ));
            }
            Error::fatal(format!("type {oid} is used by a table and not in the catalog"))
        })
    }

    /// Whether a type is text or an enum. If a column has such a type now, its former, dropped type
    /// was most likely an enum.
    fn is_text(&self, oid: u32) -> bool {
        gone::WORDS.contains(&oid)
            || self.types.get(&oid).is_some_and(|found| matches!(found.kind, TypeKind::Enum(_)))
    }

    /// The type of a streamed column. When nothing is known of the type, values are written as text
    /// if `is_text`, which says that the key needs them or that the column is text now; otherwise
    /// they are left out.
    fn type_of(&self, table: &TableName, column: &RelationColumn<'_>, is_text: bool) -> Result<Arc<PgType>> {
        if let Some(found) = self.types.get(&column.type_oid) {
            return Ok(Arc::clone(found));
        }
        if matches!(self.waited, Some((_, false))) {
            return self.pg_type(column.type_oid);
        }
        let name = self.announced.get(column.type_oid);
        // The names of array types begin with an underscore.
        let is_text = is_text && !name.is_some_and(|(_, name)| name.starts_with('_'));
        tracing::warn!(
            table = %table,
            column = column.name,
            type_name = name.map_or("?", |(_, name)| name),
            type_oid = column.type_oid,
            written = if is_text { "as text" } else { "no value" },
            "the column's type was dropped since these rows were written"
        );
        Ok(gone::unknown(column.type_oid, name, is_text))
    }

    /// For columns whose types were dropped: loads the types that these columns have now, and
    /// guesses the dropped types from their names.
    async fn load_gone(
        &mut self,
        mut query: &Query,
        columns: &[RelationColumn<'_>],
        extras: &[Extra],
    ) -> Result<()> {
        if columns.iter().all(|column| self.types.contains_key(&column.type_oid)) {
            return Ok(());
        }
        self.load_types(&mut query, extras.iter().map(|extra| extra.type_oid)).await?;
        for column in columns {
            let oid = column.type_oid;
            let Some((schema, name)) = self.announced.get(oid).filter(|_| !self.types.contains_key(&oid))
            else {
                continue;
            };
            let sql = format!(
                "SELECT p.oid FROM pg_type p JOIN pg_namespace n ON n.oid = p.typnamespace
                 WHERE n.nspname = {} AND p.typname = {}",
                quote_literal(schema),
                quote_literal(name)
            );
            let (schema, name) = (schema.to_owned(), name.to_owned());
            let now: Option<u32> =
                query.value("look a type up by its name", &sql).await?.and_then(|oid| oid.parse().ok());
            self.load_types(&mut query, now.into_iter()).await?;
            let now = now.and_then(|oid| self.types.get(&oid));
            if let Some(found) = gone::by_name(oid, (&schema, &name), now) {
                tracing::info!(
                    type_oid = oid,
                    schema,
                    name,
                    "a type that was dropped since is known by its name"
                );
                self.types.insert(oid, found);
            }
        }
        Ok(())
    }

    /// Loads the enum types, their arrays and the domains over them. Like Debezium, keeps their
    /// labels as they are now until a value has a label that is not among them.
    ///
    /// # Errors
    /// Those of the queries.
    pub(crate) async fn prime(&mut self, mut query: &Query) -> Result<()> {
        let sql = "SELECT p.oid FROM pg_type p LEFT JOIN pg_type e ON e.oid = p.typelem
                   WHERE p.typcategory = 'E' OR (p.typcategory = 'A' AND e.typcategory = 'E')";
        let rows = query.rows("read the enum types", sql).await?;
        let oids: Vec<u32> = rows.iter().filter_map(|row| row.get(0)?.parse().ok()).collect();
        self.load_types(&mut query, oids.into_iter()).await
    }

    /// Reads an enum type again, since a row of transaction `xid` has an unknown label of it.
    ///
    /// # Errors
    /// Those of the queries.
    pub(crate) async fn refresh(
        &mut self,
        mut query: &Query,
        oid: u32,
        xid: Option<u32>,
    ) -> Result<Arc<PgType>> {
        self.wait_for(query, xid).await?;
        let before = self.types.remove(&oid);
        self.load_types(&mut query, std::iter::once(oid)).await?;
        if let (false, Some(before)) = (self.types.contains_key(&oid), before) {
            // The table was dropped meanwhile: keep the description that we have.
            self.types.insert(oid, before);
        }
        self.pg_type(oid)
    }

    /// Loads the types that are not known yet, with their elements and base types. The deepest come
    /// first, so that each type finds those that it is made of.
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

/// Reads a table's columns; none when the table is gone. The key is the primary key; without one,
/// the first unique index by name, as in Debezium.
async fn extras(session: &mut impl Ask, oid: u32) -> Result<Vec<Extra>> {
    let sql = format!(
        "SELECT a.attname, a.attnotnull OR (t.typtype = 'd' AND t.typnotnull), pg_get_expr(d.adbin, d.adrelid), a.attgenerated,
                array_position(k.columns, a.attnum), a.atttypid, a.atttypmod, k.made
         FROM pg_attribute a
         JOIN pg_type t ON t.oid = a.atttypid
         LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
         LEFT JOIN LATERAL (
           SELECT (i.indkey::int2[])[0:i.indnkeyatts - 1] AS columns, i.xmin AS made
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
                key_made: row.get(7).and_then(|xid| xid.parse().ok()),
            })
        })
        .collect())
}

/// The names of the key's columns, in the key's order.
fn key_names(extras: &[Extra]) -> Vec<&str> {
    let mut key: Vec<(u16, &str)> =
        extras.iter().filter_map(|extra| Some((extra.key_position?, &*extra.name))).collect();
    key.sort_unstable();
    key.into_iter().map(|(_, name)| name).collect()
}

/// Whether the replica identity says that a column is part of a key. `FULL` flags all columns, so
/// it says nothing.
fn column_is_key(body: &RelationBody<'_>, column: &RelationColumn<'_>) -> bool {
    body.identity != ReplicaIdentity::Full && column.in_identity
}
