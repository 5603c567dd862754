//! What the sender keeps: topics, their partitions, brokers, and what is on its way to them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use super::connection::Connection;

/// Batches of a partition on their way: as many as a broker knows again.
const BATCHES: usize = 5;

pub(super) struct Topic {
    pub(super) name: String,
    /// Its partitions' places among all.
    pub(super) parts: Vec<usize>,
    /// Since when brokers do not know it.
    pub(super) unknown: Option<Instant>,
}

pub(super) struct Part {
    pub(super) topic: usize,
    pub(super) number: i32,
    pub(super) leader: Option<i32>,
    pub(super) queue: VecDeque<Pending>,
    /// So many left the queue at its front.
    pub(super) done: u64,
    /// So many of the queue, from its front, were sent.
    pub(super) sent: usize,
    /// So many were sent and not answered.
    pub(super) in_flight: usize,
    /// The leader has taken one since anything went wrong. Before, one is sent at a time: a broker that knows nothing of
    /// a producer takes any number for its first, and so the second where the first was refused.
    pub(super) proven: bool,
    /// One has to be sent again, once the others are answered.
    pub(super) again: bool,
    /// It is parked, and not sent before its time.
    pub(super) parked: bool,
    /// The transaction that it was added to last; they are counted from one.
    pub(super) joined: u64,
    /// It is to be added to the one that is open.
    pub(super) joining: bool,
    /// It is among those that its broker gets next.
    pub(super) listed: bool,
    /// When an answer came last.
    pub(super) answered: Option<Instant>,
    /// The number of the next record.
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

    /// Whether its broker may have another batch.
    pub(super) fn has_more(&self) -> bool {
        let most = if self.proven { BATCHES } else { 1 };
        !self.again && !self.parked && self.in_flight < most && self.sent < self.queue.len()
    }

    /// A batch has to be sent again; true when that can be now, and not only when others were answered.
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
    /// Not to be connected to before.
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
    /// Partitions, and which of their batches.
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
