//! The threads that read large tables of a snapshot, each with a connection of its own (`snapshot.max.threads`).
//!
//! ```text
//!          a range of pages at a time             one bounded channel
//! table ──────────────────────────────▶ worker ─┬────────────────────▶ capture thread ─▶ outbox
//!                                       worker ─┘  batches of records,
//!                                                  first and last row of each range,
//!                                                  a session before a large row: read there
//! ```
//!
//! Encoding is what takes the time, so it is done there; the outbox with its ledger stays on one thread. All sessions see
//! the one exported snapshot.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use pgcdc_event::RecordBatch;
use pgcdc_format::envelope::{Context, RelationEncoder};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::copy::Line;
use super::ranges::{Range, Ranges};
use super::worker::{self, Task};
use crate::config::Connection;
use crate::postgres::RowReader;
use crate::tolerance::Tolerance;
use crate::{Error, Result};

/// Kibibytes that may be on their way from all workers together; a larger row waits for all of it.
pub(super) const ROOM: u32 = 8 * 1024;

/// A session before a row of several megabytes, lent to whoever has room for it.
#[derive(Debug)]
pub(super) struct Large {
    pub(super) reader: Box<RowReader>,
    /// For errors.
    pub(super) what: String,
    /// Where the session goes when the row is taken.
    pub(super) back: oneshot::Sender<Box<RowReader>>,
}

/// What a worker says of a table.
#[derive(Debug)]
pub(super) enum Report {
    /// Rows. The permit is theirs as long as they are on their way; what has no memory yet needs none.
    Part(Part, Option<OwnedSemaphorePermit>),
    /// There are no more ranges.
    Done,
    /// It could not go on.
    Failed(Error),
}

/// Some rows of a table.
#[derive(Debug)]
pub(super) enum Part {
    /// A range's first or last row; its marker is not known yet.
    Line(Line),
    /// The same of one that is to be read first.
    Large(Large),
    /// Records of so many rows that are neither. A line was sent before them.
    Batch(RecordBatch, u64),
}

/// A table that is being read.
#[derive(Debug)]
pub(super) struct Job {
    /// For errors.
    pub(super) what: String,
    /// The statement, without a condition.
    pub(super) select: String,
    pub(super) ranges: Ranges,
    /// The number of the range that is read next.
    next: AtomicU64,
}

impl Job {
    pub(super) fn new(what: String, select: String, ranges: Ranges) -> Self {
        Self { what, select, ranges, next: AtomicU64::new(0) }
    }

    /// The next range; nobody else gets it.
    pub(super) fn take(&self) -> Option<Range> {
        self.ranges.get(self.next.fetch_add(1, Ordering::Relaxed))
    }
}

/// What all workers know.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) connection: Connection,
    /// The exported snapshot's name.
    pub(super) snapshot: String,
    /// The statement that holds the tables.
    pub(super) lock: String,
    pub(super) context: Context<'static>,
    pub(super) tolerance: Tolerance,
    /// Bounds what is on its way, in kibibytes.
    pub(super) room: Arc<Semaphore>,
    /// Empty batches, for their memory.
    spare: Mutex<Vec<RecordBatch>>,
    /// How many of them are kept.
    most_spare: usize,
}

impl Shared {
    /// An empty batch.
    pub(super) fn batch(&self) -> RecordBatch {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// Keeps a batch's memory for another.
    pub(super) fn give_back(&self, mut batch: RecordBatch) {
        batch.clear();
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < self.most_spare {
            spare.push(batch);
        }
    }
}

/// See the [module](self). When it is dropped the threads are stopped, and their connections closed.
#[derive(Debug)]
pub(super) struct Workers {
    shared: Arc<Shared>,
    /// Where each worker gets its tables.
    tasks: Vec<mpsc::UnboundedSender<Task>>,
    threads: Vec<thread::JoinHandle<()>>,
    /// Closed when the last worker has ended.
    alive: mpsc::Receiver<Infallible>,
    stop: CancellationToken,
}

impl Workers {
    /// Starts up to `count` threads whose sessions see `snapshot`. Those that cannot have one are left out, where a server
    /// or a role has no more connections to give; `None` when that are all.
    pub(super) async fn start(
        connection: &Connection,
        snapshot: &str,
        lock: String,
        context: Context<'static>,
        tolerance: Tolerance,
        count: usize,
    ) -> Option<Self> {
        let shared = Arc::new(Shared {
            connection: connection.clone(),
            snapshot: snapshot.to_owned(),
            lock,
            context,
            tolerance,
            room: Arc::new(Semaphore::new(ROOM as usize)),
            spare: Mutex::default(),
            most_spare: (4 * count).min(32),
        });
        let (life, alive) = mpsc::channel(1);
        let stop = CancellationToken::new();
        let mut workers = Self { shared, tasks: Vec::new(), threads: Vec::new(), alive, stop };
        let starting: Vec<_> = (0..count).map(|_| workers.spawn(life.clone())).collect();
        for started in starting {
            let ready = async {
                let (tasks, ready) = started?;
                ready.await.unwrap_or_else(|_| Err(ended())).map(|()| tasks)
            };
            match ready.await {
                Ok(tasks) => workers.tasks.push(tasks),
                Err(error) => {
                    tracing::warn!(%error, "the snapshot goes on with one connection fewer (snapshot.max.threads)");
                }
            }
        }
        (!workers.tasks.is_empty()).then_some(workers)
    }

