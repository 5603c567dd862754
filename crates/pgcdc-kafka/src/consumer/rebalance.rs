//! The rebalance callback: it runs on the polling thread, inside of `poll`, and waits for the owner's answer.
//!
//! librdkafka calls back on the thread that polls, and goes on with the rebalance when the callback returns. So what must be
//! done before another member gets a partition is done inside: records that were handed out are finished, and their offsets
//! committed. A callback that took longer than `max.poll.interval.ms` would cost the member its place in the group.
//!
//! Under the cooperative protocol (KIP-429) only the partitions that move are revoked, and the others go on meanwhile. A member
//! that was thrown out of its group is told that its partitions are lost: then nothing is committed, since others have them
//! already.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::KafkaError;
use rdkafka::types::{RDKafkaErrorCode, RDKafkaRespErr};
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::{mpsc, oneshot};

use super::event::{Assignment, Event, Start};
use super::message::{Message, Partition};
use super::progress::Progress;
use super::queue::{QUEUE_RECORDS, QueueSender, queue};
use crate::{Error, Logging, Result};

/// How long looking at the ends of all partitions of an assignment may take: the member does not poll meanwhile.
const WATERMARK_LIMIT: Duration = Duration::from_secs(30);

/// One assigned partition.
pub(super) struct Slot {
    /// Which partition it is.
    pub(super) partition: Partition,
    /// Where its records go, until they are taken.
    pub(super) queue: QueueSender,
    /// Records that are not in the queue yet: they were gathered, so that the worker is woken once for many, or did not fit, or
    /// librdkafka had them in hand when the partition was paused.
    pub(super) waiting: VecDeque<Message>,
    /// Whether the partition is not read because its queue is full.
    pub(super) paused: bool,
}

/// What the polling thread and the callback share.
pub(super) struct Context {
    /// Logs, and gets tokens.
    pub(super) logging: Logging,
    /// Where assignments and errors are told.
    pub(super) events: mpsc::Sender<Event>,
    /// What may be committed.
    pub(super) progress: Progress,
    /// Used by the polling thread only, inside and outside of the callback. Never locked across `poll`, which calls back.
    pub(super) slots: Mutex<Vec<Slot>>,
    /// The member is to leave its group: a rebalance waits for nobody any more.
    pub(super) stop: Arc<AtomicBool>,
}

impl Context {
    /// The partitions of the assignment.
    pub(super) fn slots(&self) -> MutexGuard<'_, Vec<Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the member is to leave its group.
    pub(super) fn stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Sends an event to the owner and waits for the answer; `None` when nobody listens any more.
    fn ask<T>(&self, event: impl FnOnce(oneshot::Sender<T>) -> Event) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.events.blocking_send(event(reply)).ok()?;
        answer.blocking_recv().ok()
    }

    /// Takes partitions over: makes their queues, and asks the owner where to start.
    fn assign(&self, consumer: &BaseConsumer<Self>, list: &mut TopicPartitionList) -> Result<()> {
        let partitions = partitions_of(list);
        let bookmarks = committed_bookmarks(consumer, list)?;
        let mut assigned = Vec::new();
        for partition in &partitions {
            let (sender, records) = queue(QUEUE_RECORDS);
            self.slots().push(Slot {
                partition: partition.clone(),
                queue: sender,
                waiting: VecDeque::new(),
                paused: false,
            });
            let bookmark = bookmarks.get(partition).cloned();
            assigned.push(Assignment { partition: partition.clone(), records, bookmark });
        }
        let starts = if partitions.is_empty() {
            Vec::new()
        } else {
            self.ask(|reply| Event::Assigned { partitions: assigned, reply }).unwrap_or_default()
        };
        let begin = Instant::now();
        for (partition, start) in partitions.iter().zip(starts) {
            let offset = match start {
                Start::Committed => continue,
                Start::Beginning => Offset::Beginning,
                Start::At(offset) => {
                    check_end(consumer, partition, offset, WATERMARK_LIMIT.saturating_sub(begin.elapsed()))?;
                    Offset::Offset(offset)
                }
            };
            list.set_partition_offset(&partition.topic, partition.id, offset)
                .map_err(|e| Error::client(format!("start {partition} where the sink left off"), e))?;
        }
        unpause(consumer, list);
        match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_assign(list),
            _ => consumer.assign(list),
        }
        .map_err(|e| Error::client("take over partitions", e))
    }

    /// Gives partitions back, once the owner's workers have stopped.
    fn revoke(&self, consumer: &BaseConsumer<Self>, list: &TopicPartitionList) -> Result<()> {
        let partitions = partitions_of(list);
        // Dropping the slots ends the queues: the workers see their end after what is in them.
        self.slots().retain(|slot| !partitions.contains(&slot.partition));
        if !self.stopping() && !partitions.is_empty() {
            self.ask(|reply| Event::Revoked { partitions: partitions.clone(), reply });
        }
        if !consumer.assignment_lost() {
            commit(consumer, CommitMode::Sync);
        }
        self.progress.forget(&partitions);
        unpause(consumer, list);
        match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_unassign(list),
            _ => consumer.unassign(),
        }
        .map_err(|e| Error::client("give partitions back", e))
    }
}

