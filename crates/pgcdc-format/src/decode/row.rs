//! A row of a record: its fields in order, each with its meaning where the record has a schema.
//!
//! A row holds a list and no map: the fields of a table stand in the same place in each record, which
//! [`Row::field_near`] uses.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use super::error::Error;
use super::json::Json;
use super::scan::Scanner;
use super::semantic::{RowSchema, Semantic};
use crate::java::name_uuid;
use crate::json::write_json_string;

/// A row or a key. Two rows are equal when text, fields and meanings are.
#[derive(Clone, Debug, PartialEq)]
pub struct Row<'a> {
    /// The object as it was written.
    text: &'a str,
    /// Names and values, in the order of the text.
    fields: Vec<(Cow<'a, str>, Json<'a>)>,
    /// The meanings of the fields, shared by all rows of the same schema.
    schema: Option<Arc<RowSchema>>,
    /// The meaning of a key that is a single value.
    scalar: Option<Semantic>,
}

/// One field of a [`Row`].
#[derive(Clone, Copy, Debug)]
pub struct Field<'r, 'a> {
    /// The column's name; empty for a key that is a single value.
    pub name: &'r str,
    /// The column's value.
    pub value: &'r Json<'a>,
    /// What the value means; `None` without a schema.
    pub semantic: Option<&'r Semantic>,
}

impl<'a> Row<'a> {
    /// Reads a text that is one object and nothing else.
    pub(super) fn parse(text: &'a str, schema: Option<Arc<RowSchema>>) -> Result<Self, Error> {
        let mut scanner = Scanner::new(text);
        let row = Self::scan(&mut scanner, schema)?;
        scanner.end()?;
        Ok(row)
    }

    /// Reads the next object as a row.
    pub(super) fn scan(scanner: &mut Scanner<'a>, schema: Option<Arc<RowSchema>>) -> Result<Self, Error> {
        let mut fields = Vec::with_capacity(schema.as_ref().map_or(8, |s| s.fields.len()));
        scanner.space();
        let start = scanner.position();
        scanner.object(|scanner, name| {
            fields.push((name, scanner.value()?));
            Ok(())
        })?;
        Ok(Self { text: scanner.since(start), fields, schema, scalar: None })
    }

    /// Makes a row of a key that is a single value: one field without a name.
    pub(super) fn scalar(text: &'a str, value: Json<'a>, semantic: Option<Semantic>) -> Self {
        Self { text, fields: vec![(Cow::Borrowed(""), value)], schema: None, scalar: semantic }
    }

    /// The row's JSON as it was written, without a schema around it: for sinks that pass it on.
    #[must_use]
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// The fields, in the record's order.
    ///
    /// ```
    /// let mut decoder = pgcdc_format::decode::Decoder::default();
    /// let change = decoder.decode(None, Some(br#"{"id":1,"v":null}"#))?;
    /// let row = change.after.expect("a row");
    /// let names: Vec<_> = row.fields().map(|field| (field.name, field.value.is_null())).collect();
    /// assert_eq!(names, [("id", false), ("v", true)]);
    /// # Ok::<(), pgcdc_format::decode::Error>(())
    /// ```
    pub fn fields(&self) -> impl Iterator<Item = Field<'_, 'a>> {
        self.fields.iter().enumerate().map(|(at, (name, value))| Field {
            name,
            value,
            semantic: self.semantic(at, name),
        })
    }

    /// The meaning of the field at place `at` of the record.
    fn semantic(&self, at: usize, name: &str) -> Option<&Semantic> {
        let Some(schema) = &self.schema else { return self.scalar.as_ref() };
        // The payload usually has the schema's order; the search is for records that were re-arranged.
        let same = schema.fields.get(at).filter(|field| field.name == name);
        same.or_else(|| schema.fields.iter().find(|field| field.name == name)).map(|field| &field.semantic)
    }

