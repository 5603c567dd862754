//! The trait that a store implements, and its contract.
//!
//! The states of a batch, from the worker's queue to the committed offset:
//!
//! ```text
//!                     ┌──────────────── Err(transient): the driver waits, and hands it over again, whole
//!                     ▼                 │
//!   decoded ──────▶ handed over to `write` ──── Refused ───▶ its rejected records become dead letters,
//!                     ▲   │          │                       and it is handed over again without them ─┐
//!                     │   │          │                                                                 │
//!                     │   │          └─ Accepted ─▶ accepted ── `flush`, or a commit of the sink's own │
//!                     │   │                           │                   │                            │
//!                     │   └─ Durable ─────────────────┼───────────────────┴─▶ durable ─▶ offset committed
//!                     │                               │                       (`durable_to` ≥ `next`)
//!                     └───────────────────────────────┼────────────────────────────────────────────────┘
//!                                                     │
//!   the process ends, the partition goes (`released`) ┴─▶ not durable: the batch comes again from the last offset
//! ```
//!
//! A store that answers each write (Cassandra, Redis, HTTP) returns [`Outcome::Durable`] and needs nothing else of this.
//! A store that gathers (files of a lake, a warehouse's stream) returns [`Outcome::Accepted`], commits many batches of all
//! partitions in one step, and tells how far it is in [`Sink::durable_to`].

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use pgcdc_kafka::consumer::{Partition, Start};
use tokio::time::Instant;

use crate::{Batch, SinkError};

/// What became of a batch that was handed to [`Sink::write`].
///
/// ```
/// use pgcdc_sinks::{Outcome, Rejected};
///
/// assert!(Outcome::durable().rejected().is_empty());
///
/// // Two records are in the store; the third can never be, and goes to the dead letter topic.
/// let reason = "column \"age\": this text cannot become int".to_owned();
/// let outcome = Outcome::Durable { rejected: vec![Rejected { position: 42, reason }] };
/// assert_eq!(outcome.rejected()[0].position, 42);
/// ```
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All records are durable in the store, but for the rejected ones. So is everything of the partition that was accepted
    /// before.
    Durable {
        /// Records that can never be written.
        rejected: Vec<Rejected>,
    },
    /// The sink has all records in hand, but for the rejected ones, and makes them durable later. It tells by
    /// [`Sink::durable_to`] when that is done. The sink may reject none of them later.
    Accepted {
        /// Records that can never be written.
        rejected: Vec<Rejected>,
    },
    /// Nothing was written, because of these records. The same batch comes again without them once they are in the dead
    /// letter topic. A sink that stores offsets answers so: it must not store an offset behind a record that nobody has.
    Refused {
        /// Records that can never be written; at least one.
        rejected: Vec<Rejected>,
    },
}

impl Outcome {
    /// Everything is durable, and nothing was rejected.
    #[must_use]
    pub fn durable() -> Self {
        Self::Durable { rejected: Vec::new() }
    }

    /// Everything is in hand, and nothing was rejected.
    #[must_use]
    pub fn accepted() -> Self {
        Self::Accepted { rejected: Vec::new() }
    }

    /// The records that can never be written.
    #[must_use]
    pub fn rejected(&self) -> &[Rejected] {
        let (Self::Durable { rejected } | Self::Accepted { rejected } | Self::Refused { rejected }) = self;
        rejected
    }
}

/// A record that can never be written, because of what it holds. It goes to the dead letter topic.
///
/// What says nothing about the record (credentials, a missing table, load) is a [`SinkError`] instead: the next record would
/// get the same answer, and a whole topic would become dead letters.
#[derive(Debug, PartialEq, Eq)]
pub struct Rejected {
    /// The record's position in the batch's partition.
    pub position: i64,
    /// Why, for a person to read. Never quotes values of the row.
    pub reason: String,
}

