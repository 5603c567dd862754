//! A partition's queue between the thread that reads from Kafka and the worker that writes to a store: bounded in records and
//! bytes.
//!
//! A full queue pauses its partition only: the thread that reads goes on with the others. Bytes are counted where records go in
//! and out, so the two ends need no lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc;

use super::message::Message;

/// Records that a partition's queue holds.
pub(super) const QUEUE_RECORDS: usize = 8192;
/// Bytes that a partition's queue holds. One record more may be in it, however large.
const QUEUE_BYTES: usize = 16 * 1024 * 1024;

/// The receiving end of one partition's queue. Ends when the member stops reading the partition.
#[derive(Debug)]
pub struct Records {
    /// The records, bounded in number.
    queue: mpsc::Receiver<Message>,
    /// Bytes of the records in it; both ends have it.
    bytes: Arc<AtomicUsize>,
}

impl Records {
    /// Waits for a record, and takes all that are in the queue then, at most `max`. Empty when the queue has ended.
    ///
    /// # Cancel safety
    /// No record is lost when this future is dropped.
    pub async fn next(&mut self, max: usize) -> Vec<Message> {
        let mut batch = Vec::new();
        self.queue.recv_many(&mut batch, max).await;
        self.taken(&batch);
        batch
    }

    /// Takes the records that are in the queue now, at most `max`. Does not wait.
    pub fn ready(&mut self, max: usize) -> Vec<Message> {
        let mut batch = Vec::new();
        while batch.len() < max {
            let Ok(message) = self.queue.try_recv() else { break };
            batch.push(message);
        }
        self.taken(&batch);
        batch
    }

    /// Counts down the bytes of records that were taken out.
    fn taken(&self, batch: &[Message]) {
        let size = batch.iter().map(Message::size).sum();
        self.bytes.fetch_sub(size, Ordering::Relaxed);
    }
}

/// A queue for one partition, for tests of workers: send messages, then drop the sender.
#[must_use]
pub fn queue(capacity: usize) -> (QueueSender, Records) {
    let (sender, queue) = mpsc::channel(capacity);
    let bytes = Arc::new(AtomicUsize::new(0));
    (QueueSender { sender, bytes: Arc::clone(&bytes) }, Records { queue, bytes })
}

/// The sending end of [`queue`].
#[derive(Debug)]
pub struct QueueSender {
    /// Where records go in.
    sender: mpsc::Sender<Message>,
    bytes: Arc<AtomicUsize>,
}

impl QueueSender {
    /// Puts a message into the queue.
    ///
    /// # Errors
    /// Gives the message back when the queue is full or its other end is gone.
    pub fn offer(&self, message: Message) -> Result<(), Refused> {
        let size = message.size();
        if self.bytes.load(Ordering::Relaxed) > QUEUE_BYTES {
            return Err(Refused { message, closed: self.sender.is_closed() });
        }
        self.bytes.fetch_add(size, Ordering::Relaxed);
        self.sender.try_send(message).map_err(|error| {
            self.bytes.fetch_sub(size, Ordering::Relaxed);
            match error {
                mpsc::error::TrySendError::Full(message) => Refused { message, closed: false },
                mpsc::error::TrySendError::Closed(message) => Refused { message, closed: true },
            }
        })
    }

    /// Whether at least half of the queue is free. A paused partition is read again then.
    pub(super) fn has_room(&self) -> bool {
        self.sender.capacity() * 2 >= self.sender.max_capacity()
            && self.bytes.load(Ordering::Relaxed) * 2 <= QUEUE_BYTES
    }
}

/// A message that a queue did not take, given back.
#[derive(Debug)]
pub struct Refused {
    /// The message.
    pub message: Message,
    /// Whether the queue's other end is gone, so that nobody will ever take it.
    pub closed: bool,
}
