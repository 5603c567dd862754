//! Headers that a delete and its tombstone share.
//!
//! Debezium gives both records one list of headers, and some of its transforms add to that list in place. So a header that
//! such a transform adds to the delete is in the tombstone, too. Every other transform copies the list, and with the copy
//! the sharing ends. pgcdc's records share nothing, so [`SharedHeaders`] keeps the headers of the last delete and adds them
//! to the tombstone that follows it.

use std::sync::Arc;

use crate::data::{Headers, Record, Value};

/// The headers that the last delete got, kept for its tombstone.
#[derive(Debug, Default)]
pub(super) struct SharedHeaders {
    /// Whether the current record still has the list that the connector gave it.
    original: bool,
    /// Topic, key and new headers of the last delete. Topic and key tell its tombstone from any other record.
    delete: Option<(Arc<str>, Value, Headers)>,
}

impl SharedHeaders {
    /// Begins a record that has the connector's own list. A tombstone gets the headers of its delete.
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

    /// Notes that the headers from `start` on were added to the record's list.
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
