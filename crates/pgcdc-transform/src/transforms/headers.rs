//! Kafka's `InsertHeader` and `DropHeaders`.
//!
//! Classes: `org.apache.kafka.connect.transforms.InsertHeader` and `org.apache.kafka.connect.transforms.DropHeaders`.
//!
//! | class | option | default | meaning |
//! |---|---|---|---|
//! | `InsertHeader` | `header` | required | the header's name |
//! | `InsertHeader` | `value.literal` | required | its value, read as [`literal::parse`] reads it |
//! | `DropHeaders` | `headers` | required | the names of the headers to remove, between commas |
//!
//! A literal gets the smallest type that holds it: `7` is a header of type `int8`, and `7000` one of type `int16`. Every
//! record gets the header, tombstones too. `DropHeaders` removes all headers of a name.
//!
//! ```
//! use pgcdc_transform::try_on;
//!
//! let insert = "type=org.apache.kafka.connect.transforms.InsertHeader
//!               header=retention.days
//!               value.literal=30";
//! assert_eq!(try_on(insert, r#"{"key":7}"#), r#"{"key":7,"headers":{"retention.days":30}}"#);
//!
//! let drop = "type=org.apache.kafka.connect.transforms.DropHeaders
//!             headers=a,b";
//! assert_eq!(try_on(drop, r#"{"key":7,"headers":{"a":1,"c":2}}"#), r#"{"key":7,"headers":{"c":2}}"#);
//! ```

use std::sync::Arc;

use super::transform::{Built, Outcome, Transform};
use crate::data::{Record, Schema, Value};
use crate::literal;
use crate::options::Options;

/// `InsertHeader`. The literal is read once, at the start.
#[derive(Debug)]
struct InsertHeader {
    name: Arc<str>,
    schema: Option<Schema>,
    value: Value,
}

pub(super) fn insert_header(options: &mut Options<'_>) -> Built {
    let name = options.required("header");
    let text = options.required("value.literal");
    let (schema, value) = literal::parse(text?);
    Some(Box::new(InsertHeader { name: name?.into(), schema, value }))
}

impl Transform for InsertHeader {
    fn apply(&mut self, mut record: Record, _: i64) -> Outcome {
        record.add_header(&self.name, self.schema.clone(), self.value.clone());
        Ok(Some(record))
    }
}

/// `DropHeaders`.
#[derive(Debug)]
struct DropHeaders {
    names: Vec<String>,
}

pub(super) fn drop_headers(options: &mut Options<'_>) -> Built {
    Some(Box::new(DropHeaders { names: options.distinct("headers") }))
}

impl Transform for DropHeaders {
    fn apply(&mut self, mut record: Record, _: i64) -> Outcome {
        record.headers.retain(|header| !self.names.iter().any(|name| **name == *header.key));
        Ok(Some(record))
    }
}
