//! Running sinks: one consumer per sink, one ordered worker per partition.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, TryStreamExt, stream};
use pgcdc_kafka::consumer::{Assignment, Event, Member, Partition, Start};
use pgcdc_lifecycle::{Backoff, sleep};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::beginning::Beginnings;
use crate::driver::{Breaker, DeadLetters, Driver, Flood, Outage};
use crate::order::NewHistory;
use crate::sink::SinkErrorKind;
use crate::worker::{Worker, spawn};
use crate::{Config, Error, Result, Sink, SinkConfig, Store};

/// How long a sink may take to say where the partitions of an assignment begin, all together.
const RESUME_LIMIT: Duration = Duration::from_secs(60);
/// Partitions that a sink is asked for at the same time.
const ASKED_AT_ONCE: usize = 16;
/// How long a store may take to end its connections.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

/// Runs every sink of the file until `shutdown`, which drains: batches in hand get a few seconds to be
/// finished, offsets are committed, groups left.
///
/// A sink that fails for good is told in the log and ends alone; the others go on until `shutdown`, or until they have failed
/// as well.
///
/// # Errors
/// The first sink's failure that no retry mends, once all sinks have ended.
pub async fn run(config: Config, shutdown: CancellationToken) -> Result<()> {
    for warning in config.kafka.warnings() {
        tracing::warn!("[kafka] {warning}");
    }
    let mut sinks = JoinSet::new();
    for sink in config.sinks {
        let kafka = config.kafka.clone();
        let group = format!("{}-{}", config.group_id, sink.name);
        let stop = shutdown.clone();
        sinks.spawn(async move {
            let name = sink.name.clone();
            (name, run_sink(sink, kafka, &group, stop).await)
        });
    }
    let mut result = Ok(());
    while let Some(ended) = sinks.join_next().await {
        let (name, error) = match ended {
            Ok((_, Ok(()))) => continue,
            Ok((name, Err(error))) => (name, error),
            Err(panic) => (String::new(), Error::fatal(format!("a sink's task was cut short: {panic}"))),
        };
        // The first one is the caller's to tell, once the others have ended, too.
        if !sinks.is_empty() || result.is_err() {
            let (running, hint) = (sinks.len(), error.hint().unwrap_or_default());
            tracing::error!(sink = %name, error = %error.in_full(), hint, running, "a sink has failed and ended; the others go on, and the exit code will say that one failed");
        }
        result = result.and(Err(error));
    }
    result
}

/// Opens the store that the configuration names.
///
/// # Errors
/// When the store refuses what the configuration says; a store that is away is waited for instead.
async fn open(config: &SinkConfig, stop: &CancellationToken) -> Result<Option<Arc<dyn Sink>>> {
    let mut backoff = Backoff::new(config.retry_initial, config.retry_max);
    let outage = Outage::default();
    let store = Partition { topic: "".into(), id: 0 };
    loop {
        let opened: Result<Arc<dyn Sink>, _> = match &config.store {
            #[cfg(feature = "cassandra")]
            Store::Cassandra(store) => {
                crate::cassandra::Cassandra::open(store).await.map(|s| Arc::new(s) as _)
            }
            #[cfg(feature = "redis")]
            Store::Redis(store) => crate::redis::Redis::open(store).await.map(|s| Arc::new(s) as _),
            #[cfg(feature = "http")]
            Store::Http(store) => crate::http::Http::open(store).map(|s| Arc::new(s) as _),
        };
        match opened {
            Ok(sink) => return Ok(Some(sink)),
            Err(error) if error.kind == SinkErrorKind::Fatal => {
                return Err(Error::fatal(format!("sink {:?}: {error}", config.name)).with_hint(error.hint));
            }
            Err(error) => {
                if let Some(since) = outage.failed(&store, &error.message, tokio::time::Instant::now()) {
                    let hint = error.hint.as_deref().unwrap_or_default();
                    tracing::warn!(sink = %config.name, for_s = since.as_secs(), error = %error, hint, "the store is not there; trying again");
                }
                if !sleep(backoff.pause(), stop).await {
                    return Ok(None);
                }
            }
        }
    }
}

async fn run_sink(
    config: SinkConfig,
    kafka: pgcdc_kafka::ClientProperties,
    group: &str,
    stop: CancellationToken,
) -> Result<()> {
    let Some(sink) = open(&config, &stop).await? else { return Ok(()) };
    run_with(sink, Plan::from(&config), kafka, group, stop).await
}

