//! Debezium's outbox `EventRouter`: a row of an outbox table becomes a message of its own, in a topic of its own.
//!
//! Class: `io.debezium.transforms.outbox.EventRouter`.
//!
//! A program writes its business data and a row of the outbox table in one transaction. The router sends what that row
//! holds: its payload as the value, its key as the key, to a topic that a column names.
//!
//! | option | default | meaning |
//! |---|---|---|
//! | `table.field.event.id` | `id` | the column whose value goes into the header `id` |
//! | `table.field.event.key` | `aggregateid` | the column that becomes the key |
//! | `table.field.event.payload` | `payload` | the column that becomes the value |
//! | `table.field.event.timestamp` | the event's `ts_ms` | the column that becomes the record's timestamp |
//! | `table.field.event.schema.version` | none | the column with the version of the value's schema |
//! | `table.fields.additional.placement` | none | more columns: `column:header`, `column:envelope:name`, `column:partition` |
//! | `table.fields.additional.missing` | `error` | `error` or `ignore` for such a column that the table does not have |
//! | `route.by.field` | `aggregatetype` | the column with the routed value |
//! | `route.topic.regex` | `(?<routedByValue>.*)` | must match the routed value as a whole |
//! | `route.topic.replacement` | `outbox.event.${routedByValue}` | the topic |
//! | `route.tombstone.on.empty.payload` | `false` | whether a row with an empty payload becomes a tombstone |
//! | `table.expand.json.payload` | `false` | whether a JSON text becomes a structured value, with a derived schema |
//! | `table.json.payload.null.behavior` | `ignore` | `optional_bytes` makes a field of a null in that JSON |
//! | `table.json.payload.empty.array.behavior` | `ignore` | `optional_string` makes a field of an empty array |
//! | `field.name.adjustment.mode` | `none` | `avro` or `avro_unicode` for the field names of that JSON |
//! | `table.op.invalid.behavior` | `warn` | `fatal` stops at an update; `warn` and `error` drop it |
//!
//! A routed value that `route.topic.regex` does not match is the topic itself.
//!
//! Deletes and tombstones are dropped, so that a program may delete the row at once. A record that is no change event
//! passes. A null in the routed column is an error, and so is a payload column that the table does not have.
//!
//! With an `envelope` placement the value becomes a struct of `payload` and the placed columns. Without one, the value is
//! the payload alone. The schema of that struct is kept by the payload's schema alone, or by the version alone, as in
//! Debezium: the struct keeps the name of the topic that came first.
//!
//! Differences from Debezium: a wrong placement is refused at the start, where Debezium fails at the first event; the
//! tracing options are accepted and do nothing; `warn` and `error` write no log line.
//!
//! ```
//! use pgcdc_transform::try_on;
//!
//! let router = "type=io.debezium.transforms.outbox.EventRouter
//!               table.expand.json.payload=true
//!               table.fields.additional.placement=tenant:header";
//! let insert = r#"{"topic":"shop.public.outbox","event":{"op":"c","before":null,"ts_ms":1711846800123,"after":{
//!     "id":"e1","aggregatetype":"order","aggregateid":"42","payload":"{\"total\":9}","tenant":"acme"}}}"#;
//! let routed = r#"{"topic":"outbox.event.order","timestamp":1711846800123,"key":"42","value":{"total":9},"#;
//! assert_eq!(try_on(router, insert), format!(r#"{routed}"headers":{{"id":"e1","tenant":"acme"}}}}"#));
//!
//! let delete = r#"{"event":{"op":"d","before":{"id":"e1"},"after":null,"ts_ms":1711846800123}}"#;
//! assert_eq!(try_on(router, delete), "dropped");
//! ```

use std::sync::Arc;

use super::json_payload::JsonPayload;
use super::regex_router::RegexRouter;
use super::transform::{Built, Outcome, Transform, extract, is_envelope, require_struct};
use crate::Fault;
use crate::cache::Recent;
use crate::data::{Kind, Record, Schema, SchemaBuilder, Side, Struct, Value};
use crate::java;
use crate::json::Json;
use crate::options::{Options, java_split};
use pgcdc_format::names::NameAdjustment;

