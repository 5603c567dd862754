use std::sync::Arc;

use super::{Schema, Value};

/// A header of a record: a small value beside key and value, which consumers can read without decoding the value.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    /// The name.
    pub key: Arc<str>,
    /// The value's schema, if it has one.
    pub schema: Option<Schema>,
    /// The value.
    pub value: Value,
}

/// A record's headers, in order; a name may occur more than once.
pub type Headers = Vec<Header>;

/// A record on its way to a topic, as a transform sees it: Connect's `SourceRecord` without its offset.
#[derive(Clone, Debug)]
pub struct Record {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition, if a transform has chosen one. Else the producer chooses it by the key.
    pub partition: Option<i32>,
    /// The key's schema.
    pub key_schema: Option<Schema>,
    /// The key; null for a table without one.
    pub key: Value,
    /// The value's schema. A tombstone of Debezium's has none.
    pub value_schema: Option<Schema>,
    /// The value; null makes the record a tombstone, which deletes the key's earlier records in a compacted topic.
    pub value: Value,
    /// The timestamp in milliseconds since 1970, if a transform has set it; Debezium does not.
    pub timestamp: Option<i64>,
    /// The headers.
    pub headers: Headers,
}

/// Which half of a record a transform works on: `…$Key` or `…$Value`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The key.
    Key,
    /// The value.
    Value,
}

impl Record {
    /// The schema of a half.
    #[must_use]
    pub const fn schema(&self, side: Side) -> Option<&Schema> {
        match side {
            Side::Key => self.key_schema.as_ref(),
            Side::Value => self.value_schema.as_ref(),
        }
    }

    /// The value of a half.
    #[must_use]
    pub const fn half(&self, side: Side) -> &Value {
        match side {
            Side::Key => &self.key,
            Side::Value => &self.value,
        }
    }

    /// Replaces a half.
    #[must_use]
    pub fn with(mut self, side: Side, schema: Option<Schema>, value: Value) -> Self {
        match side {
            Side::Key => (self.key_schema, self.key) = (schema, value),
            Side::Value => (self.value_schema, self.value) = (schema, value),
        }
        self
    }

    /// Adds a header behind the others, even where one of this name is there.
    pub fn add_header(&mut self, key: &Arc<str>, schema: Option<Schema>, value: Value) {
        self.headers.push(Header { key: Arc::clone(key), schema, value });
    }
}
