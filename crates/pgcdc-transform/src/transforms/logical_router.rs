//! Debezium's `ByLogicalTableRouter`, which is also known as `ToLogicalTopicRouter`: many topics become one.
//!
//! Classes: `io.debezium.transforms.ByLogicalTableRouter` and `io.debezium.transforms.ToLogicalTopicRouter`.
//!
//! It is for sharded tables: `orders_1`, `orders_2`, … go to one topic. Rows of different shards may have the same primary
//! key, so the key gets one more field with the name of the topic that the record came from.
//!
//! | option | default | meaning |
//! |---|---|---|
//! | `topic.regex` | required | which topics; it must match the whole name |
//! | `topic.replacement` | required | the new topic, with `$1` or `${name}` for groups |
//! | `key.enforce.uniqueness` | `true` | whether the key gets the field with the old topic |
//! | `key.field.name` | see below | the name of that field |
//! | `key.field.regex`, `key.field.replacement` | none | another value for it, made from the old topic |
//! | `schema.name.adjustment.mode` | `none` | `avro` or `avro_unicode` for the names of the new schemas |
//! | `logical.destination.cache.size` | 16 | how many schemas are kept; also as `logical.table.cache.size` |
//!
//! The field is `__dbz__physicalTableIdentifier` for the first class and `__dbz__sourceIdentifier` for the second.
//!
//! The schemas of key, event and row get names after the new topic. A topic that `topic.regex` does not match passes, and
//! so does one whose new name would be empty. A tombstone gets the new topic and the new key. A value that is no change
//! event stays as it is.
//!
//! The new schemas are kept by the old schema alone, without the new topic, as in Debezium. So two topics that share a
//! schema share the new schema's name, too, and the size of that memory shows in the records.
//!
//! ```
//! use pgcdc_transform::try_on;
//!
//! let router = r"type=io.debezium.transforms.ByLogicalTableRouter
//!                topic.regex=(.*)orders_\d+
//!                topic.replacement=$1orders";
//! let before = r#"{"topic":"shop.public.orders_2","key":{"id":7}}"#;
//! let key = r#"{"id":7,"__dbz__physicalTableIdentifier":"shop.public.orders_2"}"#;
//! assert_eq!(try_on(router, before), format!(r#"{{"topic":"shop.public.orders","key":{key}}}"#));
//! ```

use std::sync::Arc;

use super::transform::{Built, Outcome, Transform, is_envelope, require_struct};
use crate::Fault;
use crate::cache::Recent;
use crate::data::{Kind, Record, Schema, SchemaBuilder, Side, Struct, Value};
use crate::java::Pattern;
use crate::options::Options;
use pgcdc_format::names::NameAdjustment;

const PURPOSE: &str = "Updating schema";

/// The router with its remembered schemas.
#[derive(Debug)]
struct LogicalRouter {
    topic: Pattern,
    topic_replacement: String,
    /// The field that distinguishes keys of different tables.
    unique: Option<UniqueField>,
    adjustment: NameAdjustment,
    // Cached by the old schema alone, without the new topic, as in Debezium: the cache's size is part of the behaviour.
    keys: Recent<Schema, Schema>,
    values: Recent<Schema, Schema>,
}

/// The field that the key gets.
#[derive(Debug)]
struct UniqueField {
    name: Arc<str>,
    /// `key.field.regex` with its replacement; without a match the value is the old topic.
    regex: Option<(Pattern, String)>,
}

pub(super) fn build(options: &mut Options<'_>, default_field: &'static str) -> Built {
    let topic = options.debezium_required("topic.regex");
    let topic = topic.and_then(|text| options.debezium_regex("topic.regex", text));
    let topic_replacement = options.debezium_required("topic.replacement");
    let enforced = options.boolean("key.enforce.uniqueness", true);
    let key_regex = options.raw("key.field.regex").filter(|text| !text.trim().is_empty());
    let key_replacement = options.raw("key.field.replacement");
    let name = options.raw("key.field.name").unwrap_or(default_field).into();
    let adjustment = options.word("schema.name.adjustment.mode", NameAdjustment::WORDS, NameAdjustment::None);
    let room = options.integer("logical.destination.cache.size");
    let room = room.or_else(|| options.integer("logical.table.cache.size")).unwrap_or(16);
    let mut regex = None;
    if let Some(text) = key_regex {
        let compiled = options.debezium_regex("key.field.regex", text);
        match key_replacement.filter(|text| !text.trim().is_empty()) {
            Some(replacement) => regex = compiled.map(|compiled| (compiled, replacement.to_owned())),
            None => options.unfit(
                "key.field.replacement",
                "null",
                "key.field.replacement must be non-empty if key.field.regex is set.",
            ),
        }
    }
    let room = usize::try_from(room).unwrap_or(1);
    Some(Box::new(LogicalRouter {
        topic: topic?,
        topic_replacement: topic_replacement?.to_owned(),
        unique: enforced.then_some(UniqueField { name, regex }),
        adjustment,
        keys: Recent::new(room),
        values: Recent::new(room),
    }))
}

