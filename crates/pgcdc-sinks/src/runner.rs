//! Running sinks: one consumer per sink, one ordered worker per partition.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pgcdc_kafka::consumer::{Event, Member, Partition, Start};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::backoff::{Backoff, sleep};
use crate::driver::{Breaker, DeadLetters, Driver};
use crate::sink::SinkErrorKind;
use crate::worker::{Worker, spawn};
use crate::{Config, Error, Result, Sink, SinkConfig, Store};

/// How long a sink may take to say where a partition begins. Well below `max.poll.interval.ms`.
const RESUME_LIMIT: Duration = Duration::from_secs(60);

/// Runs every sink of the file until `shutdown`, which drains: batches in hand get a few seconds to be
/// finished, offsets are committed, groups left.
///
/// # Errors
/// The first failure that no retry mends ends all sinks: the process exits and its supervisor sees it.
pub async fn run(config: Config, shutdown: CancellationToken) -> Result<()> {
    for warning in config.kafka.warnings() {
        tracing::warn!("[kafka] {warning}");
    }
    let stop = shutdown.child_token();
    let mut sinks = JoinSet::new();
    for sink in config.sinks {
        let kafka = config.kafka.clone();
        let group = format!("{}-{}", config.group_id, sink.name);
        let stop = stop.clone();
        sinks.spawn(async move { run_sink(sink, kafka, &group, stop).await });
    }
    let mut result = Ok(());
    while let Some(ended) = sinks.join_next().await {
        let ended =
            ended.unwrap_or_else(|panic| Err(Error::fatal(format!("a sink's task was cut short: {panic}"))));
        if let (Err(error), Ok(())) = (ended, &result) {
            result = Err(error);
        }
        stop.cancel(); // a sink ends only when told to, or when it failed
    }
    result
}

/// Opens the store that the configuration names.
///
/// # Errors
/// When the store refuses what the configuration says; a store that is away is waited for instead.
async fn open(config: &SinkConfig, stop: &CancellationToken) -> Result<Option<Arc<dyn Sink>>> {
    let mut backoff = Backoff::new(config.retry_initial, config.retry_max);
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
                return Err(Error::fatal(format!("sink {:?}: {error}", config.name)));
            }
            Err(error) => {
                tracing::warn!(sink = %config.name, error = %error, "the store is not there; trying again");
                if !sleep(backoff.next(), stop).await {
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
}

impl From<&SinkConfig> for Plan {
    fn from(config: &SinkConfig) -> Self {
        Self {
            name: config.name.clone(),
            topics: config.topics.clone(),
            batch_max: config.batch_max,
            retry_initial: config.retry_initial,
            retry_max: config.retry_max,
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
        retry_initial: config.retry_initial,
        retry_max: config.retry_max,
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
                let wait = backoff.next();
                tracing::warn!(sink = %config.name, error = %error, wait_ms = wait.as_millis(), "starting the sink again");
                if !sleep(wait, &stop).await {
                    break Ok(());
                }
            }
            ended => break ended,
        }
    };
    sink.close().await;
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
                    let mut starts = Vec::new();
                    let mut refused = None;
                    for (partition, records) in partitions {
                        let start = match resume(driver, &partition, stop).await {
                            Ok(Some(start)) => start,
                            Ok(None) => break,
                            Err(error) => {
                                refused = Some(error);
                                break;
                            }
                        };
                        tracing::info!(sink = %driver.name, %partition, ?start, "partition assigned");
                        starts.push(start);
                        let worker = spawn(driver, partition.clone(), records, config.batch_max, &member.progress, &failed);
                        workers.insert(partition, worker);
                    }
                    if let Some(error) = refused {
                        break Err(error);
                    }
                    let _ = reply.send(starts);
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

/// Asks the sink where to begin, until it answers; `None` when told to stop.
///
/// # Errors
/// Transient when the answer takes too long: the member does not poll meanwhile, and the broker would put
/// it out of its group.
async fn resume(driver: &Driver, partition: &Partition, stop: &CancellationToken) -> Result<Option<Start>> {
    let asked = tokio::select! {
        biased;
        () = stop.cancelled() => return Ok(None),
        asked = tokio::time::timeout(RESUME_LIMIT, ask(driver, partition)) => asked,
    };
    let late = |_| Error::transient(format!("sink {:?} does not say where {partition} begins", driver.name));
    asked.map_err(late)?.map(Some)
}

async fn ask(driver: &Driver, partition: &Partition) -> Result<Start> {
    let mut backoff = Backoff::new(driver.retry_initial, driver.retry_max.min(Duration::from_secs(10)));
    loop {
        match driver.sink.resume(partition).await {
            Ok(start) => return Ok(start),
            Err(error) if error.kind == SinkErrorKind::Fatal => {
                return Err(Error::fatal(format!("sink {:?}: {error}", driver.name)));
            }
            Err(error) => {
                tracing::warn!(sink = %driver.name, %partition, error = %error, "the sink does not say where to begin; asking again");
                tokio::time::sleep(backoff.next()).await;
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

    /// Never says where to begin.
    #[derive(Debug, Default)]
    struct Broken {
        asked: Mutex<u32>,
    }

    #[async_trait]
    impl Sink for Broken {
        async fn check(&self) -> Result<(), SinkError> {
            Ok(())
        }

        async fn resume(&self, _: &Partition) -> Result<Start, SinkError> {
            *self.asked.lock().expect("no panic") += 1;
            Err(SinkError::transient("down"))
        }

        async fn write(&self, _: &Batch<'_>) -> Result<Outcome, SinkError> {
            unreachable!("nothing is assigned")
        }
    }

    #[async_trait]
    impl Rejections for Broken {
        async fn send(&self, _: &Partition, _: &Message, _: &str) -> Result<(), Error> {
            Ok(())
        }
    }

    fn partition() -> Partition {
        Partition { topic: "t".into(), id: 0 }
    }

    #[tokio::test(start_paused = true)]
    async fn a_sink_that_never_says_where_to_begin_ends_the_session() {
        let sink: Arc<Broken> = Arc::default();
        let error = resume(&driver(&sink), &partition(), &CancellationToken::new()).await.expect_err("late");
        assert!(error.is_transient(), "{error}");
        assert!(*sink.asked.lock().expect("no panic") > 3);
        let stop = CancellationToken::new();
        stop.cancel();
        assert_eq!(resume(&driver(&sink), &partition(), &stop).await.expect("no error"), None);
    }
}
