//! Columns that are read again from their table: `ReselectColumnsPostProcessor`.
//!
//! The stream leaves out TOAST values that did not change, and a null may be one that nobody meant. For inserts and updates
//! such columns are read from the table by the row's key, and the values of now take their place. A row that is gone leaves
//! them as they were. Source: Debezium's documentation, "Reselect columns".

use std::collections::HashMap;
use std::sync::Arc;

use pgcdc_event::Relation;
use pgcdc_format::pgoutput::{Tuple, TupleValue};

use crate::config::{Reselect, Settings};
use crate::postgres::{Query, quote_identifier, quote_literal};
use crate::tables::Tables;
use crate::{Error, Result};

/// The processors, and what they do with each table.
#[derive(Debug)]
pub(super) struct Reselector {
    plans: HashMap<u32, Plan>,
}

/// The new row of a change, and where it came from.
#[derive(Clone, Copy)]
pub(super) struct NewRow<'a> {
    pub(super) relation: &'a Arc<Relation>,
    pub(super) values: Tuple<'a>,
    /// The old row was sent whole: a value that the new row leaves out is known from it.
    pub(super) old_is_whole: bool,
    pub(super) xid: Option<u32>,
}

#[derive(Debug)]
struct Plan {
    /// For which this was made: announced again, a table has another.
    relation: Arc<Relation>,
    processors: Vec<Processor>,
    /// That reading failed was told.
    told: bool,
}

#[derive(Debug)]
struct Processor {
    null: bool,
    unavailable: bool,
    fail: bool,
    key: Vec<usize>,
    columns: Vec<bool>,
}

impl Reselector {
    /// What the settings ask for, if they do.
    pub(super) fn new(settings: &Settings) -> Option<Box<Self>> {
        let wanted = !settings.reselect.is_empty();
        wanted.then(|| Box::new(Self { plans: HashMap::new() }))
    }

    /// Reads columns of a new row again where they are wanted. True when a tuple in `out` takes its place.
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
            // What the transaction wrote must be seen, else an older row would be read.
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
    fn new(settings: &Settings, relation: &Arc<Relation>) -> Self {
        let processors = settings.reselect.iter().map(|rule| Processor::new(rule, settings, relation));
        Self { relation: Arc::clone(relation), processors: processors.collect(), told: false }
    }
}

impl Processor {
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

    /// The columns of a row to ask for.
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

    /// The statement that asks for them; `None` when the row's key was not sent.
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
