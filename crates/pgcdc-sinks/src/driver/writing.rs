//! The driver: calls the sink until it has the batch.
//!
//! One turn for a batch: wait until the breaker lets a call through, call the sink, and act on the answer. A failure is
//! noted in four places: the breaker (which calls go), the back-off (how long this partition waits), the outage (what people
//! are told), and the metrics.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use pgcdc_kafka::consumer::Partition;
use pgcdc_lifecycle::{Backoff, sleep};
use pgcdc_metrics::SinkMetrics;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::breaker::{Admission, Breaker};
use super::decoded::Decoded;
use super::flood::Flood;
use super::outage::Outage;
use super::rejections::Rejections;
use crate::failure::SinkErrorKind;
use crate::order::NewHistory;
use crate::{Batch, Error, Outcome, Sink, SinkError};

/// How long a call in progress may go on after its partition was taken away. The whole group waits for it, and Kafka is not
/// polled meanwhile.
pub(super) const GRACE: Duration = Duration::from_secs(5);

/// How long a flush may take before it is given up and tried again.
const FLUSH_LIMIT: Duration = Duration::from_secs(300);

/// Writes batches into a sink until the sink has them. Each partition has a clone.
#[derive(Clone)]
pub struct Driver {
    /// The sink's name, for logs.
    pub name: Arc<str>,
    /// The store.
    pub sink: Arc<dyn Sink>,
    /// Where rejected records go.
    pub rejections: Arc<dyn Rejections>,
    /// Holds calls back while the store is down; all partitions of the sink share it, so that one of them asks the store.
    pub breaker: Arc<Breaker>,
    /// Which partitions wait for the store, since when, and what the log was told of it; shared as well.
    pub outage: Arc<Outage>,
    /// Counts dead letters in a row; shared as well.
    pub flood: Arc<Flood>,
    /// First wait between two tries.
    pub retry_initial: Duration,
    /// Longest wait between two tries.
    pub retry_max: Duration,
    /// What is done when the source's positions begin anew.
    pub new_history: NewHistory,
    /// What the sink has done, counted.
    pub metrics: SinkMetrics,
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// Every record below this position is in the store or among the dead letters.
    Durable(i64),
    /// Every record below this position is in the sink's hands, in the store or among the dead letters.
    Accepted(i64),
    /// The driver was told to stop before the batch was written; the batch comes again.
    Stopped,
}

impl Driver {
    /// Writes consecutive messages of one partition.
    ///
    /// Being told to stop ends waiting. A call of the sink in progress gets a few seconds to end, and is dropped then.
    ///
    /// # Errors
    /// Fatal failures of the sink; transient when the sink has to start again.
    pub async fn write(
        &self,
        partition: &Partition,
        decoded: Decoded<'_>,
        stop: &CancellationToken,
    ) -> Result<Written, Error> {
        let written = self.write_batch(partition, decoded, stop).await;
        if matches!(written, Ok(Written::Stopped) | Err(_)) {
            self.outage.left(Some(partition), Instant::now()); // it waits no longer
        }
        written
    }

    /// The turns of [`write`](Self::write). A malformed message becomes a dead letter before the sink sees the batch.
    async fn write_batch(
        &self,
        partition: &Partition,
        decoded: Decoded<'_>,
        stop: &CancellationToken,
    ) -> Result<Written, Error> {
        let Decoded { messages, records, malformed, bookmark } = decoded;
        let Some(last) = messages.last() else { return Ok(Written::Stopped) };
        let next = last.offset + 1;
        let mut dead = BTreeSet::new();
        if !self.bury(partition, messages, malformed, &mut dead, stop).await? {
            return Ok(Written::Stopped);
        }
        let mut batch = Batch { partition, next, records, bookmark: &bookmark };
        let mut backoff = self.backoff();
        loop {
            if !self.admitted(stop).await {
                return Ok(Written::Stopped);
            }
            let began = Instant::now();
            let Some(result) = within_grace(self.sink.write(&batch), stop).await else {
                self.breaker.abandoned(Instant::now());
                tracing::warn!(sink = %self.name, %partition, "the store did not answer before the partition had to go");
                return Ok(Written::Stopped);
            };
            let outcome = match result {
                Ok(outcome) => outcome,
                Err(error) => {
                    let wait = self.failed(Some(partition), &error, &mut backoff)?;
                    if !sleep(wait, stop).await {
                        return Ok(Written::Stopped);
                    }
                    continue;
                }
            };
            self.metrics.write_seconds.observe(began.elapsed());
            self.breaker.succeeded();
            backoff.reset();
            self.goes_on(Some(partition));
            let (rejected, written) = match outcome {
                Outcome::Durable { rejected } => (rejected, Some(Written::Durable(next))),
                Outcome::Accepted { rejected } => (rejected, Some(Written::Accepted(next))),
                Outcome::Refused { rejected } => (rejected, None),
            };
            if !self.bury(partition, messages, rejected, &mut dead, stop).await? {
                return Ok(Written::Stopped);
            }
            if let Some(written) = written {
                self.flood.note(partition, messages, &dead);
                return Ok(written);
            }
            self.without_dead(&mut batch, &dead)?;
        }
    }

