//! The thread that polls librdkafka, and the rebalance callback that runs on it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers, Message as _};
use rdkafka::types::{RDKafkaErrorCode, RDKafkaRespErr};
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::{mpsc, oneshot};

use super::{Event, Message, Partition, Progress, QueueSender, Start, queue};
use crate::{ClientProperties, Error, Result};

/// Records that wait for one partition's worker.
const QUEUE_RECORDS: usize = 4096;
/// Bytes that wait for one partition's worker.
pub(super) const QUEUE_BYTES: usize = 16 * 1024 * 1024;
/// How often durable offsets are committed.
const COMMIT_INTERVAL: Duration = Duration::from_millis(500);
/// How long a look at a partition's end may take.
const WATERMARK_LIMIT: Duration = Duration::from_secs(10);

/// A running member; dropping it leaves the group without a last commit.
#[derive(Debug)]
pub struct Member {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
    /// Where the owner reports what is durable.
    pub progress: Progress,
}

impl Member {
    /// Joins the group and reads `topics`.
    ///
    /// Settings that this crate's promises rest on are enforced: no automatic commit, no automatic
    /// creation of topics. `auto.offset.reset` is `earliest` unless set.
    ///
    /// # Errors
    /// When librdkafka does not accept the properties.
    pub fn join(properties: &ClientProperties, topics: &[String]) -> Result<(Self, mpsc::Receiver<Event>)> {
        let mut properties = properties.clone();
        properties
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("allow.auto.create.topics", "false")
            .set_default("auto.offset.reset", "earliest")
            .set_default("isolation.level", "read_committed")
            .set_default("partition.assignment.strategy", "cooperative-sticky")
            // A topic that appears later (the first change of a table makes it) is noticed soon.
            .set_default("topic.metadata.refresh.interval.ms", "5000")
            // What librdkafka fetches ahead is thrown away when a full queue pauses its partition.
            .set_default("queued.min.messages", "4096")
            .set_default("queued.max.messages.kbytes", "8192");
        let (events, receiver) = mpsc::channel(1);
        let progress = Progress::default();
        let stop = Arc::new(AtomicBool::new(false));
        let context =
            Context { events, progress: progress.clone(), slots: Mutex::default(), stop: Arc::clone(&stop) };
        let consumer: BaseConsumer<Context> = properties
            .config()
            .create_with_context(context)
            .map_err(|e| Error::client("make a consumer", e))?;
        let names: Vec<&str> = topics.iter().map(String::as_str).collect();
        consumer.subscribe(&names).map_err(|e| Error::client("subscribe", e))?;
        let thread = std::thread::Builder::new()
            .name("kafka-consumer".to_owned())
            .spawn(move || run(&consumer))
            .map_err(|e| Error::other(format!("could not start the consumer's thread: {e}"), true))?;
        Ok((Self { stop, thread: Some(thread), progress }, receiver))
    }

    /// Commits what is durable and leaves the group. The owner's workers have to be done.
    pub async fn leave(mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // Joining blocks for as long as the group takes to answer.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
    }
}

/// One assigned partition.
struct Slot {
    partition: Partition,
    queue: QueueSender,
    /// Records that did not fit: the one at which the partition was paused, and any that librdkafka
    /// had already on the way. While there is one, the partition is paused.
    waiting: VecDeque<Message>,
}

struct Context {
    events: mpsc::Sender<Event>,
    progress: Progress,
    /// Used by the polling thread only, within and outside of the callback; never across `poll`.
    slots: Mutex<Vec<Slot>>,
    stop: Arc<AtomicBool>,
}

impl Context {
    fn slots(&self) -> MutexGuard<'_, Vec<Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Tells the owner and waits; `None` when nobody listens any more.
    fn ask<T>(&self, event: impl FnOnce(oneshot::Sender<T>) -> Event) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.events.blocking_send(event(reply)).ok()?;
        answer.blocking_recv().ok()
    }

    fn assign(&self, consumer: &BaseConsumer<Self>, list: &mut TopicPartitionList) -> Result<()> {
        let partitions = partitions_of(list);
        let mut queues = Vec::new();
        for partition in &partitions {
            let (sender, records) = queue(QUEUE_RECORDS);
            self.slots().push(Slot { partition: partition.clone(), queue: sender, waiting: VecDeque::new() });
            queues.push((partition.clone(), records));
        }
        let starts = if partitions.is_empty() {
            Vec::new()
        } else {
            self.ask(|reply| Event::Assigned { partitions: queues, reply }).unwrap_or_default()
        };
        for (partition, start) in partitions.iter().zip(starts) {
            let offset = match start {
                Start::Committed => continue,
                Start::Beginning => Offset::Beginning,
                Start::At(offset) => {
                    check_end(consumer, partition, offset)?;
                    Offset::Offset(offset)
                }
            };
            list.set_partition_offset(&partition.topic, partition.id, offset)
                .map_err(|e| Error::client(format!("start {partition} where the sink left off"), e))?;
        }
        match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_assign(list),
            _ => consumer.assign(list),
        }
        .map_err(|e| Error::client("take over partitions", e))
    }

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
        match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_unassign(list),
            _ => consumer.unassign(),
        }
        .map_err(|e| Error::client("give partitions back", e))
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        crate::client::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(target: "librdkafka", %error, reason, "client error");
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
            let _ = self.events.blocking_send(Event::Failed(error));
        }
    }
}

