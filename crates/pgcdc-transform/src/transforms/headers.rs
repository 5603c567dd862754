use std::sync::Arc;

use super::{Built, Outcome, Transform};
use crate::data::{Record, Schema, Value};
use crate::literal;
use crate::options::Options;

/// Kafka's `InsertHeader`.
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

/// Kafka's `DropHeaders`.
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
