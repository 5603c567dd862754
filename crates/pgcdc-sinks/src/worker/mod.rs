//! The worker of one partition: takes batches from the queue, decodes them and has them written, in order. While one batch is
//! written, the next one is decoded.
//!
//! ```text
//!   queue ─▶ decode batch 3 ─┐           a batch waits for its turn: with `concurrent_batches` = 1
//!            write  batch 2 ─┼─▶ in order, that is until the batch before it is written
//!            done   batch 1 ─┘
//! ```
//!
//! The history of the partition goes from batch to batch, in order, since the order of a record depends on the records
//! before it ([`order`](crate::order)).

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::Mutex;

use futures_util::stream::FuturesOrdered;
use futures_util::{FutureExt, StreamExt};
use pgcdc_format::decode::Decoder;
use pgcdc_kafka::consumer::{Message, Partition, Records};
use pgcdc_metrics::Counter;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::driver::{Decoded, Driver, Written};
use crate::durable::{Durable, Taken};
use crate::order::history::{Fall, History};
use crate::{Error, Result};

/// A worker of one partition.
pub(crate) struct Worker {
    /// Ends it: no new batch is begun, and the call in progress gets the driver's grace.
    pub(crate) stop: CancellationToken,
    pub(crate) task: JoinHandle<()>,
}

/// Starts a worker, which tells `durable` of its batches; its failure goes to `failed`. It takes records, the history of the
/// partition before them, and a counter of the records that it reads.
pub(crate) fn spawn(
    driver: &Driver,
    partition: Partition,
    (mut records, history, read): (Records, History, Counter),
    batch_max: usize,
    durable: &Durable,
    failed: &mpsc::Sender<Error>,
) -> Worker {
    let stop = CancellationToken::new();
    let (driver, durable, failed, token) = (driver.clone(), durable.clone(), failed.clone(), stop.clone());
    let task = tokio::spawn(async move {
        let (partition, decoder) = (&partition, Mutex::default());
        let line = Line { driver: &driver, partition, stop: &token, decoder, read };
        let work = line.run(&mut records, batch_max, history, |written, taken| match written {
            Written::Durable(_) => durable.durable(partition, taken),
            Written::Accepted(_) => durable.accepted(partition, taken, &*driver.sink),
            Written::Stopped => {}
        });
        let what = || format!("sink {:?}: the worker of {partition}", driver.name);
        if let Err(error) = unless_it_panics(work, what).await {
            // The first failure ends the session; failures of other partitions behind it change nothing.
            let _ = failed.try_send(error);
        }
    });
    Worker { stop, task }
}

/// Makes a panic an error that ends the sink. The panic's text is on stderr; it may quote a value, and is not repeated.
///
/// Nothing that the work used may be used after a panic.
pub(crate) async fn unless_it_panics(
    work: impl Future<Output = Result<()>>,
    what: impl FnOnce() -> String,
) -> Result<()> {
    let ended = AssertUnwindSafe(work).catch_unwind().await;
    ended.unwrap_or_else(|_| Err(Error::fatal(format!("{} panicked: a defect", what()))))
}

/// The way of a partition's batches.
struct Line<'w> {
    driver: &'w Driver,
    partition: &'w Partition,
    stop: &'w CancellationToken,
    /// Knows the schemas that it has seen; batches that are decoded at the same time take turns.
    decoder: Mutex<Decoder>,
    /// Counts the records that were read.
    read: Counter,
}

/// What became of a batch.
struct Brought {
    written: Written,
    /// What is remembered of the partition after it.
    bookmark: String,
    /// How many records were given to the sink.
    records: u64,
    /// Why nothing behind it may be written.
    end: Option<Error>,
}

impl Brought {
    /// Reports the batch if the sink has it. `Some` when no batch follows.
    fn report(self, report: impl Fn(Written, Taken)) -> Option<Result<()>> {
        let Self { written, bookmark, records, end } = self;
        match written {
            Written::Stopped => return Some(end.map_or(Ok(()), Err)),
            Written::Durable(next) | Written::Accepted(next) => {
                report(written, Taken { next, bookmark, records });
            }
        }
        end.map(Err)
    }

