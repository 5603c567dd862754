//! pgcdc's own producer: it writes records straight into batches as they go over the wire, and one request takes the batches of
//! many partitions.
//!
//! ```text
//!  caller ── record ─▶ open batch of its partition ─┐ full, or told to      ┌▶ compress ─▶ number ─▶ request ─▶ broker
//!                                                   └──────── Command ──────┘                                    │
//!  caller ◀─ poll ──────────────────────────────────────────── Event ◀──────────────────────────── durable ──────┘
//! ```
//!
//! librdkafka allocates half a dozen pieces of memory for a record, and sends each partition's batch with a request of its own,
//! looking through all partitions in between: with a thousand tables that is most of the work. This producer knows what an
//! idempotent producer with acks=all needs, with transactions or without. A property that it does not know means librdkafka
//! ([`why_not`]).
//!
//! In reading order: [`batch`] writes records, [`protocol`] requests and answers; [`flow`] decides how many batches of a
//! partition may be in flight; [`state`] is what the sending thread knows, and [`sender`] the thread itself. This file is the
//! caller's half.

mod batch;
mod broker;
mod command;
mod compression;
mod connection;
mod counts;
pub(crate) mod failure;
mod flow;
mod handshake;
mod lz4;
mod options;
mod partition;
mod partitioner;
pub(crate) mod probe;
mod protocol;
mod sender;
mod spare;
mod state;
#[cfg(test)]
mod tests;
mod timing;
mod transactional;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc as std_mpsc};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use self::batch::Batch;
pub(super) use self::batch::HeaderBytes;
use self::command::{Command, Event, TAKE_OVER};
use self::counts::Counts;
use self::options::Options;
pub(super) use self::options::why_not;
use self::spare::{LARGE, Spare};
use super::record::{Placement, Sent, TAKE_OVER_LIMIT};
use super::statistics::Statistics;
use crate::clock::now_ms;
use crate::{ClientProperties, Code, Error, Result};

/// Bytes of batches that may be in memory at once, unless `buffer.memory` is set. Open batches count as they are, closed ones
/// compressed.
const QUEUE: usize = 12 << 20;
/// A batch of so many bytes is sent, unless `batch.size` is set.
const BATCH: usize = 256 << 10;
/// Bytes that a batch grows by at most when compression does not make it smaller.
const FRAME: usize = 256;
/// All open batches are sent when the oldest of them has waited for so long.
const AGE: Duration = Duration::from_millis(100);
/// How often to poll while a caller waits.
const STEP: Duration = Duration::from_millis(1);

/// The caller's half of the producer. It blocks nobody, and its owner's loop polls it.
#[derive(Debug)]
pub(super) struct Direct {
    topics: Vec<TopicSlots>,
    /// The partitions of all topics.
    slots: Vec<Slot>,
    /// Slots whose open batch has records, as indexes into `slots`.
    open: Vec<usize>,
    /// When the first of the open batches got its first record.
    opened: Instant,
    /// Bytes in open batches.
    open_bytes: usize,
    /// Bytes of all batches that are not durable, open ones included. The sending thread counts it down.
    queued: Arc<AtomicUsize>,
    /// What the sending thread has done.
    counts: Arc<Counts>,
    /// The most that `queued` may be.
    most_queued: usize,
    /// Bytes at which a batch is sent.
    batch_size: usize,
    /// Bytes of the largest record that is taken (`max.request.size`).
    largest: usize,
    commands: mpsc::UnboundedSender<Command>,
    events: std_mpsc::Receiver<Event>,
    /// Whether the transactional id is taken over.
    ready: bool,
    /// Whether a transaction has ended since the caller last asked.
    ended: bool,
    /// Whether the producer failed for a reason that time does not mend.
    lasting: bool,
    /// Kept for another producer that aborts this one's transaction.
    properties: ClientProperties,
    /// Memory of earlier batches.
    spare: Spare,
}

/// A topic, in the caller's half.
#[derive(Debug)]
struct TopicSlots {
    name: String,
    /// Its partitions by their number, as indexes into `Direct::slots`. Empty until brokers have told them.
    slots: Vec<usize>,
    /// Chooses the partition of records without a key; counts up with each batch that is closed.
    sticky: usize,
    /// Bytes of the largest batch that brokers take for it, as far as that is known.
    most: usize,
}