/// How a sink is run, whatever its store.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Its name, for logs and dead letters.
    pub name: String,
    /// The topics it reads.
    pub topics: Vec<String>,
    /// How many records it gets in one batch at most.
    pub batch_max: usize,
    /// First wait between two tries, doubled after each failure.
    pub retry_initial: Duration,
    /// Longest wait between two tries.
    pub retry_max: Duration,
    /// How many records in a row may become dead letters; the next one ends the sink.
    pub max_dead_letters: Option<u64>,
    /// What it does when the source's positions begin anew.
    pub new_history: NewHistory,
}

impl From<&SinkConfig> for Plan {
    fn from(config: &SinkConfig) -> Self {
        Self {
            name: config.name.clone(),
            topics: config.topics.clone(),
            batch_max: config.batch_max,
            retry_initial: config.retry_initial,
            retry_max: config.retry_max,
            max_dead_letters: config.max_dead_letters,
            new_history: config.new_history,
        }
    }
}

/// Runs one sink, also one of your own, as a member of `group` until `stop`, which drains.
///
/// # Errors
/// The first failure that no retry mends.
pub async fn run_with(
    sink: Arc<dyn Sink>,
    config: Plan,
    mut kafka: pgcdc_kafka::ClientProperties,
    group: &str,
    stop: CancellationToken,
) -> Result<()> {
    kafka.set("group.id", group);
    let driver = Driver {
        name: config.name.as_str().into(),
        sink: Arc::clone(&sink),
        rejections: Arc::new(DeadLetters::new(&config.name, &kafka)),
        breaker: Arc::new(Breaker::default()),
        outage: Arc::new(Outage::default()),
        flood: Arc::new(Flood::new(config.max_dead_letters)),
        retry_initial: config.retry_initial,
        retry_max: config.retry_max,
        new_history: config.new_history,
    };
    tracing::info!(sink = %config.name, group, topics = ?config.topics, "sink started");
    let mut backoff = Backoff::new(config.retry_initial, config.retry_max);
    let result = loop {
        let began = Instant::now();
        match session(&config, &kafka, &driver, &stop).await {
            Err(error) if error.is_transient() && !stop.is_cancelled() => {
                if began.elapsed() > config.retry_max {
                    backoff.reset(); // it had begun well; what ended it is another trouble
                }
                let wait = backoff.pause();
                tracing::warn!(sink = %config.name, error = %error.in_full(), hint = error.hint().unwrap_or_default(), wait_ms = wait.as_millis(), "starting the sink again");
                if !sleep(wait, &stop).await {
                    break Ok(());
                }
            }
            ended => break ended,
        }
    };
    if tokio::time::timeout(CLOSE_LIMIT, sink.close()).await.is_err() {
        tracing::warn!(sink = %config.name, "the store does not answer; its connections are given up");
    }
    tracing::info!(sink = %config.name, "sink ended");
    result
}

/// One membership in the group, from joining to leaving.
async fn session(
    config: &Plan,
    kafka: &pgcdc_kafka::ClientProperties,
    driver: &Driver,
    stop: &CancellationToken,
) -> Result<()> {
    let (member, mut events) = Member::join(kafka, &config.topics)?;
    // The member does not poll meanwhile, and is put out of its group after max.poll.interval.ms.
    let poll_interval = kafka.get("max.poll.interval.ms").and_then(|text| text.parse().ok());
    let resume_limit =
        poll_interval.map_or(RESUME_LIMIT, |ms| RESUME_LIMIT.min(Duration::from_millis(ms) / 3));
    let mut beginnings = Beginnings::new(kafka);
    let (failed, mut failures) = mpsc::channel::<Error>(1);
    let mut workers: HashMap<Partition, Worker> = HashMap::new();
    let result = loop {
        // Shutdown first, then a worker's failure: both end the membership; events can wait.
        tokio::select! {
            biased;
            () = stop.cancelled() => break Ok(()),
            Some(error) = failures.recv() => break Err(error),
            event = events.recv() => match event {
                Some(Event::Assigned { partitions, reply }) => {
                    let names: Vec<Partition> = partitions.iter().map(|one| one.partition.clone()).collect();
                    let starts = match resume(driver, &names, resume_limit, stop).await {
                        Ok(Some(starts)) => starts,
                        Ok(None) => break Ok(()),
                        Err(error) => break Err(error),
                    };
                    let mut told = Vec::new();
                    let mut refused = None;
                    for (Assignment { partition, records, bookmark }, start) in partitions.into_iter().zip(starts) {
                        let (start, history) = match beginnings.of(driver, &partition, start, bookmark).await {
                            Ok(begin) => begin,
                            Err(error) => {
                                refused = Some(error);
                                break;
                            }
                        };
                        tracing::info!(sink = %driver.name, %partition, ?start, "partition assigned");
                        told.push(start);
                        let worker = spawn(driver, partition.clone(), (records, history), config.batch_max, &member.progress, &failed);
                        workers.insert(partition, worker);
                    }
                    if let Some(error) = refused {
                        break Err(error);
                    }
                    let _ = reply.send(told);
                }
                Some(Event::Revoked { partitions, reply }) => {
                    let gone: Vec<_> = partitions.iter().filter_map(|p| workers.remove_entry(p)).collect();
                    drain(gone, driver).await;
                    tracing::info!(sink = %driver.name, ?partitions, "partitions given back");
                    let _ = reply.send(());
                }
                Some(Event::Failed(error)) => break Err(error.into()),
                None => break Err(Error::transient("the consumer's thread ended")),
            },
        }
    };
    drop(events); // the thread must not wait for an answer while it is told to leave
    drain(workers.drain().collect(), driver).await;
    member.leave().await;
    result
}

