//! Kafka's `HeaderFrom`: fields become headers.
//!
//! Classes: `org.apache.kafka.connect.transforms.HeaderFrom$Key` and `…HeaderFrom$Value`.
//!
//! | option | default | meaning |
//! |---|---|---|
//! | `fields` | required | the fields, between commas |
//! | `headers` | required | the header for each field, in the same order and number |
//! | `operation` | required | `move` removes the field; `copy` leaves it |
//! | `replace.null.with.default` | `true` | whether a null field is read as its schema's default |
//!
//! The header has the field's schema. A header of this name that is there before stays, and the new one comes behind it.
//! A field that the schema does not have is a `NullPointerException`, as in Kafka; in a record without a schema the header
//! is null. A tombstone is an error; a predicate `RecordIsTombstone` with `negate=true` keeps it away.
//!
//! ```
//! use pgcdc_transform::try_on;
//!
//! let tenant = "type=org.apache.kafka.connect.transforms.HeaderFrom$Value
//!               fields=tenant
//!               headers=tenant
//!               operation=move";
//! let before = r#"{"value":{"id":7,"tenant":"acme"}}"#;
//! assert_eq!(try_on(tenant, before), r#"{"value":{"id":7},"headers":{"tenant":"acme"}}"#);
//! ```

use std::sync::Arc;

use super::transform::{Built, Outcome, REPLACE_NULL, Transform, map_get, require_map, require_struct};
use crate::Fault;
use crate::cache::Recent;
use crate::data::{Kind, Record, Schema, SchemaBuilder, Side, Struct, Value};
use crate::options::Options;

/// Fields and their headers; both lists have the same length.
#[derive(Debug)]
struct HeaderFrom {
    side: Side,
    fields: Vec<String>,
    headers: Vec<Arc<str>>,
    moves: bool,
    default_for_null: bool,
    schemas: Recent<Schema, Schema>,
}

pub(super) fn build(side: Side, options: &mut Options<'_>) -> Built {
    let mut items = |name: &str| {
        let Some(items) = options.list(name) else {
            options.missing(name);
            return Vec::new();
        };
        if items.is_empty() {
            options.invalid_list(name, &[], "Empty list");
        }
        items
    };
    let fields = items("fields");
    let headers = items("headers");
    let operation = options.one_of("operation", &["move", "copy"], None);
    let default_for_null = options.boolean(REPLACE_NULL, true);
    if options.is_wrong() {
        return None;
    }
    if fields.len() != headers.len() {
        options
            .problem("headers", "'fields' config must have the same number of elements as 'headers' config.");
        return None;
    }
    let headers = headers.into_iter().map(Into::into).collect();
    let moves = operation == Some("move");
    Some(Box::new(HeaderFrom { side, fields, headers, moves, default_for_null, schemas: Recent::new(16) }))
}

impl Transform for HeaderFrom {
    fn apply(&mut self, mut record: Record, _: i64) -> Outcome {
        let purpose = if self.moves { "header move" } else { "header copy" };
        let value = record.half(self.side).clone();
        let Some(schema) = record.schema(self.side).cloned() else {
            let mut updated = require_map(&value, purpose)?.clone();
            for (field, header) in self.fields.iter().zip(&self.headers) {
                record.add_header(header, None, map_get(require_map(&value, purpose)?, field));
                if self.moves {
                    updated.retain(|(key, _)| key.as_str() != Some(field));
                }
            }
            return Ok(Some(record.with(self.side, None, Value::Map(updated.into()))));
        };
        let old = require_struct(&value, purpose)?;
        for (field, header) in self.fields.iter().zip(&self.headers) {
            let inner = match old.schema().position(field) {
                Some(at) => old.at_with(at, self.default_for_null).clone(),
                None => Value::Null,
            };
            let found = schema.field_of_struct(field)?.ok_or_else(|| {
                Fault::null(
                    "Cannot invoke \"org.apache.kafka.connect.data.Field.schema()\" because the return value of \"org.apache.kafka.connect.data.Schema.field(String)\" is null",
                )
            })?;
            record.add_header(header, Some(found.schema.clone()), inner);
        }
        if !self.moves {
            return Ok(Some(record));
        }
        let updated_schema = self.schemas.get_or(&schema, || {
            let mut builder = SchemaBuilder::like(&schema, Kind::Struct);
            for field in schema.fields() {
                if !self.fields.iter().any(|name| **name == *field.name) {
                    builder.add_field(Arc::clone(&field.name), field.schema.clone())?;
                }
            }
            Ok::<_, Fault>(builder.build())
        })?;
        let mut updated = Struct::new(updated_schema.clone())?;
        for (at, field) in updated_schema.fields().iter().enumerate() {
            updated.put_at(at, old.get_with(&field.name, self.default_for_null)?.clone())?;
        }
        Ok(Some(record.with(self.side, Some(updated_schema), Value::Struct(updated.into()))))
    }
}