    /// The field of this name; `None` when the record does not have it.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<Field<'_, 'a>> {
        self.field_near(name, &mut 0)
    }

    /// As [`field`](Self::field), but looks first where the last row had the field. `place` is that position; it is set to
    /// where the field was found. A sink keeps one `place` for each of its columns.
    pub fn field_near(&self, name: &str, place: &mut usize) -> Option<Field<'_, 'a>> {
        let at = match self.fields.get(*place) {
            Some((field, _)) if field == name => *place,
            _ => self.fields.iter().position(|(field, _)| field == name)?,
        };
        *place = at;
        let (name, value) = &self.fields[at];
        Some(Field { name, value, semantic: self.semantic(at, name) })
    }

    /// The value of the field of this name. A null is `Some(&Json::Null)`; `None` says that there is no such field.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Json<'a>> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value)
    }

    /// The schema, when the record came with one.
    #[must_use]
    pub fn schema(&self) -> Option<&Arc<RowSchema>> {
        self.schema.as_ref()
    }
}

/// The text that Debezium writes for a TOASTed value that the change did not touch (`unavailable.value.placeholder`), in the
/// form of each column type. A sink must leave such a column as it is.
///
/// | type of the column | form |
/// |---|---|
/// | text, numeric as text, `bytea` in hex | the text |
/// | `bytea` | base64 of the text |
/// | `hstore` | `{"text":"text"}`, as an object or as JSON within a string |
/// | array of texts | `["text"]` |
/// | array of integers or dates | the text's bytes as numbers |
/// | array of UUIDs | a UUID made of the text |
///
/// A column whose data is exactly the placeholder cannot be told from it, with Debezium as here.
///
/// ```
/// use pgcdc_format::decode::{Json, Placeholder};
/// let placeholder = Placeholder::default();
/// assert!(placeholder.is(&Json::String("__debezium_unavailable_value".into())));
/// assert!(placeholder.is(&Json::Array(r#"["__debezium_unavailable_value"]"#)));
/// assert!(!placeholder.is(&Json::String("some text".into())));
/// ```
#[derive(Clone, Debug)]
pub struct Placeholder {
    /// The text itself.
    text: String,
    /// The text's bytes in standard base64.
    base64: String,
    /// The text's bytes in URL-safe base64.
    base64_url: String,
    /// The text's bytes in hexadecimal digits.
    hex: String,
    /// JSON arrays: of the text, of its bytes, of a UUID made of it.
    arrays: Vec<String>,
    /// A JSON object of one member whose name and value are the text.
    map: String,
}

impl Placeholder {
    /// The forms of a placeholder. The text must be the source connector's; [`default`](Self::default) is Debezium's own.
    #[must_use]
    pub fn new(text: &str) -> Self {
        // As the encoder escapes it, since arrays and objects are compared as they were written.
        let mut quoted = Vec::new();
        write_json_string(text.as_bytes(), &mut quoted);
        let quoted = String::from_utf8_lossy(&quoted);
        // Java's bytes have a sign.
        let bytes: Vec<String> = text.bytes().map(|b| (b as i8).to_string()).collect();
        Self {
            base64: STANDARD.encode(text),
            base64_url: URL_SAFE.encode(text),
            hex: text.bytes().map(|b| format!("{b:02x}")).collect(),
            arrays: vec![
                format!("[{quoted}]"),
                format!("[{}]", bytes.join(",")),
                format!("[\"{}\"]", name_uuid(text.as_bytes())),
            ],
            map: format!("{{{quoted}:{quoted}}}"),
            text: text.to_owned(),
        }
    }

    /// Whether a value is the placeholder in one of its forms, so that the record says nothing about the column.
    #[must_use]
    pub fn is(&self, value: &Json<'_>) -> bool {
        match value {
            Json::String(text) => {
                **text == self.text
                    || **text == self.base64
                    || **text == self.base64_url
                    || **text == self.hex
                    || **text == self.map
            }
            Json::Array(text) => self.arrays.iter().any(|array| array == text),
            Json::Object(text) => *text == self.map,
            Json::Null | Json::Bool(_) | Json::Number(_) => false,
        }
    }
}

impl Default for Placeholder {
    fn default() -> Self {
        Self::new("__debezium_unavailable_value")
    }
}