    /// The batch comes again.
    fn stopped() -> Self {
        Self { written: Written::Stopped, bookmark: String::new(), records: 0, end: None }
    }
}

impl Line<'_> {
    /// Brings batches into the store until told to stop, and reports each that the sink has, in order.
    async fn run(
        &self,
        records: &mut Records,
        batch_max: usize,
        history: History,
        report: impl Fn(Written, Taken),
    ) -> Result<()> {
        let at_once = self.driver.sink.concurrent_batches().max(1);
        let mut under_way = FuturesOrdered::new();
        // Each batch gets the history from the batch before it, and hands it on when its own records are marked.
        let (first, mut handed_on) = oneshot::channel();
        let _ = first.send(history);
        // A turn for each of the last `at_once` batches. A new batch waits for the oldest of these turns.
        let mut turns = VecDeque::new();
        loop {
            let messages = if under_way.is_empty() {
                tokio::select! {
                    biased;
                    () = self.stop.cancelled() => return Ok(()),
                    messages = records.next(batch_max) => messages,
                }
            } else if self.stop.is_cancelled() {
                Vec::new()
            } else {
                records.ready(batch_max)
            };
            if messages.is_empty() && under_way.is_empty() {
                return Ok(());
            }
            if !messages.is_empty() {
                self.read.inc_by(messages.len() as u64);
                let (done, turn) = oneshot::channel();
                turns.push_back(turn);
                let before = if turns.len() > at_once { turns.pop_front() } else { None };
                let (pass, next) = oneshot::channel();
                let history = (std::mem::replace(&mut handed_on, next), pass);
                under_way.push_back(self.bring(messages, history, before, done));
                // One batch more than `at_once` is under way: it is decoded while the others are written.
                if under_way.len() <= at_once {
                    continue;
                }
            }
            let Some(brought) = under_way.next().await else { return Ok(()) };
            let ended = brought.map_or_else(|error| Some(Err(error)), |brought| brought.report(&report));
            if let Some(ended) = ended {
                // The batches behind it are not reported any more, but calls of the store in progress get their few seconds to end.
                self.stop.cancel();
                while under_way.next().await.is_some() {}
                return ended;
            }
        }
    }

    /// Decodes a batch, and writes it when the batch `before` it is.
    async fn bring(
        &self,
        messages: Vec<Message>,
        (history, pass): (oneshot::Receiver<History>, oneshot::Sender<History>),
        before: Option<oneshot::Receiver<()>>,
        done: oneshot::Sender<()>,
    ) -> Result<Brought> {
        let mut batch = Decoded::gradually(&messages, &self.decoder).await;
        // The batch before this one passed no history on: it was the last to be written.
        let Ok(mut history) = history.await else { return Ok(Brought::stopped()) };
        let fallen = batch.mark(&mut history);
        let bookmark = batch.bookmark().to_owned();
        let end = fallen.map(|(offset, fall)| self.fallen(offset, fall));
        if end.is_none() {
            let _ = pass.send(history);
        }
        if batch.is_empty() {
            return Ok(Brought { end, ..Brought::stopped() });
        }
        if let Some(before) = before
            && before.await.is_err()
        {
            return Ok(Brought::stopped());
        }
        let records = batch.len() as u64;
        let written = self.driver.write(self.partition, batch, self.stop).await?;
        if written == Written::Stopped {
            return Ok(Brought::stopped());
        }
        let _ = done.send(());
        Ok(Brought { written, bookmark, records, end })
    }

    /// Why the record at `offset` and all behind it are not written.
    fn fallen(&self, offset: i64, fall: Fall) -> Error {
        let place = format!("sink {:?}, {} at offset {offset}", self.driver.name, self.partition);
        if fall == Fall::Topic {
            // The next session notices that the topic is another one.
            return Error::transient(format!("{place}: {fall}"));
        }
        Error::fatal(format!(
            "{place}: {fall}. With its own position it would lose against what is stored. Nothing from this record on was \
             written or committed. Either {}, and start again; or set new_history = \"continue\" for this sink: what comes \
             from here on is then newer than all that is stored, and rows that were deleted in between stay",
            self.driver.sink.how_to_begin_anew()
        ))
    }
}
