//! Records to standard output, as JSON lines or as lines for people.
//!
//! ```text
//!  send ─▶ open chunk ─▶ writer's thread: render, write, flush ─▶ report ─▶ poll
//! ```

mod escape;
mod lines;
mod pretty;

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread;

use pgcdc_event::{Record, RecordBatch, TopicId};

pub use self::lines::{Lines, StdoutFormat};

pub(crate) use self::lines::Renderer;

use crate::ledger::Sequence;
use crate::output::Sent;
use crate::{Error, Result};

/// Bytes of records that are handed to the writer at once.
const CHUNK: usize = 1 << 16;

/// Bytes of records that may wait for a slow reader of the pipe; a larger chunk waits alone.
const WAITING: usize = 4 << 20;

/// Chunks that are kept for their memory.
const SPARE: usize = 8;

/// Records as [`Lines`]. In JSON, bytes that are not UTF-8, which only some converters write, are
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
    /// The topics by their number. Shared with the chunks; copied when a topic is added.
    topics: Arc<Vec<Topic>>,
    /// Numbers by name.
    ids: HashMap<String, TopicId>,
}

/// A topic that was made known.
#[derive(Clone, Debug)]
struct Topic {
    name: String,
    /// The beginning of its lines, up to `"partition":`.
    head: Vec<u8>,
}

/// Some records that are written in one go.
#[derive(Debug, Default)]
struct Chunk {
    /// Copies of the records.
    batch: RecordBatch,
    /// The number of each record, in the same order.
    sequences: Vec<Sequence>,
    /// The topics by their number.
    topics: Arc<Vec<Topic>>,
}

impl StdoutOutput {
    /// Starts the writer's thread.
    pub(crate) fn new(mut renderer: Renderer) -> Result<Self> {
        let (writer, chunks) = channel::<Chunk>();
        let (reports, written) = channel();
        thread::Builder::new()
            .name("pgcdc-stdout".to_owned())
            .spawn(move || {
                let mut lines = Vec::new();
                for chunk in chunks {
                    lines.clear();
                    lines.shrink_to(1 << 20);
                    renderer.render(&chunk.batch, &chunk.topics, &mut lines);
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
            topics: Arc::default(),
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
        self.open.topics = Arc::clone(&self.topics);
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
        let id = TopicId(u32::try_from(self.topics.len()).unwrap_or(u32::MAX));
        Arc::make_mut(&mut self.topics).push(Topic { name: name.to_owned(), head: lines::head(name) });
        self.ids.insert(name.to_owned(), id);
        id
    }

    /// The name of a topic that has a number.
    pub(crate) fn name(&self, id: TopicId) -> Option<&str> {
        self.topics.get(id.0 as usize).map(|topic| topic.name.as_str())
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

fn write_error(error: &io::Error) -> Error {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Error::closed("standard output was closed");
    }
    Error::fatal(format!("standard output cannot be written: {error}"))
}
