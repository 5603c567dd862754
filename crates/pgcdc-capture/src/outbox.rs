//! Records on their way: the output and the ledger that counts them, together.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pgcdc_event::{ChangeEvent, Lsn, RecordBatch};

use crate::Result;
use crate::clock::now_ns;
use crate::ledger::{Ledger, Sequence};
use crate::metrics::Metrics;
use crate::offsets::{Bound, Offset, OffsetStore, Pauses};
use crate::output::{Output, Sent, TransactionalOutput};
use crate::position::{Position, Reached};
use crate::stage::Stage;

/// Bytes of records that are gathered before they go to the output.
pub(crate) const GATHERED: usize = 64 * 1024;

/// How long to sleep until the output may have room. Short, and a sleep of the runtime: the task that sends standby
/// statuses shares the thread and runs meanwhile.
const ROOM: Duration = Duration::from_millis(1);

/// How long the end of a session waits for an offset that is being written.
const LAST_WRITE: Duration = Duration::from_secs(5);

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Outbox {
    pub(crate) output: Output,
    ledger: Ledger,
    delivered: Vec<Sequence>,
    metrics: Arc<Metrics>,
    /// The connector's transforms, where the encoder does not do them itself.
    stage: Option<Box<Stage>>,
    /// A change's records are handed over in part.
    half: bool,
    /// The position and the offset that exactly-once writes with each Kafka transaction; `Some` for `Output::Transactional`.
    once: Option<Box<Once>>,
    /// At-least-once: writes the offset before the server is told; none while a snapshot is taken.
    bound: Option<Bound>,
}

/// Where the stream stands, for the offset that goes with each Kafka transaction.
#[derive(Debug)]
struct Once {
    position: Position,
    /// Where offsets go, and what they say beside the position; none while a snapshot is taken.
    offsets: Option<(OffsetStore, Offset)>,
    /// When the offset was written last, and how soon it may be again.
    ended: Instant,
    pauses: Pauses,
}

impl Outbox {
    pub(crate) fn new(output: Output, confirmed: Lsn, metrics: Arc<Metrics>, stage: Option<Stage>) -> Self {
        let stage = stage.filter(|_| !output.wants_events()).map(Box::new);
        let once = matches!(output, Output::Transactional(_)).then(|| Box::new(Once::default()));
        Self {
            output,
            ledger: Ledger::new(confirmed),
            delivered: Vec::new(),
            metrics,
            stage,
            half: false,
            once,
            bound: None,
        }
    }

    /// What is confirmed, and what is in flight.
    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// What carries no records goes to the ledger through here.
    pub(crate) fn ledger_mut(&mut self) -> &mut Ledger {
        &mut self.ledger
    }

    /// The stream goes on from `offset`, which is durable in `store`. From now on the next one is written there before a
    /// position is confirmed. With exactly-once it is part of each Kafka transaction, and what it says is written is
    /// skipped when it comes again.
    pub(crate) fn stream_from(&mut self, store: &OffsetStore, offset: Offset, pauses: Pauses) {
        let (Some(once), Output::Transactional(output)) = (&mut self.once, &mut self.output) else {
            self.bound = Some(Bound::new(store, offset, pauses));
            return;
        };
        once.pauses = pauses;
        let reached = offset.reached_or_lsn();
        output.continue_from(reached);
        once.position = Position::new(reached);
        once.offsets = Some((store.clone(), offset));
    }

    /// The position that the server may be told: everything up to there is delivered, and the offset that says so is
    /// durable. Begins to write the next offset when it is time; does not wait.
    pub(crate) fn confirmable(&mut self) -> Result<Lsn> {
        let delivered = self.ledger.confirmed();
        match (&self.output, &mut self.bound) {
            (Output::Transactional(output), _) => Ok(delivered.min(output.committed().end)),
            (_, Some(bound)) => bound.confirmable(delivered, self.ledger.written()),
            (_, None) => Ok(delivered),
        }
    }

    /// As [`confirmable`](Self::confirmable), but waits until the offset for all that is delivered is durable.
    pub(crate) async fn finish(&mut self) -> Result<Lsn> {
        match &mut self.bound {
            Some(bound) => bound.finish(self.ledger.confirmed(), self.ledger.written()).await,
            None => self.confirmable(),
        }
    }

