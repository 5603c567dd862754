//! Debezium's `ExtractNewRecordState`: a change event becomes the row alone, as most consumers want it.
//!
//! Class: `io.debezium.transforms.ExtractNewRecordState`.
//!
//! When it is the only transform and its options are simple ones, pgcdc's encoder writes the rows at once and this code is
//! not used. The records are the same.
//!
//! | option | default | meaning |
//! |---|---|---|
//! | `delete.tombstone.handling.mode` | `tombstone` | see below |
//! | `add.fields` | none | fields of the event to add to the row: `op,source.ts_ms,table:t` |
//! | `add.fields.prefix` | `__` | the text before the name of each such field |
//! | `add.headers` | none | the same for headers |
//! | `add.headers.prefix` | `__` | the text before the name of each such header |
//! | `route.by.field` | none | the column with the name of the topic |
//! | `drop.fields.header.name` | none | a header that lists fields to remove, see [`changed_state`](super::changed_state) |
//! | `drop.fields.from.key` | `false` | whether they are removed from the key, too |
//! | `drop.fields.keep.schema.compatible` | `true` | whether only optional fields are removed |
//! | `replace.null.with.default` | `true` | whether a null of the row is replaced by its default when `__deleted` is added |
//!
//! What becomes of a delete and of its tombstone:
//!
//! | mode | the delete | its tombstone |
//! |---|---|---|
//! | `drop` | dropped | dropped |
//! | `tombstone` | a tombstone with the row's schema | dropped |
//! | `delete-to-tombstone` | a tombstone without a schema | dropped |
//! | `rewrite` | the old row, with `__deleted` = `"true"` | dropped |
//! | `rewrite-with-tombstone` | the old row, with `__deleted` = `"true"` | sent |
//!
//! With either rewriting mode every other row gets `__deleted` = `"false"`.
//!
//! A name without a dot is looked for where Debezium looks for it: `op` and `ts_ms` in the event, `id` and `total_order` in
//! `transaction`, every other name in `source`. The new field is named `<prefix><name>`, or `<prefix><block>_<name>` for a
//! name with a dot, or `<prefix><alias>` for `name:alias`.
//!
//! A truncate is dropped. A record that is no change event passes: a heartbeat, a transaction's begin and end.
//!
//! ```
//! use pgcdc_transform::try_on;
//!
//! let unwrap = "type=io.debezium.transforms.ExtractNewRecordState
//!               delete.tombstone.handling.mode=rewrite
//!               add.fields=op,lsn";
//! let update = r#"{"event":{"op":"u","before":null,"after":{"id":7},"source":{"lsn":99}}}"#;
//! assert_eq!(try_on(unwrap, update), r#"{"value":{"id":7,"__deleted":"false","__op":"u","__lsn":99}}"#);
//!
//! let delete = r#"{"event":{"op":"d","before":{"id":7},"after":null,"source":{"lsn":99}}}"#;
//! assert_eq!(try_on(unwrap, delete), r#"{"value":{"id":7,"__deleted":"true","__op":"d","__lsn":99}}"#);
//! assert_eq!(try_on(unwrap, r#"{"key":{"id":7}}"#), "dropped");
//! ```

use std::sync::Arc;

use super::insert_field::InsertField;
use super::replace_field::ReplaceField;
use super::shared_headers::SharedHeaders;
use super::transform::{Built, Outcome, Transform, extract, is_envelope, require_struct};
use crate::Fault;
use crate::cache::Recent;
use crate::data::{Kind, Record, Schema, SchemaBuilder, Side, Struct, Value};
use crate::options::{Options, java_split};

/// `delete.tombstone.handling.mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deletes {
    Drop,
    Tombstone,
    Rewrite,
    RewriteWithTombstone,
    DeleteToTombstone,
}

