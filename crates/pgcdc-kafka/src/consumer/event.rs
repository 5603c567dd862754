//! Changes of a membership, which its owner has to answer.

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

/// A partition that the member reads from now on.
#[derive(Debug)]
pub struct Assignment {
    /// The partition.
    pub partition: Partition,
    /// Its queue.
    pub records: Records,
    /// The bookmark that was committed with the group's offset ([`Progress::durable`](super::Progress::durable)), if any.
    pub bookmark: Option<String>,
}

/// A change of the membership. The polling thread waits for the answer before it goes on.
#[derive(Debug)]
pub enum Event {
    /// The member got partitions: answer where to start reading each. Their queues come along.
    Assigned {
        /// The partitions and their queues.
        partitions: Vec<Assignment>,
        /// Takes one start for each partition, in order.
        reply: oneshot::Sender<Vec<Start>>,
    },
    /// The member is about to lose partitions: answer when their workers have stopped. Offsets that they reported durable by then
    /// are committed.
    Revoked {
        /// The partitions.
        partitions: Vec<Partition>,
        /// Takes the answer that no worker uses them any more.
        reply: oneshot::Sender<()>,
    },
    /// The member cannot go on; no event follows.
    Failed(Error),
}
