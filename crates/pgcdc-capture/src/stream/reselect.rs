//! Columns that are read again from their table: `ReselectColumnsPostProcessor`.
//!
//! The stream leaves out TOAST values that did not change. For inserts and updates such columns,
//! and columns that are null, are read from the table by the row's key, and the present values take
//! their place. When the row is gone, they stay as they were. Source: Debezium's documentation,
//! "Reselect columns".
//!
//! Each such row costs a query, while the stream waits. So a stream with many of them is slow, as
//! with Debezium.

use std::collections::HashMap;
use std::sync::Arc;

use pgcdc_event::Relation;
use pgcdc_format::pgoutput::{Tuple, TupleValue};

use crate::config::{Reselect, Settings};
use crate::postgres::{Query, quote_identifier, quote_literal};
use crate::tables::Tables;
use crate::{Error, Result};

/// The processors of the configuration, and what they do with each table.
#[derive(Debug)]
pub(super) struct Reselector {
    /// By the table's oid; made when the table's first row comes.
    plans: HashMap<u32, Plan>,
}

/// The new row of a change, and what is known about it.
#[derive(Clone, Copy)]
pub(super) struct NewRow<'a> {
    /// Its table.
    pub(super) relation: &'a Arc<Relation>,
    /// Its values as they were sent.
    pub(super) values: Tuple<'a>,
    /// Whether the old row was sent whole (`REPLICA IDENTITY FULL`): then it has the values that
    /// the new row leaves out.
    pub(super) old_is_whole: bool,
    /// The transaction that wrote it.
    pub(super) xid: Option<u32>,
}

/// What the processors do with one table.
#[derive(Debug)]
struct Plan {
    /// The version of the table for which this was made. A table that is announced again needs
    /// another plan.
    relation: Arc<Relation>,
    /// In the configured order.
    processors: Vec<Processor>,
    /// Whether it was logged that reading fails.
    told: bool,
}

/// One processor, for one table.
#[derive(Debug)]
struct Processor {
    /// Whether nulls are read again.
    null: bool,
    /// Whether unchanged TOAST values are read again.
    unavailable: bool,
    /// Whether a failure ends the connector.
    fail: bool,
    /// The indexes of the columns by which the row is found.
    key: Vec<usize>,
    /// For each column, whether it may be read again.
    columns: Vec<bool>,
}

impl Reselector {
    /// The processors of the settings; `None` without any.
    pub(super) fn new(settings: &Settings) -> Option<Box<Self>> {
        let wanted = !settings.reselect.is_empty();
        wanted.then(|| Box::new(Self { plans: HashMap::new() }))
    }

    /// Reads columns of a new row again, if they are wanted. True when a tuple in `out` takes the
    /// row's place.
    ///
    /// # Errors
    /// When the session fails, and when a query fails whose processor says so.
    pub(super) async fn read(
        &mut self,
        row: NewRow<'_>,
        settings: &Settings,
        tables: &mut Tables,
        query: &Query,
        out: &mut Vec<u8>,
    ) -> Result<bool> {
        let relation = row.relation;
        let plan = match self.plans.get_mut(&relation.oid) {
            Some(plan) if Arc::ptr_eq(&plan.relation, relation) => plan,
            _ => {
                let plan = Plan::new(settings, relation);
                self.plans.entry(relation.oid).insert_entry(plan).into_mut()
            }
        };
        let Ok(mut values) = row.values.values().collect::<Result<Vec<_>, _>>() else { return Ok(false) };
        if values.len() != relation.columns.len() {
            return Ok(false);
        }
        let mut fetched = Vec::new();
        for at in 0..plan.processors.len() {
            let processor = &plan.processors[at];
            let wanted = processor.wanted(&values, row.old_is_whole);
            if wanted.is_empty() {
                continue;
            }
            let Some(sql) = processor.select(relation, &wanted, &values) else { continue };
            // The query must see what the transaction wrote, else it would read an older row.
            tables.wait_for(query, row.xid).await?;
            match query.rows("read columns again", &sql).await {
                Ok(rows) => {
                    if let Some(row) = rows.into_iter().next() {
                        fetched.push((wanted, row));
                    }
                }
                Err(error) if error.is_transient() => return Err(error),
                Err(error) if processor.fail => {
                    return Err(Error::fatal(format!("post.processors: table {}: {error}", relation.name))
                        .with_hint("reselect.error.handling.mode=warn leaves such columns as they are"));
                }
                Err(error) if !plan.told => {
                    plan.told = true;
                    tracing::warn!(table = %relation.name, %error, "columns cannot be read again and stay as they are");
                }
                Err(_) => {}
            }
        }
        for (wanted, row) in &fetched {
            for (place, at) in wanted.iter().enumerate() {
                values[*at] =
                    row.get(place).map_or(TupleValue::Null, |text| TupleValue::Text(text.as_bytes()));
            }
        }
        if fetched.is_empty() {
            return Ok(false);
        }
        Tuple::write(&values, out);
        Ok(true)
    }
}

impl Plan {
    /// One processor for each rule of the configuration.
    fn new(settings: &Settings, relation: &Arc<Relation>) -> Self {
        let processors = settings.reselect.iter().map(|rule| Processor::new(rule, settings, relation));
        Self { relation: Arc::clone(relation), processors: processors.collect(), told: false }
    }
}

impl Processor {
    /// What the rule comes to for this table. Key columns are never read again.
    fn new(rule: &Reselect, settings: &Settings, relation: &Relation) -> Self {
        let names = || relation.columns.iter().map(|column| &*column.name);
        let of_event = || settings.key_columns.positions(&relation.name, names());
        let key = rule.by_event_key.then(of_event).flatten().unwrap_or_else(|| relation.primary_key());
        let columns = names()
            .enumerate()
            .map(|(at, column)| {
                !key.contains(&at)
                    && settings.columns.allows(&relation.name, column)
                    && rule.allows(&relation.name, column)
            })
            .collect();
        Self { null: rule.null, unavailable: rule.unavailable, fail: rule.fail, key, columns }
    }

    /// The indexes of the columns of this row that are to be read again. None without a key.
    fn wanted(&self, values: &[TupleValue<'_>], whole: bool) -> Vec<usize> {
        if self.key.is_empty() {
            return Vec::new();
        }
        let one = |value: &TupleValue<'_>| match value {
            TupleValue::Null => self.null,
            TupleValue::Unchanged => self.unavailable && !whole,
            _ => false,
        };
        let columns = self.columns.iter().zip(values).enumerate();
        columns.filter(|(_, (wanted, value))| **wanted && one(value)).map(|(at, _)| at).collect()
    }

    /// The statement that reads them; `None` when the row's key was not sent.
    fn select(&self, relation: &Relation, wanted: &[usize], values: &[TupleValue<'_>]) -> Option<String> {
        let name = |at: usize| quote_identifier(&relation.columns[at].name);
        let columns: Vec<String> = wanted.iter().map(|at| name(*at)).collect();
        let key = self.key.iter().map(|at| match values.get(*at)? {
            TupleValue::Text(text) => {
                Some(format!("{} = {}", name(*at), quote_literal(std::str::from_utf8(text).ok()?)))
            }
            _ => None,
        });
        let key: Vec<String> = key.collect::<Option<_>>()?;
        Some(format!(
            "SELECT {} FROM {} WHERE {} LIMIT 1",
            columns.join(", "),
            relation.name.quoted(),
            key.join(" AND ")
        ))
    }
}
