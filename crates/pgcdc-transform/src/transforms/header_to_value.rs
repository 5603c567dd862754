//! Debezium's `HeaderToValue`: headers become fields of the value.
//!
//! Class: `io.debezium.transforms.HeaderToValue`.
//!
//! | option | default | meaning |
//! |---|---|---|
//! | `headers` | required | the headers, between commas |
//! | `fields` | required | the field for each header, in the same order and number; dots are steps: `after.tenant` |
//! | `operation` | required | `move` removes the header; `copy` leaves it |
//!
//! A struct on the way that the value does not have is added, as an optional struct. A step through a field that is no
//! struct is an error. A record without any of the headers passes, and so does a tombstone, with its headers.
//!
//! The new schema is kept by the value's old schema alone, as in Debezium. So the headers of the first record with a
//! schema decide which fields the later records have: if a later record has one header more, its field is an error.
//!
//! ```
//! use pgcdc_transform::try_on;
//!
//! let tenant = "type=io.debezium.transforms.HeaderToValue
//!               headers=tenant
//!               fields=meta.tenant
//!               operation=move";
//! let before = r#"{"value":{"id":7},"headers":{"tenant":"acme","other":"x"}}"#;
//! let after = r#"{"value":{"id":7,"meta":{"tenant":"acme"}},"headers":{"other":"x"}}"#;
//! assert_eq!(try_on(tenant, before), after);
//! ```

use super::transform::{Built, Outcome, Transform, require_struct};
use crate::Fault;
use crate::cache::Recent;
use crate::data::{Header, Kind, Record, Schema, SchemaBuilder, Side, Struct, Value};
use crate::options::{Options, java_split};

/// Headers and their fields; both lists have the same length.
#[derive(Debug)]
struct HeaderToValue {
    headers: Vec<String>,
    fields: Vec<String>,
    moves: bool,
    // Cached by the value's schema alone, as in Debezium: the headers of the first record decide.
    schemas: Recent<Schema, Schema>,
}

/// A field to be added: its path and the header.
struct Entry<'a> {
    path: Vec<&'a str>,
    /// The path as the option has it, for errors.
    written: &'a str,
    header: &'a Header,
}

impl Entry<'_> {
    fn schema(&self) -> Result<Schema, Fault> {
        let schema = self.header.schema.clone();
        schema.ok_or_else(|| Fault::schema(format!("fieldSchema for field {} cannot be null.", self.written)))
    }
}

pub(super) fn build(options: &mut Options<'_>) -> Built {
    let fields = options.debezium_list("fields", false);
    let headers = options.debezium_list("headers", false);
    let operation = options.debezium_required("operation");
    let moves = operation.is_some_and(|word| word.trim().eq_ignore_ascii_case("move"));
    if let Some(word) = operation
        && !moves
        && !word.trim().eq_ignore_ascii_case("copy")
    {
        options.unfit("operation", word, "Value must be one of move, copy");
    }
    if options.is_wrong() {
        return None;
    }
    if fields.len() != headers.len() {
        options
            .problem("headers", "'fields' config must have the same number of elements as 'headers' config.");
        return None;
    }
    Some(Box::new(HeaderToValue { headers, fields, moves, schemas: Recent::new(64) }))
}

/// The name that Debezium's code gives the value itself where it compares names of structs. A field with this name is
/// mistaken for the value there, and here, too.
const ROOT: &str = "payload";

impl Transform for HeaderToValue {
    fn apply(&mut self, mut record: Record, _: i64) -> Outcome {
        if record.value.is_null() {
            return Ok(Some(record));
        }
        let value = require_struct(&record.value, "Header field insertion")?.clone();
        let headers = std::mem::take(&mut record.headers);
        let mut entries = Vec::new();
        for header in &headers {
            if let Some(at) = self.headers.iter().position(|name| **name == *header.key) {
                let written = self.fields[at].as_str();
                entries.push(Entry { path: java_split(written, '.'), written, header });
            }
        }
        if entries.is_empty() {
            record.headers = headers;
            return Ok(Some(record));
        }
        let schema = self.schemas.get_or(value.schema(), || {
            check_paths(value.schema(), &entries)?;
            extended_schema(ROOT, value.schema(), &entries, 0)
        })?;
        let updated = extended_value(ROOT, &value, &entries, &schema, 0)?;
        record.headers = headers;
        if self.moves {
            record.headers.retain(|header| !self.headers.iter().any(|name| **name == *header.key));
        }
        Ok(Some(record.with(Side::Value, Some(schema), Value::Struct(updated.into()))))
    }
}

/// Refuses a path through a field that is no struct.
fn check_paths(schema: &Schema, entries: &[Entry<'_>]) -> Result<(), Fault> {
    for entry in nested(entries) {
        let mut current = schema;
        for step in &entry.path[..entry.path.len() - 1] {
            let Some(field) = current.field_of_struct(step)? else { break };
            if field.schema.kind().is_primitive() {
                return Err(Fault::debezium(format!(
                    "Field '{step}' is a primitive type, not a struct. Cannot add nested field '{}'.",
                    entry.written
                )));
            }
            current = &field.schema;
        }
    }
    Ok(())
}

/// The entries whose field is not in the outermost struct.
fn nested<'a, 'e>(entries: &'e [Entry<'a>]) -> impl Iterator<Item = &'e Entry<'a>> {
    entries.iter().filter(|entry| entry.written.contains('.'))
}

