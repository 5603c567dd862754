//! The pieces of a schema's JSON that do not depend on how a model holds its schemas. A caller appends them in this order:
//! [`append_type`], then what the type needs (`items`, `keys` and `values`, or `fields`), [`Attributes::append`], then a default
//! where there is one, and [`Attributes::end`].

use super::types::Type;
use crate::json::write_json_string;

/// Appends `{"type":"…"`, with which the JSON of every schema begins. The object stays open.
///
/// ```
/// use pgcdc_format::schema::{Attributes, Type, append_type};
///
/// let mut json = Vec::new();
/// append_type(Type::Int64, &mut json);
/// let scale = [("unit", "ms")];
/// Attributes { optional: true, ..Attributes::default() }.append(Some(scale.into_iter()), &mut json);
/// Attributes::end(Some("at"), &mut json);
/// assert_eq!(json, br#"{"type":"int64","optional":true,"parameters":{"unit":"ms"},"field":"at"}"#);
/// ```
pub fn append_type(kind: Type, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"type\":\"");
    out.extend_from_slice(kind.word().as_bytes());
    out.push(b'"');
}

/// The attributes that a schema may have whatever its type is, in the order of Connect's `asJsonSchema`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attributes<'a> {
    /// Whether null is allowed.
    pub optional: bool,
    /// The logical type's name, such as `io.debezium.time.Date`, or the name of a row, key or envelope.
    pub name: Option<&'a str>,
    /// The logical type's version. A row's name has none.
    pub version: Option<i32>,
    /// The documentation, shown to people only.
    pub doc: Option<&'a str>,
}

impl Attributes<'_> {
    /// Appends `,"optional":…` and each attribute that is set. `parameters` are names and texts, in the order in which they
    /// are written; with `None` the key is left out.
    pub fn append<'p>(
        &self,
        parameters: Option<impl Iterator<Item = (&'p str, &'p str)>>,
        out: &mut Vec<u8>,
    ) {
        out.extend_from_slice(if self.optional { b",\"optional\":true" } else { b",\"optional\":false" });
        if let Some(name) = self.name {
            Self::append_text("name", name, out);
        }
        if let Some(version) = self.version {
            out.extend_from_slice(b",\"version\":");
            out.extend_from_slice(itoa::Buffer::new().format(version).as_bytes());
        }
        if let Some(doc) = self.doc {
            Self::append_text("doc", doc, out);
        }
        let Some(parameters) = parameters else { return };
        out.extend_from_slice(b",\"parameters\":{");
        for (at, (key, value)) in parameters.enumerate() {
            if at > 0 {
                out.push(b',');
            }
            write_json_string(key.as_bytes(), out);
            out.push(b':');
            write_json_string(value.as_bytes(), out);
        }
        out.push(b'}');
    }

    /// Ends a schema's JSON: `,"field":"…"}` for a struct's field, else `}`.
    pub fn end(field: Option<&str>, out: &mut Vec<u8>) {
        if let Some(field) = field {
            Self::append_text("field", field, out);
        }
        out.push(b'}');
    }

    /// Appends `,"key":"text"`.
    fn append_text(key: &str, text: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(b",\"");
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(b"\":");
        write_json_string(text.as_bytes(), out);
    }
}