    /// Takes the dead letters out of a batch that was refused because of them.
    fn without_dead(&self, batch: &mut Batch<'_>, dead: &BTreeSet<i64>) -> Result<(), Error> {
        let before = batch.records.len();
        batch.records.retain(|record| !dead.contains(&record.position));
        if batch.records.len() < before {
            return Ok(());
        }
        Err(Error::fatal(format!(
            "sink {:?} wrote nothing, rejected nothing and reported no failure: a defect of the sink",
            self.name
        )))
    }

    /// Flushes the sink until that succeeds; `false` when told to stop before.
    ///
    /// # Errors
    /// As [`Driver::write`].
    pub async fn flush(&self, stop: &CancellationToken) -> Result<bool, Error> {
        let mut backoff = self.backoff();
        let flushed = loop {
            if !self.admitted(stop).await {
                break Ok(false);
            }
            match within_grace(self.flush_by(Instant::now() + FLUSH_LIMIT), stop).await {
                None => {
                    self.breaker.abandoned(Instant::now());
                    break Ok(false);
                }
                Some(Ok(())) => {
                    self.breaker.succeeded();
                    self.goes_on(None);
                    break Ok(true);
                }
                Some(Err(error)) => match self.failed(None, &error, &mut backoff) {
                    Ok(wait) if sleep(wait, stop).await => {}
                    Ok(_) => break Ok(false),
                    Err(error) => break Err(error),
                },
            }
        };
        self.outage.left(None, Instant::now());
        flushed
    }

    /// Flushes once; given up at the deadline.
    ///
    /// # Errors
    /// The sink's failure; a transient one when the deadline came first.
    pub async fn flush_by(&self, deadline: Instant) -> Result<(), SinkError> {
        let flush = tokio::time::timeout_at(deadline, self.sink.flush(deadline));
        flush.await.unwrap_or_else(|_| Err(SinkError::transient("the store took too long to commit")))
    }

    /// Notes a failure of the store while a partition was written, or while the sink was flushed (`None`). Returns how long
    /// to wait before the next try.
    fn failed(
        &self,
        partition: Option<&Partition>,
        error: &SinkError,
        backoff: &mut Backoff,
    ) -> Result<Duration, Error> {
        let now = Instant::now();
        let context = || match partition {
            Some(partition) => format!("sink {:?}, {partition}: {error}", self.name),
            None => format!("sink {:?}: {error}", self.name),
        };
        // Every call that the breaker admitted must report its result: the other partitions wait while it may be the probe.
        match error.kind {
            SinkErrorKind::Fatal => {
                self.breaker.failed(now);
                return Err(Error::fatal(context()).with_hint(error.hint.clone()));
            }
            SinkErrorKind::Diverged => {
                self.breaker.succeeded(); // the store answers
                return Err(Error::transient(context()));
            }
            SinkErrorKind::Transient => {}
        }
        if error.progressed {
            self.breaker.succeeded();
            backoff.reset();
        }
        self.metrics.retries.inc();
        let opened = self.breaker.failed(now);
        let wait = backoff.pause();
        let wait = error.retry_after.unwrap_or(wait);
        let hint = error.hint.as_deref().unwrap_or_default();
        let (failures, wait_ms) = (backoff.failures(), wait.as_millis());
        let what = if partition.is_some() { "write" } else { "flush" };
        match self.outage.failed(partition, &error.into(), wait, now) {
            Some(since) => {
                tracing::warn!(sink = %self.name, partition = partition.map(display), failures, wait_ms, for_s = since.as_secs(), error = %error, hint, "{what} failed; trying again");
            }
            None => {
                tracing::debug!(sink = %self.name, partition = partition.map(display), failures, wait_ms, error = %error, "{what} failed again");
            }
        }
        if opened {
            tracing::warn!(sink = %self.name, error = %error, hint, "the circuit breaker is open: one partition asks the store every few seconds, the others wait; nothing is lost or committed meanwhile");
        }
        Ok(wait)
    }

    /// Notes that a partition goes on, and logs it when no other one waits for the store.
    pub(super) fn goes_on(&self, partition: Option<&Partition>) {
        if let Some(lasted) = self.outage.passed(partition, Instant::now()) {
            tracing::info!(sink = %self.name, after_s = lasted.as_secs(), "the store takes records again");
        }
    }

    /// The pauses of one batch, or of one dead letter: they begin anew with the next.
    pub(super) fn backoff(&self) -> Backoff {
        Backoff::new(self.retry_initial, self.retry_max)
    }

    /// Waits until the breaker lets a call through; `false` when told to stop.
    async fn admitted(&self, stop: &CancellationToken) -> bool {
        while !stop.is_cancelled() {
            match self.breaker.admit(Instant::now()) {
                Admission::Go => return true,
                Admission::Wait(wait) => drop(sleep(wait, stop).await),
            }
        }
        false
    }
}

/// The result of a call that goes on for [`GRACE`] after being told to stop; `None` when that was too short and the call was
/// dropped.
pub(super) async fn within_grace<T>(call: impl Future<Output = T>, stop: &CancellationToken) -> Option<T> {
    tokio::pin!(call);
    tokio::select! {
        biased;
        result = &mut call => return Some(result),
        () = stop.cancelled() => {}
    }
    tokio::time::timeout(GRACE, call).await.ok()
}
