use super::path::FieldPath;
use super::{Built, Outcome, REPLACE_NULL, Transform, require_map, require_struct};
use crate::Fault;
use crate::data::{Record, Side, Value};
use crate::options::Options;

const PURPOSE: &str = "field extraction";

/// Kafka's `ExtractField`: replaces a struct by one of its fields.
#[derive(Debug)]
struct ExtractField {
    side: Side,
    path: FieldPath,
    written: String,
    default_for_null: bool,
}

pub(super) fn build(side: Side, options: &mut Options<'_>) -> Built {
    let written = options.required("field");
    let default_for_null = options.boolean(REPLACE_NULL, true);
    let written = written?.to_owned();
    let path = FieldPath::read(&written, options)?;
    Some(Box::new(ExtractField { side, path, written, default_for_null }))
}

impl Transform for ExtractField {
    fn apply(&mut self, record: Record, _: i64) -> Outcome {
        let value = record.half(self.side);
        let Some(schema) = record.schema(self.side) else {
            let inner = match value {
                Value::Null => Value::Null,
                value => self.path.value_of_map(require_map(value, PURPOSE)?)?,
            };
            return Ok(Some(record.with(self.side, None, inner)));
        };
        let inner = if value.is_null() { None } else { Some(require_struct(value, PURPOSE)?) };
        let field = self.path.field(schema)?;
        let field = field.ok_or_else(|| Fault::argument(format!("Unknown field: {}", self.written)))?;
        let field_schema = field.schema.clone();
        let value = match inner {
            None => Value::Null,
            Some(inner) => self.path.value(inner, self.default_for_null)?,
        };
        Ok(Some(record.with(self.side, Some(field_schema), value)))
    }
}
