//! The messages between the caller's half of the producer and the thread that sends.

use super::batch::Batch;
use crate::Error;

/// The name of a step that errors report.
pub(super) const TAKE_OVER: &str = "take the transactional id over";

/// What the sender is told.
#[derive(Debug)]
pub(super) enum Command {
    /// There is another topic; they are counted.
    Topic(String),
    /// Send this.
    Batch { topic: usize, partition: usize, batch: Batch },
    /// Take the transactional id over, and begin.
    TakeOver,
    /// End the transaction with the batches sent so far. Later batches belong to the next one.
    Commit,
    /// End it without that.
    Abort,
}

/// What the sender tells.
#[derive(Debug)]
pub(super) enum Event {
    /// A topic has so many partitions now.
    Partitions { topic: usize, count: usize },
    /// The records with these handles are durable.
    Durable(Vec<(usize, u32)>),
    /// The transactional id is taken over.
    Ready,
    /// A transaction has ended.
    Ended,
    /// Memory that a batch no longer needs.
    Spare(Vec<u8>),
    /// Nothing more will be sent.
    Failed(Error),
}
