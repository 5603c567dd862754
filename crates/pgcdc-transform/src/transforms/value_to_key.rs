//! Kafka's `ValueToKey`: a new key, made of fields of the value.
//!
//! Class: `org.apache.kafka.connect.transforms.ValueToKey`.
//!
//! | option | default | meaning |
//! |---|---|---|
//! | `fields` | required | the fields, between commas, each once |
//! | `replace.null.with.default` | `true` | whether a null field is read as its schema's default |
//!
//! The old key is lost. The fields are those of the outermost struct, so the transform belongs behind
//! [`new_state`](super::new_state). A field that the schema does not have is an error; without a schema it gives null.
//!
//! A tombstone is an error, since it has no value to take the key from. Even where a predicate keeps it away from this
//! transform, it has another key than its row and deletes nothing in a compacted topic.
//!
//! ```
//! use pgcdc_transform::try_on;
//!
//! let key = "type=org.apache.kafka.connect.transforms.ValueToKey
//!            fields=customer";
//! let before = r#"{"key":{"id":7},"value":{"id":7,"customer":42}}"#;
//! assert_eq!(try_on(key, before), r#"{"key":{"customer":42},"value":{"id":7,"customer":42}}"#);
//! assert_eq!(try_on(key, r#"{"value":{"id":7}}"#), "failed: Field does not exist: customer");
//! ```

use super::transform::{Built, Outcome, REPLACE_NULL, Transform, map_get, require_map, require_struct};
use crate::Fault;
use crate::cache::Recent;
use crate::data::{Kind, Record, Schema, SchemaBuilder, Side, Struct, Value};
use crate::options::Options;

const PURPOSE: &str = "copying fields from value to key";

/// The fields of the new key, in its order.
#[derive(Debug)]
struct ValueToKey {
    fields: Vec<String>,
    default_for_null: bool,
    schemas: Recent<Schema, Schema>,
}

pub(super) fn build(options: &mut Options<'_>) -> Built {
    let fields = options.distinct("fields");
    let default_for_null = options.boolean(REPLACE_NULL, true);
    Some(Box::new(ValueToKey { fields, default_for_null, schemas: Recent::new(16) }))
}

impl Transform for ValueToKey {
    fn apply(&mut self, record: Record, _: i64) -> Outcome {
        if record.value_schema.is_none() {
            let value = require_map(&record.value, PURPOSE)?;
            let entry = |field: &String| (Value::text(field), map_get(value, field));
            let key: Vec<_> = self.fields.iter().map(entry).collect();
            return Ok(Some(record.with(Side::Key, None, Value::Map(key.into()))));
        }
        let value = require_struct(&record.value, PURPOSE)?;
        let schema = self.schemas.get_or(value.schema(), || {
            let mut builder = SchemaBuilder::new(Kind::Struct);
            for name in &self.fields {
                let field = value.schema().field(name);
                let field = field.ok_or_else(|| Fault::data(format!("Field does not exist: {name}")))?;
                builder.add_field(name.as_str().into(), field.schema.clone())?;
            }
            Ok::<_, Fault>(builder.build())
        })?;
        let mut key = Struct::new(schema.clone())?;
        for (at, name) in self.fields.iter().enumerate() {
            key.put_at(at, value.get_with(name, self.default_for_null)?.clone())?;
        }
        Ok(Some(record.with(Side::Key, Some(schema), Value::Struct(key.into()))))
    }
}