/// A partition with its open batch.
#[derive(Debug)]
struct Slot {
    /// Index into `Direct::topics`.
    topic: usize,
    /// Its number within the topic.
    partition: usize,
    /// The open batch; without records when nothing waits.
    batch: Batch,
    /// Bytes of the batch before: the next one is likely to need as many.
    last: usize,
}

impl Direct {
    /// Starts the sending thread, which connects when there is something to ask. An unreachable broker shows by records that are
    /// not delivered.
    ///
    /// # Errors
    /// When a property's value cannot be understood, or no thread can be started.
    pub(super) fn new(properties: &ClientProperties) -> Result<Self> {
        // A value that is not a number was refused when the properties were parsed.
        let set = |name: &str| properties.get(name).and_then(|value| value.parse::<usize>().ok());
        let number = |name: &str, default: usize| set(name).unwrap_or(default);
        let options = Options::new(properties)?;
        let largest = number("message.max.bytes", 1_000_000);
        let queued = Arc::new(AtomicUsize::new(0));
        let counts = Arc::new(Counts::default());
        let (commands, receiver) = mpsc::unbounded_channel();
        let (sender, events) = std_mpsc::channel();
        let failed =
            |error: std::io::Error| Error::other(format!("start the Kafka producer: {error}"), false);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let shared = (Arc::clone(&queued), Arc::clone(&counts));
        std::thread::Builder::new()
            .name("pgcdc-kafka".to_owned())
            .spawn(move || {
                runtime.block_on(sender::run(options, receiver, sender, shared));
                // A host's name may still be looked up.
                runtime.shutdown_background();
            })
            .map_err(failed)?;
        Ok(Self {
            topics: Vec::new(),
            slots: Vec::new(),
            open: Vec::new(),
            opened: Instant::now(),
            open_bytes: 0,
            queued,
            counts,
            most_queued: number("queue.buffering.max.kbytes", QUEUE >> 10).saturating_mul(1024),
            batch_size: number("batch.size", BATCH).min(largest),
            largest,
            commands,
            events,
            ready: false,
            ended: false,
            lasting: false,
            properties: properties.clone(),
            spare: Spare::default(),
        })
    }

    /// Adds a topic to send to, and returns its number. Records are taken once brokers have named its partitions
    /// ([`is_known`](Self::is_known)).
    pub(super) fn topic(&mut self, name: &str) -> usize {
        self.topics.push(TopicSlots {
            name: name.to_owned(),
            slots: Vec::new(),
            sticky: 0,
            most: self.largest,
        });
        // A thread that is gone has said why by an event.
        let _ = self.commands.send(Command::Topic(name.to_owned()));
        self.topics.len() - 1
    }

    /// Limits the batches of a topic to `most` bytes, which is what its brokers take (`max.message.bytes`). A larger record is
    /// still sent, in a batch of its own: compressed it may be small enough.
    pub(super) fn limit_batches(&mut self, topic: usize, most: usize) {
        if let Some(topic) = self.topics.get_mut(topic) {
            topic.most = most.saturating_sub(FRAME).min(self.largest);
        }
    }

    /// Whether brokers have named a topic's partitions, so that records are taken.
    #[must_use]
    pub(super) fn is_known(&self, topic: usize) -> bool {
        self.topics.get(topic).is_some_and(|topic| !topic.slots.is_empty())
    }

