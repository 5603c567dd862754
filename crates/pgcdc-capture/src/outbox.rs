//! Records on their way: the output and the ledger that counts them, together.

use std::sync::Arc;
use std::time::Duration;

use pgcdc_event::{ChangeEvent, Lsn, RecordBatch};

use crate::Result;
use crate::ledger::{Ledger, Sequence};
use crate::metrics::Metrics;
use crate::output::{Output, Sent};

/// How long to wait for room in the output. Short, and by the runtime's clock: the replication
/// client, which shares the thread, goes on answering the server meanwhile.
const ROOM: Duration = Duration::from_millis(1);

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Outbox {
    pub(crate) output: Output,
    ledger: Ledger,
    delivered: Vec<Sequence>,
    metrics: Arc<Metrics>,
}

impl Outbox {
    pub(crate) fn new(output: Output, confirmed: Lsn, metrics: Arc<Metrics>) -> Self {
        Self { output, ledger: Ledger::new(confirmed), delivered: Vec::new(), metrics }
    }

    /// What is confirmed, and what is in flight.
    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The stream's progress goes to the ledger through here.
    pub(crate) fn ledger_mut(&mut self) -> &mut Ledger {
        &mut self.ledger
    }

    /// Sends a batch's records and clears it; waits while the output has no room, which is all
    /// that holds the server back.
    pub(crate) async fn send(&mut self, batch: &mut RecordBatch) -> Result<()> {
        while self.ledger.in_flight().transactions >= Ledger::MOST_TRANSACTIONS {
            tokio::time::sleep(ROOM).await;
            self.poll()?;
        }
        for record in batch.iter() {
            let sequence = self.ledger.record();
            while self.output.send(&record, sequence)? == Sent::Full {
                self.poll()?;
                tokio::time::sleep(ROOM).await;
            }
        }
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

    /// Takes in what is durable by now. Does not wait.
    pub(crate) fn poll(&mut self) -> Result<()> {
        self.output.poll(&mut self.delivered)?;
        for sequence in self.delivered.drain(..) {
            self.ledger.delivered(sequence).map_err(|error| {
                crate::Error::fatal("the output reported a delivery twice").with_source(error)
            })?;
        }
        Metrics::set(&self.metrics.in_flight, self.ledger.in_flight().records);
        Ok(())
    }

    /// Waits until nothing is in flight.
    pub(crate) async fn settle(&mut self) -> Result<()> {
        self.poll()?;
        while self.ledger.in_flight().records > 0 {
            tokio::time::sleep(ROOM).await;
            self.poll()?;
        }
        Ok(())
    }

    /// Waits, up to a limit, until every complete transaction is confirmed; true when it is so.
    pub(crate) async fn settle_complete(&mut self, limit: Duration) -> Result<bool> {
        let end = tokio::time::Instant::now() + limit;
        self.poll()?;
        while self.ledger.in_flight().transactions > 0 {
            if tokio::time::Instant::now() >= end {
                return Ok(false);
            }
            tokio::time::sleep(ROOM).await;
            self.poll()?;
        }
        Ok(true)
    }
}
