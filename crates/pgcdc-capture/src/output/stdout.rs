//! Records to standard output, as JSON lines.
//!
//! ```text
//!  send ─▶ open chunk ─▶ writer's thread: render, write, flush ─▶ report ─▶ poll
//! ```

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread;

use pgcdc_event::{Record, RecordBatch, TopicId};
use pgcdc_format::types::write_json_string;

use crate::ledger::Sequence;
use crate::output::Sent;
use crate::{Error, Result};

/// Bytes of records that are handed to the writer at once.
const CHUNK: usize = 1 << 16;

/// Bytes of records that may wait for a slow reader of the pipe; a larger chunk waits alone.
const WAITING: usize = 4 << 20;

/// Chunks that are kept for their memory.
const SPARE: usize = 8;

/// Records as JSON lines: `{"topic","partition":null,"key","value","headers"}`. Key and value are
/// the text that would be in Kafka; bytes that are not UTF-8, which only some converters write, are
/// shown as `hex:00ff`. A record counts as delivered once it was written and flushed.
///
/// A thread of its own writes, since a pipe that nobody reads would otherwise hold up the stream's
/// feedback. It also renders the lines: to quote the JSON of a record takes half as long as to
/// encode it.
#[derive(Debug)]
pub(crate) struct StdoutOutput {
    /// To the writer's thread. Its end ends the thread.
    writer: Sender<Chunk>,
    /// Chunks that were written and flushed, or the error that ended the thread.
    written: Receiver<io::Result<Chunk>>,
    /// Records that are not handed to the thread yet.
    open: Chunk,
    /// Bytes of records that the thread has and has not written.
    waiting: usize,
    /// Empty chunks that came back.
    spare: Vec<Chunk>,
    /// Names by number.
    topics: Vec<String>,
    /// By a topic's number, the beginning of its lines up to `"partition":`. Shared with the
    /// chunks; copied when a topic is added.
    heads: Arc<Vec<Vec<u8>>>,
    /// Numbers by name.
    ids: HashMap<String, TopicId>,
}

/// Some records that are written in one go.
#[derive(Debug, Default)]
struct Chunk {
    /// Copies of the records.
    batch: RecordBatch,
    /// The number of each record, in the same order.
    sequences: Vec<Sequence>,
    /// The beginnings of lines, by the topic's number.
    heads: Arc<Vec<Vec<u8>>>,
}

impl StdoutOutput {
    /// Starts the writer's thread. `context` are the headers that all records have; `binary` says
    /// whether keys or values may be other than text.
    pub(crate) fn new(context: &[(String, String)], binary: bool) -> Result<Self> {
        let mut rendered = Vec::new();
        for (name, value) in context {
            header(name, Some(value.as_bytes()), &mut rendered);
        }
        let (writer, chunks) = channel::<Chunk>();
        let (reports, written) = channel();
        thread::Builder::new()
            .name("pgcdc-stdout".to_owned())
            .spawn(move || {
                let mut lines = Vec::new();
                for chunk in chunks {
                    lines.clear();
                    lines.shrink_to(1 << 20);
                    chunk.render(&rendered, binary, &mut lines);
                    let mut out = io::stdout().lock();
                    let done = out.write_all(&lines).and_then(|()| out.flush());
                    let failed = done.is_err();
                    if reports.send(done.map(|()| chunk)).is_err() || failed {
                        return;
                    }
                }
            })
            .map_err(|error| {
                Error::fatal("the thread for standard output could not be started").with_source(error)
            })?;
        Ok(Self {
            writer,
            written,
            open: Chunk::default(),
            waiting: 0,
            spare: Vec::new(),
            topics: Vec::new(),
            heads: Arc::default(),
            ids: HashMap::new(),
        })
    }

    /// Hands the open chunk to the thread; false when the thread has enough already.
    ///
    /// # Errors
    /// When the thread has ended: [closed](Error::is_closed) when the pipe's reader went away.
    fn hand_over(&mut self) -> Result<bool> {
        if self.open.sequences.is_empty() {
            return Ok(true);
        }
        let bytes = self.open.batch.position();
        if self.waiting > 0 && self.waiting + bytes > WAITING {
            return Ok(false);
        }
        self.open.heads = Arc::clone(&self.heads);
        let next = self.spare.pop().unwrap_or_default();
        if self.writer.send(std::mem::replace(&mut self.open, next)).is_err() {
            // Why it ended is in its last report.
            return match self.written.try_iter().find_map(Result::err) {
                Some(error) => Err(write_error(&error)),
                None => Err(Error::fatal("the thread for standard output ended")),
            };
        }
        self.waiting += bytes;
        Ok(true)
    }

