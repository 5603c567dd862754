//! The sender's state: topics, their partitions, brokers, and what is on its way to them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use super::connection::Connection;

/// Batches of a partition on their way: as many as a broker knows again.
const BATCHES: usize = 5;

pub(super) struct Topic {
    pub(super) name: String,
    /// Its partitions, as indexes into `Sender::parts`.
    pub(super) parts: Vec<usize>,
    /// Since when brokers say that they do not know the topic.
    pub(super) unknown: Option<Instant>,
}

pub(super) struct Part {
    pub(super) topic: usize,
    pub(super) number: i32,
    pub(super) leader: Option<i32>,
    pub(super) queue: VecDeque<Pending>,
    /// Batches removed from the front of `queue` since the start.
    pub(super) done: u64,
    /// Batches at the front of `queue` that were sent; the rest still has to be.
    pub(super) sent: usize,
    /// Batches that were sent and are not answered yet.
    pub(super) in_flight: usize,
    /// The leader has taken a batch since the last failure. Until then, one batch is sent at a time: a broker that does not
    /// know the producer accepts any sequence number first, and so would take the second batch after it refused the first.
    pub(super) proven: bool,
    /// A batch failed: send the queue again from its front, as soon as all batches in flight are answered.
    pub(super) again: bool,
    /// The partition waits in `Sender::parked`, and nothing of it is sent before its time there.
    pub(super) parked: bool,
    /// The last transaction that the partition was added to; transactions are counted from one.
    pub(super) joined: u64,
    /// The partition has to be added to the open transaction before anything of it is sent.
    pub(super) joining: bool,
    /// The partition is in its leader's `ready` list.
    pub(super) listed: bool,
    /// When the leader last took a batch; `None` after a failure.
    pub(super) answered: Option<Instant>,
    /// The sequence number of the next record.
    pub(super) sequence: i32,
}

pub(super) struct Pending {
    pub(super) bytes: Arc<Vec<u8>>,
    pub(super) count: i32,
    pub(super) handles: Vec<(usize, u32)>,
    pub(super) since: Instant,
    pub(super) numbered: bool,
    pub(super) durable: bool,
}

impl Part {
    pub(super) fn new(topic: usize, number: i32) -> Self {
        Self {
            topic,
            number,
            leader: None,
            queue: VecDeque::new(),
            done: 0,
            sent: 0,
            in_flight: 0,
            proven: false,
            answered: None,
            again: false,
            parked: false,
            joined: 0,
            joining: false,
            listed: false,
            sequence: 0,
        }
    }

    /// Whether another batch may be sent to the leader now.
    pub(super) fn has_more(&self) -> bool {
        let most = if self.proven { BATCHES } else { 1 };
        !self.again && !self.parked && self.in_flight < most && self.sent < self.queue.len()
    }

    /// Notes that a batch has to be sent again. True when the partition was parked for that: the caller says until when.
    /// False while other batches are in flight, whose answers come first.
    pub(super) fn again(&mut self) -> bool {
        self.again = self.in_flight > 0;
        self.answered = None;
        self.proven = false;
        if !self.again {
            self.sent = 0;
            self.parked = true;
        }
        !self.again
    }
}

pub(super) struct Broker {
    pub(super) id: i32,
    pub(super) address: String,
    pub(super) link: Option<Link>,
    /// No connection is opened before this time.
    pub(super) not_before: Instant,
    /// Connections that failed one after the other.
    pub(super) failures: u32,
    /// Partitions with something to send.
    pub(super) ready: VecDeque<usize>,
}

pub(super) struct Link {
    pub(super) number: u64,
    pub(super) connection: Connection,
    pub(super) up: bool,
    /// When it was opened, or an answer came last.
    pub(super) heard: Instant,
    pub(super) waiting: VecDeque<Waiting>,
}

pub(super) struct Waiting {
    pub(super) correlation: i32,
    pub(super) asked: Asked,
    pub(super) since: Instant,
}

pub(super) enum Asked {
    Identity,
    Metadata,
    Coordinator,
    /// Partitions that are to be added to the transaction.
    Join(Vec<usize>),
    /// The transaction's end.
    End,
    /// Partitions, each with the number of the batch that was sent.
    Produce(Vec<(usize, u64)>),
}

impl Broker {
    pub(super) fn new(id: i32, address: String, now: Instant) -> Self {
        Self { id, address, link: None, not_before: now, failures: 0, ready: VecDeque::new() }
    }

    pub(super) fn is_busy(&self) -> bool {
        !self.ready.is_empty() || self.link.as_ref().is_some_and(|link| !link.waiting.is_empty())
    }
}

impl Link {
    /// Requests with batches on their way.
    pub(super) fn requests(&self) -> usize {
        self.waiting.iter().filter(|waiting| matches!(waiting.asked, Asked::Produce(_))).count()
    }
}
