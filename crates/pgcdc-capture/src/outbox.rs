//! A destination and the ledger that counts what is on its way there, together.
//!
//! Whoever makes records (a lane of the stream, the snapshot) hands them to an outbox. The outbox
//! takes a number from the ledger for each one, passes it to the destination, brings the
//! destination's deliveries back to the ledger, and answers the one question that matters to the
//! server: which position may be confirmed. It also writes the offset before that position is told,
//! by [`Bound`], or has the exactly-once output do it inside its Kafka transactions.
//!
//! ```text
//!  lane ─ hand_over ─▶ Outbox ─ send ─▶ destination
//!                        │ ▲                 │
//!            Ledger ◀────┘ └──── poll ◀──────┘ delivered
//!               └─ confirmable ─▶ replication (standby status)
//! ```

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

/// How long to sleep until the destination may have room. It is short. It is a sleep of the
/// runtime, not of the thread, since the task that sends standby statuses shares the thread.
pub(crate) const ROOM: Duration = Duration::from_millis(1);

/// How long the end of a session waits for the write of an offset that is under way.
const LAST_WRITE: Duration = Duration::from_secs(5);

/// A destination with its ledger. Each attempt has one, which its lane owns: the snapshot's rows go
/// through it, then the stream's changes.
#[derive(Debug)]
pub(crate) struct Outbox<D> {
    /// Where records or events go.
    pub(crate) destination: D,
    /// Decides which position is confirmed.
    ledger: Ledger,
    /// Reused from poll to poll; empty in between.
    delivered: Vec<Sequence>,
    /// The connector's counters.
    metrics: Arc<Meters>,
    /// The destination's figures when the metrics were told of them last.
    told: Figures,
    /// True while a change has been handed over in part. A Kafka transaction must not end there,
    /// since a restart counts whole changes.
    half: bool,
    /// At-least-once: writes the offset before the server is told. `None` while a snapshot is
    /// taken, and with exactly-once.
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

    /// The ledger, to read what is confirmed and what is in flight.
    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Begins to keep the offset: the stream goes on from `offset`. It is `durable` in `store`, or
    /// else written there as soon as everything up to its position is delivered.
    /// From now on the next offset is written there before its position is confirmed. With
    /// exactly-once the offset is part of each Kafka transaction, and changes that `offset` covers
    /// are skipped when they come again.
    pub(crate) fn stream_from(&mut self, store: &OffsetStore, offset: Offset, durable: bool, pauses: Pauses) {
        let kept = if durable { offset.lsn } else { self.ledger.confirmed().min(offset.lsn) };
        match self.destination.exactly_once() {
            Some(once) => once.stream_from(store, offset, pauses),
            None => self.bound = Some(Bound::new(store, offset, kept, pauses)),
        }
    }

    /// The position that the server may be told: everything up to there is delivered, and the
    /// offset that says so is durable. Begins to write the next offset when it is time; does not
    /// wait. Called after each read of the socket.
    ///
    /// # Errors
    /// When an offset could not be written.
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

    /// As [`confirmable`](Self::confirmable), but waits until the offset for everything that is
    /// delivered is durable. For the end of a session.
    pub(crate) async fn finish(&mut self) -> Result<Lsn> {
        match &mut self.bound {
            Some(bound) => bound.finish(self.ledger.confirmed(), self.ledger.written()).await,
            None => self.confirmable(),
        }
    }

    /// Notes that a transaction begins, whose commit record starts at `commit`.
    pub(crate) fn begin(&mut self, commit: Lsn) {
        self.ledger.begin();
        if let Some(once) = self.destination.exactly_once() {
            once.begin(commit);
        }
    }

    /// Notes that the transaction is complete; `end` is the position behind its commit record. All
    /// its records must have been handed over.
    pub(crate) fn commit(&mut self, end: Lsn) -> Result<()> {
        self.ledger.commit(end);
        if let Some(once) = self.destination.exactly_once() {
            once.commit(end);
            self.end_if_due(false)?;
        }
        Ok(())
    }

    /// Notes that the next change is a logical message outside of transactions, whose WAL record
    /// ends at `end`.
    pub(crate) fn outside(&mut self, end: Lsn) {
        if let Some(once) = self.destination.exactly_once() {
            once.outside(end);
        }
    }

    /// Notes that the server has nothing more for us up to `end`, as its keepalives say.
    pub(crate) fn idle(&mut self, end: Lsn) {
        self.ledger.idle(end);
        if let Some(once) = self.destination.exactly_once() {
            once.idle(end);
        }
    }

