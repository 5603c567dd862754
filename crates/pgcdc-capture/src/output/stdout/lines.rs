//! How a record becomes a line.

use pgcdc_event::{Record, RecordBatch};
use pgcdc_format::types::write_json_string;

use super::Topic;
use super::escape::escape_json;
use super::pretty::Pretty;
use crate::config::{Format, Settings};
use crate::context_headers::context_headers;

/// What a line of standard output has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lines {
    /// `{"topic","partition","key","value","headers"}`; key and value are the text that would be in Kafka.
    #[default]
    Debezium,
    /// The same object, in which a key or value that is JSON stands as JSON rather than as text.
    Plain,
    /// A line for people: operation, table, key, and the columns that changed. It reads JSON; what a converter writes in
    /// another form is shown as it is.
    Pretty,
}

/// How records are written to standard output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StdoutFormat {
    /// What a line has.
    pub lines: Lines,
    /// Whether a terminal shows the lines. Then control characters that JSON allows in texts are escaped, since a terminal
    /// might obey them.
    pub is_terminal: bool,
    /// Whether [`Lines::Pretty`] may use colours.
    pub colour: bool,
}

/// Writes records as lines.
#[derive(Clone, Debug, Default)]
pub(crate) struct Renderer {
    /// The headers that all records have, rendered with commas between.
    context: Vec<u8>,
    key: Shape,
    value: Shape,
    /// For people, in place of JSON.
    pretty: Option<Pretty>,
    is_terminal: bool,
}

/// How a key or a value stands in a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Shape {
    /// As a text in quotes.
    #[default]
    Text,
    /// As a text in quotes, or as `hex:00ff` where it is no text.
    TextOrHex,
    /// As the JSON that it is.
    Json,
}

impl Renderer {
    /// Renders what a connector with these settings writes.
    pub(crate) fn new(settings: &Settings, format: StdoutFormat) -> Self {
        let mut context = Vec::new();
        for (name, value) in context_headers(settings) {
            header(&name, Some(value.as_bytes()), &mut context);
        }
        let (key, value) = (&settings.key_format, &settings.value_format);
        let text = if key.is_binary() || value.is_binary() { Shape::TextOrHex } else { Shape::Text };
        let shape = |half: &Format| match half {
            Format::Json(_) | Format::CloudEvents(_) if format.lines == Lines::Plain => Shape::Json,
            _ => text,
        };
        Self {
            context,
            key: shape(key),
            value: shape(value),
            pretty: (format.lines == Lines::Pretty).then(|| Pretty::new(format.colour)),
            is_terminal: format.is_terminal,
        }
    }

    /// Appends the records of a batch as lines.
    pub(super) fn render(&mut self, batch: &RecordBatch, topics: &[Topic], out: &mut Vec<u8>) {
        for record in batch.iter() {
            let topic = topics.get(record.topic.0 as usize);
            match &mut self.pretty {
                Some(pretty) => {
                    let name = topic.map_or("", |topic| &topic.name);
                    pretty.line(name, record.key, record.value, out);
                }
                None => self.line(topic.map_or(b"", |topic| &topic.head), &record, out),
            }
        }
        if self.is_terminal && self.pretty.is_none() {
            escape_json(out);
        }
    }

    fn line(&self, head: &[u8], record: &Record<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(head);
        match record.partition {
            Some(partition) => out.extend_from_slice(partition.to_string().as_bytes()),
            None => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(br#","key":"#);
        self.key.write(record.key, out);
        out.extend_from_slice(br#","value":"#);
        self.value.write(record.value, out);
        out.extend_from_slice(br#","headers":["#);
        let mut count = 0;
        for (name, value) in record.headers() {
            if record.context_at == Some(count) {
                comma(out);
                out.extend_from_slice(&self.context);
            }
            header(name, value, out);
            count += 1;
        }
        if record.context_at == Some(count) && !self.context.is_empty() {
            comma(out);
            out.extend_from_slice(&self.context);
        }
        out.extend_from_slice(b"]}\n");
    }
}

impl Shape {
    fn write(self, bytes: Option<&[u8]>, out: &mut Vec<u8>) {
        match (self, bytes) {
            // A line must stay one line; our encoder writes no breaks between JSON's tokens.
            (Self::Json, Some(json)) if !json.is_empty() && !json.contains(&b'\n') => {
                out.extend_from_slice(json)
            }
            (Self::TextOrHex, Some(bytes)) if std::str::from_utf8(bytes).is_err() => hex(bytes, out),
            _ => text(bytes, out),
        }
    }
}

/// The beginning of a topic's lines, up to the partition.
pub(super) fn head(topic: &str) -> Vec<u8> {
    let mut head = br#"{"topic":"#.to_vec();
    write_json_string(topic.as_bytes(), &mut head);
    head.extend_from_slice(br#","partition":"#);
    head
}

fn text(bytes: Option<&[u8]>, out: &mut Vec<u8>) {
    match bytes {
        Some(bytes) => write_json_string(bytes, out),
        None => out.extend_from_slice(b"null"),
    }
}

fn hex(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"\"hex:");
    for byte in bytes {
        let digit = |four: u8| char::from_digit(u32::from(four), 16).map_or(b'0', |digit| digit as u8);
        out.extend_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
    out.push(b'"');
}

fn comma(out: &mut Vec<u8>) {
    if out.last() == Some(&b']') {
        out.push(b',');
    }
}

/// Appends `["name","value"]`, with a comma when another stands before it.
fn header(name: &str, value: Option<&[u8]>, out: &mut Vec<u8>) {
    comma(out);
    out.push(b'[');
    write_json_string(name.as_bytes(), out);
    out.push(b',');
    text(value, out);
    out.push(b']');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_stand_in_hex() {
        let shown = |bytes: &[u8]| {
            let mut out = Vec::new();
            Shape::TextOrHex.write(Some(bytes), &mut out);
            String::from_utf8(out).expect("JSON is UTF-8")
        };
        assert_eq!(shown(b"a\"b"), r#""a\"b""#);
        assert_eq!(shown(&[0, 0xff]), r#""hex:00ff""#);
    }

    #[test]
    fn json_stands_as_json_and_never_breaks_the_line() {
        let shown = |bytes: Option<&[u8]>| {
            let mut out = Vec::new();
            Shape::Json.write(bytes, &mut out);
            String::from_utf8(out).expect("JSON is UTF-8")
        };
        assert_eq!(shown(Some(br#"{"a":1}"#)), r#"{"a":1}"#);
        assert_eq!(shown(Some(b"{\n}")), r#""{\n}""#);
        assert_eq!((shown(Some(b"")), shown(None)), (r#""""#.to_owned(), "null".to_owned()));
    }
}
