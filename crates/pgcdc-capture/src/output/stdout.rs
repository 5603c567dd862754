use std::collections::HashMap;
use std::io::{self, BufWriter, Stdout, Write};

use pgcdc_event::{Record, TopicId};
use pgcdc_format::types::write_json_string;

use super::Sent;
use crate::ledger::Sequence;
use crate::{Error, Result};

/// Records as JSON lines: `{"topic","partition":null,"key","value","headers"}`, key and value as the
/// text that would be in Kafka. What was written and flushed is delivered.
#[derive(Debug)]
pub(crate) struct StdoutOutput {
    out: BufWriter<Stdout>,
    /// Each topic's line up to the key.
    topics: Vec<Vec<u8>>,
    ids: HashMap<String, TopicId>,
    /// The constant headers, as JSON with commas between.
    context: Vec<u8>,
    written: Vec<Sequence>,
    line: Vec<u8>,
}

impl StdoutOutput {
    pub(crate) fn new(context: &[(String, String)]) -> Self {
        let mut rendered = Vec::new();
        for (name, value) in context {
            header(name, Some(value.as_bytes()), &mut rendered);
        }
        Self {
            out: BufWriter::with_capacity(1 << 16, io::stdout()),
            topics: Vec::new(),
            ids: HashMap::new(),
            context: rendered,
            written: Vec::new(),
            line: Vec::new(),
        }
    }

    pub(crate) fn topic(&mut self, name: &str) -> TopicId {
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        let mut head = br#"{"topic":"#.to_vec();
        write_json_string(name.as_bytes(), &mut head);
        head.extend_from_slice(br#","partition":null,"key":"#);
        let id = TopicId(u32::try_from(self.topics.len()).unwrap_or(u32::MAX));
        self.topics.push(head);
        self.ids.insert(name.to_owned(), id);
        id
    }

    pub(crate) fn send(&mut self, record: &Record<'_>, sequence: Sequence) -> Result<Sent> {
        let line = &mut self.line;
        line.clear();
        line.extend_from_slice(self.topics.get(record.topic.0 as usize).map_or(b"", Vec::as_slice));
        text(record.key, line);
        line.extend_from_slice(br#","value":"#);
        text(record.value, line);
        line.extend_from_slice(br#","headers":["#);
        let mut count = 0;
        for (name, value) in record.headers() {
            if record.context_at == Some(count) {
                comma(line);
                line.extend_from_slice(&self.context);
            }
            header(name, value, line);
            count += 1;
        }
        if record.context_at == Some(count) && !self.context.is_empty() {
            comma(line);
            line.extend_from_slice(&self.context);
        }
        line.extend_from_slice(b"]}\n");
        self.out.write_all(line).map_err(|error| write_error(&error))?;
        self.line.shrink_to(1 << 20);
        self.written.push(sequence);
        Ok(Sent::Queued)
    }

    pub(crate) fn poll(&mut self, delivered: &mut Vec<Sequence>) -> Result<()> {
        if !self.written.is_empty() {
            self.out.flush().map_err(|error| write_error(&error))?;
            delivered.append(&mut self.written);
        }
        Ok(())
    }
}

fn text(bytes: Option<&[u8]>, out: &mut Vec<u8>) {
    match bytes {
        Some(bytes) => write_json_string(bytes, out),
        None => out.extend_from_slice(b"null"),
    }
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

fn write_error(error: &io::Error) -> Error {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Error::closed("standard output was closed");
    }
    Error::fatal(format!("standard output cannot be written: {error}"))
}