impl ClientContext for Context {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.logging.token()
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.logging.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.logging.error(error, reason);
    }
}

impl ConsumerContext for Context {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, code: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let result = match code {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => self.assign(consumer, list),
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS => self.revoke(consumer, list),
            other => {
                let code = RDKafkaErrorCode::from(other);
                tracing::warn!(%code, "rebalance failed");
                consumer.unassign().map_err(|e| Error::client("give partitions back", e))
            }
        };
        if let Err(error) = result {
            if self.stopping() {
                // Nobody listens, and this thread must not block: it may be the one that drops the consumer's last message.
                tracing::warn!(%error, "rebalance failed at the end of the membership");
            } else {
                let _ = self.events.blocking_send(Event::Failed(error));
            }
        }
    }
}

/// The bookmarks that were committed as metadata of the group's offsets.
fn committed_bookmarks(
    consumer: &BaseConsumer<Context>,
    list: &TopicPartitionList,
) -> Result<HashMap<Partition, String>> {
    if list.count() == 0 {
        return Ok(HashMap::new());
    }
    let committed = consumer
        .committed_offsets(list.clone(), WATERMARK_LIMIT)
        .map_err(|e| Error::client("read the group's committed offsets", e))?;
    let bookmarks = committed.elements().into_iter().filter(|element| !element.metadata().is_empty());
    Ok(bookmarks
        .map(|element| {
            let partition = Partition { topic: element.topic().into(), id: element.partition() };
            (partition, element.metadata().to_owned())
        })
        .collect())
}

/// Ends the pauses of partitions. librdkafka keeps a pause across assignments, but the slot that would end it is gone: a partition
/// that came back would never be read again.
fn unpause(consumer: &BaseConsumer<Context>, list: &TopicPartitionList) {
    if let Err(error) = consumer.resume(list) {
        tracing::warn!(%error, "could not resume partitions");
    }
}

/// Refuses an offset beyond the partition's end: the topic was deleted and created again since the store wrote the offset. Reading on
/// from there would silently skip all records up to it.
fn check_end(
    consumer: &BaseConsumer<Context>,
    partition: &Partition,
    offset: i64,
    limit: Duration,
) -> Result<()> {
    let (_, end) = consumer
        .fetch_watermarks(&partition.topic, partition.id, limit)
        .map_err(|e| Error::client(format!("read the end of {partition}"), e))?;
    if offset > end {
        return Err(Error::other(
            format!(
                "the sink has stored offset {offset} for {partition}, which ends at {end}: the topic was \
                 deleted and made again, or lost records; delete what the sink has stored to begin anew"
            ),
            false,
        ));
    }
    Ok(())
}

/// The partitions of a list.
fn partitions_of(list: &TopicPartitionList) -> Vec<Partition> {
    let elements = list.elements();
    elements.iter().map(|e| Partition { topic: e.topic().into(), id: e.partition() }).collect()
}

/// Commits what has become durable since the last commit.
pub(super) fn commit(consumer: &BaseConsumer<Context>, mode: CommitMode) {
    let durable = consumer.context().progress.take_uncommitted();
    if durable.is_empty() {
        return;
    }
    let mut list = TopicPartitionList::new();
    for (partition, next, bookmark) in &durable {
        let mut element = list.add_partition(&partition.topic, partition.id);
        element.set_metadata(bookmark);
        // Fails only for an offset below zero, which no record has.
        let _ = element.set_offset(Offset::Offset(*next));
    }
    if let Err(error) = consumer.commit(&list, mode) {
        // The records are read again after a restart; the sinks bear that.
        tracing::warn!(%error, "could not commit offsets");
    }
}