    /// Copies a record into its partition's open batch. `handle` comes back from [`poll`](Self::poll) once the record is durable.
    ///
    /// # Errors
    /// When the record can never be sent: it is too large, or its topic has no such partition.
    #[inline]
    pub(super) fn send(
        &mut self,
        topic: usize,
        placement: Placement,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &HeaderBytes,
        handle: usize,
    ) -> Result<Sent> {
        let Some(known) = self.topics.get(topic).filter(|topic| !topic.slots.is_empty()) else {
            return Ok(Sent::Full);
        };
        let size = Batch::most(key, value, headers);
        let queued = self.queued.load(Ordering::Relaxed);
        if queued > 0 && queued + size > self.most_queued {
            // Batches in flight will make room. Open ones are sent early only when nothing is in flight: a small batch costs as
            // much as a large one.
            if queued <= self.open_bytes {
                self.send_now();
            }
            return Ok(Sent::Full);
        }
        let partitions = known.slots.len();
        let partition = match (placement.partition, key) {
            (Some(partition), _) => usize::try_from(partition).unwrap_or(usize::MAX),
            (None, _) if partitions == 1 => 0,
            (None, Some(key)) => partitioner::of_key(key, partitions),
            (None, None) => known.sticky % partitions,
        };
        let Some(&at) = known.slots.get(partition) else {
            return Err(self.refused(topic, size, Code::UnknownPartition));
        };
        if size > self.largest {
            return Err(self.refused(topic, size, Code::MessageSizeTooLarge));
        }
        let timestamp = placement.timestamp_ms.unwrap_or_else(now_ms);
        let most = known.most;
        let slot = &mut self.slots[at];
        if !slot.batch.is_empty() && slot.batch.len() + size > most {
            self.close_one(at);
        }
        if self.slots[at].batch.is_empty() {
            self.begin(at, size);
        }
        let slot = &mut self.slots[at];
        let before = slot.batch.len();
        slot.batch.push(timestamp, key, value, headers, handle);
        let full = slot.batch.len() >= self.batch_size;
        let added = slot.batch.len() - before;
        self.queued.fetch_add(added, Ordering::Relaxed);
        self.open_bytes += added;
        if full {
            self.close_one(at);
        } else if self.open_bytes >= self.most_queued / 2 {
            self.send_now();
        }
        Ok(Sent::Queued)
    }

    /// Gives a slot memory for its next batch.
    fn begin(&mut self, at: usize, size: usize) {
        if self.open.is_empty() {
            self.opened = Instant::now();
        }
        self.open.push(at);
        let last = self.slots[at].last;
        let spare = if last > LARGE { self.spare.bytes() } else { None };
        let size = (last + last / 8).min(self.batch_size + LARGE).max(size);
        let bytes = spare.unwrap_or_else(|| Vec::with_capacity(size));
        let handles = self.spare.handles();
        self.slots[at].batch = Batch::reusing(bytes, handles);
    }

    /// Sends the batch of one slot.
    fn close_one(&mut self, at: usize) {
        self.open.retain(|open| *open != at);
        self.close(at);
    }

    /// Hands the batch of a slot to the sending thread. The caller takes the slot out of `open`.
    fn close(&mut self, at: usize) {
        let slot = &mut self.slots[at];
        let batch = std::mem::take(&mut slot.batch);
        slot.last = batch.len();
        self.open_bytes -= batch.len();
        let (topic, partition) = (slot.topic, slot.partition);
        self.topics[topic].sticky = self.topics[topic].sticky.wrapping_add(1);
        let _ = self.commands.send(Command::Batch { topic, partition, batch });
    }

    /// Sends all open batches.
    pub(super) fn send_now(&mut self) {
        let mut open = std::mem::take(&mut self.open);
        for at in open.drain(..) {
            self.close(at);
        }
        self.open = open;
    }

    /// Takes the transactional id over, which fences whoever had it and aborts what it left open, and begins the first
    /// transaction.
    ///
    /// # Errors
    /// When no coordinator answers within a minute, or the brokers refuse the id or its timeout.
    pub(super) async fn take_over(&mut self) -> Result<()> {
        let end = Instant::now() + TAKE_OVER_LIMIT;
        let _ = self.commands.send(Command::TakeOver);
        while !self.ready {
            if Instant::now() >= end {
                return Err(Error::refused(TAKE_OVER, Code::OperationTimedOut));
            }
            tokio::time::sleep(STEP).await;
            self.poll(&mut Vec::new())?;
        }
        Ok(())
    }

    /// Commits the transaction with all records so far, and begins the next one. Records handed over from now on belong to the
    /// next, and are sent when this commit is [done](Self::has_ended). Only one commit may be under way.
    pub(super) fn commit(&mut self) {
        self.send_now();
        let _ = self.commands.send(Command::Commit);
    }

