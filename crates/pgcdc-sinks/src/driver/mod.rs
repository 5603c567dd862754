//! From a batch to durable: retries, circuit breaker, dead letters.

mod breaker;
mod dead_letters;
mod flood;
mod outage;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use pgcdc_format::decode::Decoder;
use pgcdc_kafka::consumer::{Message, Partition};
use pgcdc_lifecycle::{Backoff, sleep};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use breaker::{Admission, Breaker};
pub use dead_letters::DeadLetters;
pub use flood::Flood;
pub use outage::Outage;

use flood::Flow;

use crate::order::NewHistory;
use crate::order::history::{Fall, History};
use crate::sink::SinkErrorKind;
use crate::{Batch, Error, Record, Rejected, Sink, SinkError};

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
    /// What was told of the store's troubles, shared as well.
    pub outage: Arc<Outage>,
    /// Counts dead letters that follow each other, shared as well.
    pub flood: Arc<Flood>,
    /// First wait between two tries.
    pub retry_initial: Duration,
    /// Longest wait between two tries.
    pub retry_max: Duration,
    /// What is done when the source's positions begin anew.
    pub new_history: NewHistory,
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
    /// What is remembered of the partition after its last record.
    bookmark: String,
}

impl<'a> Decoded<'a> {
    /// Decodes piece by piece, so that what else the task waits for is looked at in between; what is not a change event
    /// goes to the dead letters later.
    pub async fn gradually(messages: &'a [Message], decoder: &Mutex<Decoder>) -> Self {
        let mut decoded = Self {
            messages,
            records: Vec::with_capacity(messages.len()),
            malformed: Vec::new(),
            bookmark: String::new(),
        };
        for piece in messages.chunks(PIECE) {
            decoded.add(piece, &mut decoder.lock().unwrap_or_else(PoisonError::into_inner));
            tokio::task::yield_now().await;
        }
        decoded
    }

    /// Gives the records their order. One that begins another history is taken out, with all behind it, and its offset
    /// returned with the reason.
    pub(crate) fn mark(&mut self, history: &mut History) -> Option<(i64, Fall)> {
        let mut fallen = None;
        for record in &mut self.records {
            let offset = record.message.offset;
            match history.mark(offset, record.message.key(), &record.change) {
                Ok(order) => record.order = order,
                Err(fall) => {
                    fallen = Some((offset, fall));
                    break;
                }
            }
        }
        if let Some((offset, _)) = fallen {
            let before = self.messages.iter().position(|message| message.offset == offset);
            self.messages = &self.messages[..before.unwrap_or(0)];
            let kept = self.records.iter().position(|record| record.message.offset == offset);
            self.records.truncate(kept.unwrap_or(0));
            let last = self.messages.last().map(|message| message.offset);
            self.malformed.retain(|rejected| last.is_some_and(|last| rejected.offset <= last));
        }
        self.bookmark = history.bookmark();
        fallen
    }

    /// Whether nothing is left to be written or buried.
    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// What is remembered of the partition after the last record.
    pub(crate) fn bookmark(&self) -> &str {
        &self.bookmark
    }