    /// Tells the ledger which records have become durable, and ends a Kafka transaction whose time
    /// has come. Does not wait. Called when all bytes that the socket had are read.
    pub(crate) fn poll(&mut self) -> Result<()> {
        self.receive()?;
        self.end_if_due(true)
    }

    /// Tells the ledger which records have become durable.
    ///
    /// # Errors
    /// When a delivery failed for good, or one was reported twice, which would be a bug of ours.
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

    /// Ends the Kafka transaction if it is time and no change is written in half. `looked` says
    /// that the socket has nothing more for now, which is a good moment.
    fn end_if_due(&mut self, looked: bool) -> Result<()> {
        match self.destination.exactly_once() {
            Some(once) if !self.half => once.end_if_due(looked),
            _ => Ok(()),
        }
    }

    /// Takes in deliveries, and sends or commits at once the records that wait for more to come.
    /// For every wait for an empty outbox: nothing more will come to fill a batch.
    fn push(&mut self) -> Result<()> {
        self.receive()?;
        self.destination.send_now(false)?;
        match self.destination.exactly_once() {
            Some(once) => once.end_now(),
            None => Ok(()),
        }
    }

    /// Whether no Kafka transaction is open. True without exactly-once.
    fn is_settled(&mut self) -> bool {
        self.destination.exactly_once().is_none_or(|once| once.is_settled())
    }

    /// Waits until nothing is in flight. There is no time limit: an output that gives up ends the
    /// wait with an error.
    pub(crate) async fn settle(&mut self) -> Result<()> {
        self.push()?;
        while self.ledger.in_flight().records > 0 || !self.is_settled() {
            tokio::time::sleep(ROOM).await;
            self.push()?;
        }
        Ok(())
    }

    /// Waits until every complete transaction is confirmed; true when all are. False after `limit`,
    /// or when nobody takes the rest. A transaction that is read in part does not count: it is read
    /// again at the next start.
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

    /// Writes an offset that is not the stream's next one, for instance that of a snapshot's end.
    /// With exactly-once it goes into a Kafka transaction of its own. It is durable when this
    /// returns.
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

    /// Waits a while for the write of an offset that is under way, and gives the destination back,
    /// for instance to abort its Kafka transaction.
    pub(crate) async fn close(self) -> D {
        if let Some(bound) = self.bound {
            bound.close(LAST_WRITE).await;
        }
        self.destination
    }

    /// A number from the ledger for the next item, which the caller hands over itself. The
    /// destination reports this number once the item is safe.
    pub(crate) fn sequence(&mut self) -> Sequence {
        self.ledger.record()
    }

    /// Counts handed-over items in the metrics.
    pub(crate) fn sent(&self, count: usize) {
        self.metrics.capture.records.inc_by(count as u64);
    }
}

impl Outbox<Output> {
    /// Whether changes are counted. With exactly-once an earlier run may have committed the first
    /// changes of a transaction, and the count says how many. So the records of one change must be
    /// handed over together, and never with those of another change.
    pub(crate) fn counts_changes(&self) -> bool {
        matches!(self.destination, Output::ExactlyOnce(_))
    }

    /// Skips the next change if an earlier run has committed it. True when it was skipped.
    pub(crate) fn skips(&mut self) -> bool {
        match self.destination.exactly_once() {
            Some(once) if once.is_committed() => {
                once.change();
                true
            }
            _ => false,
        }
    }

    /// Notes that the next change was handed over as a whole.
    pub(crate) fn change(&mut self) {
        if let Some(once) = self.destination.exactly_once() {
            once.change();
        }
    }

    /// Waits until the ledger has room for another transaction. Only a flood of transactions, far
    /// ahead of the deliveries, meets the limit.
    pub(crate) async fn room(&mut self) -> Result<()> {
        while self.ledger.in_flight().transactions >= Ledger::MOST_TRANSACTIONS {
            tokio::time::sleep(ROOM).await;
            self.poll()?;
            self.destination.send_now(true)?;
        }
        Ok(())
    }

    /// Hands a batch's records over and clears the batch. While the output has no room it waits,
    /// and nothing is read meanwhile. That is all the back pressure there is: TCP passes it on to
    /// the walsender.
    ///
    /// # Cancel safety
    /// A batch that is dropped in the middle leaves `half` set, so that no Kafka transaction ends
    /// there.
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