    /// A transaction begins whose commit record starts at `commit`.
    pub(crate) fn begin(&mut self, commit: Lsn) {
        self.ledger.begin();
        if let Some(once) = &mut self.once {
            once.position.begin(commit);
        }
    }

    /// The transaction is complete; `end` is the position behind its commit record.
    pub(crate) fn commit(&mut self, end: Lsn) -> Result<()> {
        self.ledger.commit(end);
        if let Some(once) = &mut self.once {
            once.position.commit(end);
            self.end_if_due(false)?;
        }
        Ok(())
    }

    /// The next change is a message that belongs to no transaction, and whose WAL record ends at `end`.
    pub(crate) fn outside(&mut self, end: Lsn) {
        if let Some(once) = &mut self.once {
            once.position.outside(end);
        }
    }

    /// The server has nothing more for us up to `end`.
    pub(crate) fn idle(&mut self, end: Lsn) {
        self.ledger.idle(end);
        if let Some(once) = &mut self.once {
            once.position.idle(end);
        }
    }

    /// Whether each call of [`send`](Self::send) must bring the records of one change, no more.
    pub(crate) fn counts_changes(&self) -> bool {
        self.once.is_some()
    }

    /// Whether what a batch holds after a change should go out: it is much, or changes are counted.
    pub(crate) fn is_due(&self, batch: &RecordBatch) -> bool {
        batch.position() >= GATHERED || self.counts_changes()
    }

    /// Sends what a batch holds; nothing is not a change.
    pub(crate) async fn flush(&mut self, batch: &mut RecordBatch) -> Result<()> {
        if batch.is_empty() { Ok(()) } else { self.send(batch).await }
    }

    /// Sends the records of some changes (see [`counts_changes`](Self::counts_changes)) and clears the batch; waits
    /// while the output has no room, which is all that holds the server back.
    pub(crate) async fn send(&mut self, batch: &mut RecordBatch) -> Result<()> {
        if let Some(once) = &mut self.once
            && !once.position.is_due()
        {
            // It is in Kafka already, and committed.
            once.position.change();
            batch.clear();
            return Ok(());
        }
        self.send_beside(batch).await?;
        if let Some(once) = &mut self.once {
            once.position.change();
        }
        Ok(())
    }

    /// Sends records that come from no place in the stream (heartbeats).
    pub(crate) async fn send_beside(&mut self, batch: &mut RecordBatch) -> Result<()> {
        while self.ledger.in_flight().transactions >= Ledger::MOST_TRANSACTIONS {
            tokio::time::sleep(ROOM).await;
            self.poll()?;
            self.output.send_now(true)?;
        }
        if let Some(stage) = &mut self.stage {
            stage.run(batch, &mut self.output).await?;
        }
        self.half = true;
        for record in batch.iter() {
            let sequence = self.ledger.record();
            while self.output.send(&record, sequence)? == Sent::Full {
                self.receive()?;
                self.output.send_now(true)?;
                tokio::time::sleep(ROOM).await;
            }
        }
        self.half = false;
        Metrics::add(&self.metrics.records, batch.len() as u64);
        batch.clear();
        Ok(())
    }

    /// Sends a typed event, with the same patience.
    pub(crate) async fn event(&mut self, event: ChangeEvent) -> Result<()> {
        let sequence = self.ledger.record();
        let mut waiting = Some(event);
        while let Some(event) = waiting.take() {
            waiting = self.output.event(event, sequence)?;
            if waiting.is_some() {
                self.poll()?;
                tokio::time::sleep(ROOM).await;
            }
        }
        Metrics::add(&self.metrics.records, 1);
        Ok(())
    }

    /// Tells the ledger which records are durable by now, and ends a Kafka transaction whose time has come. Does not wait.
    /// Called when all bytes that the socket had are read.
    pub(crate) fn poll(&mut self) -> Result<()> {
        self.receive()?;
        if self.once.is_some() { self.end_if_due(true) } else { Ok(()) }
    }

