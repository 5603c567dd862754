use std::collections::HashMap;

use super::{Built, Outcome, REPLACE_NULL, Transform, require_map, require_struct};
use crate::Fault;
use crate::cache::Recent;
use crate::data::{Kind, Record, Schema, SchemaBuilder, Side, Struct, Value};
use crate::options::{Options, java_split};

const PURPOSE: &str = "field replacement";

/// Kafka's `ReplaceField`: drops fields and renames fields.
#[derive(Debug)]
pub(super) struct ReplaceField {
    side: Side,
    exclude: Vec<String>,
    include: Vec<String>,
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

    fn keeps(&self, name: &str) -> bool {
        let in_list = |list: &[String]| list.iter().any(|item| item == name);
        !in_list(&self.exclude) && (self.include.is_empty() || in_list(&self.include))
    }

    fn renamed<'a>(&'a self, name: &'a str) -> &'a str {
        self.renames.get(name).map_or(name, String::as_str)
    }

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
                    super::map_put(&mut updated, self.renamed(name), value.clone());
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
