//! A broker: the connection to it, the requests that are on their way, and the partitions that wait for it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::connection::Connection;
use super::timing::QUIET;

/// A broker, connected or not.
pub(super) struct Broker {
    /// Its id; -1 for the server of `bootstrap.servers`.
    pub(super) id: i32,
    /// `host:port`.
    pub(super) address: String,
    pub(super) link: Option<Link>,
    /// No connection is opened before this time.
    pub(super) not_before: Instant,
    /// Connections that failed one after the other.
    pub(super) failures: u32,
    /// Partitions with something to send.
    pub(super) ready: VecDeque<usize>,
}

/// A connection with the requests that wait for an answer over it.
pub(super) struct Link {
    /// Tells this connection from those before and after it.
    pub(super) number: u64,
    pub(super) connection: Connection,
    /// It is open: requests can be sent.
    pub(super) up: bool,
    /// When it was opened, or an answer came last.
    pub(super) heard: Instant,
    /// The broker takes no batch before this time, since a quota is used up.
    pub(super) throttled: Instant,
    /// Oldest first: answers come in this order.
    pub(super) waiting: VecDeque<Waiting>,
}

/// A request that is not answered yet.
pub(super) struct Waiting {
    /// The request's number, which its answer repeats.
    pub(super) correlation: i32,
    pub(super) asked: Asked,
    /// When it was sent.
    pub(super) since: Instant,
}

/// What a request was for.
pub(super) enum Asked {
    /// The producer's id and epoch (`InitProducerId`).
    Identity,
    /// A sign of life (`ApiVersions`), over a connection that was quiet for a while.
    Life,
    /// Brokers and leaders (`Metadata`).
    Metadata,
    /// The transactions' coordinator (`FindCoordinator`).
    Coordinator,
    /// These partitions are to be added to the transaction (`AddPartitionsToTxn`).
    Join(Vec<usize>),
    /// The transaction's end (`EndTxn`).
    End,
    /// A batch for each of these partitions (`Produce`), with the batch's number.
    Produce(Vec<(usize, u64)>),
}

impl Broker {
    /// A broker that is not connected.
    pub(super) const fn new(id: i32, address: String, now: Instant) -> Self {
        Self { id, address, link: None, not_before: now, failures: 0, ready: VecDeque::new() }
    }

    /// Whether something waits to be sent or answered.
    pub(super) fn is_busy(&self) -> bool {
        !self.ready.is_empty() || self.link.as_ref().is_some_and(|link| !link.waiting.is_empty())
    }
}

impl Link {
    /// Whether a request over it may wait in vain: nothing went over it for so long that a firewall may have forgotten it, and then
    /// neither side is told.
    pub(super) fn is_doubtful(&self, now: Instant) -> bool {
        self.up && self.waiting.is_empty() && now.duration_since(self.heard) > QUIET
    }

    /// How long the broker has owed an answer; `None` when nothing was asked. A pause that it asked for does not count.
    pub(super) fn silence(&self, now: Instant) -> Option<(Duration, &Asked)> {
        let oldest = self.waiting.front()?;
        Some((now.duration_since(oldest.since.max(self.heard).max(self.throttled)), &oldest.asked))
    }

    /// Whether it is open and neither side waits for the other.
    pub(super) fn is_idle(&self) -> bool {
        self.up && self.waiting.is_empty()
    }

    /// Whether another request with batches may be sent now.
    pub(super) fn has_room(&self, now: Instant) -> bool {
        /// Requests with batches that may be on their way to one broker.
        const REQUESTS: usize = 5;
        self.up && self.throttled <= now && self.requests() < REQUESTS
    }

    /// Requests with batches on their way.
    fn requests(&self) -> usize {
        self.waiting.iter().filter(|waiting| matches!(waiting.asked, Asked::Produce(_))).count()
    }
}