/// The router: the names of the outbox table's columns, and what is done with them.
#[derive(Debug)]
struct EventRouter {
    /// `table.op.invalid.behavior=fatal`.
    fails_on_update: bool,
    id: String,
    key: String,
    payload: String,
    timestamp: Option<String>,
    version: Option<String>,
    route_by: String,
    /// Makes the topic of the routed value; it is Kafka's transform, as in Debezium.
    router: RegexRouter,
    tombstones: bool,
    /// How a JSON payload is expanded, where the options ask for that.
    expand: Option<JsonPayload>,
    additional: Vec<Additional>,
    ignore_missing: bool,
    /// Whether no additional field goes into the value, so that the value is the payload alone.
    bare: bool,
    /// The header `id`, which every record gets: one text for all of them.
    id_header: Arc<str>,
    // Cached by the payload's schema alone, or by the version alone, as in Debezium: the first topic's name stays.
    schemas: Recent<Schema, Schema>,
    versions: Recent<Option<i32>, Schema>,
}

/// Where a column of `table.fields.additional.placement` goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Header,
    Envelope,
    Partition,
}

/// A field of `table.fields.additional.placement`.
#[derive(Debug)]
struct Additional {
    target: Target,
    /// The column.
    field: String,
    /// The name of the header or field; the column's own name where the option has none.
    alias: Arc<str>,
}

pub(super) fn build(options: &mut Options<'_>) -> Built {
    let on_update = options.word(
        "table.op.invalid.behavior",
        &[("warn", false), ("error", false), ("fatal", true)],
        false,
    );
    let mut named = |name: &str, default: &str| options.raw(name).unwrap_or(default).to_owned();
    let id = named("table.field.event.id", "id");
    let key = named("table.field.event.key", "aggregateid");
    named("table.field.event.type", "type");
    let payload = named("table.field.event.payload", "payload");
    let route_by = named("route.by.field", "aggregatetype");
    let replacement = named("route.topic.replacement", "outbox.event.${routedByValue}");
    let regex = named("route.topic.regex", "(?<routedByValue>.*)");
    // Options of Debezium's tracing, which has no effect there either unless a tracer is set up.
    for name in ["tracing.span.context.field", "tracing.operation.name", "tracing.with.context.field.only"] {
        named(name, "");
    }
    let timestamp = options.raw("table.field.event.timestamp").map(str::to_owned);
    let version = options.raw("table.field.event.schema.version").map(str::to_owned);
    let regex = options.debezium_regex("route.topic.regex", &regex);
    let tombstones = options.boolean("route.tombstone.on.empty.payload", false);
    let expands = options.boolean("table.expand.json.payload", false);
    let null_as_bytes = options.word(
        "table.json.payload.null.behavior",
        &[("ignore", false), ("optional_bytes", true)],
        false,
    );
    let empty_as_strings = options.word(
        "table.json.payload.empty.array.behavior",
        &[("ignore", false), ("optional_string", true)],
        false,
    );
    let adjustment = options.word("field.name.adjustment.mode", NameAdjustment::WORDS, NameAdjustment::None);
    let ignore_missing =
        options.word("table.field.additional.missing", &[("error", false), ("ignore", true)], false);
    let additional = additional(options);
    let bare = additional.iter().all(|field| field.target != Target::Envelope);
    Some(Box::new(EventRouter {
        fails_on_update: on_update,
        id,
        key,
        payload,
        timestamp,
        version,
        route_by,
        router: RegexRouter::new(regex?, replacement),
        tombstones,
        expand: expands.then_some(JsonPayload { null_as_bytes, empty_as_strings, adjustment }),
        additional,
        ignore_missing,
        bare,
        id_header: "id".into(),
        schemas: Recent::new(10_000),
        versions: Recent::new(usize::MAX),
    }))
}

/// Reads `table.fields.additional.placement`.
fn additional(options: &mut Options<'_>) -> Vec<Additional> {
    const LIST: &str = "table.fields.additional.placement";
    let Some(list) = options.raw(LIST) else { return Vec::new() };
    let items = java_split(list, ',');
    let mut found = Vec::new();
    for item in &items {
        let parts = java_split(item, ':');
        let (field, place, alias) = match parts[..] {
            [field, place] => (field.trim(), place.trim(), field.trim()),
            [field, place, alias] => (field.trim(), place.trim(), alias.trim()),
            _ => {
                let shown = java::show_list(&items);
                let reason = format!(
                    "A comma-separated list of valid String pairs or trios is expected but got: {shown}"
                );
                options.unfit(LIST, list, &reason);
                return found;
            }
        };
        const TARGETS: [(&str, Target); 3] =
            [("header", Target::Header), ("envelope", Target::Envelope), ("partition", Target::Partition)];
        match TARGETS.iter().find(|(word, _)| word.eq_ignore_ascii_case(place)) {
            Some((_, target)) => {
                found.push(Additional { target: *target, field: field.to_owned(), alias: alias.into() });
            }
            // Debezium accepts the option, and fails at the first event.
            None => options.problem(
                LIST,
                format!("{place} is no place for a field: write header, envelope or partition"),
            ),
        }
    }
    found
}

