//! One membership in the consumer group, from joining to leaving: a worker for each partition, and the sink's flushes.
//!
//! ```text
//!   Kafka ──Assigned──▶ Sink::resume ──▶ a worker for each partition ──▶ Durable ──▶ offsets committed
//!         ──Revoked───▶ workers end their call in progress ──▶ last flush ──▶ Sink::released ──▶ partitions given back
//! ```
//!
//! The consumer's thread waits for the answer to each event, and does not poll meanwhile. So every answer has a time limit.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use pgcdc_kafka::ClientProperties;
use pgcdc_kafka::consumer::{Assignment, Event, Member, Partition, Start};
use pgcdc_lifecycle::{Backoff, Orders, sleep};
use pgcdc_metrics::ConsumerMetrics;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::beginning::Beginnings;
use crate::driver::Driver;
use crate::durable::Durable;
use crate::failure::SinkErrorKind;
use crate::worker::{Worker, spawn, unless_it_panics};
use crate::{Error, Result};

/// How long a sink may take to say where the partitions of an assignment begin, all together.
const RESUME_LIMIT: Duration = Duration::from_secs(60);
/// Partitions that a sink is asked for at the same time.
const ASKED_AT_ONCE: usize = 16;
/// How long the flush before partitions go may take. What is not durable then is read again.
const LAST_FLUSH: Duration = Duration::from_secs(15);

/// Why a membership ended without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Told to stop: the sink ends.
    Stopped,
    /// Told to pause: the sink joins again when the pause is over.
    Paused,
}

/// What a membership works with.
pub(crate) struct Session<'s> {
    /// Calls the sink. Each partition gets a clone.
    pub(crate) driver: &'s Driver,
    pub(crate) topics: &'s [String],
    pub(crate) batch_max: usize,
    pub(crate) metrics: &'s ConsumerMetrics,
}

impl Session<'_> {
    /// Joins the group, and works until told to stop or to pause, which drains: batches in progress get a few seconds,
    /// accepted ones are flushed, offsets are committed.
    ///
    /// # Errors
    /// The first failure of a worker, of a flush or of the membership.
    pub(crate) async fn run(&self, kafka: &ClientProperties, orders: &Orders) -> Result<Ended> {
        pgcdc_kafka::check_access(kafka).await?;
        let (member, events) = Member::join(kafka, self.topics)?;
        // The member does not poll while it waits for an answer, and is put out of its group after max.poll.interval.ms.
        let poll_interval = kafka.get("max.poll.interval.ms").and_then(|text| text.parse().ok());
        let (failed, failures) = mpsc::channel::<Error>(1);
        let durable = Durable::new(member.progress.clone(), self.driver.metrics.clone());
        let mut membership = Membership {
            session: self,
            beginnings: Beginnings::new(kafka),
            flusher: Flusher::start(self.driver, &durable, &failed),
            durable,
            workers: HashMap::new(),
            failed,
            limit: poll_interval.map_or(RESUME_LIMIT, |ms| RESUME_LIMIT.min(Duration::from_millis(ms) / 3)),
        };
        // `attend` drops the events at its end: the thread must not wait for an answer while it is told to leave.
        let result = membership.attend(events, failures, orders.clone()).await;
        let all = membership.workers.drain().collect();
        membership.drain(all).await;
        if let Some(flusher) = membership.flusher {
            flusher.end(Instant::now()).await;
        }
        member.leave().await;
        result
    }
}

/// A membership under way.
struct Membership<'s> {
    session: &'s Session<'s>,
    beginnings: Beginnings<'s>,
    /// Where workers tell of their batches.
    durable: Durable,
    /// The partitions that this process has.
    workers: HashMap<Partition, Worker>,
    /// Where workers and the flusher report a failure.
    failed: mpsc::Sender<Error>,
    flusher: Option<Flusher>,
    /// How long the sink may take to answer while the member does not poll.
    limit: Duration,
}

