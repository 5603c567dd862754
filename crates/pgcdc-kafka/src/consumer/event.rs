//! What happens to a membership, for its owner to answer.

use tokio::sync::oneshot;

use super::message::Partition;
use super::queue::Records;
use crate::Error;

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
    /// What was committed beside the group's offset ([`Progress::durable`](super::Progress::durable)), if there is one.
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
