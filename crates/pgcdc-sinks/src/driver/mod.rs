//! From a batch to durable: retries, circuit breaker, dead letters.

mod breaker;
mod dead_letters;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use pgcdc_format::decode::Decoder;
use pgcdc_kafka::consumer::{Message, Partition};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use breaker::{Admission, Breaker};
pub use dead_letters::DeadLetters;

use crate::backoff::{Backoff, sleep};
use crate::sink::SinkErrorKind;
use crate::{Batch, Error, Record, Rejected, Sink};

/// How long a call in hand may go on after its partition was taken away. The whole group waits for it, and
/// no poll of Kafka happens meanwhile.
const GRACE: Duration = Duration::from_secs(5);

/// Records that are decoded in one go, some 0.3 ms.
const PIECE: usize = 200;

/// Where rejected records go. A trait so that the driver can be tested without Kafka.
#[async_trait]
pub trait Rejections: Send + Sync {
    /// Returns when the record is durable among the dead letters.
    ///
    /// # Errors
    /// When it can not be written there; a transient one is tried again.
    async fn send(&self, partition: &Partition, message: &Message, reason: &str) -> Result<(), Error>;
}

/// Writes batches of one partition into a sink until they are durable.
#[derive(Clone)]
pub struct Driver {
    /// The sink's name, for logs.
    pub name: Arc<str>,
    /// The store.
    pub sink: Arc<dyn Sink>,
    /// Where rejected records go.
    pub rejections: Arc<dyn Rejections>,
    /// Shared by all partitions of the sink: a store that is down is asked by one of them.
    pub breaker: Arc<Breaker>,
    /// First wait between two tries.
    pub retry_initial: Duration,
    /// Longest wait between two tries.
    pub retry_max: Duration,
}

/// Whether a batch was finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// Every record below this offset is in the store or among the dead letters.
    Durable(i64),
    /// The driver was told to stop before; the batch comes again.
    Stopped,
}

/// Consecutive messages of one partition, decoded.
#[derive(Debug)]
pub struct Decoded<'a> {
    messages: &'a [Message],
    records: Vec<Record<'a>>,
    malformed: Vec<Rejected>,
}

impl<'a> Decoded<'a> {
    /// Decodes piece by piece, so that what else the task waits for is looked at in between; what is not a change event
    /// goes to the dead letters later.
    pub async fn gradually(messages: &'a [Message], decoder: &Mutex<Decoder>) -> Self {
        let mut decoded =
            Self { messages, records: Vec::with_capacity(messages.len()), malformed: Vec::new() };
        for piece in messages.chunks(PIECE) {
            decoded.add(piece, &mut decoder.lock().unwrap_or_else(PoisonError::into_inner));
            tokio::task::yield_now().await;
        }
        decoded
    }

    fn add(&mut self, piece: &'a [Message], decoder: &mut Decoder) {
        for message in piece {
            match decoder.decode(message.key(), message.value()) {
                Ok(change) => self.records.push(Record { message, change }),
                Err(error) => {
                    self.malformed.push(Rejected { offset: message.offset, reason: error.to_string() });
                }
            }
        }
    }
}

impl Driver {
    /// Writes consecutive messages of one partition.
    ///
    /// Being told to stop ends waiting; a call of the sink in hand is given a few seconds to end, then dropped.
    ///
    /// # Errors
    /// Fatal failures of the sink or the dead letter topic; transient when the sink has to start again.
    pub async fn write(
        &self,
        partition: &Partition,
        decoded: Decoded<'_>,
        stop: &CancellationToken,
    ) -> Result<Written, Error> {
        let Decoded { messages, records, malformed } = decoded;
        let Some(last) = messages.last() else { return Ok(Written::Stopped) };
        let next = last.offset + 1;
        if !self.bury(partition, messages, &malformed, stop).await? {
            return Ok(Written::Stopped);
        }
        let mut batch = Batch { partition, next, records };
        let mut backoff = self.backoff();
        loop {
            if !self.admitted(stop).await {
                return Ok(Written::Stopped);
            }
            let Some(result) = within_grace(self.sink.write(&batch), stop).await else {
                self.breaker.abandoned(Instant::now());
                tracing::warn!(sink = %self.name, %partition, "the store did not answer before the partition had to go");
                return Ok(Written::Stopped);
            };
            match result {
                Ok(outcome) => {
                    self.breaker.succeeded();
                    backoff.reset();
                    if !self.bury(partition, messages, &outcome.rejected, stop).await? {
                        return Ok(Written::Stopped);
                    }
                    if outcome.durable {
                        return Ok(Written::Durable(next));
                    }
                    let before = batch.records.len();
                    let gone =
                        |offset: i64| outcome.rejected.iter().any(|rejected| rejected.offset == offset);
                    batch.records.retain(|record| !gone(record.message.offset));
                    if batch.records.len() == before {
                        return Err(Error::fatal(format!(
                            "sink {:?} wrote nothing, rejected nothing and reported no failure: a defect of the sink",
                            self.name
                        )));
                    }
                }
                Err(error) => {
                    let context = format!("sink {:?}, {partition}: {error}", self.name);
                    // Whoever was admitted reports: the other partitions wait for a probe's result.
                    match error.kind {
                        SinkErrorKind::Fatal => {
                            self.breaker.failed(Instant::now());
                            return Err(Error::fatal(context));
                        }
                        SinkErrorKind::Diverged => {
                            self.breaker.succeeded(); // the store answers
                            return Err(Error::transient(context));
                        }
                        SinkErrorKind::Transient => {}
                    }
                    if error.progressed {
                        self.breaker.succeeded();
                        backoff.reset();
                    }
                    self.breaker.failed(Instant::now());
                    let wait = backoff.next();
                    let wait = error.retry_after.unwrap_or(wait);
                    tracing::warn!(sink = %self.name, %partition, failures = backoff.failures(), wait_ms = wait.as_millis(), error = %error, "write failed; trying again");
                    if !sleep(wait, stop).await {
                        return Ok(Written::Stopped);
                    }
                }
            }
        }
    }

    fn backoff(&self) -> Backoff {
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

    /// Sends records to the dead letters, in order; `false` when told to stop before all were there.
    async fn bury(
        &self,
        partition: &Partition,
        messages: &[Message],
        rejected: &[Rejected],
        stop: &CancellationToken,
    ) -> Result<bool, Error> {
        let by_offset: BTreeMap<i64, &str> = rejected.iter().map(|r| (r.offset, r.reason.as_str())).collect();
        for (offset, reason) in by_offset {
            let Some(message) = messages.iter().find(|message| message.offset == offset) else { continue };
            let mut backoff = self.backoff();
            loop {
                let sent = within_grace(self.rejections.send(partition, message, reason), stop).await;
                let Some(sent) = sent else { return Ok(false) };
                let Err(error) = sent else { break };
                if !error.is_transient() {
                    return Err(error);
                }
                tracing::warn!(sink = %self.name, %partition, offset, error = %error, "could not write a dead letter; trying again");
                if !sleep(backoff.next(), stop).await {
                    return Ok(false);
                }
            }
            tracing::warn!(sink = %self.name, %partition, offset, reason, "record sent to the dead letters");
        }
        Ok(true)
    }
}

/// The result of a call that goes on for [`GRACE`] after being told to stop; `None` when that was too
/// short and the call was dropped.
async fn within_grace<T>(call: impl Future<Output = T>, stop: &CancellationToken) -> Option<T> {
    tokio::pin!(call);
    tokio::select! {
        biased;
        result = &mut call => return Some(result),
        () = stop.cancelled() => {}
    }
    tokio::time::timeout(GRACE, call).await.ok()
}