    fn spawn(
        &mut self,
        life: mpsc::Sender<Infallible>,
    ) -> Result<(mpsc::UnboundedSender<Task>, oneshot::Receiver<Result<()>>)> {
        let failed = |error| Error::fatal("a thread of the snapshot could not be started").with_source(error);
        let (tasks, receiver) = mpsc::unbounded_channel();
        let (ready, is_ready) = oneshot::channel();
        let (shared, stop) = (Arc::clone(&self.shared), self.stop.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let thread = thread::Builder::new()
            .name("pgcdc-snapshot".to_owned())
            .spawn(move || {
                let _life = life;
                runtime.block_on(async {
                    tokio::select! {
                        biased;
                        () = stop.cancelled() => {}
                        () = Box::pin(worker::work(&shared, receiver, ready)) => {}
                    }
                });
                // The name of a host may still be looked up.
                runtime.shutdown_background();
            })
            .map_err(failed)?;
        self.threads.push(thread);
        Ok((tasks, is_ready))
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.tasks.len()
    }

    /// Lets them read a table; what they send comes in any order.
    pub(super) fn read(&self, job: Job, encoder: &RelationEncoder) -> Parts<'_> {
        let job = Arc::new(job);
        let readers = usize::try_from(job.ranges.count()).unwrap_or(usize::MAX).min(self.tasks.len());
        let (out, reports) = mpsc::channel(2 * readers);
        for tasks in self.tasks.iter().take(readers) {
            let task = Task { job: Arc::clone(&job), encoder: encoder.clone(), out: out.clone() };
            // Of one that has ended there is no `Done`, and that is noticed.
            let _ = tasks.send(task);
        }
        Parts { shared: &self.shared, reports, reading: readers }
    }

    /// Waits until all sessions have ended.
    pub(super) async fn finish(mut self) {
        self.tasks.clear();
        while self.alive.recv().await.is_some() {}
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.stop.cancel();
        self.tasks.clear();
        for thread in self.threads.drain(..) {
            // They wait for nothing but their runtime, which wakes them. A panic was told on standard error.
            let _ = thread.join();
        }
    }
}

/// What the workers send of one table. Dropped before its end, they stop reading it.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    shared: &'a Shared,
    reports: mpsc::Receiver<Report>,
    /// Workers that are not done.
    reading: usize,
}

impl Parts<'_> {
    /// The next rows, and what to drop when they are no longer needed; none when the table is at its end.
    pub(super) async fn next(&mut self) -> Result<Option<(Part, Option<OwnedSemaphorePermit>)>> {
        while self.reading > 0 {
            match self.reports.recv().await {
                Some(Report::Part(part, room)) => return Ok(Some((part, room))),
                Some(Report::Done) => self.reading -= 1,
                Some(Report::Failed(error)) => return Err(error),
                None => return Err(ended()),
            }
        }
        Ok(None)
    }

    /// See [`Shared::give_back`].
    pub(super) fn give_back(&self, batch: RecordBatch) {
        self.shared.give_back(batch);
    }
}

fn ended() -> Error {
    Error::fatal("a thread of the snapshot ended without a word")
}

#[cfg(test)]
mod tests {
    use super::*;

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

    fn parts(shared: &Shared, reading: usize, sent: Vec<Report>) -> Parts<'_> {
        let (out, reports) = mpsc::channel(8);
        for part in sent {
            out.try_send(part).unwrap();
        }
        Parts { shared, reports, reading }
    }

    fn shared() -> Shared {
        let document =
            crate::config::Document::from_source_url("postgres://u:p@h/d", &["t".to_owned()]).unwrap();
        let settings = crate::config::Settings::from_document(&document).unwrap();
        Shared {
            tolerance: Tolerance::new(&settings, Arc::default()),
            connection: settings.connection,
            snapshot: String::new(),
            lock: String::new(),
            context: Context::default(),
            room: Arc::new(Semaphore::new(1)),
            spare: Mutex::default(),
            most_spare: 1,
        }
    }

    #[tokio::test]
    async fn a_table_ends_when_all_are_done_and_not_before() {
        let shared = shared();
        let mut all = parts(&shared, 2, vec![Report::Done, Report::Done]);
        assert!(matches!(all.next().await, Ok(None)));
        let mut one_vanished = parts(&shared, 2, vec![Report::Done]);
        assert!(one_vanished.next().await.is_err(), "rows would be missing");
        let failed = Report::Failed(Error::transient("no more"));
        let mut one_failed = parts(&shared, 2, vec![Report::Done, failed]);
        assert_eq!(one_failed.next().await.unwrap_err().to_string(), "no more");
    }

    #[test]
    fn spare_batches_are_empty_and_few() {
        let shared = shared();
        for _ in 0..3 {
            let mut batch = RecordBatch::new();
            batch.buffer().extend_from_slice(b"v");
            batch.push(pgcdc_event::TopicId(0), None, Some(0..1), None);
            shared.give_back(batch);
        }
        assert_eq!(shared.spare.lock().unwrap().len(), 1);
        assert!(shared.batch().is_empty());
    }
}
