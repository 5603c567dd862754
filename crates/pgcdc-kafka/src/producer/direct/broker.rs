//! A broker: the connection to it, the requests that are on their way, and the partitions that wait for it.
//!
//! ```text no link ── something to send ─▶ link, being made ── News::Up ─▶ up ⇄ waiting for answers ▲ │ lost │ lost · silent ·
//! idle for connections.max.idle.ms └──────────────────────────────────┴──────────────────────────┘ ``` There is one connection
//! to a broker at a time. A broker answers its requests in order, so a single request without an answer holds up all that
//! follow it: how long the oldest one has waited tells how long the broker was silent.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::connection::Connection;
use super::protocol::{Version, Versions};
use super::timing::{AWAY, QUIET};

/// A broker, connected or not.
pub(super) struct Broker {
    /// Its id; -1 for the server of `bootstrap.servers`.
    pub(super) id: i32,
    /// `host:port`.
    pub(super) address: String,
    /// The connection, also while it is being made; `None` when nothing needs one.
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
    /// Where requests go out. Dropping it closes the connection.
    pub(super) connection: Connection,
    /// The version of each request that both sides have, once it is open: then requests can be sent.
    pub(super) versions: Option<Versions>,
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
    /// What to do with its answer, or when none comes.
    pub(super) asked: Asked,
    /// In which its answer is written.
    pub(super) version: Version,
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

    /// Whether it has owed an answer for so long that it may be dead without anybody having told: frozen, or cut off. It may also be
    /// slow, or wait for other replicas.
    pub(super) fn is_silent(&self, now: Instant) -> bool {
        let silence = self.link.as_ref().filter(|link| link.is_up()).and_then(|link| link.silence(now));
        silence.is_some_and(|(silence, _)| silence > AWAY)
    }

    /// Whether something waits to be sent or answered.
    pub(super) fn is_busy(&self) -> bool {
        !self.ready.is_empty() || self.link.as_ref().is_some_and(|link| !link.waiting.is_empty())
    }
}

impl Link {
    /// Whether requests can be sent.
    pub(super) const fn is_up(&self) -> bool {
        self.versions.is_some()
    }

    /// Whether a request over it may wait in vain: nothing went over it for so long that a firewall may have forgotten it, and then
    /// neither side is told.
    pub(super) fn is_doubtful(&self, now: Instant) -> bool {
        self.is_up() && self.waiting.is_empty() && now.duration_since(self.heard) > QUIET
    }

    /// How long the broker has owed an answer; `None` when nothing was asked. A pause that it asked for does not count.
    pub(super) fn silence(&self, now: Instant) -> Option<(Duration, &Asked)> {
        let oldest = self.waiting.front()?;
        Some((now.duration_since(oldest.since.max(self.heard).max(self.throttled)), &oldest.asked))
    }

    /// Whether it is open and neither side waits for the other.
    pub(super) fn is_idle(&self) -> bool {
        self.is_up() && self.waiting.is_empty()
    }

    /// Whether another request with batches may be sent now.
    pub(super) fn has_room(&self, now: Instant) -> bool {
        /// Requests with batches that may be on their way to one broker.
        const REQUESTS: usize = 5;
        self.is_up() && self.throttled <= now && self.requests() < REQUESTS
    }

    /// Requests with batches on their way.
    fn requests(&self) -> usize {
        self.waiting.iter().filter(|waiting| matches!(waiting.asked, Asked::Produce(_))).count()
    }
}
