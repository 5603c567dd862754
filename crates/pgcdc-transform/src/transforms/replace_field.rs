//! Kafka's `ReplaceField`: removes fields and renames fields.
//!
//! Classes: `org.apache.kafka.connect.transforms.ReplaceField$Key` and `…ReplaceField$Value`.
//!
//! | option | default | meaning |
//! |---|---|---|
//! | `exclude` | none | the fields to remove |
//! | `include` | all | the fields to keep; `exclude` wins over it |
//! | `renames` | none | items `old:new` between commas |
//! | `replace.null.with.default` | `true` | whether a null field is read as its schema's default |
//!
//! `include` and `exclude` have the old names. Only the outermost struct is changed. A name that the record does not have
//! does nothing. Two fields that get one name are an error. A tombstone passes.
//!
//! ```
//! use pgcdc_transform::try_on;
//!
//! let replace = "type=org.apache.kafka.connect.transforms.ReplaceField$Value
//!                exclude=password
//!                renames=mail:email";
//! let before = r#"{"value":{"id":7,"mail":"ann@example.com","password":"x"}}"#;
//! assert_eq!(try_on(replace, before), r#"{"value":{"id":7,"email":"ann@example.com"}}"#);
//! ```

use std::collections::HashMap;

use super::transform::{Built, Outcome, REPLACE_NULL, Transform, require_map, require_struct};
use crate::Fault;
use crate::cache::Recent;
use crate::data::{Kind, Record, Schema, SchemaBuilder, Side, Struct, Value};
use crate::options::{Options, java_split};

const PURPOSE: &str = "field replacement";

/// The lists. Debezium's transforms remove fields by it, too.
#[derive(Debug)]
pub(super) struct ReplaceField {
    side: Side,
    exclude: Vec<String>,
    /// Empty: all fields.
    include: Vec<String>,
    /// New names by old ones.
    renames: HashMap<String, String>,
    default_for_null: bool,
    schemas: Recent<Schema, Schema>,
}

pub(super) fn build(side: Side, options: &mut Options<'_>) -> Built {
    let exclude = options.distinct_or_none("exclude");
    let include = options.distinct_or_none("include");
    let mappings = options.list("renames").unwrap_or_default();
    let mut renames = HashMap::new();
    for mapping in &mappings {
        match java_split(mapping, ':')[..] {
            [from, to] => {
                renames.insert(from.to_owned(), to.to_owned());
            }
            _ => {
                // Kafka names the option without its prefix here.
                let message = format!(
                    "Invalid value {} for configuration renames: Invalid rename mapping: {mapping}",
                    crate::java::show_list(&mappings)
                );
                options.problem("renames", message);
                break;
            }
        }
    }
    let default_for_null = options.boolean(REPLACE_NULL, true);
    let schemas = Recent::new(16);
    Some(Box::new(ReplaceField { side, exclude, include, renames, default_for_null, schemas }))
}

impl ReplaceField {
    /// A transform that drops fields, for Debezium's transforms.
    pub(super) fn excluding(side: Side, fields: Vec<String>) -> Self {
        Self {
            side,
            exclude: fields,
            include: Vec::new(),
            renames: HashMap::new(),
            default_for_null: true,
            schemas: Recent::new(16),
        }
    }

    /// Whether a field, by its old name, stays.
    fn keeps(&self, name: &str) -> bool {
        let in_list = |list: &[String]| list.iter().any(|item| item == name);
        !in_list(&self.exclude) && (self.include.is_empty() || in_list(&self.include))
    }

    fn renamed<'a>(&'a self, name: &'a str) -> &'a str {
        self.renames.get(name).map_or(name, String::as_str)
    }

    /// The old name of a field of the new schema.
    fn original<'a>(&'a self, name: &'a str) -> &'a str {
        self.renames.iter().find(|(_, to)| *to == name).map_or(name, |(from, _)| from.as_str())
    }

    fn updated_schema(&mut self, schema: &Schema) -> Result<Schema, Fault> {
        if let Some(known) = self.schemas.get(schema) {
            return Ok(known.clone());
        }
        let mut builder = SchemaBuilder::like(schema, Kind::Struct);
        for field in schema.fields() {
            if self.keeps(&field.name) {
                builder.add_field(self.renamed(&field.name).into(), field.schema.clone())?;
            }
        }
        let updated = builder.build();
        self.schemas.put(schema.clone(), updated.clone());
        Ok(updated)
    }

    /// Changes one record.
    pub(super) fn replace(&mut self, record: Record) -> Result<Record, Fault> {
        let value = record.half(self.side);
        if value.is_null() {
            return Ok(record);
        }
        if record.schema(self.side).is_none() {
            let mut updated = Vec::new();
            for (key, value) in require_map(value, PURPOSE)? {
                let name = key.as_str().unwrap_or_default();
                if self.keeps(name) {
                    super::transform::map_put(&mut updated, self.renamed(name), value.clone());
                }
            }
            return Ok(record.with(self.side, None, Value::Map(updated.into())));
        }
        let old = require_struct(value, PURPOSE)?.clone();
        let schema = self.updated_schema(old.schema())?;
        let mut updated = Struct::new(schema.clone())?;
        for (at, field) in schema.fields().iter().enumerate() {
            let value = old.get_with(self.original(&field.name), self.default_for_null)?;
            updated.put_at(at, value.clone())?;
        }
        Ok(record.with(self.side, Some(schema), Value::Struct(updated.into())))
    }
}

impl Transform for ReplaceField {
    fn apply(&mut self, record: Record, _: i64) -> Outcome {
        self.replace(record).map(Some)
    }
}
