//! Running sinks: one consumer per sink, one ordered worker per partition.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use pgcdc_format::decode::Decoder;
use pgcdc_kafka::consumer::{Event, Member, Partition, Progress, Records, Start};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::driver::{Breaker, DeadLetters, Driver, Written};
use crate::sink::SinkErrorKind;
use crate::{Config, Error, Result, Sink, SinkConfig, Store};

/// Runs every sink of the file until `shutdown`, which drains: batches in hand are finished, offsets
/// committed, groups left.
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
    let mut wait = config.retry_initial;
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
                tokio::select! {
                    biased;
                    () = stop.cancelled() => return Ok(None),
                    () = tokio::time::sleep(wait) => wait = (wait * 2).min(config.retry_max),
                }
            }
        }
    }
}

async fn run_sink(
    config: SinkConfig,
    mut kafka: pgcdc_kafka::ClientProperties,
    group: &str,
    stop: CancellationToken,
) -> Result<()> {
    kafka.set("group.id", group);
    let Some(sink) = open(&config, &stop).await? else { return Ok(()) };
    let driver = Driver {
        name: config.name.as_str().into(),
        sink: Arc::clone(&sink),
        rejections: Arc::new(DeadLetters::new(&config.name, &kafka)?),
        breaker: Arc::new(Breaker::default()),
        retry_initial: config.retry_initial,
        retry_max: config.retry_max,
    };
    tracing::info!(sink = %config.name, group, topics = ?config.topics, "sink started");
    let mut wait = config.retry_initial;
    let result = loop {
        match session(&config, &kafka, &driver, &stop).await {
            Err(error) if error.is_transient() && !stop.is_cancelled() => {
                tracing::warn!(sink = %config.name, error = %error, wait_ms = wait.as_millis(), "starting the sink again");
                tokio::select! {
                    biased;
                    () = stop.cancelled() => break Ok(()),
                    () = tokio::time::sleep(wait) => wait = (wait * 2).min(config.retry_max),
                }
            }
            ended => break ended,
        }
    };
    sink.close().await;
    tracing::info!(sink = %config.name, "sink ended");
    result
}

/// A worker of one partition.
struct Worker {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// One membership in the group, from joining to leaving.
async fn session(
    config: &SinkConfig,
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

/// Stops workers after the batch that each has in hand.
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
async fn resume(driver: &Driver, partition: &Partition, stop: &CancellationToken) -> Result<Option<Start>> {
    let mut wait = driver.retry_initial;
    loop {
        match driver.sink.resume(partition).await {
            Ok(start) => return Ok(Some(start)),
            Err(error) if error.kind == SinkErrorKind::Fatal => {
                return Err(Error::fatal(format!("sink {:?}: {error}", driver.name)));
            }
            Err(error) => {
                tracing::warn!(sink = %driver.name, %partition, error = %error, "the sink does not say where to begin; asking again");
                tokio::select! {
                    biased;
                    () = stop.cancelled() => return Ok(None),
                    () = tokio::time::sleep(wait) => wait = (wait * 2).min(Duration::from_secs(10)),
                }
            }
        }
    }
}

fn spawn(
    driver: &Driver,
    partition: Partition,
    mut records: Records,
    batch_max: usize,
    progress: &Progress,
    failed: &mpsc::Sender<Error>,
) -> Worker {
    let stop = CancellationToken::new();
    let (driver, progress, failed, token) = (driver.clone(), progress.clone(), failed.clone(), stop.clone());
    let task = tokio::spawn(async move {
        let mut decoder = Decoder::default();
        loop {
            let messages = tokio::select! {
                biased;
                () = token.cancelled() => break,
                messages = records.next(batch_max) => messages,
            };
            if messages.is_empty() {
                break;
            }
            match driver.write(&partition, &messages, &mut decoder, &token).await {
                Ok(Written::Durable(next)) => progress.durable(&partition, next),
                Ok(Written::Stopped) => break,
                Err(error) => {
                    // One failure ends the session; those of other partitions add nothing.
                    let _ = failed.try_send(error);
                    break;
                }
            }
        }
    });
    Worker { stop, task }
}
