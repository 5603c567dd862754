//! The threads that read large tables of a snapshot, each with a connection of its own
//! (`snapshot.max.threads`).
//!
//! ```text
//!          a range of pages at a time             one bounded channel
//! table ──────────────────────────────▶ worker ─┬────────────────────▶ capture thread ─▶ outbox
//!                                       worker ─┘  batches of records,
//!                                                  first and last row of each range,
//!                                                  a session in front of a large row
//! ```
//!
//! Encoding takes most of the time, so the threads encode; the outbox and its ledger stay on the
//! capture thread. All sessions see the one exported snapshot.

use std::convert::Infallible;
use std::sync::Arc;
use std::thread;

use pgcdc_event::RecordBatch;
use pgcdc_format::envelope::RelationEncoder;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::job::{Job, Part, Report, Shared, Task};
use super::worker;
use crate::{Error, Result};

/// The running threads, each with a runtime and a session of its own. Dropping the pool stops them
/// and closes their connections.
#[derive(Debug)]
pub(super) struct Pool {
    /// What all threads need.
    shared: Arc<Shared>,
    /// Where each worker gets its tables.
    tasks: Vec<mpsc::UnboundedSender<Task>>,
    /// Joined when the pool is dropped.
    threads: Vec<thread::JoinHandle<()>>,
    /// Never receives anything. It is closed when the last thread has ended.
    alive: mpsc::Receiver<Infallible>,
    /// Stops the threads wherever they wait.
    stop: CancellationToken,
}

impl Pool {
    /// Starts up to `count` threads whose sessions see the snapshot. A server or a role may have
    /// fewer connections to give: then there are fewer threads, and `None` when there is not even
    /// one.
    pub(super) async fn start(shared: Shared, count: usize) -> Option<Self> {
        let (life, alive) = mpsc::channel(1);
        let stop = CancellationToken::new();
        let mut pool = Self { shared: Arc::new(shared), tasks: Vec::new(), threads: Vec::new(), alive, stop };
        let starting: Vec<_> = (0..count).map(|_| pool.spawn(life.clone())).collect();
        for started in starting {
            let ready = async {
                let (tasks, ready) = started?;
                ready.await.unwrap_or_else(|_| Err(ended())).map(|()| tasks)
            };
            match ready.await {
                Ok(tasks) => pool.tasks.push(tasks),
                Err(error) => {
                    tracing::warn!(%error, "the snapshot goes on with one connection fewer (snapshot.max.threads)");
                }
            }
        }
        (!pool.tasks.is_empty()).then_some(pool)
    }

    /// Starts one thread. Returns where it takes tasks, and the answer whether its session sees the snapshot.
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
                // A host name may still be looked up on a blocking thread, and this thread must not
                // wait for it.
                runtime.shutdown_background();
            })
            .map_err(failed)?;
        self.threads.push(thread);
        Ok((tasks, is_ready))
    }

    /// How many threads there are.
    pub(super) fn count(&self) -> usize {
        self.tasks.len()
    }

    /// Gives a table to as many threads as it has ranges for. Its parts come in any order.
    pub(super) fn read(&self, job: Job, encoder: &RelationEncoder) -> Parts<'_> {
        let job = Arc::new(job);
        let readers = usize::try_from(job.ranges.count()).unwrap_or(usize::MAX).min(self.tasks.len());
        let (out, reports) = mpsc::channel(2 * readers);
        for tasks in self.tasks.iter().take(readers) {
            let task = Task { job: Arc::clone(&job), encoder: encoder.clone(), out: out.clone() };
            // A thread that has ended takes no task and reports no `Done`, which `Parts::next` notices.
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

impl Drop for Pool {
    fn drop(&mut self) {
        self.stop.cancel();
        self.tasks.clear();
        for thread in self.threads.drain(..) {
            // It returns soon: a thread waits only in its runtime, which the token wakes. A panic
            // of a thread has already been printed on standard error.
            let _ = thread.join();
        }
    }
}

/// What the threads send of one table. When it is dropped early, they stop reading the table.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    shared: &'a Shared,
    /// Reports of all threads that read the table.
    reports: mpsc::Receiver<Report>,
    /// How many threads still read the table.
    reading: usize,
}

impl Parts<'_> {
    /// The next rows, with the permit to drop once they are sent; `None` at the table's end.
    ///
    /// # Errors
    /// When a thread failed or ended.
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

/// The error for a thread that is gone without a report, for instance after a panic.
fn ended() -> Error {
    Error::fatal("a thread of the snapshot ended without saying why")
}

#[cfg(test)]
mod tests {
    use super::super::job::tests::shared;
    use super::*;

    fn parts(shared: &Shared, reading: usize, sent: Vec<Report>) -> Parts<'_> {
        let (out, reports) = mpsc::channel(8);
        for part in sent {
            out.try_send(part).unwrap();
        }
        Parts { shared, reports, reading }
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
}
