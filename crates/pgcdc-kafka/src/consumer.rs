//! A member of a consumer group that drains before it lets go.
//!
//! librdkafka is polled by one thread of its own, so that a slow store never keeps the member from
//! its group. Each assigned partition has a queue, bounded in records and bytes; a full one pauses
//! its partition and nothing else. What the owner has to decide comes as a closed set of [`Event`]s,
//! and the rebalance *waits* for the answer: where to start (a store may keep its own offsets), and,
//! when a partition is taken away, that its worker has stopped. Only then are its offsets committed
//! and the partition released.
//!
//! ```text
//!   brokers ─▶ thread ─▶ queue per partition ─▶ the owner's worker ─▶ store
//!                 ▲                                                     │
//!                 └──────── commit ◀── Progress::durable(offset) ◀──────┘
//! ```

mod member;
mod rebalance;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use tokio::sync::{mpsc, oneshot};

use crate::Error;
use crate::native::ReadMessage;

pub use member::Member;
pub(crate) use rebalance::Context;

/// A partition of a topic.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Partition {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition's number.
    pub id: i32,
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.id)
    }
}

/// Headers in order: name, and value (`None` is a null value).
pub type Headers = Vec<(String, Option<Vec<u8>>)>;

/// One record as it was read.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its position in the partition.
    pub offset: i64,
    /// Milliseconds since 1970-01-01, as the topic defines them.
    pub timestamp_ms: Option<i64>,
    parts: Parts,
}

/// Where key, value and headers are.
#[derive(Debug)]
enum Parts {
    Own {
        key: Option<Vec<u8>>,
        value: Option<Vec<u8>>,
        headers: Headers,
    },
    /// Still in what librdkafka fetched: nothing is copied, and headers are not looked at unless somebody asks.
    Read(ReadMessage),
}

impl Clone for Parts {
    fn clone(&self) -> Self {
        match self {
            Self::Own { key, value, headers } => {
                Self::Own { key: key.clone(), value: value.clone(), headers: headers.clone() }
            }
            Self::Read(read) => Self::Own {
                key: read.message().key().map(<[u8]>::to_vec),
                value: read.message().payload().map(<[u8]>::to_vec),
                headers: headers_of(read.message()),
            },
        }
    }
}

/// What headers are taken to need in memory, since they are not looked at.
const HEADERS_SIZE: usize = 256;

impl Message {
    /// A message without headers and time.
    #[must_use]
    pub fn new(offset: i64, key: Option<&[u8]>, value: Option<&[u8]>) -> Self {
        let (key, value) = (key.map(<[u8]>::to_vec), value.map(<[u8]>::to_vec));
        Self { offset, timestamp_ms: None, parts: Parts::Own { key, value, headers: Headers::new() } }
    }

    fn read(read: ReadMessage) -> Self {
        let message = read.message();
        let (offset, timestamp_ms) = (message.offset(), message.timestamp().to_millis());
        Self { offset, timestamp_ms, parts: Parts::Read(read) }
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> Option<&[u8]> {
        match &self.parts {
            Parts::Own { key, .. } => key.as_deref(),
            Parts::Read(read) => read.message().key(),
        }
    }

    /// The value; `None` is a tombstone.
    #[must_use]
    pub fn value(&self) -> Option<&[u8]> {
        match &self.parts {
            Parts::Own { value, .. } => value.as_deref(),
            Parts::Read(read) => read.message().payload(),
        }
    }

    /// The headers, in order.
    #[must_use]
    pub fn headers(&self) -> Headers {
        match &self.parts {
            Parts::Own { headers, .. } => headers.clone(),
            Parts::Read(read) => headers_of(read.message()),
        }
    }

    fn size(&self) -> usize {
        let length = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
        length(self.key()) + length(self.value()) + HEADERS_SIZE + std::mem::size_of::<Self>()
    }
}

fn headers_of(message: &BorrowedMessage<'_>) -> Headers {
    let headers = message.headers().map(|headers| {
        headers.iter().map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec))).collect()
    });
    headers.unwrap_or_default()
}

/// Where reading a partition begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the offset that the group has committed, else where `auto.offset.reset` says.
    Committed,
    /// At the oldest record there is, whatever the group has committed.
    Beginning,
    /// At this offset.
    At(i64),
}

/// A partition that is this member's now.
#[derive(Debug)]
pub struct Assignment {
    /// The partition.
    pub partition: Partition,
    /// Its queue.
    pub records: Records,
    /// What was committed beside the group's offset ([`Progress::durable`]), if there is one.
    pub bookmark: Option<String>,
}

/// What happens to the membership. The thread waits for the answer before it goes on.
#[derive(Debug)]
pub enum Event {
    /// These partitions are this member's now: answer where each begins. Their queues come along.
    Assigned {
        /// The partitions and their queues.
        partitions: Vec<Assignment>,
        /// Takes one start for each, in order.
        reply: oneshot::Sender<Vec<Start>>,
    },
    /// These partitions are about to go: answer when their workers have stopped. What they reported
    /// durable by then is committed.
    Revoked {
        /// The partitions.
        partitions: Vec<Partition>,
        /// Answered when nothing works on them any more.
        reply: oneshot::Sender<()>,
    },
    /// The member cannot go on; no event follows.
    Failed(Error),
}

