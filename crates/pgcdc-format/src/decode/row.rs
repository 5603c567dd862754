//! A row of a record: its fields in order, each with its meaning where the record has a schema.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use super::error::Error;
use super::json::Json;
use super::scan::Scanner;
use super::semantic::{RowSchema, Semantic};

/// A row or a key.
#[derive(Clone, Debug, PartialEq)]
pub struct Row<'a> {
    text: &'a str,
    fields: Vec<(Cow<'a, str>, Json<'a>)>,
    schema: Option<Arc<RowSchema>>,
    scalar: Option<Semantic>,
}

/// One field of a [`Row`].
#[derive(Clone, Copy, Debug)]
pub struct Field<'r, 'a> {
    /// The column.
    pub name: &'r str,
    /// Its value.
    pub value: &'r Json<'a>,
    /// What the value means; `None` without a schema.
    pub semantic: Option<&'r Semantic>,
}

impl<'a> Row<'a> {
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

    /// The row as it was written, without a schema around it.
    #[must_use]
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// The fields, in the record's order.
    pub fn fields(&self) -> impl Iterator<Item = Field<'_, 'a>> {
        self.fields.iter().enumerate().map(|(at, (name, value))| Field {
            name,
            value,
            semantic: self.semantic(at, name),
        })
    }

    fn semantic(&self, at: usize, name: &str) -> Option<&Semantic> {
        let Some(schema) = &self.schema else { return self.scalar.as_ref() };
        // The payload usually has the schema's order; the search is for records that were re-arranged.
        let same = schema.fields.get(at).filter(|field| field.name == name);
        same.or_else(|| schema.fields.iter().find(|field| field.name == name)).map(|field| &field.semantic)
    }

    /// One field.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<Field<'_, 'a>> {
        self.field_near(name, &mut 0)
    }

    /// As [`field`](Self::field), but tries position `place` first and sets it to where the field was found: the next row of
    /// the table usually has the field there.
    pub fn field_near(&self, name: &str, place: &mut usize) -> Option<Field<'_, 'a>> {
        let at = match self.fields.get(*place) {
            Some((field, _)) if field == name => *place,
            _ => self.fields.iter().position(|(field, _)| field == name)?,
        };
        *place = at;
        let (name, value) = &self.fields[at];
        Some(Field { name, value, semantic: self.semantic(at, name) })
    }

    /// One field's value.
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

/// The placeholder of a TOASTed value that the change did not touch (`unavailable.value.placeholder`), in the form of each
/// column type.
#[derive(Clone, Debug)]
pub struct Placeholder {
    text: String,
    base64: String,
    base64_url: String,
    hex: String,
    arrays: Vec<String>,
    map: String,
}

impl Placeholder {
    /// The forms of a placeholder other than Debezium's default.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let quoted = serde_json::Value::from(text).to_string();
        let bytes: Vec<String> = text.bytes().map(|b| b.to_string()).collect();
        Self {
            base64: STANDARD.encode(text),
            base64_url: URL_SAFE.encode(text),
            hex: text.bytes().map(|b| format!("{b:02x}")).collect(),
            arrays: vec![
                format!("[{quoted}]"),
                format!("[{}]", bytes.join(",")),
                // For an array of UUIDs Debezium writes one UUID made of the text (version 3, no namespace).
                r#"["b68a35a7-17ad-35b3-af2a-ae46edb4545a"]"#.to_owned(),
            ],
            map: format!("{{{quoted}:{quoted}}}"),
            text: text.to_owned(),
        }
    }

    /// Whether a value is the placeholder and no data.
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