/// Stops workers, each within the grace that the call in its hand has. Nothing works on their partitions
/// afterwards.
async fn drain(workers: Vec<(Partition, Worker)>, driver: &Driver) {
    for (_, worker) in &workers {
        worker.stop.cancel();
    }
    for (partition, worker) in workers {
        let _ = worker.task.await;
        driver.sink.released(&partition).await;
    }
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
    stop: &CancellationToken,
) -> Result<Option<Vec<Start>>> {
    let asks: Vec<_> = partitions.iter().map(|partition| ask(driver, partition)).collect();
    let asked = stream::iter(asks).buffered(ASKED_AT_ONCE);
    let asked = tokio::select! {
        biased;
        () = stop.cancelled() => return Ok(None),
        asked = tokio::time::timeout(limit, asked.try_collect()) => asked,
    };
    let late = |_| {
        let count = partitions.len();
        Error::transient(format!("sink {:?} does not say where its {count} partitions begin", driver.name))
    };
    asked.map_err(late)?.map(Some)
}

async fn ask(driver: &Driver, partition: &Partition) -> Result<Start> {
    let mut backoff = Backoff::new(driver.retry_initial, driver.retry_max.min(Duration::from_secs(10)));
    loop {
        match driver.sink.resume(partition).await {
            Ok(start) => {
                driver.outage.passed(partition, tokio::time::Instant::now());
                return Ok(start);
            }
            Err(error) if error.kind == SinkErrorKind::Fatal => {
                return Err(Error::fatal(format!("sink {:?}: {error}", driver.name)).with_hint(error.hint));
            }
            Err(error) => {
                if driver.outage.failed(partition, &error.message, tokio::time::Instant::now()).is_some() {
                    let hint = error.hint.as_deref().unwrap_or_default();
                    tracing::warn!(sink = %driver.name, %partition, error = %error, hint, "the sink does not say where to begin; asking again");
                }
                tokio::time::sleep(backoff.pause()).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use pgcdc_kafka::consumer::Message;

    use super::*;
    use crate::driver::Rejections;
    use crate::driver::tests::driver;
    use crate::{Batch, Outcome, SinkError};

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
        let error = resume(&driver, &partitions(1), RESUME_LIMIT, &stop).await.expect_err("late");
        assert!(error.is_transient(), "{error}");
        assert!(*sink.asked.lock().expect("no panic") > 3);
        stop.cancel();
        assert_eq!(resume(&driver, &partitions(1), RESUME_LIMIT, &stop).await.expect("no error"), None);
    }

    /// One after the other they would take longer than the broker waits for the member.
    #[tokio::test(start_paused = true)]
    async fn many_partitions_are_resumed_together_within_one_limit() {
        let sink = Arc::new(Slow { takes: Some(Duration::from_secs(10)), ..Slow::default() });
        let (driver, stop, start) = (driver(&sink), CancellationToken::new(), tokio::time::Instant::now());
        let starts = resume(&driver, &partitions(64), RESUME_LIMIT, &stop).await.expect("in time");
        assert_eq!(starts, Some((0..64).map(Start::At).collect()));
        assert!(start.elapsed() <= Duration::from_secs(41), "{:?}", start.elapsed());
        let start = tokio::time::Instant::now();
        resume(&driver, &partitions(1000), RESUME_LIMIT, &stop).await.expect_err("too many");
        assert_eq!(start.elapsed(), RESUME_LIMIT);
    }
}