/// A store that takes changes.
///
/// **Who calls.** One [`driver`](crate::driver) per partition. [`write`](Sink::write) is called for one batch of a partition at
/// a time, in order, unless [`concurrent_batches`](Sink::concurrent_batches) says that more may be, and for several partitions
/// at the same time. [`flush`](Sink::flush) is called by one task for the whole sink, while writes go on.
///
/// **Durable** means that a crash of this process, of its machine, and of as much of the store as the store promises to
/// survive does not lose the records. Offsets are committed after that. Durability is cumulative: what
/// [`durable_to`](Sink::durable_to) says holds for every record below it.
///
/// **Repetition.** A batch that failed in part comes again, whole. After a crash or a rebalance, records that were not durable
/// come again, perhaps in another process and in other batches. The sink makes that harmless in one of two ways: by writes that
/// can be repeated, or by storing offsets in the same atomic step as the data and telling them in [`resume`](Sink::resume).
///
/// **Back pressure.** A sink that has as much in hand as it may hold does not return from [`write`](Sink::write) before it has
/// room: it waits, or commits. Behind it the partition's queue fills, and the consumer pauses the partition.
///
/// **Retries** are the driver's alone: a sink reports its failure and returns.
///
/// ```
/// use std::sync::Mutex;
/// use pgcdc_sinks::{Batch, Outcome, Sink, SinkError};
///
/// /// Keeps the keys that it was given.
/// #[derive(Debug, Default)]
/// struct Keys(Mutex<Vec<Vec<u8>>>);
///
/// #[async_trait::async_trait]
/// impl Sink for Keys {
///     async fn check(&self) -> Result<(), SinkError> {
///         Ok(())
///     }
///
///     async fn write(&self, batch: &Batch<'_>) -> Result<Outcome, SinkError> {
///         let mut keys = self.0.lock().map_err(|_| SinkError::fatal("a writer panicked"))?;
///         keys.extend(batch.records.iter().filter_map(|record| record.key).map(<[u8]>::to_vec));
///         Ok(Outcome::durable())
///     }
/// }
/// ```
#[async_trait]
pub trait Sink: Send + Sync + fmt::Debug {
    /// Whether the store can be reached and is what the configuration says. It is for programs that ask before they start; the
    /// [`Runner`](crate::Runner) does not call it, since a store that is away now may be there at the first write.
    ///
    /// # Errors
    /// When the store does not answer, with what a person can do.
    async fn check(&self) -> Result<(), SinkError>;

    /// Where a partition that was just assigned begins. A sink that stores offsets answers with its own, or with
    /// [`Start::Beginning`] when it has none; any other sink leaves it to the consumer group.
    ///
    /// # Errors
    /// When the store does not answer. It is asked again, for a minute at most or a third of `max.poll.interval.ms`; then the
    /// sink leaves its group and joins it anew.
    async fn resume(&self, _partition: &Partition) -> Result<Start, SinkError> {
        Ok(Start::Committed)
    }

    /// The bookmark that is stored beside the offset which [`resume`](Sink::resume) has just told. A sink that stores no
    /// offsets is not asked: there the consumer group keeps both.
    fn bookmark(&self, _partition: &Partition) -> Option<String> {
        None
    }

    /// The topic was deleted and made again, and is read from its beginning: puts the stored offset back to zero.
    async fn rewind(&self, _partition: &Partition, _bookmark: &str) -> Result<(), SinkError> {
        Ok(())
    }

    /// Whether the store compares a write's [`order`](crate::Record::order) with what it holds, so that a write below it is
    /// lost. Only then does a source whose positions fall stop the sink.
    fn compares_orders(&self) -> bool {
        false
    }

    /// What an operator does to let the target begin anew, for messages: "empty the table …".
    fn how_to_begin_anew(&self) -> &'static str {
        "empty what the sink has written"
    }

    /// Writes a batch, or takes it in hand.
    ///
    /// # Errors
    /// When the store fails; the driver waits and hands the same batch over again, whole.
    ///
    /// # Cancel safety
    /// Dropping the future leaves each record written or not written; the batch comes again. The driver drops it when its
    /// partition is taken away and the store does not answer in time.
    async fn write(&self, batch: &Batch<'_>) -> Result<Outcome, SinkError>;

    /// How many batches of one partition may be written at the same time. More than one only where the store does not depend
    /// on the order of writes, nor on whether an earlier write has failed.
    fn concurrent_batches(&self) -> usize {
        1
    }

    /// Up to where accepted records of a partition are durable: every record below this position is. `None` while the sink
    /// knows nothing of the partition. Asked after each accepted batch and after each [`flush`](Sink::flush).
    fn durable_to(&self, _partition: &Partition) -> Option<i64> {
        None
    }

    /// How long accepted records wait at most before the driver calls [`flush`](Sink::flush). With `None` the sink commits by
    /// itself, and is flushed only before partitions go.
    fn flush_interval(&self) -> Option<Duration> {
        None
    }

    /// Makes durable what was accepted before the call, of all partitions; in one commit where the store can.
    ///
    /// Called when the interval is over, and before a partition goes: a rebalance, a pause, the end. Never twice at the same
    /// time.
    ///
    /// # Errors
    /// When the store fails. The records stay in the sink's hands; the driver waits and calls again.
    ///
    /// # Cancel safety
    /// The driver drops the future at the `deadline`. What was accepted is then durable or not, never by half.
    async fn flush(&self, _deadline: Instant) -> Result<(), SinkError> {
        Ok(())
    }

    /// The partition now belongs to another process. Forget all state kept for it, and the accepted records that are not
    /// durable: the other process reads them again, and they must not become durable here as well.
    async fn released(&self, _partition: &Partition) {}

    /// Ends background work and connections.
    async fn close(&self) {}
}
