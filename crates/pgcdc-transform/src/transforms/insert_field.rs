//! Kafka's `InsertField`: adds fields with the record's topic, partition or timestamp, or with a constant.
//!
//! Classes: `org.apache.kafka.connect.transforms.InsertField$Key` and `…InsertField$Value`.
//!
//! | option | default | meaning |
//! |---|---|---|
//! | `topic.field` | none | the field for the topic's name |
//! | `partition.field` | none | the field for the partition, where an earlier transform has chosen one |
//! | `timestamp.field` | none | the field for the record's timestamp, where an earlier transform has set one |
//! | `static.field`, `static.value` | none | a field and its constant text |
//! | `offset.field` | none | only for sinks: an error at the first record, as in Kafka |
//! | `replace.null.with.default` | `true` | whether null fields of the record are replaced by their defaults |
//!
//! At least one field must be named. A `!` at the end of a name makes the field required, a `?` optional; optional is the
//! default. A required field without a value is an error when the converter writes the record.
//!
//! Debezium's records have no timestamp of their own, so `timestamp.field` is useful only behind a transform that sets
//! one, such as [`event_router`](super::event_router). A tombstone passes. A field of the name is an error with a schema,
//! and is overwritten without one.
//!
//! ```
//! use pgcdc_transform::try_on;
//!
//! let insert = "type=org.apache.kafka.connect.transforms.InsertField$Value
//!               topic.field=origin
//!               static.field=region
//!               static.value=north";
//! let before = r#"{"topic":"shop.public.items","value":{"id":7}}"#;
//! let after = r#"{"topic":"shop.public.items","value":{"id":7,"origin":"shop.public.items","region":"north"}}"#;
//! assert_eq!(try_on(insert, before), after);
//! ```

use std::sync::Arc;

use super::transform::{Built, Outcome, REPLACE_NULL, Transform, map_put, require_map, require_struct};
use crate::Fault;
use crate::cache::Recent;
use crate::data::{Kind, Logical, Record, Schema, SchemaBuilder, Side, Struct, Value};
use crate::options::Options;

const PURPOSE: &str = "field insertion";

/// The fields to add. [`new_state`](super::new_state) uses it for `__deleted`.
#[derive(Debug)]
pub(super) struct InsertField {
    side: Side,
    topic: Option<Inserted>,
    partition: Option<Inserted>,
    offset: Option<Inserted>,
    timestamp: Option<Inserted>,
    constant: Option<(Inserted, Arc<str>)>,
    default_for_null: bool,
    schemas: Recent<Schema, Schema>,
}

/// A field's name, and whether it is optional.
#[derive(Clone, Debug)]
struct Inserted {
    name: String,
    optional: bool,
}

impl Inserted {
    /// Reads a name; a `!` at its end makes the field required, a `?` optional.
    fn parse(text: &str) -> Self {
        let required = text.strip_suffix('!');
        let name = required.unwrap_or_else(|| text.strip_suffix('?').unwrap_or(text));
        Self { name: name.to_owned(), optional: required.is_none() }
    }
}

pub(super) fn build(side: Side, options: &mut Options<'_>) -> Built {
    let mut inserted = |name: &str| options.text(name).map(Inserted::parse);
    let topic = inserted("topic.field");
    let partition = inserted("partition.field");
    let offset = inserted("offset.field");
    let timestamp = inserted("timestamp.field");
    let named = inserted("static.field");
    let value = options.text("static.value");
    let default_for_null = options.boolean(REPLACE_NULL, true);
    if [&topic, &partition, &offset, &timestamp, &named].into_iter().all(Option::is_none) {
        options.problem("type", "No field insertion configured");
        return None;
    }
    let constant = match (named, value) {
        (Some(field), Some(value)) => Some((field, value.into())),
        (Some(field), None) => {
            let reason = format!("No value specified for static field: {}", field.name);
            options.invalid("static.value", "null", &reason);
            return None;
        }
        (None, _) => None,
    };
    let schemas = Recent::new(16);
    Some(Box::new(InsertField {
        side,
        topic,
        partition,
        offset,
        timestamp,
        constant,
        default_for_null,
        schemas,
    }))
}

