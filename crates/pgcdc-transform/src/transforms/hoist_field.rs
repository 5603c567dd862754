//! Kafka's `HoistField`: the whole key or value becomes the only field of a new struct.
//!
//! Classes: `org.apache.kafka.connect.transforms.HoistField$Key` and `…HoistField$Value`.
//!
//! | option | default | meaning |
//! |---|---|---|
//! | `field` | required | the name of the new field |
//!
//! Without a schema the result is a map of one entry. A tombstone is no longer one afterwards, since its value becomes a
//! map with a null in it; so a compacted topic would keep the row. A predicate `RecordIsTombstone` with `negate=true`
//! keeps tombstones away.
//!
//! ```
//! use pgcdc_transform::try_on;
//!
//! let hoist = "type=org.apache.kafka.connect.transforms.HoistField$Key
//!              field=id";
//! assert_eq!(try_on(hoist, r#"{"key":7}"#), r#"{"key":{"id":7}}"#);
//! ```

use super::transform::{Built, Outcome, Transform};
use crate::cache::Recent;
use crate::data::{Kind, Record, Schema, SchemaBuilder, Side, Struct, Value};
use crate::options::Options;

/// The field's name and the schemas that were wrapped in it.
#[derive(Debug)]
struct HoistField {
    side: Side,
    field: String,
    schemas: Recent<Schema, Schema>,
}

pub(super) fn build(side: Side, options: &mut Options<'_>) -> Built {
    let field = options.required("field")?.to_owned();
    Some(Box::new(HoistField { side, field, schemas: Recent::new(16) }))
}

impl Transform for HoistField {
    fn apply(&mut self, record: Record, _: i64) -> Outcome {
        let value = record.half(self.side).clone();
        let Some(schema) = record.schema(self.side) else {
            let map = Value::Map(vec![(Value::text(&self.field), value)].into());
            return Ok(Some(record.with(self.side, None, map)));
        };
        let updated = self.schemas.get_or(schema, || {
            SchemaBuilder::new(Kind::Struct).field(&self.field, schema.clone()).map(|b| b.build())
        })?;
        let mut outer = Struct::new(updated.clone())?;
        outer.put_at(0, value)?;
        Ok(Some(record.with(self.side, Some(updated), Value::Struct(outer.into()))))
    }
}