/// The transform, for any position in a chain.
#[derive(Debug)]
struct NewState {
    deletes: Deletes,
    /// `add.fields`.
    fields: Vec<Reference>,
    /// `add.headers`.
    headers: Vec<Reference>,
    route_by: Option<String>,
    drop_header: Option<String>,
    drop_from_key: bool,
    keep_compatible: bool,
    /// Add `__deleted` with `true` and `false`; Debezium uses Kafka's transform for it.
    mark_deleted: InsertField,
    mark_kept: InsertField,
    /// The row's schema with the added fields, by the row's schema and the operation.
    schemas: Recent<(Schema, Option<Arc<str>>), Schema>,
    shared: SharedHeaders,
}

/// A field of `add.fields` or `add.headers`.
#[derive(Debug)]
struct Reference {
    /// The struct that has the field; `None` for the event itself.
    host: Option<String>,
    field: String,
    /// The name of the new field or header.
    name: Arc<str>,
}

pub(super) fn build(options: &mut Options<'_>) -> Built {
    const MODES: &[(&str, Deletes)] = &[
        ("drop", Deletes::Drop),
        ("tombstone", Deletes::Tombstone),
        ("rewrite", Deletes::Rewrite),
        ("rewrite-with-tombstone", Deletes::RewriteWithTombstone),
        ("delete-to-tombstone", Deletes::DeleteToTombstone),
    ];
    const MODE: &str = "delete.tombstone.handling.mode";
    let word = options.raw(MODE).unwrap_or("tombstone");
    let known = MODES.iter().find(|(known, _)| known.eq_ignore_ascii_case(word.trim()));
    let deletes = known.map_or(Deletes::Tombstone, |(_, deletes)| *deletes);
    if known.is_none() {
        let words = "drop, tombstone, rewrite-with-tombstone, rewrite, delete-to-tombstone";
        options.invalid(MODE, word, &format!("Value must be one of {words}"));
    }
    let default_for_null = options.boolean("replace.null.with.default", true);
    let fields = references(options, "add.fields", "add.fields.prefix");
    let headers = references(options, "add.headers", "add.headers.prefix");
    let route_by = options.raw("route.by.field").filter(|field| !field.is_empty()).map(str::to_owned);
    let drop_header = options.raw("drop.fields.header.name").filter(|name| !name.trim().is_empty());
    let drop_header = drop_header.map(str::to_owned);
    let drop_from_key = options.boolean("drop.fields.from.key", false);
    let keep_compatible = options.boolean("drop.fields.keep.schema.compatible", true);
    Some(Box::new(NewState {
        deletes,
        fields,
        headers,
        route_by,
        drop_header,
        drop_from_key,
        keep_compatible,
        mark_deleted: InsertField::constant("__deleted", "true", default_for_null),
        mark_kept: InsertField::constant("__deleted", "false", default_for_null),
        schemas: Recent::new(64),
        shared: SharedHeaders::default(),
    }))
}

/// Reads `add.fields` or `add.headers`.
fn references(options: &mut Options<'_>, name: &str, prefix_name: &str) -> Vec<Reference> {
    let prefix = options.raw(prefix_name).unwrap_or("__").to_owned();
    let Some(list) = options.raw(name).filter(|list| !list.is_empty()) else { return Vec::new() };
    let mut found = Vec::new();
    for item in java_split(list, ',') {
        match Reference::parse(&prefix, item.trim()) {
            Some(reference) => found.push(reference),
            None => options.problem(name, format!("Unexpected field name: {}", item.trim())),
        }
    }
    found
}

impl Reference {
    /// Reads `op`, `source.ts_ms` or `table:alias`; `None` for anything else. Parts behind a second dot are ignored, as in
    /// Debezium.
    fn parse(prefix: &str, item: &str) -> Option<Self> {
        let parts = java_split(item, ':');
        let steps = java_split(parts.first()?, '.');
        let (host, field) = match steps[..] {
            [field] => (host_of(field), field),
            [host, field, ..] => (Some(host), field),
            [] => return None,
        };
        let name = match (parts.as_slice(), steps.len()) {
            ([_], 1) => format!("{prefix}{field}"),
            ([_], _) => format!("{prefix}{}_{field}", host.unwrap_or_default()),
            ([_, name], _) => format!("{prefix}{name}"),
            _ => return None,
        };
        Some(Self { host: host.map(str::to_owned), field: field.to_owned(), name: name.into() })
    }