    fn add(&mut self, piece: &'a [Message], decoder: &mut Decoder) {
        for message in piece {
            match decoder.decode(message.key(), message.value()) {
                Ok(change) => self.records.push(Record { message, change, order: None }),
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
    /// Fatal failures of the sink; transient when the sink has to start again.
    pub async fn write(
        &self,
        partition: &Partition,
        decoded: Decoded<'_>,
        stop: &CancellationToken,
    ) -> Result<Written, Error> {
        let written = self.write_batch(partition, decoded, stop).await;
        if !matches!(written, Ok(Written::Durable(_))) {
            self.outage.passed(partition, Instant::now()); // it waits no longer
        }
        written
    }

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
            let Some(result) = within_grace(self.sink.write(&batch), stop).await else {
                self.breaker.abandoned(Instant::now());
                tracing::warn!(sink = %self.name, %partition, "the store did not answer before the partition had to go");
                return Ok(Written::Stopped);
            };
            match result {
                Ok(outcome) => {
                    self.breaker.succeeded();
                    backoff.reset();
                    self.goes_on(partition);
                    if !self.bury(partition, messages, outcome.rejected, &mut dead, stop).await? {
                        return Ok(Written::Stopped);
                    }
                    if outcome.durable {
                        self.flood.note(partition, messages, &dead);
                        return Ok(Written::Durable(next));
                    }
                    let before = batch.records.len();
                    batch.records.retain(|record| !dead.contains(&record.message.offset));
                    if batch.records.len() == before {
                        return Err(Error::fatal(format!(
                            "sink {:?} wrote nothing, rejected nothing and reported no failure: a defect of the sink",
                            self.name
                        )));
                    }
                }
                Err(error) => {
                    let wait = self.failed(partition, &error, &mut backoff)?;
                    if !sleep(wait, stop).await {
                        return Ok(Written::Stopped);
                    }
                }
            }
        }
    }

    /// Notes a failure of the store; returns how long to wait before the next try.
    fn failed(
        &self,
        partition: &Partition,
        error: &SinkError,
        backoff: &mut Backoff,
    ) -> Result<Duration, Error> {
        let now = Instant::now();
        let context = || format!("sink {:?}, {partition}: {error}", self.name);
        // Whoever was admitted reports: the other partitions wait for a probe's result.
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
        let opened = self.breaker.failed(now);
        let wait = backoff.pause();
        let wait = error.retry_after.unwrap_or(wait);
        let hint = error.hint.as_deref().unwrap_or_default();
        let (failures, wait_ms) = (backoff.failures(), wait.as_millis());
        match self.outage.failed(partition, &error.message, now) {
            Some(since) => {
                tracing::warn!(sink = %self.name, %partition, failures, wait_ms, for_s = since.as_secs(), error = %error, hint, "write failed; trying again");
            }
            None => {
                tracing::debug!(sink = %self.name, %partition, failures, wait_ms, error = %error, "write failed again");
            }
        }
        if opened {
            tracing::warn!(sink = %self.name, error = %error, hint, "the circuit breaker is open: one partition asks the store every few seconds, the others wait; nothing is lost or committed meanwhile");
        }
        Ok(wait)
    }

    /// Says so when the last partition that waited for the store goes on.
    fn goes_on(&self, partition: &Partition) {
        if let Some(lasted) = self.outage.passed(partition, Instant::now()) {
            tracing::info!(sink = %self.name, after_s = lasted.as_secs(), "the store takes records again");
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

    /// Sends records to the dead letters, in order, and adds them to `dead`; `false` when told to stop before all were there.
    ///
    /// # Errors
    /// When there are more in a row than the configuration allows.
    async fn bury(
        &self,
        partition: &Partition,
        messages: &[Message],
        rejected: Vec<Rejected>,
        dead: &mut BTreeSet<i64>,
        stop: &CancellationToken,
    ) -> Result<bool, Error> {
        if rejected.is_empty() {
            return Ok(true);
        }
        let reasons: BTreeMap<i64, String> = rejected.into_iter().map(|r| (r.offset, r.reason)).collect();
        let next: BTreeSet<i64> = reasons.keys().copied().filter(|offset| !dead.contains(offset)).collect();
        dead.extend(&next);
        for (offset, flow) in self.flood.judge(partition, messages, dead, &next) {
            let reason = reasons.get(&offset).map_or("", String::as_str);
            match flow {
                Flow::Fine => {}
                Flow::Loud(row) => {
                    let hint = "stop the sink, look at the reason and at the sink's configuration; the records are in the dead letter topic, unchanged; max_dead_letters ends the sink in time";
                    tracing::error!(sink = %self.name, %partition, row, reason, hint, "many dead letters in a row: is it the sink's configuration that is wrong, and not the records?");
                }
                Flow::End(limit) => {
                    let what = format!(
                        "sink {:?}, {partition} at {offset}: more than {limit} records in a row cannot be written (max_dead_letters = {limit}): {reason}",
                        self.name
                    );
                    let hint = "mend the records, the store or the sink's configuration, or allow more with max_dead_letters; the sink begins again at the offset that it committed last";
                    return Err(Error::fatal(what).with_hint(Some(hint.to_owned())));
                }
            }
            let Some(message) = messages.iter().find(|message| message.offset == offset) else { continue };
            if !self.bury_one(partition, message, reason, stop).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Sends one record to the dead letters, however long that takes; `false` when told to stop before.
    async fn bury_one(
        &self,
        partition: &Partition,
        message: &Message,
        reason: &str,
        stop: &CancellationToken,
    ) -> Result<bool, Error> {
        let (offset, mut backoff) = (message.offset, self.backoff());
        // The grace is for the call in hand, not for each of many.
        while !stop.is_cancelled() {
            let sent = within_grace(self.rejections.send(partition, message, reason), stop).await;
            let Some(sent) = sent else { return Ok(false) };
            let Err(error) = sent else {
                self.goes_on(partition);
                tracing::warn!(sink = %self.name, %partition, offset, reason, "record sent to the dead letters");
                return Ok(true);
            };
            // A topic that cannot be written says nothing about the record: without the dead letter it would be lost.
            if error.is_configuration() {
                return Err(error);
            }
            if let Some(since) = self.outage.failed(partition, &error.in_full(), Instant::now()) {
                let hint = error.hint().unwrap_or_default();
                tracing::warn!(sink = %self.name, %partition, offset, for_s = since.as_secs(), error = %error.in_full(), hint, "could not write a dead letter; trying again");
            }
            if !sleep(backoff.pause(), stop).await {
                return Ok(false);
            }
        }
        Ok(false)
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
