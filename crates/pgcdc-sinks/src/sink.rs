//! The trait that a store implements, and its contract.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use pgcdc_format::decode::Change;
use pgcdc_kafka::consumer::{Message, Partition, Start};

use crate::order::Order;

/// One record: as it was read, and what it means.
#[derive(Debug)]
pub struct Record<'a> {
    /// The record as it was read.
    pub message: &'a Message,
    /// What it means.
    pub change: Change<'a>,
    /// Where it stands among all changes of its source; `None` when it carries no position.
    pub order: Option<Order>,
}

/// Consecutive records of one partition, in order.
///
/// Offsets may have gaps (compaction, transactions, records already sent to the dead letters).
#[derive(Debug)]
pub struct Batch<'a> {
    /// Where the records come from.
    pub partition: &'a Partition,
    /// The offset after the last record, which becomes the committed one.
    pub next: i64,
    /// The records that are still to be written; may be empty, when all were rejected.
    pub records: Vec<Record<'a>>,
    /// What is remembered of the partition beside `next`. A sink that stores offsets stores it in the same step, and tells
    /// it in [`Sink::bookmark`].
    pub bookmark: &'a str,
}

/// What became of a batch.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Whether every record that is not in `rejected` is durable in the store.
    ///
    /// A sink that stores offsets together with its data answers `false` when it rejects something:
    /// nothing is written, and the same batch comes again without the rejected records once these are
    /// in the dead letter topic.
    pub durable: bool,
    /// Records that can never be written.
    pub rejected: Vec<Rejected>,
}

/// A record that can never be written, because of what it holds. It goes to the dead letter topic.
///
/// What says nothing about the record (credentials, a missing table, load) is a [`SinkError`] instead: the next record would
/// get the same answer, and a whole topic would become dead letters.
#[derive(Debug, PartialEq, Eq)]
pub struct Rejected {
    /// The record's offset in the batch's partition.
    pub offset: i64,
    /// Why, for a person to read. Never quotes values of the row.
    pub reason: String,
}

/// A failure of the store, as opposed to one of a record.
#[derive(Debug)]
pub struct SinkError {
    pub(crate) kind: SinkErrorKind,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) progressed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SinkErrorKind {
    Transient,
    Diverged,
    Fatal,
}

impl SinkError {
    /// The same call may succeed later: the driver repeats it.
    pub fn transient(message: impl Into<String>) -> Self {
        Self::new(SinkErrorKind::Transient, message)
    }

    /// The store holds another offset than this process believes (it was emptied, restored, or another
    /// process wrote): the sink starts again from what the store says.
    pub fn diverged(message: impl Into<String>) -> Self {
        Self::new(SinkErrorKind::Diverged, message)
    }

    /// Only another configuration mends it: the sink ends. What a person can mend in the store itself (a right, a table that
    /// is missing) is transient: the sink goes on once it is done.
    pub fn fatal(message: impl Into<String>) -> Self {
        Self::new(SinkErrorKind::Fatal, message)
    }

    fn new(kind: SinkErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, retry_after: None, progressed: false }
    }

    /// Says what a person can do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Asks the driver to wait this long before it tries again.
    #[must_use]
    pub fn retry_after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after = wait;
        self
    }
}

impl SinkError {
    /// Says that some records of the batch were written before the failure: the store is not down, and
    /// the driver's waits begin anew.
    #[must_use]
    pub fn progressed(mut self, progressed: bool) -> Self {
        self.progressed = progressed;
        self
    }
}

impl fmt::Display for SinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for SinkError {}

/// A store that takes changes.
///
/// **Who calls.** One [`driver`](crate::driver) per partition. [`write`](Sink::write) is called for one
/// batch of a partition at a time, in order, unless [`concurrent_batches`](Sink::concurrent_batches) says that
/// more may be, and for several partitions at the same time.
///
/// **Durable** means that a crash of this process, of the machine it runs on, and of as much of the
/// store as it promises to survive, does not lose the records. Offsets are committed after it.
///
/// **Repetition.** A batch that failed in part comes again, whole, also in another process after a
/// crash and cut at other places. The sink makes that harmless: by writes that can be repeated, or by
/// storing offsets in the same atomic step as the data and telling them in [`resume`](Sink::resume).
///
/// **Retries** are the driver's alone: a sink reports its failure and returns.
#[async_trait]
pub trait Sink: Send + Sync + fmt::Debug {
    /// Whether the store can be reached and is what the configuration says.
    async fn check(&self) -> Result<(), SinkError>;

    /// Where a partition that was just assigned begins.
    async fn resume(&self, _partition: &Partition) -> Result<Start, SinkError> {
        Ok(Start::Committed)
    }

    /// What [`Batch::bookmark`] said beside the offset that [`resume`](Sink::resume) has just told. Not asked of a sink that
    /// keeps no offsets: there the consumer group keeps both.
    fn bookmark(&self, _partition: &Partition) -> Option<String> {
        None
    }

    /// The topic was made again, and is read from its beginning: puts the stored offset back to zero.
    async fn rewind(&self, _partition: &Partition, _bookmark: &str) -> Result<(), SinkError> {
        Ok(())
    }

    /// Whether the store compares a write's [`order`](Record::order) with what it holds, so that one below it is lost. Only
    /// then does a source whose positions fall stop the sink.
    fn compares_orders(&self) -> bool {
        false
    }

    /// What an operator does to let the target begin anew, for messages: "empty the table …".
    fn how_to_begin_anew(&self) -> &'static str {
        "empty what the sink has written"
    }

    /// Writes a batch. When this returns, what it calls durable is durable.
    ///
    /// # Cancel safety
    /// Dropping the future leaves each record written or not written; the batch comes again. The driver
    /// drops it when its partition is taken away and the store does not answer in time.
    async fn write(&self, batch: &Batch<'_>) -> Result<Outcome, SinkError>;

    /// How many batches of one partition may be written at the same time. More than one only where neither the order of
    /// writes matters to the store nor whether one before them has failed.
    fn concurrent_batches(&self) -> usize {
        1
    }

    /// The partition now belongs to another process: forget all state kept for it.
    async fn released(&self, _partition: &Partition) {}

    /// Ends background work and connections.
    async fn close(&self) {}
}