impl Transform for LogicalRouter {
    fn apply(&mut self, mut record: Record, _: i64) -> Outcome {
        if !self.topic.matches(&record.topic) {
            return Ok(Some(record));
        }
        let new_topic = self.topic.replace_first(&record.topic, &self.topic_replacement)?;
        if new_topic.is_empty() {
            return Ok(Some(record));
        }
        let old_topic = std::mem::replace(&mut record.topic, new_topic.as_str().into());
        if record.key.is_null() {
            record.key_schema = None;
        } else {
            let old_key = require_struct(&record.key, PURPOSE)?.clone();
            let schema = self.key_schema(old_key.schema(), &new_topic)?;
            let key = self.key(&schema, &old_key, &old_topic)?;
            record = record.with(Side::Key, Some(schema), key);
        }
        if record.value.is_null() || !is_envelope(&record) {
            return Ok(Some(record));
        }
        let old = require_struct(&record.value, PURPOSE)?.clone();
        let schema = self.envelope_schema(old.schema(), &new_topic)?;
        let value = envelope(&schema, &old)?;
        Ok(Some(record.with(Side::Value, Some(schema), value)))
    }
}

/// A copy of a schema with another name and other fields.
fn renamed(schema: &Schema, name: &str) -> SchemaBuilder {
    SchemaBuilder::like(schema, Kind::Struct).named(name).optional_if(schema.is_optional())
}

impl LogicalRouter {
    /// The new key's schema: the old fields, then the unique one.
    fn key_schema(&mut self, old: &Schema, topic: &str) -> Result<Schema, Fault> {
        if let Some(known) = self.keys.get(old) {
            return Ok(known.clone());
        }
        let mut builder = renamed(old, &self.adjustment.schema(&format!("{topic}.Key")));
        builder.add_fields_of(old)?;
        if let Some(unique) = &self.unique {
            builder.add_field(Arc::clone(&unique.name), Schema::plain(Kind::String, false))?;
        }
        let schema = builder.build();
        self.keys.put(old.clone(), schema.clone());
        Ok(schema)
    }

    /// The new key's value.
    fn key(&self, schema: &Schema, old: &Struct, old_topic: &str) -> Result<Value, Fault> {
        let mut key = Struct::new(schema.clone())?;
        for (field, value) in old.entries() {
            key.put(&field.name, value.clone())?;
        }
        if let Some(unique) = &self.unique {
            let table = match &unique.regex {
                Some((regex, replacement)) if regex.matches(old_topic) => {
                    regex.replace_first(old_topic, replacement)?
                }
                _ => old_topic.to_owned(),
            };
            key.put(&unique.name, Value::text(&table))?;
        }
        Ok(Value::Struct(key.into()))
    }

    /// The event's new schema. `before` and `after` share the schema of the row, which gets a new name, too.
    fn envelope_schema(&mut self, old: &Schema, topic: &str) -> Result<Schema, Fault> {
        if let Some(known) = self.values.get(old) {
            return Ok(known.clone());
        }
        let row = old.field("before").or_else(|| old.field("after"));
        let row = match row {
            None => None,
            Some(field) => {
                let name = self.adjustment.schema(&format!("{topic}.Value"));
                let mut builder = renamed(&field.schema, &name);
                for inner in field.schema.fields_of_struct()? {
                    builder.add_field(inner.name.clone(), inner.schema.clone())?;
                }
                Some(builder.build())
            }
        };
        let mut builder = renamed(old, &self.adjustment.schema(&format!("{topic}.Envelope")));
        for field in old.fields() {
            let schema = match &row {
                Some(row) if is_row(&field.name) => row.clone(),
                _ => field.schema.clone(),
            };
            builder.add_field(field.name.clone(), schema)?;
        }
        let schema = builder.build();
        self.values.put(old.clone(), schema.clone());
        Ok(schema)
    }
}

fn is_row(name: &str) -> bool {
    matches!(name, "before" | "after")
}

/// The event's value for the new schema: a struct must have the very schema that its field has.
fn envelope(schema: &Schema, old: &Struct) -> Result<Value, Fault> {
    let row_schema = schema.field("before").or_else(|| schema.field("after")).map(|field| &field.schema);
    let mut updated = Struct::new(schema.clone())?;
    for (at, field) in old.schema().fields().iter().enumerate() {
        let value = old.at(at);
        let value = match row_schema {
            Some(row_schema) if is_row(&field.name) && !value.is_null() => {
                let mut row = Struct::new(row_schema.clone())?;
                for (inner, value) in require_struct(value, PURPOSE)?.entries() {
                    row.put(&inner.name, value.clone())?;
                }
                Value::Struct(row.into())
            }
            _ => value.clone(),
        };
        updated.put(&field.name, value)?;
    }
    Ok(Value::Struct(updated.into()))
}