/// A store that is ahead of its topic belongs to another life of that topic: reading on would ignore
/// every record up to that offset in silence.
fn check_end(consumer: &BaseConsumer<Context>, partition: &Partition, offset: i64) -> Result<()> {
    let (_, end) = consumer
        .fetch_watermarks(&partition.topic, partition.id, WATERMARK_LIMIT)
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

fn partitions_of(list: &TopicPartitionList) -> Vec<Partition> {
    let elements = list.elements();
    elements.iter().map(|e| Partition { topic: e.topic().into(), id: e.partition() }).collect()
}

fn commit(consumer: &BaseConsumer<Context>, mode: CommitMode) {
    let durable = consumer.context().progress.take_uncommitted();
    if durable.is_empty() {
        return;
    }
    let mut list = TopicPartitionList::new();
    for (partition, next) in &durable {
        // Fails only for an offset below zero, which no record has.
        let _ = list.add_partition_offset(&partition.topic, partition.id, Offset::Offset(*next));
    }
    if let Err(error) = consumer.commit(&list, mode) {
        // The records are read again after a restart; the sinks bear that.
        tracing::warn!(%error, "could not commit offsets");
    }
}

fn run(consumer: &BaseConsumer<Context>) {
    let context = Arc::clone(consumer.context());
    let mut last_commit = Instant::now();
    let mut told = false;
    while !context.stopping() {
        match consumer.poll(Duration::from_millis(100)) {
            None => {}
            Some(Ok(message)) => deliver(consumer, &context, &message),
            Some(Err(KafkaError::MessageConsumption(
                RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic,
            ))) if told => {}
            Some(Err(KafkaError::MessageConsumption(
                RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic,
            ))) => {
                told = true;
                tracing::warn!("a topic does not exist yet; waiting for it");
            }
            Some(Err(error)) => {
                let error = Error::client("read from Kafka", error);
                if !error.is_transient() || error.is_fatal() {
                    let _ = context.events.blocking_send(Event::Failed(error));
                    break;
                }
                tracing::debug!(error = %error, "read failed; librdkafka goes on by itself");
            }
        }
        resume(consumer, &context);
        if last_commit.elapsed() >= COMMIT_INTERVAL {
            commit(consumer, CommitMode::Async);
            last_commit = Instant::now();
        }
    }
    context.stop.store(true, Ordering::Release);
    commit(consumer, CommitMode::Sync);
    consumer.unsubscribe();
}

fn deliver(consumer: &BaseConsumer<Context>, context: &Context, message: &BorrowedMessage<'_>) {
    let mut slots = context.slots();
    let Some(slot) = slots
        .iter_mut()
        .find(|slot| slot.partition.id == message.partition() && *slot.partition.topic == *message.topic())
    else {
        return; // taken away meanwhile
    };
    let owned = own(message);
    if !slot.waiting.is_empty() {
        slot.waiting.push_back(owned);
        return;
    }
    if let Err(refused) = slot.queue.offer(owned) {
        if refused.closed {
            return;
        }
        set_paused(consumer, &slot.partition, true);
        slot.waiting.push_back(refused.message);
    }
}

fn resume(consumer: &BaseConsumer<Context>, context: &Context) {
    for slot in context.slots().iter_mut().filter(|slot| !slot.waiting.is_empty() && slot.queue.has_room()) {
        while let Some(message) = slot.waiting.pop_front() {
            if let Err(refused) = slot.queue.offer(message) {
                if !refused.closed {
                    slot.waiting.push_front(refused.message);
                }
                break;
            }
        }
        if slot.waiting.is_empty() {
            set_paused(consumer, &slot.partition, false);
        }
    }
}

fn set_paused(consumer: &BaseConsumer<Context>, partition: &Partition, paused: bool) {
    let mut list = TopicPartitionList::new();
    list.add_partition(&partition.topic, partition.id);
    let result = if paused { consumer.pause(&list) } else { consumer.resume(&list) };
    if let Err(error) = result {
        tracing::warn!(%error, %partition, paused, "could not pause or resume");
    }
}

fn own(message: &BorrowedMessage<'_>) -> Message {
    let headers = message.headers().map(|headers| {
        headers.iter().map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec))).collect()
    });
    Message {
        offset: message.offset(),
        timestamp_ms: message.timestamp().to_millis(),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers: headers.unwrap_or_default(),
    }
}