/// The receiving end of one partition's queue. Ends when the member stops reading the partition.
#[derive(Debug)]
pub struct Records {
    queue: mpsc::Receiver<Message>,
    bytes: Arc<AtomicUsize>,
}

impl Records {
    /// Waits for a record and takes those that are there behind it, at most `max`. Empty at the end.
    ///
    /// # Cancel safety
    /// No record is lost when this future is dropped.
    pub async fn next(&mut self, max: usize) -> Vec<Message> {
        let mut batch = Vec::new();
        self.queue.recv_many(&mut batch, max).await;
        self.taken(&batch);
        batch
    }

    /// Takes the records that are there, at most `max`; does not wait.
    pub fn ready(&mut self, max: usize) -> Vec<Message> {
        let mut batch = Vec::new();
        while batch.len() < max {
            let Ok(message) = self.queue.try_recv() else { break };
            batch.push(message);
        }
        self.taken(&batch);
        batch
    }

    fn taken(&self, batch: &[Message]) {
        let size = batch.iter().map(Message::size).sum();
        self.bytes.fetch_sub(size, Ordering::Relaxed);
    }
}

/// A queue for one partition, for tests of workers: send messages, then drop the sender.
#[must_use]
pub fn queue(capacity: usize) -> (QueueSender, Records) {
    let (sender, queue) = mpsc::channel(capacity);
    let bytes = Arc::new(AtomicUsize::new(0));
    (QueueSender { sender, bytes: Arc::clone(&bytes) }, Records { queue, bytes })
}

/// The sending end of [`queue`].
#[derive(Debug)]
pub struct QueueSender {
    sender: mpsc::Sender<Message>,
    bytes: Arc<AtomicUsize>,
}

impl QueueSender {
    /// Puts a message into the queue, or gives it back.
    ///
    /// # Errors
    /// The message, with whether the other end is gone for good.
    pub fn offer(&self, message: Message) -> Result<(), Refused> {
        let size = message.size();
        if self.bytes.load(Ordering::Relaxed) > member::QUEUE_BYTES {
            return Err(Refused { message, closed: self.sender.is_closed() });
        }
        self.bytes.fetch_add(size, Ordering::Relaxed);
        self.sender.try_send(message).map_err(|error| {
            self.bytes.fetch_sub(size, Ordering::Relaxed);
            match error {
                mpsc::error::TrySendError::Full(message) => Refused { message, closed: false },
                mpsc::error::TrySendError::Closed(message) => Refused { message, closed: true },
            }
        })
    }

    /// Whether at least half of the queue is free: when a paused partition goes on.
    fn has_room(&self) -> bool {
        self.sender.capacity() * 2 >= self.sender.max_capacity()
            && self.bytes.load(Ordering::Relaxed) * 2 <= member::QUEUE_BYTES
    }
}

/// A message that a queue did not take.
#[derive(Debug)]
pub struct Refused {
    /// The message.
    pub message: Message,
    /// Whether nobody will ever take it.
    pub closed: bool,
}

/// Up to where each partition's records are durable in the store: what may be committed.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    durable: Arc<Mutex<HashMap<Partition, Durable>>>,
}

/// Up to where one partition's records are durable.
#[derive(Debug)]
struct Durable {
    /// The next offset to read.
    next: i64,
    /// What the owner remembers of the partition there.
    bookmark: String,
    is_committed: bool,
}

impl Progress {
    /// Reports that every record below `next` is durable, with what is to be remembered of the partition there: a short
    /// text, committed as the offset's metadata and told with the partition's next assignment.
    pub fn durable(&self, partition: &Partition, next: i64, bookmark: String) {
        let mut map = self.durable.lock().unwrap_or_else(PoisonError::into_inner);
        let durable = Durable { next, bookmark, is_committed: false };
        match map.get_mut(partition) {
            Some(known) if known.next >= next => {}
            Some(known) => *known = durable,
            None => drop(map.insert(partition.clone(), durable)),
        }
    }

    fn take_uncommitted(&self) -> Vec<(Partition, i64, String)> {
        let mut map = self.durable.lock().unwrap_or_else(PoisonError::into_inner);
        let open = map.iter_mut().filter(|(_, durable)| !durable.is_committed);
        open.map(|(partition, durable)| {
            durable.is_committed = true;
            (partition.clone(), durable.next, durable.bookmark.clone())
        })
        .collect()
    }

    fn forget(&self, partitions: &[Partition]) {
        let mut map = self.durable.lock().unwrap_or_else(PoisonError::into_inner);
        map.retain(|partition, _| !partitions.contains(partition));
    }
}