    /// Whether a transaction has ended since the last call that returned true.
    ///
    /// # Errors
    /// When it will never end by this producer: drop the producer then. Whether the brokers committed it shows in what a reader
    /// of committed records finds once another producer has [taken over](Self::take_over).
    pub(super) fn has_ended(&mut self) -> Result<bool> {
        self.poll(&mut Vec::new())?;
        Ok(std::mem::take(&mut self.ended))
    }

    /// Aborts the open transaction, so that readers need not wait for its timeout. Returns when that is done, or after `limit`.
    pub(super) async fn abort(mut self, limit: Duration) {
        let end = Instant::now() + limit;
        for at in self.open.drain(..) {
            self.slots[at].batch = Batch::default();
        }
        let _ = self.commands.send(Command::Abort);
        while Instant::now() < end {
            match self.has_ended() {
                Ok(false) => tokio::time::sleep(STEP).await,
                Ok(true) => return,
                // No producer will follow a failure that lasts, so one is made here to abort the transaction. After any other
                // failure the next producer does it when it takes over.
                Err(_) if self.lasting => {
                    if let Ok(mut other) = Self::new(&self.properties) {
                        let limit = end.saturating_duration_since(Instant::now());
                        let _ = tokio::time::timeout(limit, other.take_over()).await;
                    }
                    return;
                }
                Err(error) => {
                    tracing::debug!(%error, "a transaction was left to whoever takes over, or its timeout");
                    return;
                }
            }
        }
    }

    /// Waits at most `limit` for one event, and appends the handles of records that became durable by it.
    ///
    /// # Errors
    /// As [`poll`](Self::poll).
    pub(super) fn wait(&mut self, limit: Duration, delivered: &mut Vec<usize>) -> Result<()> {
        match self.events.recv_timeout(limit) {
            Ok(event) => self.take(event, delivered),
            Err(_) => Ok(()),
        }
    }

    /// Appends the handles of records that are durable now. Does not wait.
    ///
    /// # Errors
    /// When a record cannot be delivered: drop the producer then, and send the records that it has not reported by another.
    pub(super) fn poll(&mut self, delivered: &mut Vec<usize>) -> Result<()> {
        // A record of a quiet table must not wait for its batch to fill: no position behind it can be confirmed before.
        if !self.open.is_empty() && self.opened.elapsed() >= AGE {
            self.send_now();
        }
        loop {
            match self.events.try_recv() {
                Ok(event) => self.take(event, delivered)?,
                Err(std_mpsc::TryRecvError::Empty) => return Ok(()),
                Err(std_mpsc::TryRecvError::Disconnected) => {
                    return Err(Error::other("the Kafka producer's thread has ended", true));
                }
            }
        }
    }

    /// Takes in an event of the sending thread.
    fn take(&mut self, event: Event, delivered: &mut Vec<usize>) -> Result<()> {
        match event {
            Event::Durable(mut handles) => {
                for (handle, times) in handles.drain(..) {
                    delivered.extend(std::iter::repeat_n(handle, times as usize));
                }
                self.spare.keep_handles(handles);
            }
            Event::Spare(bytes) => self.spare.keep_bytes(bytes),
            Event::Partitions { topic, count } => {
                let known = self.topics[topic].slots.len();
                for partition in known..count {
                    self.topics[topic].slots.push(self.slots.len());
                    self.slots.push(Slot { topic, partition, batch: Batch::default(), last: 0 });
                }
            }
            Event::Ready => self.ready = true,
            Event::Ended => self.ended = true,
            Event::Failed(error) => {
                self.lasting = !error.is_transient() && !error.is_fenced();
                return Err(error);
            }
        }
        Ok(())
    }

    /// Bytes of all batches that are not durable.
    #[must_use]
    pub(super) fn queued_bytes(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    /// Fills in the statistics that the client counts itself.
    pub(super) fn count(&self, statistics: &mut Statistics) {
        self.counts.read(statistics);
        statistics.queued_bytes = self.queued_bytes() as u64;
    }

    /// The error of a record that is not taken.
    #[cold]
    fn refused(&self, topic: usize, bytes: usize, code: Code) -> Error {
        let name = &self.topics[topic].name;
        Error::refused(format!("send a record of {bytes} bytes to topic {name:?}"), code)
    }
}
