//! A record's key in JSON: an object of the key's columns in the key's order, for example `{"id":7}`.
//!
//! The schema's name is the topic's with `.Key` behind it. Kafka chooses a record's partition by the key's bytes, so the same
//! key must always be the same bytes.

use super::header::HeaderForm;
use super::options::{EnvelopeOptions, TablePlan};
use super::row::{KeyParts, RowEncoder};
use crate::json::write_json_string;
use crate::schema::Schema;

/// A table's key, with everything but its values rendered.
#[derive(Clone, Debug)]
pub(super) struct KeyTemplate {
    /// `{"schema":…,"payload":`, or nothing where keys carry no schema.
    head: Vec<u8>,
    /// The text before each value: `{"id":` and then `,"other":`.
    names: Vec<Vec<u8>>,
    /// `,"name":"value"` of [`TablePlan::key_field`]; without the comma when the key has no columns.
    constant: Vec<u8>,
    /// How the headers of a key change carry each column.
    forms: Vec<HeaderForm>,
    /// The text after the payload: `}` where keys carry a schema.
    tail: &'static [u8],
}

impl KeyTemplate {
    /// Compiles a table's key; `None` when the table has none.
    pub(super) fn compile(row: &RowEncoder, plan: &TablePlan, options: &EnvelopeOptions) -> Option<Self> {
        if plan.key.is_empty() && plan.key_field.is_none() {
            return None;
        }
        let fields: Vec<_> = plan.key.iter().filter_map(|&at| row.key_field(at)).collect();
        let schemas = options.key_schemas;
        let head = if schemas { head(&fields, plan, options) } else { Vec::new() };
        let names = fields
            .iter()
            .enumerate()
            .map(|(at, (name, _))| {
                let mut fragment = vec![if at == 0 { b'{' } else { b',' }];
                write_json_string(name.as_bytes(), &mut fragment);
                fragment.push(b':');
                fragment
            })
            .collect();
        let forms = fields.iter().map(|(_, schema)| HeaderForm::of(schema)).collect();
        let mut constant = Vec::new();
        if let Some((name, value)) = &plan.key_field {
            if !fields.is_empty() {
                constant.push(b',');
            }
            write_json_string(name.as_bytes(), &mut constant);
            constant.push(b':');
            write_json_string(value.as_bytes(), &mut constant);
        }
        Some(Self { head, names, constant, forms, tail: if schemas { b"}" } else { b"" } })
    }

    /// The text before a key's payload.
    pub(super) fn head(&self) -> &[u8] {
        &self.head
    }

    /// Appends a whole key: the payload, within its schema where keys carry one.
    pub(super) fn append(&self, parts: &KeyParts, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head);
        self.append_payload(parts, out);
        out.extend_from_slice(self.tail);
    }

    /// Appends a key's payload.
    pub(super) fn append_payload(&self, parts: &KeyParts, out: &mut Vec<u8>) {
        if self.names.is_empty() {
            // Every column of the key is of a type that records leave out.
            out.push(b'{');
        }
        for (name, value) in self.names.iter().zip(parts.values()) {
            out.extend_from_slice(name);
            out.extend_from_slice(value);
        }
        out.extend_from_slice(&self.constant);
        out.push(b'}');
    }

    /// Appends a key's payload in the form that the headers of a key change have.
    pub(super) fn append_header(&self, parts: &KeyParts, out: &mut Vec<u8>) {
        if self.names.is_empty() {
            out.push(b'{');
        }
        for ((name, form), value) in self.names.iter().zip(&self.forms).zip(parts.values()) {
            out.extend_from_slice(name);
            form.append(value, out);
        }
        out.extend_from_slice(&self.constant);
        out.push(b'}');
    }
}

/// Renders `{"schema":…,"payload":`, the text before a key's payload.
fn head(fields: &[(&str, &Schema)], plan: &TablePlan, options: &EnvelopeOptions) -> Vec<u8> {
    let mut head = br#"{"schema":{"type":"struct","fields":["#.to_vec();
    for (at, (name, schema)) in fields.iter().enumerate() {
        if at > 0 {
            head.push(b',');
        }
        schema.append_json(Some(name), &mut head);
    }
    if let Some((name, _)) = &plan.key_field {
        if !fields.is_empty() {
            head.push(b',');
        }
        Schema::string().append_json(Some(name), &mut head);
    }
    head.extend_from_slice(br#"],"optional":false,"name":"#);
    let name = options.schema_names.schema(&format!("{}.Key", plan.topic_name));
    write_json_string(name.as_bytes(), &mut head);
    head.extend_from_slice(br#"},"payload":"#);
    head
}
