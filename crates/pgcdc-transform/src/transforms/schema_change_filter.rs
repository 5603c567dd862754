//! Debezium's `SchemaChangeEventFilter`: drops events about changes of the schema, by their type.
//!
//! Class: `io.debezium.transforms.SchemaChangeEventFilter`.
//!
//! | option | default | meaning |
//! |---|---|---|
//! | `schema.change.event.exclude.list` | required | `CREATE`, `ALTER`, `DROP`, `TRUNCATE`, `DATABASE`, between commas |
//!
//! Neither Debezium's Postgres connector nor pgcdc writes such events, so every record passes. The class is here so that a
//! configuration made for another connector starts.
//!
//! ```
//! use pgcdc_transform::try_on;
//!
//! let filter = "type=io.debezium.transforms.SchemaChangeEventFilter
//!               schema.change.event.exclude.list=CREATE,DROP";
//! assert_eq!(try_on(filter, r#"{"value":{"id":7}}"#), r#"{"value":{"id":7}}"#);
//!
//! let unknown = "type=io.debezium.transforms.SchemaChangeEventFilter
//!                schema.change.event.exclude.list=RENAME";
//! assert!(try_on(unknown, "{}").starts_with("refused: "));
//! ```

use super::transform::{Built, Outcome, Transform, require_struct};
use crate::Fault;
use crate::data::{Kind, Record, Schema, Value};
use crate::options::{Options, java_split};

/// Debezium's types of schema changes.
const TYPES: [&str; 5] = ["CREATE", "ALTER", "DROP", "TRUNCATE", "DATABASE"];

/// The excluded types. An event without table changes counts as `DATABASE`, and one with several by its first.
#[derive(Debug)]
struct SchemaChangeFilter {
    excluded: Vec<String>,
}

pub(super) fn build(options: &mut Options<'_>) -> Built {
    const LIST: &str = "schema.change.event.exclude.list";
    let list = options.debezium_required(LIST)?;
    let excluded: Vec<String> = java_split(list, ',').iter().map(|item| item.trim().to_owned()).collect();
    if let Some(unknown) = excluded.iter().find(|word| !TYPES.contains(&word.as_str())) {
        let message =
            format!("No enum constant io.debezium.schema.SchemaChangeEvent.SchemaChangeEventType.{unknown}");
        options.problem(LIST, message);
        return None;
    }
    Some(Box::new(SchemaChangeFilter { excluded }))
}

impl Transform for SchemaChangeFilter {
    fn keeps_headers(&self) -> bool {
        true
    }

    fn apply(&mut self, record: Record, _: i64) -> Outcome {
        let name = record.value_schema.as_ref().and_then(Schema::name).unwrap_or_default();
        let is_change = name.ends_with(".SchemaChangeValue") || name.ends_with(".SchemaChangeKey");
        if record.value.is_null() || !is_change {
            return Ok(Some(record));
        }
        let value = require_struct(&record.value, "Read schema change event to filter")?;
        let kind = match value.typed("tableChanges", Kind::Array)? {
            Value::Array(changes) => match changes.first() {
                None => "DATABASE",
                Some(change) => {
                    let change = require_struct(change, "Read schema change event to filter")?;
                    let word = change.get("type")?.as_str();
                    word.ok_or_else(|| Fault::null("Name is null"))?
                }
            },
            _ => return Ok(None),
        };
        if !TYPES.contains(&kind) {
            return Err(Fault::argument(format!(
                "No enum constant io.debezium.schema.SchemaChangeEvent.SchemaChangeEventType.{kind}"
            )));
        }
        let excluded = self.excluded.iter().any(|word| word == kind);
        Ok((!excluded).then_some(record))
    }
}
