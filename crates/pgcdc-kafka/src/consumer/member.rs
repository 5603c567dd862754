//! The member, and its thread that polls librdkafka.
//!
//! librdkafka is polled by one thread, which does three things in turn: it hands records to their partitions' queues, pauses a
//! partition whose queue is full, and commits what is durable, twice a second and when a partition is given back. Workers never
//! touch librdkafka, so no store can keep the member from its polls, and with them from its place in the group.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::types::RDKafkaErrorCode;
use tokio::sync::mpsc;

use super::event::Event;
use super::message::{Message, Partition};
use super::progress::Progress;
use super::queue::Refused;
use super::rebalance::{Context, Slot, commit};
use crate::native::ReadMessage;
use crate::{ClientProperties, Error, Result};

/// How long one poll of librdkafka waits.
const POLL: Duration = Duration::from_millis(100);
/// How long one poll waits while a partition is paused, so that its worker does not run out of records.
const PAUSED_POLL: Duration = Duration::from_millis(10);
/// Records that are taken from librdkafka at once, if there are so many, before the workers get them: waking a worker costs as
/// much as reading several records.
const GATHERED: usize = 128;
/// How long to wait for room in a full queue before its partition is paused. A pause is costly: records that were fetched ahead are
/// fetched again, and the first of them comes some hundred milliseconds after the pause.
const ROOM_WAIT: Duration = Duration::from_secs(1);
/// How long to wait for room while another partition's worker may run out of records.
const SHORT_ROOM_WAIT: Duration = Duration::from_millis(50);
/// How long leaving the group may take.
const LEAVE_LIMIT: Duration = Duration::from_secs(15);
/// How often durable offsets are committed.
const COMMIT_INTERVAL: Duration = Duration::from_millis(500);

/// A running member; dropping it leaves the group without a last commit.
#[derive(Debug)]
pub struct Member {
    /// Set to end the member's thread, which looks at it between two polls.
    stop: Arc<AtomicBool>,
    /// The thread that polls; `None` once it was joined.
    thread: Option<std::thread::JoinHandle<()>>,
    /// Where the owner reports what is durable.
    pub progress: Progress,
}

impl Member {
    /// Joins the group and reads `topics`. The second part of the answer receives the membership's events, one at a time.
    ///
    /// Two settings cannot be changed: offsets are never committed automatically, and topics never created. `auto.offset.reset`
    /// is `earliest` unless set.
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
            // A killed member's partitions are given to others after this.
            .set_default("session.timeout.ms", "10000")
            .set_default("heartbeat.interval.ms", "2000")
            // Records that librdkafka fetched ahead are thrown away when a full queue pauses their partition: fetch few.
            .set_default("queued.min.messages", "16384")
            .set_default("queued.max.messages.kbytes", "16384")
            // With enough fetched ahead, it looks again after this time: its default of a second leaves a fast store idle.
            .set_default("fetch.queue.backoff.ms", "5");
        let (events, receiver) = mpsc::channel(1);
        let progress = Progress::default();
        let stop = Arc::new(AtomicBool::new(false));
        let context = Context {
            logging: properties.logging(),
            events,
            progress: progress.clone(),
            slots: Mutex::default(),
            stop: Arc::clone(&stop),
        };
        let consumer: BaseConsumer<Context> = properties
            .config()
            .create_with_context(context)
            .map_err(|e| Error::client("make a consumer", e))?;
        let names: Vec<&str> = topics.iter().map(String::as_str).collect();
        consumer.subscribe(&names).map_err(|e| Error::client("subscribe", e))?;
        let thread = std::thread::Builder::new()
            .name("kafka-consumer".to_owned())
            .spawn(move || run(&Arc::new(consumer)))
            .map_err(|e| Error::other(format!("could not start the consumer's thread: {e}"), true))?;
        Ok((Self { stop, thread: Some(thread), progress }, receiver))
    }

    /// Commits what is durable and leaves the group. The owner's workers must have stopped, and their messages be dropped.
    ///
    /// Returns after fifteen seconds at the latest, so that a broker that is away does not hold the owner up.
    pub async fn leave(mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // Joining blocks for as long as the group takes to answer.
            let left = tokio::task::spawn_blocking(move || thread.join());
            if tokio::time::timeout(LEAVE_LIMIT, left).await.is_err() {
                tracing::warn!(
                    "Kafka does not answer: the group notices that this member is gone by session.timeout.ms; what was not committed is read again"
                );
            }
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
    }
}

