//! The messages between the caller's half of the producer and the sending thread.
//!
//! Both ways are channels without a bound of their own. What is in them is bounded all the same: the caller's half takes no
//! record while the bytes of batches that are not durable reach `buffer.memory`, and each event answers a command.

use super::batch::Batch;
use crate::Error;

/// What errors call the step in which a producer gets its transactional id.
pub(super) const TAKE_OVER: &str = "take the transactional id over";

/// What the sending thread is told to do.
#[derive(Debug)]
pub(super) enum Command {
    /// Take in another topic. Topics are numbered in this order, from zero.
    Topic(String),
    /// Send this batch.
    Batch { topic: usize, partition: usize, batch: Batch },
    /// Take the transactional id over, and begin the first transaction.
    TakeOver,
    /// Commit the transaction with the batches so far. Later batches belong to the next one.
    Commit,
    /// Abort the transaction.
    Abort,
}

/// What the sending thread reports.
#[derive(Debug)]
pub(super) enum Event {
    /// A topic has `count` partitions now.
    Partitions { topic: usize, count: usize },
    /// Records are durable: their handles, each with how many records in a row have it.
    Durable(Vec<(usize, u32)>),
    /// The transactional id is taken over.
    Ready,
    /// A transaction has ended.
    Ended,
    /// Memory that a batch no longer needs, for reuse.
    Spare(Vec<u8>),
    /// The thread has ended for this reason: nothing more will be sent.
    Failed(Error),
}
