//! What the sending thread knows: topics, their partitions, brokers, and what it has yet to ask them.
//!
//! The handlers that change this state are in [`sender`](super::sender), a file for each kind of request.
//!
//! Parts name each other by their place in a table, not by references: a partition has its topic's place and its leader's id.
//! Nothing is ever removed from the tables, so a place stays right for the producer's life.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc as std_mpsc;
use std::time::Instant;

use tokio::sync::mpsc;

use super::broker::Broker;
use super::command::Event;
use super::connection::{News, Profile};
use super::counts::Counts;
use super::options::Options;
use super::partition::{PartitionState, TopicState};
use super::transactional::Transactional;

/// The sending thread's half of the producer.
pub(super) struct Sender {
    /// The properties.
    pub(super) options: Options,
    /// What the caller's half is told.
    pub(super) events: std_mpsc::Sender<Event>,
    /// Bytes of all batches that are not durable, shared with the caller's half.
    pub(super) queued: Arc<AtomicUsize>,
    /// What was done so far, shared with the caller's half.
    pub(super) counts: Arc<Counts>,
    /// Where connections report; the receiving end is in the sender's loop.
    pub(super) news: mpsc::UnboundedSender<News>,
    /// Numbered in the order in which the caller named them.
    pub(super) topics: Vec<TopicState>,
    /// Indexes into `topics`.
    pub(super) by_name: HashMap<String, usize>,
    /// The partitions of all topics; other tables name them by their place here, which never changes.
    pub(super) partitions: Vec<PartitionState>,
    /// The first is the server of `bootstrap.servers` in use, with id -1. The brokers that metadata names follow.
    pub(super) brokers: Vec<Broker>,
    /// What connections to all of them have in common.
    pub(super) profile: Arc<Profile>,
    /// Since when brokers have hung up as if `security.protocol` were wrong. It counts only until a broker has let a client in.
    pub(super) doubtful_since: Option<Instant>,
    /// When a person was told last that brokers refuse a client that they let in before; `None` since they let it in again.
    pub(super) refusal_told: Option<Instant>,
    /// When other brokers were asked last who does the work of one that owes an answer.
    pub(super) asked_around: Instant,
    /// Which of `bootstrap.servers` is asked next; counts on without end.
    pub(super) bootstrap: usize,
    /// Connections opened since the start: the number of the last one.
    pub(super) links: u64,
    /// Requests sent since the start: the number of the last one.
    pub(super) correlation: i32,
    /// `None` for a producer without transactions.
    pub(super) transactional: Option<Transactional>,
    /// Batches in the partitions' queues. Batches of the next transaction are not counted.
    pub(super) pending: usize,
    /// The producer's id and epoch, once brokers have given them.
    pub(super) identity: Option<(i64, i16)>,
    /// The request for `identity` is on its way.
    pub(super) identity_asked: bool,
    /// `identity` is not asked for before this time.
    pub(super) identity_at: Instant,
    /// When brokers and leaders are asked for.
    pub(super) metadata: MetadataState,
    /// Partitions to look at again, each at a time.
    pub(super) parked: Vec<(Instant, usize)>,
    /// Memory to compress into.
    pub(super) scratch: Vec<u8>,
}

/// When brokers and leaders are asked for.
pub(super) struct MetadataState {
    /// Ask at this time; `None` when the leaders of all partitions in use are known.
    pub(super) wanted: Option<Instant>,
    /// The request is on its way.
    pub(super) asked: bool,
    /// Answers in a row that did not name every leader.
    pub(super) tries: u32,
    /// Ask for all topics, not only for those without a leader.
    pub(super) of_all: bool,
    /// When the last answer came.
    pub(super) at: Instant,
}

impl MetadataState {
    /// Asks at once.
    pub(super) const fn new(now: Instant) -> Self {
        Self { wanted: Some(now), asked: false, tries: 0, of_all: false, at: now }
    }
}