/// Whether a path goes through a field of this name; Debezium looks for the text anywhere in the path.
fn is_on_a_path(field: &str, entries: &[Entry<'_>]) -> bool {
    let step = format!("{field}.");
    nested(entries).any(|entry| entry.written.contains(&step))
}

/// The field that an entry adds to the struct of this name at this level.
fn added_here<'a>(entry: &Entry<'a>, name: &str, level: usize) -> Option<&'a str> {
    if entry.path.len() == 1 && name == ROOT {
        return entry.path.first().copied();
    }
    let parent = entry.path.get(level.saturating_sub(1)).copied();
    if entry.path.len() == level + 1 && parent == Some(name) { entry.path.get(level).copied() } else { None }
}

/// The structs on a path that the value does not have yet.
fn new_parents<'a>(name: &str, schema: &Schema, entries: &[Entry<'a>], level: usize) -> Vec<&'a str> {
    let mut parents = Vec::new();
    for entry in nested(entries) {
        let here = if level == 0 { name == ROOT } else { entry.path.get(level - 1).copied() == Some(name) };
        let Some(step) = entry.path.get(level).copied().filter(|_| here && level + 1 < entry.path.len())
        else {
            continue;
        };
        if schema.field(step).is_none() && !parents.contains(&step) {
            parents.push(step);
        }
    }
    parents
}

/// The field that an entry adds to a new struct.
fn added_to_new<'a>(entry: &Entry<'a>, parent: &str, name: &str, level: usize) -> Option<&'a str> {
    if level == 0 && name == ROOT {
        return if entry.path.len() > 1 && entry.path[0] == parent { Some(entry.path[1]) } else { None };
    }
    let end = (level + 1).min(entry.path.len());
    (level > 0 && entry.path[..end].join(".") == parent).then(|| entry.path.get(level + 1).copied()).flatten()
}

/// The schema of a struct with the added fields. `name` is the struct's own field name and `level` its depth; Debezium
/// finds the place of an entry by these two.
fn extended_schema(name: &str, old: &Schema, entries: &[Entry<'_>], level: usize) -> Result<Schema, Fault> {
    if old.kind().is_primitive() {
        return Ok(old.clone());
    }
    let mut builder = SchemaBuilder::like(old, Kind::Struct);
    for field in old.fields_of_struct()? {
        let schema = if is_on_a_path(&field.name, entries) {
            extended_schema(&field.name, &field.schema, entries, level + 1)?
        } else {
            field.schema.clone()
        };
        builder.add_field(field.name.clone(), schema)?;
    }
    for entry in entries {
        if let Some(field) = added_here(entry, name, level)
            && !builder.has_field(field)
        {
            builder.add_field(field.into(), entry.schema()?)?;
        }
    }
    for parent in new_parents(name, old, entries, level) {
        let mut inner = SchemaBuilder::new(Kind::Struct).optional();
        for entry in entries {
            if let Some(field) = added_to_new(entry, parent, name, level) {
                inner.add_field(field.into(), entry.schema()?)?;
            }
        }
        builder.add_field(parent.into(), inner.build())?;
    }
    Ok(builder.build())
}

/// The struct's value for [`extended_schema`]'s result.
fn extended_value(
    name: &str,
    old: &Struct,
    entries: &[Entry<'_>],
    schema: &Schema,
    level: usize,
) -> Result<Struct, Fault> {
    let mut updated = Struct::new(schema.clone())?;
    for (at, field) in old.schema().fields().iter().enumerate() {
        let value = old.at(at);
        if value.is_null() {
            continue;
        }
        if is_on_a_path(&field.name, entries) {
            let inner = require_struct(value, "Nested field")?;
            let inner_schema = schema.field(&field.name).map(|field| field.schema.clone());
            let inner_schema = inner_schema.ok_or_else(|| Fault::null("field is null"))?;
            let inner = extended_value(&field.name, inner, entries, &inner_schema, level + 1)?;
            updated.put(&field.name, Value::Struct(inner.into()))?;
        } else {
            updated.put(&field.name, value.clone())?;
        }
    }
    for entry in entries {
        if let Some(field) = added_here(entry, name, level) {
            updated.put(field, entry.header.value.clone())?;
        }
    }
    for parent in new_parents(name, old.schema(), entries, level) {
        let Some(field) = schema.field(parent) else { continue };
        let mut inner = Struct::new(field.schema.clone())?;
        for entry in entries {
            if let Some(field) = added_to_new(entry, parent, name, level) {
                inner.put(field, entry.header.value.clone())?;
            }
        }
        updated.put(parent, Value::Struct(inner.into()))?;
    }
    Ok(updated)
}
