//! A destination and the ledger that counts what is on its way there, together.

use std::sync::Arc;
use std::time::Duration;

use pgcdc_event::{Lsn, RecordBatch};

use crate::Result;
use crate::clock::now_ns;
use crate::destination::Destination;
use crate::figures::Figures;
use crate::ledger::{Ledger, Sequence};
use crate::meters::Meters;
use crate::offsets::{Bound, Offset, OffsetStore, Pauses};
use crate::output::{Output, Sent};

/// How long to sleep until the destination may have room. Short, and a sleep of the runtime: the task that sends standby
/// statuses shares the thread and runs meanwhile.
pub(crate) const ROOM: Duration = Duration::from_millis(1);

/// How long the end of a session waits for an offset that is being written.
const LAST_WRITE: Duration = Duration::from_secs(5);

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Outbox<D> {
    pub(crate) destination: D,
    ledger: Ledger,
    delivered: Vec<Sequence>,
    metrics: Arc<Meters>,
    /// The figures of the destination as they were told last.
    told: Figures,
    /// Some records of a change were handed over, and the others not yet.
    half: bool,
    /// At-least-once: writes the offset before the server is told. `None` while a snapshot is taken, and with exactly-once.
    bound: Option<Bound>,
}

impl<D: Destination> Outbox<D> {
    /// An outbox with nothing in flight, for a slot whose reader confirmed everything up to `confirmed`.
    pub(crate) fn new(destination: D, confirmed: Lsn, metrics: Arc<Meters>) -> Self {
        Self {
            destination,
            ledger: Ledger::new(confirmed),
            delivered: Vec::new(),
            metrics,
            told: Figures::default(),
            half: false,
            bound: None,
        }
    }

    /// What is confirmed, and what is in flight.
    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The stream goes on from `offset`, which is durable in `store`. From now on the next offset is written there before
    /// its position is confirmed. With exactly-once it is part of each Kafka transaction, and changes that this offset has
    /// are skipped when they come again.
    pub(crate) fn stream_from(&mut self, store: &OffsetStore, offset: Offset, pauses: Pauses) {
        match self.destination.exactly_once() {
            Some(once) => once.stream_from(store, offset, pauses),
            None => self.bound = Some(Bound::new(store, offset, pauses)),
        }
    }

    /// The position that the server may be told: everything up to there is delivered, and the offset that says so is
    /// durable. Begins to write the next offset when it is time; does not wait.
    pub(crate) fn confirmable(&mut self) -> Result<Lsn> {
        let delivered = self.ledger.confirmed();
        match (self.destination.exactly_once(), &mut self.bound) {
            (Some(once), _) => Ok(delivered.min(once.committed())),
            (None, Some(bound)) => bound.confirmable(delivered, self.ledger.written()),
            (None, None) => Ok(delivered),
        }
    }

    /// The position up to which everything is durable at the destination, whether or not the server was told.
    pub(crate) fn acknowledged(&mut self) -> Lsn {
        let delivered = self.ledger.confirmed();
        self.destination.exactly_once().map_or(delivered, |once| delivered.min(once.committed()))
    }

    /// As [`confirmable`](Self::confirmable), but waits until the offset for everything that is delivered is durable.
    pub(crate) async fn finish(&mut self) -> Result<Lsn> {
        match &mut self.bound {
            Some(bound) => bound.finish(self.ledger.confirmed(), self.ledger.written()).await,
            None => self.confirmable(),
        }
    }

    /// A transaction begins whose commit record starts at `commit`.
    pub(crate) fn begin(&mut self, commit: Lsn) {
        self.ledger.begin();
        if let Some(once) = self.destination.exactly_once() {
            once.begin(commit);
        }
    }

    /// The transaction is complete; `end` is the position behind its commit record. Everything that it wrote must have
    /// been handed over.
    pub(crate) fn commit(&mut self, end: Lsn) -> Result<()> {
        self.ledger.commit(end);
        if let Some(once) = self.destination.exactly_once() {
            once.commit(end);
            self.end_if_due(false)?;
        }
        Ok(())
    }

    /// The next change is a message that belongs to no transaction, and whose WAL record ends at `end`.
    pub(crate) fn outside(&mut self, end: Lsn) {
        if let Some(once) = self.destination.exactly_once() {
            once.outside(end);
        }
    }

    /// The server has nothing more for us up to `end`.
    pub(crate) fn idle(&mut self, end: Lsn) {
        self.ledger.idle(end);
        if let Some(once) = self.destination.exactly_once() {
            once.idle(end);
        }
    }

    /// Tells the ledger which records are durable by now, and ends a Kafka transaction whose time has come. Does not wait.
    /// Called when all bytes that the socket had are read.
    pub(crate) fn poll(&mut self) -> Result<()> {
        self.receive()?;
        self.end_if_due(true)
    }

    /// Tells the ledger which records are durable by now.
    fn receive(&mut self) -> Result<()> {
        self.destination.poll(&mut self.delivered)?;
        for sequence in self.delivered.drain(..) {
            self.ledger.delivered(sequence).map_err(|error| {
                crate::Error::fatal("the output reported a delivery twice").with_source(error)
            })?;
        }
        self.metrics.capture.in_flight.set(self.ledger.in_flight().records);
        if let Some(figures) = self.destination.figures() {
            self.tell(figures);
        }
        Ok(())
    }

