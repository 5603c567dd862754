//! Headers that a delete and its tombstone share.
//!
//! Debezium gives both records one list of headers, and some of its transforms add to a record's list in place: what the
//! delete gets, the tombstone then has too. Any other transform on the way copies the list, and ends that.

use std::sync::Arc;

use crate::data::{Headers, Record, Value};

/// What the delete before was given, kept for its tombstone.
#[derive(Debug, Default)]
pub(super) struct SharedHeaders {
    /// The record at hand still has the list that the connector gave it.
    original: bool,
    delete: Option<(Arc<str>, Value, Headers)>,
}

impl SharedHeaders {
    /// A record comes with the connector's own list. A tombstone gets what its delete was given.
    pub(super) fn arrive(&mut self, record: &mut Record) {
        self.original = true;
        if let Some((topic, key, headers)) = self.delete.take()
            && record.value.is_null()
            && record.topic == topic
            && record.key == key
        {
            record.headers.extend(headers);
        }
    }

    /// The headers from `start` on were added to the record's list.
    pub(super) fn added(&mut self, record: &Record, start: usize) {
        if !std::mem::take(&mut self.original) || record.headers.len() == start {
            return;
        }
        let operation = record.value.as_struct().and_then(|event| event.string("op").ok().flatten());
        if operation == Some("d") {
            let headers = record.headers[start..].to_vec();
            self.delete = Some((Arc::clone(&record.topic), record.key.clone(), headers));
        }
    }
}
