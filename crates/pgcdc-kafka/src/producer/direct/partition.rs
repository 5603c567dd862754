//! A topic's partitions, each with the batches that wait to be sent and those that are not durable yet.
//!
//! ```text queue: durable, behind one │ sent, in flight │ not sent yet `sent` counts the batches left of the last bar that is
//! not │ │ numbers: done … done + k │ … │ none: a batch gets its first record's number when it is sent first ``` A batch leaves
//! at the front only, when it is durable and all before it are: so records become durable in their order for the caller,
//! whatever the order of the answers.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use super::batch::{Sealed, split};
use super::compression::Compression;
use super::flow::Flow;

/// The epoch of a leader that brokers did not tell.
pub(super) const NO_EPOCH: i32 = -1;

/// A topic that the caller sends to.
pub(super) struct TopicState {
    /// Its name.
    pub(super) name: String,
    /// Its partitions by their number, as indexes into `Sender::partitions`. Empty until brokers have told them.
    pub(super) partitions: Vec<usize>,
    /// Tells it from an earlier topic of the same name (KIP-516); `None` while no broker has told.
    pub(super) id: Option<u128>,
    /// Bytes of the largest batch that its brokers may take, after they refused a larger one.
    pub(super) most: Option<usize>,
    /// Since when brokers say that they do not know the topic.
    pub(super) unknown: Option<Instant>,
}

/// A partition with its queue of batches.
pub(super) struct PartitionState {
    /// Index into `Sender::topics`.
    pub(super) topic: usize,
    /// Its number within the topic.
    pub(super) number: i32,
    /// The leading broker's id, as far as it is known.
    pub(super) leader: Option<i32>,
    /// Counts the partition's leaders: metadata with a smaller one is older (KIP-320). [`NO_EPOCH`] while no broker has told.
    pub(super) epoch: i32,
    /// The id of the broker in whose `ready` list the partition is.
    pub(super) listed: Option<i32>,
    /// Batches that are not durable, in order.
    pub(super) queue: VecDeque<Pending>,
    /// Batches removed from the front of `queue` since the start.
    pub(super) done: u64,
    /// Batches at the front of `queue` that were sent; the rest still has to be.
    pub(super) sent: usize,
    /// How many batches may be on their way.
    pub(super) flow: Flow,
    /// Whether it belongs to the open transaction.
    pub(super) membership: Membership,
    /// The sequence number of the next record that is numbered.
    pub(super) sequence: i32,
}

/// A batch that is not durable yet.
pub(super) struct Pending {
    /// The batch as it goes over the wire.
    pub(super) bytes: Arc<Vec<u8>>,
    /// Records in it.
    pub(super) count: i32,
    /// The records' handles, each with how many records in a row have it.
    pub(super) handles: Vec<(usize, u32)>,
    /// How its records are compressed.
    pub(super) compression: Compression,
    /// When it was closed.
    pub(super) since: Instant,
    /// It has its sequence number, which it keeps however often it is sent.
    pub(super) numbered: bool,
    /// The leader has it. It leaves the queue once the batches before it are durable, too.
    pub(super) durable: bool,
}

impl Pending {
    /// A batch that was just closed.
    pub(super) fn new(sealed: Sealed, since: Instant) -> Self {
        let Sealed { bytes, count, handles, compression } = sealed;
        let bytes = Arc::new(bytes);
        Self { bytes, count, handles, compression, since, numbered: false, durable: false }
    }

    /// Splits it until each piece has at most `most` bytes, or one record.
    pub(super) fn pieces(mut self, most: usize, transactional: bool) -> Vec<Self> {
        if self.bytes.len() <= most || self.count < 2 {
            return vec![self];
        }
        let whole = Sealed {
            bytes: Arc::unwrap_or_clone(std::mem::take(&mut self.bytes)),
            count: self.count,
            handles: std::mem::take(&mut self.handles),
            compression: self.compression,
        };
        let (since, numbered) = (self.since, self.numbered);
        let pending = |sealed| Self { numbered, ..Self::new(sealed, since) };
        match split(&whole, transactional) {
            Some(halves) => {
                halves.into_iter().flat_map(|half| pending(half).pieces(most, transactional)).collect()
            }
            None => vec![pending(whole)],
        }
    }
}

impl PartitionState {
    /// A partition of which nothing is known but that it exists.
    pub(super) const fn new(topic: usize, number: i32) -> Self {
        Self {
            topic,
            number,
            leader: None,
            epoch: NO_EPOCH,
            listed: None,
            queue: VecDeque::new(),
            done: 0,
            sent: 0,
            flow: Flow::Idle,
            membership: Membership::Outside,
            sequence: 0,
        }
    }

    /// Whether another batch can be sent to the leader now.
    pub(super) fn has_more(&self) -> bool {
        self.flow.may_send() && self.sent < self.queue.len()
    }

    /// Splits all batches of more than `most` bytes. Only called when nothing is in flight, since the numbers of the batches behind
    /// them change. Returns how many batches and bytes there are more.
    pub(super) fn split(&mut self, most: usize, transactional: bool) -> (usize, usize) {
        let bytes =
            |queue: &VecDeque<Pending>| queue.iter().map(|pending| pending.bytes.len()).sum::<usize>();
        let (batches, before) = (self.queue.len(), bytes(&self.queue));
        let queue = std::mem::take(&mut self.queue).into_iter();
        self.queue = queue
            .flat_map(|pending| match pending.durable {
                true => vec![pending],
                false => pending.pieces(most, transactional),
            })
            .collect();
        (self.queue.len() - batches, bytes(&self.queue).saturating_sub(before))
    }

    /// The batch with this number; batches are counted from the start of the producer.
    pub(super) fn batch(&mut self, number: u64) -> Option<&mut Pending> {
        self.queue.get_mut(usize::try_from(number.checked_sub(self.done)?).ok()?)
    }
}

/// Whether a partition belongs to the open transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Membership {
    /// It belongs to no transaction yet.
    Outside,
    /// The coordinator is to add it, or has been asked to.
    Joining,
    /// The last transaction that it was added to; transactions are counted from one.
    Joined(u64),
}
