//! `column.mask.…`, `column.truncate.…` and `…propagate.source.type`: which rule holds for a
//! column. What a rule does to a value is in `pgcdc-format`.

use std::sync::Arc;

use pgcdc_config::Reader;
use pgcdc_event::{Column, TableName};
use pgcdc_format::types::{HashMask, Shaping, source_type_name};

use super::filter::Patterns;

/// The rules, in the order in which Debezium asks them. The first one that matches a column is the
/// only one that acts on it.
#[derive(Clone, Debug, Default)]
pub struct ColumnShaping(Vec<Rule>);

/// One rule, with the columns that it is for.
#[derive(Clone, Debug)]
struct Rule {
    /// The columns, or types.
    patterns: Patterns,
    /// Whether the patterns are over `schema.table.type` rather than `schema.table.column`.
    by_type: bool,
    /// What the rule does.
    shaping: Arc<Shaping>,
}

impl ColumnShaping {
    /// The rule for a column; `None` for a column that stays as it is. Asked when a table's encoder
    /// is compiled.
    #[must_use]
    pub fn of(&self, table: &TableName, column: &Column) -> Option<Arc<Shaping>> {
        let named = |rule: &&Rule| {
            let name = if rule.by_type { source_type_name(column) } else { &*column.name };
            rule.patterns.matches(&format!("{table}.{name}"))
        };
        self.0.iter().find(named).map(|rule| Arc::clone(&rule.shaping))
    }

    /// Whether no rule was given.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Reads the rules. A name or a pattern that is wrong is a mistake.
pub(super) fn resolve(reader: &mut Reader<'_>) -> ColumnShaping {
    let mut rules = Vec::new();
    for (start, of_length) in [
        ("column.truncate.to.", Shaping::Truncate as fn(usize) -> Shaping),
        ("column.mask.with.", Shaping::Mask as fn(usize) -> Shaping),
    ] {
        for (rest, key) in keys(reader, start) {
            match rest.strip_suffix(".chars").and_then(|digits| digits.parse().ok()) {
                Some(length) => add(reader, &key, false, of_length(length), &mut rules),
                None => reader.mistake(
                    &key,
                    format!("The name '{key}' is invalid: A number of characters is expected"),
                    format!("write {start}10.chars"),
                ),
            }
        }
    }
    for (key, by_type) in [("column.propagate.source.type", false), ("datatype.propagate.source.type", true)]
    {
        if reader.text(key).is_some() {
            add(reader, key, by_type, Shaping::Propagate, &mut rules);
        }
    }
    for bare in [false, true] {
        for (rest, key) in keys(reader, "column.mask.hash.") {
            // The name of an algorithm has no dot, so `v2.` begins the second form.
            let rest = match rest.strip_prefix("v2.") {
                Some(rest) if bare => rest,
                None if !bare => &*rest,
                _ => continue,
            };
            let Some((algorithm, salt)) = rest.split_once(".with.salt.") else { continue };
            match HashMask::new(algorithm, salt, bare) {
                Some(mask) => add(reader, &key, false, Shaping::Hash(mask), &mut rules),
                None => reader.mistake(
                    &key,
                    format!("The name '{key}' is invalid: there is no hash algorithm {algorithm}"),
                    format!("there are {}", HashMask::ALGORITHMS.join(", ")),
                ),
            }
        }
    }
    ColumnShaping(rules)
}

/// The keys that begin with `start`, each with the rest of its name.
fn keys(reader: &Reader<'_>, start: &str) -> Vec<(String, String)> {
    reader.below(start).map(|(rest, entry)| (rest.to_owned(), entry.key.clone())).collect()
}

/// Compiles a key's patterns and adds the rule.
fn add(reader: &mut Reader<'_>, key: &str, by_type: bool, shaping: Shaping, rules: &mut Vec<Rule>) {
    match Patterns::compile(reader.text(key).unwrap_or_default()) {
        Ok(patterns) => rules.push(Rule { patterns, by_type, shaping: Arc::new(shaping) }),
        Err(error) => reader.mistake(
            key,
            format!("The '{key}' value is invalid: {error}"),
            "mend the pattern; a comma within one is written \\,",
        ),
    }
}