impl Transform for EventRouter {
    fn apply(&mut self, record: Record, _: i64) -> Outcome {
        if record.value.is_null() {
            return Ok(None);
        }
        if !is_envelope(&record) {
            return Ok(Some(record));
        }
        let event = require_struct(&record.value, "Detect Debezium Operation")?.clone();
        match event.string("op")? {
            None => {
                return Err(Fault::null("Cannot invoke \"String.equals(Object)\" because \"op\" is null"));
            }
            Some("d") => return Ok(None),
            Some("u") if self.fails_on_update => {
                return Err(Fault::state(format!(
                    "Unexpected update message received of topic {}, fail.",
                    record.topic
                )));
            }
            Some("u") => return Ok(None),
            Some(_) => {}
        }
        let (row_schema, row) = extract(record.value_schema.as_ref(), &record.value, "after")?;
        let row = require_struct(&row, "Read Outbox Event")?.clone();
        let row_schema = row_schema.unwrap_or_else(|| row.schema().clone());
        self.route(record, &event, &row_schema, &row)
    }
}

impl EventRouter {
    /// Makes the message of a row. The order of the steps is Debezium's, since the first mistake in a row decides the error.
    fn route(&mut self, mut record: Record, event: &Struct, row_schema: &Schema, row: &Struct) -> Outcome {
        let payload_field = row_schema.field(&self.payload);
        let payload_field = payload_field.ok_or_else(|| {
            Fault::connect(format!("Unable to find payload field {} in event", self.payload))
        })?;
        record.timestamp = self.timestamp(event, row)?;
        let id = row.get(&self.id)?.clone();
        let payload = row.get(&self.payload)?.clone();
        let id_schema = row_schema.field(&self.id).map(|field| field.schema.clone());
        record.add_header(&self.id_header, id_schema, id);
        let (payload_schema, payload) = self.expanded(&payload_field.schema, payload);
        let topic = row.string(&self.route_by)?.map(str::to_owned);
        let envelope_schema = if self.bare {
            None
        } else {
            let schema = payload_schema.as_ref().ok_or_else(no_payload_schema)?;
            Some(self.value_schema(schema, row_schema, row, topic.as_deref())?)
        };
        let mut envelope = envelope_schema.clone().map(Struct::new).transpose()?;
        if let Some(envelope) = &mut envelope {
            envelope.put("payload", payload.clone())?;
        }
        record.partition = None;
        self.add_fields(&mut record, envelope.as_mut(), row_schema, row)?;
        let empty = payload.is_null() || java::show(&payload).trim().is_empty();
        let key_schema = row_schema.field(&self.key).map(|field| field.schema.clone());
        let key = row.get(&self.key)?.clone();
        let key_schema = key_schema.unwrap_or_else(|| Schema::plain(Kind::String, false));
        record = record.with(Side::Key, Some(key_schema), key);
        record = match envelope {
            _ if empty && self.tombstones => record.with(Side::Value, None, Value::Null),
            None => record.with(Side::Value, payload_schema, payload),
            Some(envelope) => record.with(Side::Value, envelope_schema, Value::Struct(envelope.into())),
        };
        let Some(topic) = topic else {
            return Err(Fault::null(
                "Cannot invoke \"java.lang.CharSequence.length()\" because \"this.text\" is null",
            ));
        };
        record.topic = topic.into();
        self.router.route(record).map(Some)
    }

    /// Schema and value of the payload, expanded where it is JSON text and the options ask for that.
    fn expanded(&self, schema: &Schema, payload: Value) -> (Option<Schema>, Value) {
        let unchanged = |payload| (Some(schema.clone()), payload);
        let (Some(expand), Value::String(text)) = (self.expand, &payload) else { return unchanged(payload) };
        if !text.starts_with(['{', '[']) {
            return unchanged(payload);
        }
        let Ok(json) = Json::parse(text.as_bytes()) else { return unchanged(payload) };
        let Ok(schema) = expand.schema(Some(&self.payload), &json) else { return unchanged(payload) };
        // A failure half way leaves the new schema with the old value, as in Debezium.
        let value = schema.as_ref().and_then(|schema| expand.value(&json, schema).ok());
        (schema, value.unwrap_or(payload))
    }