    /// Tells the ledger which records are durable by now.
    fn receive(&mut self) -> Result<()> {
        self.output.poll(&mut self.delivered)?;
        for sequence in self.delivered.drain(..) {
            self.ledger.delivered(sequence).map_err(|error| {
                crate::Error::fatal("the output reported a delivery twice").with_source(error)
            })?;
        }
        Metrics::set(&self.metrics.in_flight, self.ledger.in_flight().records);
        Ok(())
    }

    fn end_if_due(&mut self, looked: bool) -> Result<()> {
        let (Some(once), Output::Transactional(output)) = (&mut self.once, &mut self.output) else {
            return Ok(());
        };
        let due = !self.half
            && (output.is_due(once.position.is_half_written(), looked) || (looked && once.has_idled(output)));
        if due { once.end(output) } else { Ok(()) }
    }

    /// As [`receive`](Self::receive); and sends or ends what waits for more.
    fn push(&mut self) -> Result<()> {
        self.receive()?;
        self.output.send_now(false)?;
        match (&mut self.once, &mut self.output) {
            (Some(once), Output::Transactional(output))
                if output.can_end() && (!output.is_settled() || once.is_behind(output)) =>
            {
                once.end(output)
            }
            _ => Ok(()),
        }
    }

    fn is_settled(&self) -> bool {
        match &self.output {
            Output::Transactional(output) => output.is_settled(),
            _ => true,
        }
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

    /// Waits, up to a limit, until every complete transaction is confirmed; true when it is so.
    pub(crate) async fn settle_complete(&mut self, limit: Duration) -> Result<bool> {
        // Half a change cannot be committed: the next start would not know of it.
        if self.once.is_some() && (self.half || limit.is_zero()) {
            self.receive()?;
            return Ok(false);
        }
        let end = tokio::time::Instant::now() + limit;
        self.push()?;
        while self.ledger.in_flight().transactions > 0 || !self.is_settled() {
            if tokio::time::Instant::now() >= end {
                return Ok(false);
            }
            tokio::time::sleep(ROOM).await;
            self.push()?;
        }
        Ok(true)
    }

    /// Writes an offset, with exactly-once in a Kafka transaction of its own; durable when this returns.
    pub(crate) async fn store(&mut self, offsets: &OffsetStore, offset: &Offset) -> Result<()> {
        let now_us = now_ns() / 1000;
        if self.once.is_none() {
            return offsets.store(offset, now_us).await;
        }
        self.settle().await?;
        if let Output::Transactional(output) = &mut self.output {
            output.end(offsets.record(offset, now_us), offset.reached.unwrap_or_default())?;
        }
        self.settle().await
    }

    /// Gives up what is not durable, so that nobody waits for it.
    pub(crate) async fn close(self) {
        if let Some(bound) = self.bound {
            bound.close(LAST_WRITE).await;
        }
        if let Output::Transactional(output) = self.output {
            output.abort().await;
        }
    }
}

impl Default for Once {
    fn default() -> Self {
        let pauses = Pauses::new(Duration::from_millis(500));
        Self { position: Position::default(), offsets: None, ended: Instant::now(), pauses }
    }
}

impl Once {
    /// Whether the server has shown more since the last offset.
    fn is_behind(&self, output: &TransactionalOutput) -> bool {
        self.offsets.is_some() && self.position.reached().end > output.written().end
    }

    /// Whether that is so although no record comes, and it is time to write the offset alone: without it nothing may be
    /// confirmed, and the slot of an idle database would hold WAL back.
    fn has_idled(&self, output: &TransactionalOutput) -> bool {
        self.is_behind(output) && output.is_settled() && self.ended.elapsed() >= self.pauses.idle
    }

    /// Ends the open Kafka transaction, with an offset if the position has moved.
    fn end(&mut self, output: &mut TransactionalOutput) -> Result<()> {
        self.ended = Instant::now();
        let reached = self.position.reached();
        let record = self.offsets.as_ref().filter(|_| output.written() != reached);
        let record = record.and_then(|(store, offset)| store.record(&at(offset, reached), now_ns() / 1000));
        output.end(record, reached)
    }
}

/// The offset at a later position.
fn at(offset: &Offset, reached: Reached) -> Offset {
    Offset { lsn: offset.lsn.max(reached.end), reached: Some(reached), ..offset.clone() }
}