    /// The number of a topic; a new one gets the next.
    pub(crate) fn topic(&mut self, name: &str) -> TopicId {
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        let mut head = br#"{"topic":"#.to_vec();
        write_json_string(name.as_bytes(), &mut head);
        head.extend_from_slice(br#","partition":"#);
        let id = TopicId(u32::try_from(self.topics.len()).unwrap_or(u32::MAX));
        Arc::make_mut(&mut self.heads).push(head);
        self.topics.push(name.to_owned());
        self.ids.insert(name.to_owned(), id);
        id
    }

    /// The name of a topic that has a number.
    pub(crate) fn name(&self, id: TopicId) -> Option<&str> {
        self.topics.get(id.0 as usize).map(String::as_str)
    }

    /// Copies a record into the open chunk.
    pub(crate) fn send(&mut self, record: &Record<'_>, sequence: Sequence) -> Result<Sent> {
        if self.open.batch.position() >= CHUNK && !self.hand_over()? {
            return Ok(Sent::Full);
        }
        self.open.batch.copy(record);
        self.open.sequences.push(sequence);
        Ok(Sent::Queued)
    }

    /// Hands over what is open, and appends the numbers of records that were written.
    pub(crate) fn poll(&mut self, delivered: &mut Vec<Sequence>) -> Result<()> {
        self.hand_over()?;
        loop {
            match self.written.try_recv() {
                Ok(Ok(mut chunk)) => {
                    delivered.append(&mut chunk.sequences);
                    self.waiting -= chunk.batch.position();
                    chunk.batch.clear();
                    if self.spare.len() < SPARE {
                        self.spare.push(chunk);
                    }
                }
                Ok(Err(error)) => return Err(write_error(&error)),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return Ok(()),
            }
        }
    }
}

impl Chunk {
    /// Appends the chunk's records as lines. `context` holds the constant headers, with commas
    /// between them.
    fn render(&self, context: &[u8], binary: bool, out: &mut Vec<u8>) {
        let text = if binary { text_or_hex } else { text };
        for record in self.batch.iter() {
            let head = self.heads.get(record.topic.0 as usize);
            out.extend_from_slice(head.map_or(b"", Vec::as_slice));
            match record.partition {
                Some(partition) => out.extend_from_slice(partition.to_string().as_bytes()),
                None => out.extend_from_slice(b"null"),
            }
            out.extend_from_slice(br#","key":"#);
            text(record.key, out);
            out.extend_from_slice(br#","value":"#);
            text(record.value, out);
            out.extend_from_slice(br#","headers":["#);
            let mut count = 0;
            for (name, value) in record.headers() {
                if record.context_at == Some(count) {
                    comma(out);
                    out.extend_from_slice(context);
                }
                header(name, value, out);
                count += 1;
            }
            if record.context_at == Some(count) && !context.is_empty() {
                comma(out);
                out.extend_from_slice(context);
            }
            out.extend_from_slice(b"]}\n");
        }
    }
}

/// Appends bytes as a JSON string, or `null`.
fn text(bytes: Option<&[u8]>, out: &mut Vec<u8>) {
    match bytes {
        Some(bytes) => write_json_string(bytes, out),
        None => out.extend_from_slice(b"null"),
    }
}

/// As [`text`]; bytes that are not UTF-8 as `"hex:…"`.
fn text_or_hex(bytes: Option<&[u8]>, out: &mut Vec<u8>) {
    match bytes {
        Some(bytes) if std::str::from_utf8(bytes).is_err() => {
            out.extend_from_slice(b"\"hex:");
            for byte in bytes {
                let digit =
                    |four: u8| char::from_digit(u32::from(four), 16).map_or(b'0', |digit| digit as u8);
                out.extend_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
            }
            out.push(b'"');
        }
        other => text(other, out),
    }
}

/// Appends a comma, when a header stands before.
fn comma(out: &mut Vec<u8>) {
    if out.last() == Some(&b']') {
        out.push(b',');
    }
}

/// Appends `["name","value"]`, with a comma when another header stands before it.
fn header(name: &str, value: Option<&[u8]>, out: &mut Vec<u8>) {
    comma(out);
    out.push(b'[');
    write_json_string(name.as_bytes(), out);
    out.push(b',');
    text(value, out);
    out.push(b']');
}

/// A pipe that its reader has closed is the normal end (`pgcdc stream --stdout | head`); anything
/// else is a failure.
fn write_error(error: &io::Error) -> Error {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Error::closed("standard output was closed");
    }
    Error::fatal(format!("standard output cannot be written: {error}"))
}

#[test]
fn bytes_that_are_no_text_stand_in_hex() {
    let shown = |bytes: &[u8]| {
        let mut out = Vec::new();
        text_or_hex(Some(bytes), &mut out);
        String::from_utf8(out).expect("JSON is UTF-8")
    };
    assert_eq!(shown(b"a\"b"), r#""a\"b""#);
    assert_eq!(shown(&[0, 0xff]), r#""hex:00ff""#);
}
