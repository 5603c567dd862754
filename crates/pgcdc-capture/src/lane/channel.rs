//! Typed events to a program that embeds capture, through a bounded channel.
//!
//! ```text
//!  EventLane ─ send ─▶ EventChannel ═══▶ EventReader ─ poll_next ─▶ Changes
//!                        ▲                   │ confirm, Acknowledged
//!           poll: Sequences ◀── taken ◀──────┘
//! ```
//!
//! The way back is one number, `taken`: how many events the reader has processed since the channel
//! was made. It outlives an attempt: after a failure a new sending end is attached to the same
//! reader.
//!
//! The capture never waits until `taken` has caught up with what was sent: a reader that
//! acknowledges by hand may wait for more changes before it does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use pgcdc_event::ChangeEvent;
use tokio::sync::mpsc;

use crate::destination::Destination;
use crate::ledger::Sequence;
use crate::{Error, Result};

/// The most events that wait for the reader. When there are as many, the stream waits, and the
/// server with it.
const CAPACITY: usize = 1024;

/// Makes the two ends of a channel for events.
#[must_use]
pub(crate) fn channel() -> (EventChannel, EventReader) {
    let (sender, receiver) = mpsc::channel(CAPACITY);
    let taken = Arc::new(AtomicU64::new(0));
    let total = Arc::new(AtomicU64::new(0));
    let reader = EventReader { receiver, taken: Arc::clone(&taken), handed: 0, by_hand: false };
    (EventChannel { sender, taken, total, sent: Vec::new(), reported: 0 }, reader)
}

/// The reading end, inside of [`Changes`](crate::Changes).
#[derive(Debug)]
pub(crate) struct EventReader {
    /// Events that were sent and not read.
    receiver: mpsc::Receiver<ChangeEvent>,
    /// How many events the reader has processed since the channel was made. Written here and by
    /// [`Acknowledged`].
    taken: Arc<AtomicU64>,
    /// How many events were handed to the program.
    handed: u64,
    /// True when events do not count as processed because the next one is asked for.
    by_hand: bool,
}

/// Counts events as processed, from any thread.
#[derive(Clone, Debug)]
pub(crate) struct Acknowledged(Arc<AtomicU64>);

impl Acknowledged {
    /// Notes that the first `number` events that the reader was given are processed.
    pub(crate) fn acknowledge(&self, number: u64) {
        self.0.fetch_max(number, Ordering::AcqRel);
    }
}

impl EventReader {
    /// The next event; `None` when no sending end is left. Events before it count as processed,
    /// unless the reader acknowledges them [by hand](Self::acknowledge_by_hand).
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<ChangeEvent>> {
        if !self.by_hand {
            self.confirm();
        }
        let next = self.receiver.poll_recv(cx);
        if let Poll::Ready(Some(_)) = next {
            self.handed += 1;
        }
        next
    }

    /// From now on events count as processed only when they are acknowledged.
    pub(crate) fn acknowledge_by_hand(&mut self) {
        self.by_hand = true;
    }

    /// How many events were handed out.
    pub(crate) fn handed(&self) -> u64 {
        self.handed
    }

    /// A handle that counts events as processed while they are read here.
    pub(crate) fn acknowledged(&self) -> Acknowledged {
        Acknowledged(Arc::clone(&self.taken))
    }

    /// Counts everything that was handed out so far as processed.
    pub(crate) fn confirm(&mut self) {
        self.taken.fetch_max(self.handed, Ordering::AcqRel);
    }

    /// Takes no more events. The sending end notices, so that a stop does not wait for this reader.
    pub(crate) fn close(&mut self) {
        self.receiver.close();
    }
}

/// The sending end of one attempt.
#[derive(Debug)]
pub(crate) struct EventChannel {
    /// Gives events to the reader.
    sender: mpsc::Sender<ChangeEvent>,
    /// How many events the reader has processed since the channel was made. Read here.
    taken: Arc<AtomicU64>,
    /// Events handed over since the channel was made, by every attempt.
    total: Arc<AtomicU64>,
    /// Sequences of events that were handed over and not yet reported, oldest first.
    sent: Vec<Sequence>,
    /// How much of `taken` was reported to the ledger, or belongs to earlier attempts.
    reported: u64,
}

impl EventChannel {
    /// A sending end for the next attempt. Events of earlier attempts that the reader still has are
    /// not reported to the new ledger, which never counted them.
    pub(crate) fn attach(&self) -> Self {
        Self {
            sender: self.sender.clone(),
            taken: Arc::clone(&self.taken),
            total: Arc::clone(&self.total),
            sent: Vec::new(),
            reported: self.total.load(Ordering::Acquire),
        }
    }

    /// Hands an event over; gives it back when there is no room.
    ///
    /// # Errors
    /// [Closed](Error::is_closed) when the reader is gone.
    pub(crate) fn send(&mut self, event: ChangeEvent, sequence: Sequence) -> Result<Option<ChangeEvent>> {
        match self.sender.try_send(event) {
            Ok(()) => {
                self.total.fetch_add(1, Ordering::AcqRel);
                self.sent.push(sequence);
                Ok(None)
            }
            Err(mpsc::error::TrySendError::Full(event)) => Ok(Some(event)),
            Err(mpsc::error::TrySendError::Closed(_)) => {
                Err(Error::closed("the reader of the changes went away"))
            }
        }
    }
}

impl Destination for EventChannel {
    fn poll(&mut self, delivered: &mut Vec<Sequence>) -> Result<()> {
        let taken = self.taken.load(Ordering::Acquire);
        let new = usize::try_from(taken.saturating_sub(self.reported)).unwrap_or(0).min(self.sent.len());
        delivered.extend(self.sent.drain(..new));
        self.reported += new as u64;
        Ok(())
    }

    fn is_gone(&self) -> bool {
        self.sender.is_closed()
    }
}
