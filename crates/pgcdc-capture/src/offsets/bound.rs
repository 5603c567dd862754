//! Writes the offset before the server is told a position. So a slot that stands beyond the offset
//! was moved by somebody else.
//!
//! What is confirmed can be read from the slot, but not who confirmed it. So no position is
//! confirmed before the offset with that position is durable. After a crash at any moment the slot
//! stands at the offset or behind it; a slot that stands beyond it was made anew or advanced by
//! somebody else. And a slot that somebody moved to a position below the offset has lost nothing,
//! since everything up to there is written.
//!
//! Writing once for each transaction would cost more than the transaction. The offset is written as
//! often as the server is told how far we are, and ten times more rarely while no record comes
//! ([`Pauses`]).

use std::time::{Duration, Instant};

use futures_util::FutureExt;
use pgcdc_event::Lsn;
use tokio::task::JoinHandle;

use super::{Offset, OffsetStore, OffsetWriter};
use crate::Result;
use crate::clock::now_ns;

/// The shortest time between two writes of the offset.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pauses {
    /// While records come.
    busy: Duration,
    /// While only the server's own WAL position moves.
    pub(crate) idle: Duration,
}

impl Pauses {
    /// For a server that is told its position at this interval.
    pub(crate) fn new(report_interval: Duration) -> Self {
        Self { busy: report_interval, idle: report_interval * 10 }
    }
}

/// The pause after a write that failed.
const RETRY_PAUSE: Duration = Duration::from_secs(5);

/// Sees to it that no position is confirmed before its offset is durable. For at-least-once; with
/// exactly-once the Kafka transaction does it. Owned by the stream's outbox.
#[derive(Debug)]
pub(crate) struct Bound {
    /// All that the next offset says, except its positions.
    template: Offset,
    /// The position of the durable offset: the server may be told no later one.
    kept: Lsn,
    /// When the next write is due.
    pace: Pace,
    /// The write that is under way, or the writer for the next one.
    work: Work,
}

/// At most one write at a time.
#[derive(Debug)]
enum Work {
    /// No write is under way.
    Idle(OffsetWriter),
    /// A task writes the offset for this position, and gives the writer back.
    Writing(Lsn, JoinHandle<(OffsetWriter, Result<()>)>),
    /// There is no store: nothing to compare after a restart, and nothing to wait for.
    Nothing,
}

impl Bound {
    /// Goes on from `offset`. Positions up to `kept` may be confirmed already: the offset's own when
    /// it is durable. When it is not, it is written once everything up to its position is delivered.
    pub(crate) fn new(store: &OffsetStore, offset: Offset, kept: Lsn, pauses: Pauses) -> Self {
        let work = if store.is_nowhere() { Work::Nothing } else { Work::Idle(store.writer()) };
        let pace = Pace { records: offset.written, ..Pace::new(pauses) };
        // What exactly-once left there would be out of date.
        let template = Offset { reached: None, ..offset };
        Self { kept, template, pace, work }
    }

    /// The position that may be confirmed to the server: at most `delivered`, up to which
    /// everything is durable at the output. `written` is where the last transaction with records
    /// before it ends. Begins to write the offset when it is time; does not wait.
    ///
    /// # Errors
    /// When the task that writes is gone. A write that failed is tried again after five seconds,
    /// and is no error.
    pub(crate) fn confirmable(&mut self, delivered: Lsn, written: Lsn) -> Result<Lsn> {
        if let Work::Nothing = self.work {
            return Ok(delivered);
        }
        if let Work::Writing(lsn, task) = &mut self.work
            && let Some(ended) = task.now_or_never()
        {
            let lsn = *lsn;
            if let Err(error) = self.ended(lsn, ended)? {
                tracing::warn!(%error, hint = error.hint(), "the offset could not be written; until it is, the slot stays where it is");
            }
        }
        if self.is_beyond(delivered) && self.pace.is_due(written, Instant::now()) {
            self.write(delivered, written);
        }
        Ok(delivered.min(self.kept))
    }

    /// Writes the offset for `delivered` and waits until it is durable. Returns the position that
    /// may be confirmed then.
    pub(crate) async fn finish(&mut self, delivered: Lsn, written: Lsn) -> Result<Lsn> {
        if let Work::Nothing = self.work {
            return Ok(delivered);
        }
        self.settle().await?;
        if self.is_beyond(delivered) {
            self.write(delivered, written);
            self.settle().await?;
        }
        Ok(delivered.min(self.kept))
    }

    /// Waits for a write that is under way, so that it does not come after a write of the next
    /// session. After `limit` the write is given up.
    pub(crate) async fn close(mut self, limit: Duration) {
        if tokio::time::timeout(limit, self.settle()).await.is_err()
            && let Work::Writing(_, task) = &self.work
        {
            task.abort();
        }
    }

    /// Begins to write the offset for `lsn` in a task, unless a write is under way.
    /// Whether an offset for this position says more than the durable one, and nothing that is not
    /// delivered: the first offset may stand for a snapshot whose rows still wait.
    fn is_beyond(&self, delivered: Lsn) -> bool {
        delivered > self.kept && delivered >= self.template.lsn
    }

    fn write(&mut self, lsn: Lsn, written: Lsn) {
        let Work::Idle(_) = self.work else { return };
        let Work::Idle(mut writer) = std::mem::replace(&mut self.work, Work::Nothing) else { return };
        let offset = Offset { lsn, written, ..self.template.clone() };
        self.pace.wrote(written, Instant::now());
        let task = tokio::spawn(async move {
            let done = writer.write(&offset, now_ns() / 1000).await;
            (writer, done)
        });
        self.work = Work::Writing(lsn, task);
    }

