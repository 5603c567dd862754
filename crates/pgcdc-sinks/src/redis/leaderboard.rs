//! The sink: the connection, the expected offsets, the background expiry.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use fred::clients::Client;
use fred::interfaces::{ClientLike, HashesInterface};
use fred::types::Builder;
use fred::types::config::{Config, ReconnectPolicy, TlsConnector};
use futures_util::stream::FuturesOrdered;
use futures_util::{FutureExt, StreamExt};
use pgcdc_format::decode::Placeholder;
use pgcdc_kafka::consumer::{Partition, Start};
use tokio_util::sync::CancellationToken;

use super::config::{Leaderboard, RedisConfig};
use super::map::pack;
use super::pack::Packed;
use super::script::{Answer, Step, classify};
use crate::order::Advice;
use crate::store::Store;
use crate::{Batch, Outcome, Rejected, Sink, SinkError};

/// Longest pause between two looks for old rows. Rows that arrive in a pause and are old at its end leave then.
const LONGEST_TICK: Duration = Duration::from_millis(200);
/// Shortest such pause, so that many rows that expire one after the other cost Redis little.
const SHORTEST_TICK: Duration = Duration::from_millis(5);
/// How many records one call of the script has.
const STEP: usize = 250;
/// How many calls wait for their answers while another one is made.
const STEPS_AHEAD: usize = 3;
/// How long Redis may take for one command, and for a connection.
const COMMAND_LIMIT: Duration = Duration::from_secs(10);

/// A Redis sink: one leaderboard.
pub struct Redis {
    /// One connection for all partitions and for the expiry; commands are sent without waiting for the answers before them.
    client: Client,
    board: Leaderboard,
    /// The script with the leaderboard's keys.
    step: Arc<Step>,
    /// What Debezium writes in place of a TOAST value that did not change.
    placeholder: Placeholder,
    /// The offset that Redis should hold for each partition, as this process believes; `None` when it
    /// held nothing.
    expected: Mutex<HashMap<Partition, Option<i64>>>,
    /// What Redis held beside the offset of each partition when it was asked.
    bookmarks: Mutex<HashMap<Partition, String>>,
    advice: Advice,
    /// Ends the expiry.
    stop: CancellationToken,
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("leaderboard", &self.board).finish_non_exhaustive()
    }
}

impl Redis {
    /// Connects, and starts the task that takes old rows out of the board.
    ///
    /// # Errors
    /// Transient while Redis does not answer.
    pub async fn open(config: &RedisConfig) -> Result<Self, SinkError> {
        let mut parsed = Config::from_url(config.url.expose())
            .map_err(|e| SinkError::fatal(format!("the Redis URL is not valid: {:?}", e.kind())))?;
        if let Some(tls) = &config.tls {
            parsed.tls = Some(TlsConnector::Rustls(tokio_rustls::TlsConnector::from(tls.client())).into());
        }
        let client = Builder::from_config(parsed)
            .with_performance_config(|performance| performance.default_command_timeout = COMMAND_LIMIT)
            .with_connection_config(|connection| connection.connection_timeout = COMMAND_LIMIT)
            .set_policy(ReconnectPolicy::new_exponential(0, 100, 5_000, 2))
            .build()
            .map_err(|e| classify(&e))?;
        let connected = tokio::time::timeout(COMMAND_LIMIT, client.init()).await;
        match connected {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                let _ = client.quit().await;
                return Err(classify(&error));
            }
            Err(_) => {
                let _ = client.quit().await;
                return Err(SinkError::transient("Redis does not answer"));
            }
        }
        let step = Arc::new(Step::new(&config.leaderboard));
        let stop = CancellationToken::new();
        tokio::spawn(expire(client.clone(), Arc::clone(&step), stop.clone()));
        Ok(Self {
            client,
            board: config.leaderboard.clone(),
            step,
            placeholder: Placeholder::default(),
            expected: Mutex::default(),
            bookmarks: Mutex::default(),
            advice: Advice::default(),
            stop,
        })
    }

    #[cfg(test)]
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Notes what Redis should hold from now on.
    fn expect(&self, partition: &Partition, offset: Option<i64>) {
        let mut expected = self.expected.lock().unwrap_or_else(PoisonError::into_inner);
        expected.insert(partition.clone(), offset);
    }

    /// What Redis should hold.
    fn expected(&self, partition: &Partition) -> Option<i64> {
        let expected = self.expected.lock().unwrap_or_else(PoisonError::into_inner);
        expected.get(partition).copied().flatten()
    }
}

impl Redis {
    /// Notes how far Redis is.
    fn done(
        &self,
        partition: &Partition,
        expected: Option<i64>,
        next: i64,
        answer: Answer,
    ) -> Result<(), SinkError> {
        match answer {
            Answer::Done => {
                self.expect(partition, Some(next));
                Ok(())
            }
            Answer::Diverged(stored) => Err(SinkError::diverged(format!(
                "Redis holds offset {stored} where {} was expected: it was emptied or restored, or another process writes",
                expected.unwrap_or(-1)
            ))),
        }
    }
}

