//! Debezium's `ExtractChangedRecordState`: headers that list the changed and the unchanged columns of an update.
//!
//! Class: `io.debezium.transforms.ExtractChangedRecordState`.
//!
//! | option | default | meaning |
//! |---|---|---|
//! | `header.changed.name` | none | the header for the names of the columns that the update changed |
//! | `header.unchanged.name` | none | the header for the names of all other columns |
//!
//! An option that is missing or blank adds no header. The value stays as it is; a later transform may use the headers, for
//! instance [`new_state`](super::new_state) with `drop.fields.header.name`.
//!
//! Each header is an array of strings. It is empty for an insert and for a delete, and also for an update without an old
//! row. The old row is only there when the table has `REPLICA IDENTITY FULL`. A tombstone and a record that is no change
//! event pass unchanged; but see the headers that a delete and its tombstone share
//! ([`Chain::with_shared_headers`](crate::Chain::with_shared_headers)).
//!
//! ```
//! use pgcdc_transform::try_on;
//!
//! let changed = "type=io.debezium.transforms.ExtractChangedRecordState
//!                header.changed.name=changed
//!                header.unchanged.name=same";
//! let update = r#"{"event":{"op":"u","before":{"id":7,"city":"Turku"},"after":{"id":7,"city":"Oslo"}}}"#;
//! let answer = try_on(changed, update);
//! assert!(answer.ends_with(r#""headers":{"changed":["city"],"same":["id"]}}"#), "{answer}");
//! ```

use std::sync::Arc;

use super::shared_headers::SharedHeaders;
use super::transform::{Built, Outcome, Transform, is_envelope, require_struct};
use crate::data::{Kind, Record, Schema, SchemaBuilder, Value};
use crate::options::Options;

/// The two headers, each with its schema: an optional array of optional strings, named like the header.
#[derive(Debug)]
struct ChangedState {
    changed: Option<(Arc<str>, Schema)>,
    unchanged: Option<(Arc<str>, Schema)>,
    /// A delete's headers, for its tombstone.
    shared: SharedHeaders,
}

pub(super) fn build(options: &mut Options<'_>) -> Built {
    let mut header = |name: &str| {
        let header = options.raw(name)?;
        let items = Schema::plain(Kind::String, true);
        let schema = SchemaBuilder::array(items).optional().named(header).build();
        (!header.trim().is_empty()).then(|| (header.into(), schema))
    };
    let changed = header("header.changed.name");
    let unchanged = header("header.unchanged.name");
    Some(Box::new(ChangedState { changed, unchanged, shared: SharedHeaders::default() }))
}

impl Transform for ChangedState {
    fn apply(&mut self, mut record: Record, _: i64) -> Outcome {
        if record.value.is_null() || !is_envelope(&record) {
            return Ok(Some(record));
        }
        let value = require_struct(&record.value, "Record value should be struct.")?;
        let (after, before) = (value.get("after")?, value.get("before")?);
        let (mut changed, mut unchanged) = (Vec::new(), Vec::new());
        if !after.is_null() && !before.is_null() {
            let after = require_struct(after, "After value should be struct.")?;
            let before = require_struct(before, "Before value should be struct.")?;
            for (field, value) in after.entries() {
                let same = before.raw(&field.name)? == value;
                let names = if same { &mut unchanged } else { &mut changed };
                names.push(Value::String(Arc::clone(&field.name)));
            }
        }
        let start = record.headers.len();
        for (header, names) in [(&self.changed, changed), (&self.unchanged, unchanged)] {
            if let Some((name, schema)) = header {
                record.add_header(name, Some(schema.clone()), Value::Array(names.into()));
            }
        }
        self.shared.added(&record, start);
        Ok(Some(record))
    }

    fn arrive(&mut self, record: &mut Record) {
        self.shared.arrive(record);
    }

    fn keeps_headers(&self) -> bool {
        true
    }
}