    /// Adds the fields of `table.fields.additional.placement` to the value's struct, the headers and the partition.
    fn add_fields(
        &self,
        record: &mut Record,
        mut envelope: Option<&mut Struct>,
        row_schema: &Schema,
        row: &Struct,
    ) -> Result<(), Fault> {
        for field in &self.additional {
            if self.ignore_missing && row.schema().field(&field.field).is_none() {
                continue;
            }
            match field.target {
                Target::Envelope => {
                    if let Some(envelope) = &mut envelope {
                        envelope.put(&field.alias, row.get(&field.field)?.clone())?;
                    }
                }
                Target::Header => {
                    let value = row.get(&field.field)?.clone();
                    let schema = row_schema.field(&field.field).map(|field| field.schema.clone());
                    record.add_header(&field.alias, schema, value);
                }
                Target::Partition => {
                    if let Value::Int32(partition) = row.typed(&field.field, Kind::Int32)? {
                        record.partition = Some(*partition);
                    }
                }
            }
        }
        Ok(())
    }

    /// The record's timestamp in milliseconds: the column's value, or the event's own time where the column is null.
    fn timestamp(&self, event: &Struct, row: &Struct) -> Result<Option<i64>, Fault> {
        let of_event = || match event.typed("ts_ms", Kind::Int64)? {
            Value::Int64(millis) => Ok(Some(*millis)),
            _ => Ok(None),
        };
        let Some(name) = &self.timestamp else { return of_event() };
        let field = row.schema().field(name);
        let field =
            field.ok_or_else(|| Fault::connect(format!("Unable to find timestamp field {name} in event")))?;
        let units = match row.typed(name, Kind::Int64)? {
            Value::Int64(units) => *units,
            Value::Null => return of_event(),
            other => {
                return Err(Fault::cast(format!(
                    "class {} cannot be cast to class java.lang.Long",
                    other.class()
                )));
            }
        };
        match field.schema.name() {
            None => Err(Fault::connect(format!(
                "Unsupported field type {} (without logical schema name) for event timestamp",
                field.schema.kind()
            ))),
            Some("io.debezium.time.Timestamp") => Ok(Some(units)),
            Some("io.debezium.time.MicroTimestamp") => Ok(Some(units / 1000)),
            Some("io.debezium.time.NanoTimestamp") => Ok(Some(units / 1_000_000)),
            Some(other) => Err(Fault::connect(format!("Unsupported field type {other} for event timestamp"))),
        }
    }

    /// The schema of the struct that holds the payload and the placed columns: a remembered one, or a new one.
    fn value_schema(
        &mut self,
        payload: &Schema,
        row_schema: &Schema,
        row: &Struct,
        topic: Option<&str>,
    ) -> Result<Schema, Fault> {
        let version = match &self.version {
            None => {
                if let Some(known) = self.schemas.get(payload) {
                    return Ok(known.clone());
                }
                None
            }
            Some(field) => {
                let version = match row.typed(field, Kind::Int32)? {
                    Value::Int32(version) => Some(*version),
                    _ => None,
                };
                if let Some(known) = self.versions.get(&version) {
                    return Ok(known.clone());
                }
                Some(version)
            }
        };
        let mut builder = SchemaBuilder::new(Kind::Struct).named(&schema_name(row_schema.name(), topic));
        builder.add_field("payload".into(), payload.clone())?;
        for field in self.additional.iter().filter(|field| field.target == Target::Envelope) {
            match row_schema.field(&field.field) {
                Some(found) => builder.add_field(Arc::clone(&field.alias), found.schema.clone())?,
                None if self.ignore_missing => {}
                None => {
                    return Err(Fault::connect(format!("Unable to find field {} in event", field.field)));
                }
            }
        }
        Ok(match version {
            None => {
                let schema = builder.build();
                self.schemas.put(payload.clone(), schema.clone());
                schema
            }
            Some(version) => {
                let schema = match version {
                    None => builder.build(),
                    Some(version) => builder.version(version).build(),
                };
                self.versions.put(version, schema.clone());
                schema
            }
        })
    }
}

/// The error for a payload that was left out by [`JsonPayload`]: a struct needs a schema for its field.
fn no_payload_schema() -> Fault {
    Fault::schema("fieldSchema for field payload cannot be null.")
}

/// The row's schema name, with the routed value before its last word.
fn schema_name(row: Option<&str>, topic: Option<&str>) -> String {
    let topic = topic.unwrap_or("null");
    match row {
        None => topic.to_owned(),
        Some(name) => match name.rfind('.') {
            Some(dot) => format!("{}{topic}.{}", &name[..=dot], &name[dot + 1..]),
            None => format!("{topic}.{name}"),
        },
    }
}