    /// Adds to the metrics what the destination's client has done since the last time.
    fn tell(&mut self, now: Figures) {
        let producer = &self.metrics.producer;
        let before = std::mem::replace(&mut self.told, now);
        producer.records.inc_by(now.handed - before.handed);
        producer.delivered.inc_by(now.delivered - before.delivered);
        producer.queued_bytes.set(now.queued_bytes);
        if now.requests != before.requests {
            producer.requests.inc_by(now.requests - before.requests);
        }
        if (now.batches, now.retries) != (before.batches, before.retries) {
            producer.batches.inc_by(now.batches - before.batches);
            producer.bytes.inc_by(now.bytes.saturating_sub(before.bytes));
            producer.retries.inc_by(now.retries - before.retries);
        }
    }

    fn end_if_due(&mut self, looked: bool) -> Result<()> {
        match self.destination.exactly_once() {
            Some(once) if !self.half => once.end_if_due(looked),
            _ => Ok(()),
        }
    }

    /// Takes in deliveries, and sends or commits records that wait for more to come.
    fn push(&mut self) -> Result<()> {
        self.receive()?;
        self.destination.send_now(false)?;
        match self.destination.exactly_once() {
            Some(once) => once.end_now(),
            None => Ok(()),
        }
    }

    fn is_settled(&mut self) -> bool {
        self.destination.exactly_once().is_none_or(|once| once.is_settled())
    }

    /// Waits until nothing is in flight.
    pub(crate) async fn settle(&mut self) -> Result<()> {
        self.push()?;
        while self.ledger.in_flight().records > 0 || !self.is_settled() {
            tokio::time::sleep(ROOM).await;
            self.push()?;
        }
        Ok(())
    }

    /// Waits until every complete transaction is confirmed; true when it is so. False after `limit`, or when nobody takes
    /// the rest.
    pub(crate) async fn settle_complete(&mut self, limit: Duration) -> Result<bool> {
        // Half a change cannot be committed: the next start would not know of it.
        if self.destination.exactly_once().is_some() && (self.half || limit.is_zero()) {
            self.receive()?;
            return Ok(false);
        }
        let end = tokio::time::Instant::now() + limit;
        self.push()?;
        while self.ledger.in_flight().transactions > 0 || !self.is_settled() {
            if tokio::time::Instant::now() >= end || self.destination.is_gone() {
                return Ok(false);
            }
            tokio::time::sleep(ROOM).await;
            self.push()?;
        }
        Ok(true)
    }

    /// Writes an offset, with exactly-once in a Kafka transaction of its own; durable when this returns.
    pub(crate) async fn store(&mut self, offsets: &OffsetStore, offset: &Offset) -> Result<()> {
        if self.destination.exactly_once().is_none() {
            return offsets.store(offset, now_ns() / 1000).await;
        }
        self.settle().await?;
        if let Some(once) = self.destination.exactly_once() {
            once.store(offsets, offset)?;
        }
        self.settle().await
    }

    /// Ends the write of an offset that is under way, and gives the destination back.
    pub(crate) async fn close(self) -> D {
        if let Some(bound) = self.bound {
            bound.close(LAST_WRITE).await;
        }
        self.destination
    }

    /// The next item to hand over, for the destination to report.
    pub(crate) fn sequence(&mut self) -> Sequence {
        self.ledger.record()
    }

    /// Counts what was handed over.
    pub(crate) fn sent(&self, count: usize) {
        self.metrics.capture.records.inc_by(count as u64);
    }
}

impl Outbox<Output> {
    /// Whether changes are counted, since an earlier run may have committed the first of a transaction: then the records of
    /// one change must be handed over together, and those of no other.
    pub(crate) fn counts_changes(&self) -> bool {
        matches!(self.destination, Output::ExactlyOnce(_))
    }

    /// Passes the next change over if an earlier run has committed it.
    pub(crate) fn skips(&mut self) -> bool {
        match self.destination.exactly_once() {
            Some(once) if once.is_committed() => {
                once.change();
                true
            }
            _ => false,
        }
    }

    /// The next change was handed over.
    pub(crate) fn change(&mut self) {
        if let Some(once) = self.destination.exactly_once() {
            once.change();
        }
    }

    /// Waits until the ledger has room for another transaction.
    pub(crate) async fn room(&mut self) -> Result<()> {
        while self.ledger.in_flight().transactions >= Ledger::MOST_TRANSACTIONS {
            tokio::time::sleep(ROOM).await;
            self.poll()?;
            self.destination.send_now(true)?;
        }
        Ok(())
    }

    /// Hands a batch's records over and clears it. Waits while the output has no room, which is all that holds the server
    /// back.
    pub(crate) async fn hand_over(&mut self, batch: &mut RecordBatch) -> Result<()> {
        self.half = true;
        for record in batch.iter() {
            let sequence = self.ledger.record();
            while self.destination.send(&record, sequence)? == Sent::Full {
                self.receive()?;
                self.destination.send_now(true)?;
                tokio::time::sleep(ROOM).await;
            }
        }
        self.half = false;
        self.sent(batch.len());
        batch.clear();
        Ok(())
    }
}
