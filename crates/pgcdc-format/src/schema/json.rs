use super::types::Type;
use crate::types::write_json_string;

/// Appends `{"type":"…"`, with which the JSON of every schema begins.
pub fn append_type(kind: Type, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"type\":\"");
    out.extend_from_slice(kind.word().as_bytes());
    out.push(b'"');
}

/// The attributes that a schema has whatever its type, in the order of Connect's `asJsonSchema`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attributes<'a> {
    /// Whether null is allowed.
    pub optional: bool,
    /// The logical name.
    pub name: Option<&'a str>,
    /// The logical type's version.
    pub version: Option<i32>,
    /// The documentation.
    pub doc: Option<&'a str>,
}

impl Attributes<'_> {
    /// Appends `,"optional":…` and what else is set, with the parameters where there are any.
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
