//! Kafka's `ExtractField`: a struct is replaced by one of its fields.
//!
//! Classes: `org.apache.kafka.connect.transforms.ExtractField$Key` and `…ExtractField$Value`.
//!
//! | option | default | meaning |
//! |---|---|---|
//! | `field` | required | the field's name, or the path to a nested field |
//! | `field.syntax.version` | `V1` | `V2` reads dots as steps of a path: `after.address.city` |
//! | `replace.null.with.default` | `true` | whether a null field is read as its schema's default |
//!
//! A field that the schema does not have is an error, `Unknown field`; in a record without a schema it gives null. A null
//! on the way gives null, and so does a null key or value, with the field's schema.
//!
//! A common use is a key that is only the number, in place of a struct:
//!
//! ```
//! use pgcdc_transform::try_on;
//!
//! let extract = "type=org.apache.kafka.connect.transforms.ExtractField$Key
//!                field=id";
//! assert_eq!(try_on(extract, r#"{"key":{"id":7},"value":{"id":7}}"#), r#"{"key":7,"value":{"id":7}}"#);
//!
//! let nested = "type=org.apache.kafka.connect.transforms.ExtractField$Value
//!               field.syntax.version=V2
//!               field=address.city";
//! let before = r#"{"value":{"id":7,"address":{"city":"Oslo"}}}"#;
//! assert_eq!(try_on(nested, before), r#"{"value":"Oslo"}"#);
//! assert_eq!(try_on(extract, r#"{"key":{"no":7}}"#), "failed: Unknown field: id");
//! ```

use super::path::FieldPath;
use super::transform::{Built, Outcome, REPLACE_NULL, Transform, require_map, require_struct};
use crate::Fault;
use crate::data::{Record, Side, Value};
use crate::options::Options;

const PURPOSE: &str = "field extraction";

/// The field to extract.
#[derive(Debug)]
struct ExtractField {
    side: Side,
    path: FieldPath,
    /// The option as it was written, for the error.
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
