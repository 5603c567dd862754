//! What the sending thread knows of its transactions: which partitions belong to the open one, and how far its end is.
//!
//! The requests are written, and their answers taken in, by `sender/transaction.rs`.
//!
//! ```text before ─ wanted ─▶ coordinator known ─▶ id taken over ─▶ open ─ ending ─▶ ended ─┐ ▲ ▲ │ number + 1 └── connection
//! lost, or it moved └───────────────────────┘ ``` A transaction has begun for the coordinator only when a partition belongs to
//! it: one without a batch ends without a request.

use std::time::{Duration, Instant};

use super::broker::Asked;
use super::failure::{CONCURRENT_TRANSACTIONS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR};
use super::partition::{Membership, PartitionState, Pending};
use super::timing::{BACKOFF, growing};
use crate::Error;

/// The transactions of one producer.
pub(super) struct Transactional {
    /// The `transactional.id`.
    pub(super) id: String,
    /// The coordinator aborts a transaction that is open for longer, so its end may take no longer either.
    pub(super) timeout: Duration,
    /// The caller asked to take the id over.
    pub(super) wanted: bool,
    /// The coordinating broker's id.
    pub(super) coordinator: Option<i32>,
    /// The request for `coordinator` is on its way.
    pub(super) coordinator_asked: bool,
    /// The coordinator is asked for nothing before this time.
    pub(super) not_before: Instant,
    /// Requests in a row that have to be repeated.
    tries: u32,
    /// The open transaction; transactions are counted from one.
    pub(super) number: u64,
    /// Partitions to be added with the next request.
    pub(super) joining: Vec<usize>,
    /// A request to add partitions is on its way.
    pub(super) join_asked: bool,
    /// Partitions join the open transaction by their first batch (KIP-890); else the coordinator is asked to add them.
    pub(super) implicit: bool,
    /// Partitions were added to the open transaction, so that the coordinator has something to end.
    pub(super) begun: bool,
    /// The end that the caller asked for; `None` while the transaction goes on.
    pub(super) ending: Option<Ending>,
    /// Batches of the next transaction, each with its partition.
    pub(super) later: Vec<(usize, Pending)>,
}

/// The end of a transaction that the caller asked for.
#[derive(Clone, Copy)]
pub(super) struct Ending {
    /// Commit it; else abort it.
    pub(super) commit: bool,
    /// When the caller asked for it.
    pub(super) since: Instant,
    /// The request is on its way.
    pub(super) asked: bool,
}

impl Transactional {
    /// Before the id is taken over.
    pub(super) const fn new(id: String, timeout: Duration, now: Instant) -> Self {
        Self {
            id,
            timeout,
            wanted: false,
            coordinator: None,
            coordinator_asked: false,
            not_before: now,
            tries: 0,
            number: 1,
            joining: Vec::new(),
            join_asked: false,
            implicit: false,
            begun: false,
            ending: None,
            later: Vec::new(),
        }
    }

    /// Whether a partition may be sent to: it belongs to the open transaction. One that does not is added soon.
    pub(super) fn admits(&mut self, at: usize, partition: &mut PartitionState) -> bool {
        if self.is_aborting() {
            return false;
        }
        match partition.membership {
            Membership::Joined(number) if number == self.number => true,
            // The batch that it is sent says so.
            _ if self.implicit => {
                partition.membership = Membership::Joined(self.number);
                self.begun = true;
                true
            }
            Membership::Joining => false,
            Membership::Outside | Membership::Joined(_) => {
                partition.membership = Membership::Joining;
                self.joining.push(at);
                false
            }
        }
    }

    /// Whether the open transaction is being aborted.
    pub(super) fn is_aborting(&self) -> bool {
        self.ending.as_ref().is_some_and(|ending| !ending.commit)
    }

    /// Whether the coordinator has something to do, or will.
    pub(super) fn is_busy(&self) -> bool {
        self.ending.is_some() || !self.joining.is_empty()
    }

    /// How long nothing needs to be done.
    pub(super) fn patience(&self, now: Instant) -> Duration {
        if self.not_before > now { self.not_before - now } else { Duration::MAX }
    }

    /// Repeats a request in a moment: the broker is not ready, or does not coordinate.
    pub(super) fn on_retry(&mut self, error: i16) {
        if matches!(error, COORDINATOR_NOT_AVAILABLE | NOT_COORDINATOR) {
            self.coordinator = None;
        }
        // A coordinator that still writes the end of the transaction before is ready soon.
        let wait = if error == CONCURRENT_TRANSACTIONS { growing(self.tries) } else { BACKOFF };
        self.tries += 1;
        self.not_before = Instant::now() + wait;
    }

    /// The pause before a partition tries again to join by its first batch. The end of the transaction before is written soon.
    pub(super) fn pause_to_join(&mut self) -> Duration {
        self.tries += 1;
        growing(self.tries)
    }

    /// Notes that a request succeeded.
    pub(super) const fn on_success(&mut self) {
        self.tries = 0;
    }

    /// Notes that the connection to a broker is gone.
    pub(super) fn on_lost(&mut self, broker: i32, now: Instant) {
        if self.coordinator == Some(broker) {
            self.coordinator = None;
            self.not_before = now + BACKOFF;
        }
    }

    /// Notes that no answer to a request will come.
    pub(super) fn on_unanswered(&mut self, asked: Asked) {
        match asked {
            Asked::Coordinator => self.coordinator_asked = false,
            Asked::Join(partitions) => {
                self.join_asked = false;
                self.joining.extend(partitions);
            }
            // A coordinator that is asked twice to end a transaction ends it once.
            Asked::End => {
                if let Some(ending) = &mut self.ending {
                    ending.asked = false;
                }
            }
            Asked::Identity | Asked::Life | Asked::Metadata | Asked::Produce(_) => {}
        }
    }

    /// Begins the next transaction, and gives the batches that were kept for it.
    pub(super) fn begin_next(&mut self) -> Vec<(usize, Pending)> {
        self.number += 1;
        self.begun = false;
        self.tries = 0;
        self.ending = None;
        std::mem::take(&mut self.later)
    }

    /// Looks whether a transaction takes too long to end.
    ///
    /// # Errors
    /// When it was not ended within its timeout.
    pub(super) fn look(&self, now: Instant) -> Result<(), Error> {
        match &self.ending {
            Some(ending) if now.duration_since(ending.since) > self.timeout => {
                let text = format!(
                    "a transaction was not committed within transaction.timeout.ms, {} s: raise it, or see why the brokers are slow",
                    self.timeout.as_secs_f64()
                );
                Err(Error::other(text, true))
            }
            _ => Ok(()),
        }
    }
}