impl InsertField {
    /// A transform that adds a constant to the value, for Debezium's transforms.
    pub(super) fn constant(name: &str, value: &str, default_for_null: bool) -> Self {
        Self {
            side: Side::Value,
            topic: None,
            partition: None,
            offset: None,
            timestamp: None,
            constant: Some((Inserted::parse(name), value.into())),
            default_for_null,
            schemas: Recent::new(16),
        }
    }

    /// The schema with the new fields behind the old ones.
    fn updated_schema(&mut self, schema: &Schema) -> Result<Schema, Fault> {
        if let Some(known) = self.schemas.get(schema) {
            return Ok(known.clone());
        }
        let mut builder = SchemaBuilder::like(schema, Kind::Struct);
        for field in schema.fields() {
            builder.add_field(Arc::clone(&field.name), field.schema.clone())?;
        }
        let constant = self.constant.as_ref().map(|(field, _)| field);
        let plain = [
            (self.topic.as_ref(), Kind::String),
            (self.partition.as_ref(), Kind::Int32),
            (self.offset.as_ref(), Kind::Int64),
            (self.timestamp.as_ref(), Kind::Int64),
            (constant, Kind::String),
        ];
        for (at, (field, kind)) in plain.into_iter().enumerate() {
            let Some(field) = field else { continue };
            let mut schema = SchemaBuilder::new(kind).optional_if(field.optional);
            if at == 3 {
                schema = schema.named(Logical::Timestamp.name()).version(1);
            }
            builder.add_field(field.name.as_str().into(), schema.build())?;
        }
        let updated = builder.build();
        self.schemas.put(schema.clone(), updated.clone());
        Ok(updated)
    }

    /// The fields to add with their values, in order.
    fn insertions(&self, record: &Record, schemaless: bool) -> Result<Vec<(&str, Value)>, Fault> {
        let mut found = Vec::new();
        if let Some(field) = &self.topic {
            found.push((field.name.as_str(), Value::String(Arc::clone(&record.topic))));
        }
        if let (Some(field), Some(partition)) = (&self.partition, record.partition) {
            found.push((field.name.as_str(), Value::Int32(partition)));
        }
        if self.offset.is_some() {
            return Err(Fault::data(format!(
                "Only SinkRecord supported for [{PURPOSE}], found: org.apache.kafka.connect.source.SourceRecord"
            )));
        }
        if let (Some(field), Some(millis)) = (&self.timestamp, record.timestamp) {
            let value = if schemaless { Value::Int64(millis) } else { Value::Date(millis) };
            found.push((field.name.as_str(), value));
        }
        if let Some((field, value)) = &self.constant {
            found.push((field.name.as_str(), Value::String(Arc::clone(value))));
        }
        Ok(found)
    }

    /// Adds the fields to one record.
    pub(super) fn insert(&mut self, record: Record) -> Result<Record, Fault> {
        let value = record.half(self.side);
        if value.is_null() {
            return Ok(record);
        }
        if record.schema(self.side).is_none() {
            let mut updated = require_map(value, PURPOSE)?.clone();
            for (name, value) in self.insertions(&record, true)? {
                map_put(&mut updated, name, value);
            }
            return Ok(record.with(self.side, None, Value::Map(updated.into())));
        }
        let old = require_struct(value, PURPOSE)?.clone();
        let schema = self.updated_schema(old.schema())?;
        let mut updated = Struct::new(schema.clone())?;
        for at in 0..old.values().len() {
            updated.put_at(at, old.at_with(at, self.default_for_null).clone())?;
        }
        for (name, value) in self.insertions(&record, false)? {
            updated.put(name, value)?;
        }
        Ok(record.with(self.side, Some(schema), Value::Struct(updated.into())))
    }
}

impl Transform for InsertField {
    fn apply(&mut self, record: Record, _: i64) -> Outcome {
        self.insert(record).map(Some)
    }
}
