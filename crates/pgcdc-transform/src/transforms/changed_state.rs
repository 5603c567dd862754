use std::sync::Arc;

use super::shared_headers::SharedHeaders;
use super::{Built, Outcome, Transform, is_envelope, require_struct};
use crate::data::{Kind, Record, Schema, SchemaBuilder, Value};
use crate::options::Options;

/// Debezium's `ExtractChangedRecordState`: headers with the names of the fields that changed, and of the fields that did
/// not.
#[derive(Debug)]
struct ChangedState {
    changed: Option<(Arc<str>, Schema)>,
    unchanged: Option<(Arc<str>, Schema)>,
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
