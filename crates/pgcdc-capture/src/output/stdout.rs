use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, channel, sync_channel};
use std::thread;

use pgcdc_event::{Record, TopicId};
use pgcdc_format::types::write_json_string;

use super::Sent;
use crate::ledger::Sequence;
use crate::{Error, Result};

/// Bytes that are handed to the writer at once.
const CHUNK: usize = 1 << 16;

/// Chunks that may wait for a slow reader of the pipe.
const WAITING: usize = 4;

/// Records as JSON lines: `{"topic","partition":null,"key","value","headers"}`, key and value as the
/// text that would be in Kafka. What was written and flushed is delivered.
///
/// A thread writes, since a pipe that nobody reads would otherwise hold up the stream's feedback.
#[derive(Debug)]
pub(crate) struct StdoutOutput {
    writer: SyncSender<Chunk>,
    written: Receiver<io::Result<Vec<Sequence>>>,
    open: Chunk,
    /// Each topic's name, and its line up to the partition.
    topics: Vec<(String, Vec<u8>)>,
    ids: HashMap<String, TopicId>,
    /// The constant headers, as JSON with commas between.
    context: Vec<u8>,
}

#[derive(Debug, Default)]
struct Chunk {
    bytes: Vec<u8>,
    records: Vec<Sequence>,
}

impl StdoutOutput {
    pub(crate) fn new(context: &[(String, String)]) -> Result<Self> {
        let mut rendered = Vec::new();
        for (name, value) in context {
            header(name, Some(value.as_bytes()), &mut rendered);
        }
        let (writer, chunks) = sync_channel::<Chunk>(WAITING);
        let (reports, written) = channel();
        thread::Builder::new()
            .name("pgcdc-stdout".to_owned())
            .spawn(move || {
                for chunk in chunks {
                    let mut out = io::stdout().lock();
                    let done = out.write_all(&chunk.bytes).and_then(|()| out.flush());
                    let failed = done.is_err();
                    if reports.send(done.map(|()| chunk.records)).is_err() || failed {
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
            topics: Vec::new(),
            ids: HashMap::new(),
            context: rendered,
        })
    }

    /// Hands the open chunk to the writer; false when it has enough already.
    fn hand_over(&mut self) -> Result<bool> {
        if self.open.records.is_empty() {
            return Ok(true);
        }
        match self.writer.try_send(std::mem::take(&mut self.open)) {
            Ok(()) => Ok(true),
            Err(TrySendError::Full(chunk)) => {
                self.open = chunk;
                Ok(false)
            }
            // Why it ended is in its last report.
            Err(TrySendError::Disconnected(_)) => match self.written.try_iter().find_map(Result::err) {
                Some(error) => Err(write_error(&error)),
                None => Err(Error::fatal("the thread for standard output ended")),
            },
        }
    }

    pub(crate) fn topic(&mut self, name: &str) -> TopicId {
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        let mut head = br#"{"topic":"#.to_vec();
        write_json_string(name.as_bytes(), &mut head);
        head.extend_from_slice(br#","partition":"#);
        let id = TopicId(u32::try_from(self.topics.len()).unwrap_or(u32::MAX));
        self.topics.push((name.to_owned(), head));
        self.ids.insert(name.to_owned(), id);
        id
    }

    /// The name of a topic that was made known.
    pub(crate) fn name(&self, id: TopicId) -> Option<&str> {
        self.topics.get(id.0 as usize).map(|(name, _)| name.as_str())
    }

    pub(crate) fn send(&mut self, record: &Record<'_>, sequence: Sequence) -> Result<Sent> {
        if self.open.bytes.len() >= CHUNK && !self.hand_over()? {
            return Ok(Sent::Full);
        }
        let line = &mut self.open.bytes;
        let head = self.topics.get(record.topic.0 as usize);
        line.extend_from_slice(head.map_or(b"", |(_, head)| head.as_slice()));
        match record.partition {
            Some(partition) => line.extend_from_slice(partition.to_string().as_bytes()),
            None => line.extend_from_slice(b"null"),
        }
        line.extend_from_slice(br#","key":"#);
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
        self.open.records.push(sequence);
        Ok(Sent::Queued)
    }

    pub(crate) fn poll(&mut self, delivered: &mut Vec<Sequence>) -> Result<()> {
        self.hand_over()?;
        loop {
            match self.written.try_recv() {
                Ok(Ok(mut records)) => delivered.append(&mut records),
                Ok(Err(error)) => return Err(write_error(&error)),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return Ok(()),
            }
        }
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