impl Membership<'_> {
    /// Answers events until the membership is to end.
    ///
    /// # Errors
    /// The first failure of a worker, of a flush or of the membership.
    async fn attend(
        &mut self,
        mut events: mpsc::Receiver<Event>,
        mut failures: mpsc::Receiver<Error>,
        mut orders: Orders,
    ) -> Result<Ended> {
        let stop = orders.clone();
        loop {
            // Orders first, then a worker's failure: they end the membership; events can wait.
            let event = tokio::select! {
                biased;
                () = stop.stopped() => return Ok(Ended::Stopped),
                () = orders.paused() => return Ok(Ended::Paused),
                Some(error) = failures.recv() => return Err(error),
                event = events.recv() => event,
            };
            match event {
                Some(Event::Assigned { partitions, reply }) => {
                    let Some(starts) = self.assigned(partitions, &stop).await? else {
                        return Ok(Ended::Stopped);
                    };
                    let _ = reply.send(starts);
                }
                Some(Event::Revoked { partitions, reply }) => {
                    let gone = partitions.iter().filter_map(|p| self.workers.remove_entry(p)).collect();
                    self.session.metrics.rebalances.inc();
                    self.drain(gone).await;
                    tracing::info!(sink = %self.session.driver.name, ?partitions, "partitions given back");
                    let _ = reply.send(());
                }
                Some(Event::Failed(error)) => return Err(error.into()),
                None => return Err(Error::transient("the consumer's thread ended")),
            }
        }
    }

    /// Starts a worker for each partition; returns where each begins, or `None` when told to stop.
    async fn assigned(&mut self, partitions: Vec<Assignment>, orders: &Orders) -> Result<Option<Vec<Start>>> {
        let (driver, batch_max) = (self.session.driver, self.session.batch_max);
        self.session.metrics.rebalances.inc();
        let names: Vec<Partition> = partitions.iter().map(|one| one.partition.clone()).collect();
        let Some(starts) = resume(driver, &names, self.limit, orders).await? else { return Ok(None) };
        let mut told = Vec::new();
        for (Assignment { partition, records, bookmark }, start) in partitions.into_iter().zip(starts) {
            let (start, history) = self.beginnings.of(driver, &partition, start, bookmark).await?;
            tracing::info!(sink = %driver.name, %partition, ?start, "partition assigned");
            told.push(start);
            let read = self.session.metrics.records.clone();
            let intake = (records, history, read);
            let worker = spawn(driver, partition.clone(), intake, batch_max, &self.durable, &self.failed);
            self.workers.insert(partition, worker);
            self.session.metrics.partitions.inc();
        }
        driver.outage.joined();
        Ok(Some(told))
    }

    /// Stops workers, each within the grace of its call in progress, and flushes what the sink accepted. Nothing works on
    /// their partitions afterwards.
    async fn drain(&mut self, gone: Vec<(Partition, Worker)>) {
        let driver = self.session.driver;
        for (_, worker) in &gone {
            worker.stop.cancel();
        }
        let mut partitions = Vec::with_capacity(gone.len());
        for (partition, worker) in gone {
            let _ = worker.task.await;
            partitions.push(partition);
        }
        if !partitions.is_empty() && self.durable.is_waiting() {
            self.last_flush().await;
        }
        for partition in &partitions {
            driver.sink.released(partition).await;
            self.durable.forget(partition);
            self.session.metrics.partitions.dec();
        }
    }

    /// Flushes before partitions go. The flusher rests meanwhile: a flush must not go on behind `Sink::released`.
    async fn last_flush(&mut self) {
        let (driver, deadline) = (self.session.driver, Instant::now() + LAST_FLUSH.min(self.limit));
        if let Some(flusher) = self.flusher.take() {
            flusher.end(deadline).await;
        }
        if let Err(error) = driver.flush_by(deadline).await {
            tracing::warn!(sink = %driver.name, %error, "records that the sink accepted are not durable; they are read again");
        }
        self.durable.settle_all(&*driver.sink);
        self.flusher = Flusher::start(driver, &self.durable, &self.failed);
    }
}

/// The task that flushes a sink at its interval.
struct Flusher {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Flusher {
    /// Starts it, if the sink wants to be flushed.
    fn start(driver: &Driver, durable: &Durable, failed: &mpsc::Sender<Error>) -> Option<Self> {
        let every = driver.sink.flush_interval()?;
        let stop = CancellationToken::new();
        let (driver, durable, failed, token) =
            (driver.clone(), durable.clone(), failed.clone(), stop.clone());
        let task = tokio::spawn(async move {
            let work = flush_regularly(&driver, &durable, every, &token);
            if let Err(error) =
                unless_it_panics(work, || format!("the flush of sink {:?}", driver.name)).await
            {
                let _ = failed.try_send(error);
            }
        });
        Some(Self { stop, task })
    }