    /// Waits for the write that is under way, if there is one.
    async fn settle(&mut self) -> Result<()> {
        let Work::Writing(lsn, task) = &mut self.work else { return Ok(()) };
        let lsn = *lsn;
        let ended = task.await;
        self.ended(lsn, ended)?
    }

    /// Takes the writer back from a write of the offset for `lsn`. The outer error means that the
    /// task is gone, the inner one that the write failed.
    fn ended(
        &mut self,
        lsn: Lsn,
        ended: Result<(OffsetWriter, Result<()>), tokio::task::JoinError>,
    ) -> Result<Result<()>> {
        let (writer, done) = ended.map_err(|error| {
            crate::Error::transient("the task that writes offsets has ended").with_source(error)
        })?;
        self.work = Work::Idle(writer);
        match &done {
            Ok(()) => self.kept = self.kept.max(lsn),
            Err(_) => self.pace.failed(Instant::now()),
        }
        Ok(done)
    }
}

/// Decides when the next write is due. Pure: the time is handed in.
#[derive(Debug)]
struct Pace {
    pauses: Pauses,
    /// Where the last transaction with records ended at the last write.
    records: Lsn,
    /// When the last write began; `None` before the first and after a failure.
    last: Option<Instant>,
    /// The end of the pause after a failure.
    not_before: Option<Instant>,
}

impl Pace {
    fn new(pauses: Pauses) -> Self {
        Self { pauses, records: Lsn::ZERO, last: None, not_before: None }
    }

    /// Whether to write now, when the last transaction with records ended at `written`.
    fn is_due(&self, written: Lsn, now: Instant) -> bool {
        let pause = if written > self.records { self.pauses.busy } else { self.pauses.idle };
        self.not_before.is_none_or(|at| now >= at) && self.last.is_none_or(|last| now >= last + pause)
    }

    /// A write has begun.
    fn wrote(&mut self, written: Lsn, now: Instant) {
        self.records = written;
        self.last = Some(now);
        self.not_before = None;
    }

    /// A write has failed.
    fn failed(&mut self, now: Instant) {
        self.not_before = Some(now + RETRY_PAUSE);
        self.last = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn half_a_second() -> Pauses {
        Pauses::new(Duration::from_millis(500))
    }

    #[test]
    fn the_first_change_is_written_at_once_and_a_flood_twice_a_second() {
        let start = Instant::now();
        let mut pace = Pace::new(half_a_second());
        let due: Vec<u64> = (0..2000)
            .filter(|ms| {
                let (written, now) = (Lsn::new(1 + ms), start + Duration::from_millis(*ms));
                let due = pace.is_due(written, now);
                if due {
                    pace.wrote(written, now);
                }
                due
            })
            .collect();
        assert_eq!(due, [0, 500, 1000, 1500]);
        let later = |secs| start + Duration::from_secs(secs);
        let same = Lsn::new(1501);
        assert!(!pace.is_due(same, later(6)), "nothing but the server's progress");
        assert!(pace.is_due(same, later(7)));
        pace.failed(later(7));
        assert!(!pace.is_due(Lsn::new(3000), later(11)) && pace.is_due(Lsn::new(3000), later(12)));
    }

    #[tokio::test]
    async fn nothing_is_confirmed_before_it_is_durable() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("offsets.json");
        let store = OffsetStore::file("c", "p", path);
        let lsn = Lsn::new;
        let offset = Offset {
            snapshot_completed: true,
            lsn: lsn(10),
            written: lsn(10),
            home: None,
            reached: None,
            taken_over: None,
        };
        let at = |bound: &mut Bound, n| bound.confirmable(lsn(n), lsn(n)).expect("the task lives");
        let mut bound = Bound::new(&store, offset, lsn(10), half_a_second());
        assert_eq!(at(&mut bound, 10), lsn(10), "it is durable already");
        assert_eq!(at(&mut bound, 20), lsn(10), "its write has only begun");
        while at(&mut bound, 30) == lsn(10) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(store.load().await.expect("read").map(|offset| offset.lsn), Some(lsn(20)));
        assert_eq!(at(&mut bound, 30), lsn(20), "the next write is not due");
        assert_eq!(bound.finish(lsn(40), lsn(35)).await.expect("written"), lsn(40));
        let stored = store.load().await.expect("read").expect("an offset");
        assert_eq!((stored.lsn, stored.written), (lsn(40), lsn(35)));
        assert_eq!(
            at(&mut Bound::new(&OffsetStore::nowhere(), stored, lsn(40), half_a_second()), 99),
            lsn(99)
        );
    }

    #[tokio::test]
    async fn the_offset_of_a_snapshot_is_written_when_its_rows_are_delivered() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = OffsetStore::file("c", "p", folder.path().join("offsets.json"));
        let lsn = Lsn::new;
        let offset = Offset {
            snapshot_completed: true,
            lsn: lsn(50),
            written: lsn(50),
            home: None,
            reached: None,
            taken_over: None,
        };
        let mut bound = Bound::new(&store, offset, lsn(20), half_a_second());
        assert_eq!(bound.confirmable(lsn(20), lsn(20)).expect("the task lives"), lsn(20));
        assert_eq!(bound.finish(lsn(49), lsn(20)).await.expect("nothing to write"), lsn(20));
        assert_eq!(store.load().await.expect("read"), None, "the snapshot's rows are not delivered");
        assert_eq!(bound.finish(lsn(50), lsn(50)).await.expect("written"), lsn(50));
        let stored = store.load().await.expect("read").expect("an offset");
        assert_eq!((stored.snapshot_completed, stored.lsn), (true, lsn(50)));
    }
}
