use super::{Built, Outcome, Transform};
use crate::cache::Recent;
use crate::data::{Kind, Record, Schema, SchemaBuilder, Side, Struct, Value};
use crate::options::Options;

/// Kafka's `HoistField`: wraps a key or a value in a struct of one field.
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