    /// Ends it. A flush in progress goes on until the deadline at most.
    async fn end(mut self, deadline: Instant) {
        self.stop.cancel();
        if tokio::time::timeout_at(deadline, &mut self.task).await.is_err() {
            self.task.abort();
            let _ = self.task.await;
        }
    }
}

/// Flushes at each interval if accepted batches wait; the flusher's work.
async fn flush_regularly(
    driver: &Driver,
    durable: &Durable,
    every: Duration,
    stop: &CancellationToken,
) -> Result<()> {
    while sleep(every, stop).await {
        // The sink may have committed by itself meanwhile.
        durable.settle_all(&*driver.sink);
        if durable.is_waiting() && driver.flush(stop).await? {
            durable.settle_all(&*driver.sink);
        }
    }
    Ok(())
}

/// Asks the sink where partitions begin, until it answers; `None` when told to stop.
///
/// # Errors
/// Transient when the answers take longer than `limit`, all together: the member does not poll meanwhile, and the broker would
/// put it out of its group.
async fn resume(
    driver: &Driver,
    partitions: &[Partition],
    limit: Duration,
    orders: &Orders,
) -> Result<Option<Vec<Start>>> {
    let asks: Vec<_> = partitions.iter().map(|partition| ask(driver, partition)).collect();
    let asked = stream::iter(asks).buffered(ASKED_AT_ONCE);
    let asked = tokio::select! {
        biased;
        () = orders.stopped() => return Ok(None),
        asked = tokio::time::timeout(limit, asked.try_collect()) => asked,
    };
    let late = |_| {
        let count = partitions.len();
        Error::transient(format!("sink {:?} does not say where its {count} partitions begin", driver.name))
    };
    asked.map_err(late)?.map(Some)
}

/// Asks the sink where one partition begins, again after each failure. There is no limit here: [`resume`] has it.
async fn ask(driver: &Driver, partition: &Partition) -> Result<Start> {
    let mut backoff = Backoff::new(driver.retry_initial, driver.retry_max.min(Duration::from_secs(10)));
    loop {
        match driver.sink.resume(partition).await {
            Ok(start) => {
                driver.outage.left(Some(partition), Instant::now());
                return Ok(start);
            }
            Err(error) if error.kind == SinkErrorKind::Fatal => {
                return Err(Error::fatal(format!("sink {:?}: {error}", driver.name)).with_hint(error.hint));
            }
            Err(error) => {
                let wait = backoff.pause();
                let told = driver.outage.failed(Some(partition), &(&error).into(), wait, Instant::now());
                if told.is_some() {
                    let hint = error.hint.as_deref().unwrap_or_default();
                    tracing::warn!(sink = %driver.name, %partition, error = %error, hint, "the sink does not say where to begin; asking again");
                }
                tokio::time::sleep(wait).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use async_trait::async_trait;
    use pgcdc_kafka::consumer::Message;

    use super::*;
    use crate::driver::Rejections;
    use crate::driver::tests::driver;
    use crate::{Batch, Outcome, Sink, SinkError};

    /// Takes its time to say where to begin, or never does.
    #[derive(Debug, Default)]
    struct Slow {
        takes: Option<Duration>,
        asked: Mutex<u32>,
    }

    #[async_trait]
    impl Sink for Slow {
        async fn check(&self) -> Result<(), SinkError> {
            Ok(())
        }

        async fn resume(&self, partition: &Partition) -> Result<Start, SinkError> {
            *self.asked.lock().expect("no panic") += 1;
            let Some(takes) = self.takes else { return Err(SinkError::transient("down")) };
            tokio::time::sleep(takes).await;
            Ok(Start::At(partition.id.into()))
        }

        async fn write(&self, _: &Batch<'_>) -> Result<Outcome, SinkError> {
            unreachable!("nothing is assigned")
        }
    }

    #[async_trait]
    impl Rejections for Slow {
        async fn send(&self, _: &Partition, _: &Message, _: &str) -> Result<(), Error> {
            Ok(())
        }
    }

    fn partitions(count: i32) -> Vec<Partition> {
        (0..count).map(|id| Partition { topic: "t".into(), id }).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_sink_that_never_says_where_to_begin_ends_the_session() {
        let sink: Arc<Slow> = Arc::default();
        let (driver, stop) = (driver(&sink), CancellationToken::new());
        let (orders, _pause) = Orders::new(stop.clone(), false);
        let error = resume(&driver, &partitions(1), RESUME_LIMIT, &orders).await.expect_err("late");
        assert!(error.is_transient(), "{error}");
        assert!(*sink.asked.lock().expect("no panic") > 3);
        stop.cancel();
        assert_eq!(resume(&driver, &partitions(1), RESUME_LIMIT, &orders).await.expect("no error"), None);
    }

    /// One after the other they would take longer than the broker waits for the member.
    #[tokio::test(start_paused = true)]
    async fn many_partitions_are_resumed_together_within_one_limit() {
        let sink = Arc::new(Slow { takes: Some(Duration::from_secs(10)), ..Slow::default() });
        let driver = driver(&sink);
        let (orders, _pause) = Orders::new(CancellationToken::new(), false);
        let start = Instant::now();
        let starts = resume(&driver, &partitions(64), RESUME_LIMIT, &orders).await.expect("in time");
        assert_eq!(starts, Some((0..64).map(Start::At).collect()));
        assert!(start.elapsed() <= Duration::from_secs(41), "{:?}", start.elapsed());
        let start = Instant::now();
        resume(&driver, &partitions(1000), RESUME_LIMIT, &orders).await.expect_err("too many");
        assert_eq!(start.elapsed(), RESUME_LIMIT);
    }
}