    /// The schema of the new field in a record of this schema; `None` where there is no such field.
    fn schema(&self, event: &Schema) -> Result<Option<Schema>, Fault> {
        let host = match &self.host {
            None => event,
            Some(host) => {
                let field = event.field(host).ok_or_else(|| {
                    Fault::null("Cannot invoke \"org.apache.kafka.connect.data.Field.schema()\" because the return value of \"org.apache.kafka.connect.data.Schema.field(String)\" is null")
                })?;
                &field.schema
            }
        };
        let found = host.field_of_struct(&self.field)?.or_else(|| event.field(&self.field));
        Ok(found.map(|field| SchemaBuilder::same_kind(&field.schema).optional().build()))
    }

    /// The value of the new field. A null block gives null; a field that the block does not have is looked for in the
    /// event itself.
    fn value(&self, event: &Struct) -> Result<Value, Fault> {
        let host = match &self.host {
            None => event,
            Some(host) => match event.raw(host)? {
                Value::Null => return Ok(Value::Null),
                Value::Struct(inner) => inner,
                other => {
                    return Err(Fault::cast(format!(
                        "class {} cannot be cast to class org.apache.kafka.connect.data.Struct",
                        other.class()
                    )));
                }
            },
        };
        let from = if host.schema().field(&self.field).is_some() { host } else { event };
        from.raw(&self.field).cloned()
    }
}

/// The struct in which Debezium looks for a field that is named without one.
fn host_of(field: &str) -> Option<&'static str> {
    match field {
        "id" | "data_collection_order" | "total_order" => Some("transaction"),
        "op" | "ts_ms" | "ts_us" | "ts_ns" => None,
        "updateDescription" => Some("updateDescription"),
        _ => Some("source"),
    }
}

impl Transform for NewState {
    fn arrive(&mut self, record: &mut Record) {
        self.shared.arrive(record);
    }

    fn apply(&mut self, mut record: Record, _: i64) -> Outcome {
        let valid = is_envelope(&record);
        if record.value.is_null() {
            for reference in self.headers.iter().filter(|reference| reference.field == "op") {
                let schema = Schema::plain(Kind::String, false);
                record.add_header(&reference.name, Some(schema), Value::text("d"));
            }
            return Ok((self.deletes == Deletes::RewriteWithTombstone).then_some(record));
        }
        if !valid {
            return Ok(Some(record));
        }
        let event = require_struct(&record.value, "field extraction")?.clone();
        let start = record.headers.len();
        for reference in &self.headers {
            if let Some(schema) = reference.schema(event.schema())? {
                record.add_header(&reference.name, Some(schema), reference.value(&event)?);
            }
        }
        self.shared.added(&record, start);
        let schema = record.value_schema.clone();
        let (after_schema, after) = extract(schema.as_ref(), &record.value, "after")?;
        let before = || extract(schema.as_ref(), &record.value, "before");
        if !after.is_null() {
            return self.kept(record.clone().with(Side::Value, after_schema, after), &event).map(Some);
        }
        let (before_schema, before) = before()?;
        if before.is_null() {
            return Ok(None); // a truncate
        }
        let deleted = match self.deletes {
            Deletes::Drop => return Ok(None),
            Deletes::Tombstone => record.with(Side::Value, after_schema, Value::Null),
            Deletes::DeleteToTombstone => record.with(Side::Value, None, Value::Null),
            Deletes::Rewrite | Deletes::RewriteWithTombstone => {
                self.mark_deleted.insert(record.with(Side::Value, before_schema, before))?
            }
        };
        self.deleted(deleted, &event).map(Some)
    }
}