/// The thread: polls, delivers and commits until the member is to stop.
fn run(consumer: &Arc<BaseConsumer<Context>>) {
    let context = Arc::clone(consumer.context());
    let mut last_commit = Instant::now();
    let (mut told, mut gathered, mut wait) = (false, 0, POLL);
    while !context.stopping() {
        match consumer.poll(if gathered == 0 { wait } else { Duration::ZERO }) {
            Some(Ok(message)) => {
                gather(&context, message, consumer);
                gathered += 1;
                if gathered < GATHERED {
                    continue;
                }
            }
            None => {}
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
        gathered = 0;
        wait = if deliver(consumer, &context) { PAUSED_POLL } else { POLL };
        if last_commit.elapsed() >= COMMIT_INTERVAL {
            commit(consumer, CommitMode::Async);
            last_commit = Instant::now();
        }
    }
    context.stop.store(true, Ordering::Release);
    commit(consumer, CommitMode::Sync);
    consumer.unsubscribe();
    // Each message holds a reference to the consumer, and the consumer holds these messages: without this it would never be
    // dropped, and stay in its group.
    context.slots().clear();
}

/// Keeps a message for its partition's queue.
fn gather(context: &Context, message: BorrowedMessage<'_>, consumer: &Arc<BaseConsumer<Context>>) {
    let mut slots = context.slots();
    let Some(slot) = slots
        .iter_mut()
        .find(|slot| slot.partition.id == message.partition() && *slot.partition.topic == *message.topic())
    else {
        return; // taken away meanwhile
    };
    slot.waiting.push_back(Message::read(ReadMessage::new(message, consumer)));
}

/// Moves gathered records into the queues. Pauses a partition whose queue stays full, and ends the pause once it has room. True when
/// a partition is paused.
fn deliver(consumer: &BaseConsumer<Context>, context: &Context) -> bool {
    let mut slots = context.slots();
    // All queues may be full at once. They share the time to wait for room, or the next poll would come too late.
    let begin = Instant::now();
    for at in 0..slots.len() {
        if slots[at].waiting.is_empty() || (slots[at].paused && !slots[at].queue.has_room()) {
            continue;
        }
        while let Some(message) = slots[at].waiting.pop_front() {
            let Err(refused) = offer(&slots, at, message, context, begin) else { continue };
            if refused.closed {
                slots[at].waiting.clear(); // taken away: read again by whoever has it
            } else {
                slots[at].waiting.push_front(refused.message);
            }
            break;
        }
        let slot = &mut slots[at];
        let full = !slot.waiting.is_empty();
        if full != slot.paused {
            set_paused(consumer, &slot.partition, full);
            slot.paused = full;
        }
    }
    slots.iter().any(|slot| slot.paused)
}

/// Puts a message into its slot's queue, or gives it back when there is no room until some time after `begin`.
fn offer(
    slots: &[Slot],
    at: usize,
    message: Message,
    context: &Context,
    begin: Instant,
) -> std::result::Result<(), Refused> {
    let slot = &slots[at];
    let Err(mut refused) = slot.queue.offer(message) else { return Ok(()) };
    let another_may_starve = || {
        let mut others = slots.iter().enumerate().filter(|(other, _)| *other != at);
        others.any(|(_, other)| !other.paused && other.queue.has_room())
    };
    while !slot.paused && !refused.closed && !context.stopping() {
        let waited = begin.elapsed();
        if waited >= ROOM_WAIT || (waited >= SHORT_ROOM_WAIT && another_may_starve()) {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
        match slot.queue.offer(refused.message) {
            Ok(()) => return Ok(()),
            Err(again) => refused = again,
        }
    }
    Err(refused)
}

/// Pauses a partition, or ends its pause.
fn set_paused(consumer: &BaseConsumer<Context>, partition: &Partition, paused: bool) {
    let mut list = TopicPartitionList::new();
    list.add_partition(&partition.topic, partition.id);
    let result = if paused { consumer.pause(&list) } else { consumer.resume(&list) };
    if let Err(error) = result {
        tracing::warn!(%error, %partition, paused, "could not pause or resume");
    }
}
