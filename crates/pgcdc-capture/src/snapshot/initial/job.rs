//! What the threads of a snapshot share, and the messages between them and the capture thread.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use pgcdc_event::RecordBatch;
use pgcdc_format::envelope::{Context, RelationEncoder};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::line::Line;
use super::ranges::{Range, Ranges};
use crate::config::Connection;
use crate::postgres::RowReader;
use crate::tolerance::Tolerance;
use crate::{Error, Result};

/// Kibibytes of rows and records that may be on their way from all threads together. A larger row
/// waits until nothing else is on its way.
const ROOM: u32 = 8 * 1024;

/// One table, for one thread. The thread reads ranges of it until none is left.
#[derive(Debug)]
pub(super) struct Task {
    /// The table, shared with the other threads that read it.
    pub(super) job: Arc<Job>,
    /// This thread's copy of the table's encoder.
    pub(super) encoder: RelationEncoder,
    /// Where the thread sends what it reads.
    pub(super) out: mpsc::Sender<Report>,
}

/// A table that several threads read, and which ranges are given out.
#[derive(Debug)]
pub(super) struct Job {
    /// What is being done, for error messages.
    pub(super) what: String,
    /// The `SELECT` of all its rows, to which a range's condition is added.
    pub(super) select: String,
    /// How the table is cut.
    pub(super) ranges: Ranges,
    /// The number of the range that is read next.
    next: AtomicU64,
}

impl Job {
    /// A job of which no range is given out.
    pub(super) fn new(what: String, select: String, ranges: Ranges) -> Self {
        Self { what, select, ranges, next: AtomicU64::new(0) }
    }

    /// The next range; `None` when all are given out. Each range is given out once.
    pub(super) fn take(&self) -> Option<Range> {
        self.ranges.get(self.next.fetch_add(1, Ordering::Relaxed))
    }
}

/// What a thread reports of a table.
#[derive(Debug)]
pub(super) enum Report {
    /// Rows. The permit stands for their memory and is dropped when they are sent. A row that is
    /// still in the socket has none.
    Part(Part, Option<OwnedSemaphorePermit>),
    /// No range is left.
    Done,
    /// The thread could not go on, and has ended.
    Failed(Error),
}

/// Some rows of a table.
#[derive(Debug)]
pub(super) enum Part {
    /// The first or the last row of a range. Its marker is not known yet.
    Line(Line),
    /// A large row, which may be the first or the last of its range, and which is still to be read.
    Large(Large),
    /// The records of rows in the middle of a range, and how many rows they are. The range's first
    /// row was sent before.
    Batch(RecordBatch, u64),
}

/// A session that stands before a row of several megabytes. It is lent to the capture thread, which
/// alone knows when nothing else is in memory.
#[derive(Debug)]
pub(super) struct Large {
    /// The session. The row is the next that it reads.
    pub(super) reader: Box<RowReader>,
    /// What is being done, for error messages.
    pub(super) what: String,
    /// Takes the session back once the row was read.
    pub(super) back: oneshot::Sender<Box<RowReader>>,
}

/// What all threads of a snapshot share. Made by `parallel` and kept in the pool.
#[derive(Debug)]
pub(super) struct Shared {
    /// Where to connect.
    pub(super) connection: Connection,
    /// The exported snapshot's name.
    pub(super) snapshot: String,
    /// The statement that locks the tables.
    pub(super) lock: String,
    /// What all records of the snapshot say of their source.
    pub(super) context: Context<'static>,
    /// Decides about values and rows that cannot be converted.
    pub(super) tolerance: Tolerance,
    /// Bounds the memory that is on its way; a permit is a kibibyte.
    room: Arc<Semaphore>,
    /// Empty batches, kept for their memory.
    spare: Mutex<Vec<RecordBatch>>,
    /// The most empty batches that are kept.
    most_spare: usize,
}

impl Shared {
    /// What `threads` threads share.
    pub(super) fn new(
        connection: Connection,
        snapshot: String,
        lock: String,
        context: Context<'static>,
        tolerance: Tolerance,
        threads: usize,
    ) -> Self {
        Self {
            connection,
            snapshot,
            lock,
            context,
            tolerance,
            room: Arc::new(Semaphore::new(ROOM as usize)),
            spare: Mutex::default(),
            most_spare: (4 * threads).min(32),
        }
    }

    /// Waits until `bytes` more may be on their way. For more than [`ROOM`], waits until nothing
    /// else is.
    ///
    /// # Errors
    /// When the snapshot was stopped.
    pub(super) async fn room(&self, bytes: usize) -> Result<OwnedSemaphorePermit> {
        let kib = u32::try_from(bytes / 1024 + 1).unwrap_or(u32::MAX).min(ROOM);
        Arc::clone(&self.room).acquire_many_owned(kib).await.map_err(|_| stopped())
    }

    /// An empty batch, with memory if one was given back.
    pub(super) fn batch(&self) -> RecordBatch {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// Empties a batch and keeps its memory for [`batch`](Self::batch).
    pub(super) fn give_back(&self, mut batch: RecordBatch) {
        batch.clear();
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < self.most_spare {
            spare.push(batch);
        }
    }
}

/// The error of a thread that is stopped. Nobody reads it, since its reader stopped the thread.
pub(super) fn stopped() -> Error {
    Error::closed("the snapshot was stopped")
}

#[cfg(test)]
pub(super) mod tests {
    use std::thread;

    use super::*;

    /// What one thread of a small snapshot would share.
    pub(in super::super) fn shared() -> Shared {
        let document = crate::config::from_source_url("postgres://u:p@h/d", &["t".to_owned()]).unwrap();
        let settings = crate::config::Settings::from_document(&document).unwrap();
        let tolerance = Tolerance::new(&settings, Arc::default());
        Shared::new(settings.connection, String::new(), String::new(), Context::default(), tolerance, 1)
    }

    #[test]
    fn each_range_is_taken_once() {
        let ranges = Ranges::of(10_000, 4).expect("large enough");
        let job = Job::new(String::new(), String::new(), ranges);
        let mut taken: Vec<String> = thread::scope(|scope| {
            let readers: Vec<_> = (0..4)
                .map(|_| {
                    scope
                        .spawn(|| std::iter::from_fn(|| job.take()).map(Range::condition).collect::<Vec<_>>())
                })
                .collect();
            readers.into_iter().flat_map(|reader| reader.join().unwrap()).collect()
        });
        let mut expect: Vec<String> =
            (0..ranges.count()).filter_map(|at| ranges.get(at)).map(Range::condition).collect();
        taken.sort_unstable();
        expect.sort_unstable();
        assert_eq!(taken, expect);
    }

    #[test]
    fn spare_batches_are_empty_and_few() {
        let shared = shared();
        for _ in 0..10 {
            let mut batch = RecordBatch::new();
            batch.buffer().extend_from_slice(b"v");
            batch.push(pgcdc_event::TopicId(0), None, Some(0..1), None);
            shared.give_back(batch);
        }
        assert_eq!(shared.spare.lock().unwrap().len(), 4);
        assert!(shared.batch().is_empty());
    }
}