impl NewState {
    /// Finishes a delete. `record` already has its new value: null, or the old row.
    fn deleted(&mut self, mut record: Record, event: &Struct) -> Result<Record, Fault> {
        if let Some(field) = &self.route_by {
            let before = event.nested("before")?.ok_or_else(|| Fault::null("before is null"))?;
            set_topic(&mut record, before.string(field)?);
        }
        record = self.drop_fields(record)?;
        if record.value.is_null() { Ok(record) } else { self.add_fields(record, event) }
    }

    /// Finishes an insert, an update or a row of a snapshot. `record` already has the row as its value.
    fn kept(&mut self, mut record: Record, event: &Struct) -> Result<Record, Fault> {
        if matches!(self.deletes, Deletes::Rewrite | Deletes::RewriteWithTombstone) {
            record = self.mark_kept.insert(record)?;
        }
        if let Some(field) = &self.route_by {
            let value =
                require_struct(&record.value, "Read record to set topic routing for CREATE / UPDATE")?;
            let topic = value.string(field)?.map(str::to_owned);
            set_topic(&mut record, topic.as_deref());
        }
        let record = self.add_fields(record, event)?;
        self.drop_fields(record)
    }

    /// Adds the fields of `add.fields` behind the row's own. A block that the event does not have adds nothing.
    fn add_fields(&mut self, record: Record, event: &Struct) -> Result<Record, Fault> {
        let value = require_struct(&record.value, "source field insertion")?.clone();
        let operation = event.string("op")?.map(Arc::from);
        let fields = &self.fields;
        let schema = self.schemas.get_or(&(value.schema().clone(), operation), || {
            let mut builder = SchemaBuilder::like(value.schema(), Kind::Struct);
            for field in value.schema().fields() {
                builder.add_field(Arc::clone(&field.name), field.schema.clone())?;
            }
            for reference in fields {
                if let Some(schema) = reference.schema(event.schema())? {
                    builder.add_field(Arc::clone(&reference.name), schema)?;
                }
            }
            Ok::<_, Fault>(builder.build())
        })?;
        let mut updated = Struct::new(schema.clone())?;
        for (at, value) in value.values().iter().enumerate() {
            updated.put_at(at, value.clone())?;
        }
        for reference in fields {
            if reference.schema(event.schema())?.is_some() {
                updated.put(&reference.name, reference.value(event)?)?;
            }
        }
        Ok(record.with(Side::Value, Some(schema), Value::Struct(updated.into())))
    }

    /// Removes the fields that the header `drop.fields.header.name` lists.
    fn drop_fields(&self, mut record: Record) -> Result<Record, Fault> {
        let Some(name) = &self.drop_header else { return Ok(record) };
        let Some(header) = record.headers.iter().find(|header| *header.key == **name) else {
            return Ok(record);
        };
        let names: Vec<String> = match &header.value {
            Value::Null => return Ok(record),
            Value::Array(items) => items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect(),
            other => {
                return Err(Fault::cast(format!(
                    "class {} cannot be cast to class java.util.List",
                    other.class()
                )));
            }
        };
        if self.drop_from_key && !record.key.is_null() {
            record = self.without(record, Side::Key, &names)?;
        }
        self.without(record, Side::Value, &names)
    }

    /// A half of the record without these fields. With `drop.fields.keep.schema.compatible` a required field stays, since a
    /// reader with the old schema could not do without it.
    fn without(&self, record: Record, side: Side, names: &[String]) -> Result<Record, Fault> {
        let mut dropped = names.to_vec();
        if self.keep_compatible {
            let Some(schema) = record.schema(side) else { return Ok(record) };
            let optional = |field: &&crate::data::Field| field.schema.is_optional();
            let fields = schema.fields_of_struct()?.iter().filter(optional);
            dropped =
                fields.map(|field| field.name.to_string()).filter(|name| names.contains(name)).collect();
        }
        if dropped.is_empty() {
            return Ok(record);
        }
        ReplaceField::excluding(side, dropped).replace(record)
    }
}

/// Renames the topic; a blank or null name leaves it.
fn set_topic(record: &mut Record, topic: Option<&str>) {
    if let Some(topic) = topic.filter(|topic| !topic.trim().is_empty()) {
        record.topic = topic.into();
    }
}