/// Takes rows out of the board as they leave the window, also while no record arrives. Ends with the sink.
async fn expire(client: Client, step: Arc<Step>, stop: CancellationToken) {
    let mut failed = false;
    loop {
        let wait = match step.expire(&client).await {
            Ok(next) => {
                failed = false;
                // The script takes a bounded number of rows at a time: zero means that more are due.
                next.unwrap_or(LONGEST_TICK).clamp(SHORTEST_TICK, LONGEST_TICK)
            }
            // A failing `write` reports the outage in full; this task logs one line for each outage.
            Err(error) => {
                if !std::mem::replace(&mut failed, true) {
                    tracing::warn!(error = %error, "old rows cannot leave the leaderboard now");
                }
                LONGEST_TICK
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// The field of the hash of offsets that holds what is remembered of a partition.
fn bookmark_field(partition: &Partition) -> String {
    format!("{partition} bookmark")
}

#[async_trait]
impl Store for RedisConfig {
    async fn open(&self) -> Result<Arc<dyn Sink>, SinkError> {
        Ok(Arc::new(Redis::open(self).await?))
    }
}

#[async_trait]
impl Sink for Redis {
    async fn check(&self) -> Result<(), SinkError> {
        self.client.ping::<()>(None).await.map_err(|e| classify(&e))
    }

    async fn resume(&self, partition: &Partition) -> Result<Start, SinkError> {
        let fields = vec![partition.to_string(), bookmark_field(partition)];
        let stored: Vec<Option<String>> =
            self.client.hmget(self.step.offsets_key(), fields).await.map_err(|e| classify(&e))?;
        let mut stored = stored.into_iter();
        let (stored, bookmark) = (stored.next().flatten(), stored.next().flatten());
        let mut bookmarks = self.bookmarks.lock().unwrap_or_else(PoisonError::into_inner);
        match bookmark {
            Some(bookmark) => drop(bookmarks.insert(partition.clone(), bookmark)),
            None => drop(bookmarks.remove(partition)),
        }
        drop(bookmarks);
        let offset = match stored {
            None => None,
            Some(text) => Some(text.parse::<i64>().map_err(|_| {
                SinkError::fatal(format!(
                    "{} holds something that is not an offset for {partition}",
                    self.step.offsets_key()
                ))
            })?),
        };
        self.expect(partition, offset);
        // What the group has committed means nothing here: only Redis knows what Redis holds.
        Ok(offset.map_or(Start::Beginning, Start::At))
    }

    fn bookmark(&self, partition: &Partition) -> Option<String> {
        self.bookmarks.lock().unwrap_or_else(PoisonError::into_inner).get(partition).cloned()
    }

    async fn rewind(&self, partition: &Partition, bookmark: &str) -> Result<(), SinkError> {
        let fields = [(partition.to_string(), "0"), (bookmark_field(partition), bookmark)];
        let fields: HashMap<String, &str> = fields.into_iter().collect();
        self.client.hset::<(), _, _>(self.step.offsets_key(), fields).await.map_err(|e| classify(&e))?;
        self.expect(partition, Some(0));
        Ok(())
    }

    fn compares_orders(&self) -> bool {
        true
    }

    fn how_to_begin_anew(&self) -> &'static str {
        "delete the leaderboard's key and the four beside it ({key}:rows, :expiry, :counts, :offsets)"
    }

    async fn write(&self, batch: &Batch<'_>) -> Result<Outcome, SinkError> {
        let field = batch.partition.to_string();
        let mut expected = self.expected(batch.partition);
        let mut rejected = Vec::new();
        // Each step moves the offset from where the step before left it. While Redis executes a step, the next one is made.
        let mut steps = FuturesOrdered::new();
        let mut rest = batch.records.as_slice();
        loop {
            let (now, later) = rest.split_at(rest.len().min(STEP));
            let mut packed = Packed::with_capacity(now.len());
            for record in now {
                self.advice.look(record);
                if let Err(reason) =
                    pack(&self.board, batch.partition, record, &self.placeholder, &mut packed)
                {
                    rejected.push(Rejected { position: record.position, reason });
                }
            }
            // The script moves the offset past the records, so rejected records must become dead letters first.
            if rejected.is_empty() {
                // The bookmark belongs to the end of the batch.
                let (next, bookmark) = match later.first() {
                    Some(record) => (record.position, ""),
                    None => (batch.next, batch.bookmark),
                };
                let (client, field) = (&self.client, &field);
                steps.push_back(async move {
                    let answer =
                        self.step.apply(client, field, expected, (next, bookmark), packed.finish()).await?;
                    self.done(batch.partition, expected, next, answer)
                });
                expected = Some(next);
            }
            // Polling sends the step. It is awaited only when enough steps are under way.
            let ended = if steps.len() > STEPS_AHEAD {
                steps.next().await
            } else {
                steps.next().now_or_never().flatten()
            };
            ended.transpose()?;
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        while let Some(ended) = steps.next().await {
            ended?;
        }
        Ok(if rejected.is_empty() { Outcome::durable() } else { Outcome::Refused { rejected } })
    }

    async fn released(&self, partition: &Partition) {
        self.expected.lock().unwrap_or_else(PoisonError::into_inner).remove(partition);
    }

    async fn close(&self) {
        self.stop.cancel();
        let _ = self.client.quit().await;
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
