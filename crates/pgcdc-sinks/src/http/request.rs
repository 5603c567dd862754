//! Sending a batch: groups by key, one after the other within a group.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use pgcdc_format::decode::Form;
use pgcdc_kafka::consumer::Partition;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, Url};

use super::config::HttpConfig;
use super::verdict::{self, Verdict};
use super::{idempotency, retry_after};
use crate::store::Store;
use crate::{Batch, Outcome, Record, Rejected, Sink, SinkError};

/// How many keys of one batch are sent at the same time.
const CONCURRENCY: usize = 16;

/// A longer key is not sent as a header, since servers limit headers; the body has the key anyway.
const KEY_BYTES: usize = 4096;

/// How many bytes of an answer's body are read at most.
const DRAIN_BYTES: usize = 64 * 1024;
/// How long reading an answer's body may take.
const DRAIN_TIME: Duration = Duration::from_secs(1);

/// An HTTP sink: one request for each change, to one URL.
pub struct Http {
    /// Keeps connections open between requests, and follows no redirect.
    client: Client,
    config: HttpConfig,
    /// Host and port of the URL, which may be shown.
    host: String,
    /// What became of records whose batch is not finished, so that a repeated batch does not send them
    /// again: position → rejected with a reason, or delivered.
    settled: Mutex<HashMap<Partition, HashMap<i64, Option<String>>>>,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Http {
    /// Makes the client. Nothing is sent.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    ///
    /// ```
    /// use std::time::Duration;
    /// use pgcdc_sinks::http::{Http, HttpConfig, Statuses};
    ///
    /// let config = HttpConfig {
    ///     url: pgcdc_event::Secret::new("http://127.0.0.1:5000/api"),
    ///     method: reqwest::Method::POST,
    ///     timeout: Duration::from_secs(10),
    ///     headers: Vec::new(),
    ///     tls: None,
    ///     statuses: Statuses::default(),
    /// };
    /// assert!(Http::open(&config).is_ok());
    /// ```
    pub fn open(config: &HttpConfig) -> Result<Self, SinkError> {
        // Only the first call in a process has an effect. A provider that another library installed serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut headers = HeaderMap::new();
        for (name, value) in &config.headers {
            if let (Ok(name), Ok(mut value)) =
                (HeaderName::try_from(name), HeaderValue::try_from(value.expose()))
            {
                value.set_sensitive(true);
                headers.insert(name, value);
            }
        }
        let mut client = Client::builder()
            .timeout(config.timeout)
            .default_headers(headers)
            .user_agent(concat!("pgcdc/", env!("CARGO_PKG_VERSION")))
            // A redirected POST may become a GET: an answer 3xx is a mistake in the URL.
            .redirect(Policy::none());
        if let Some(tls) = &config.tls {
            client = client.tls_backend_preconfigured(rustls::ClientConfig::clone(&tls.client()));
        }
        let client = client
            .build()
            .map_err(|e| SinkError::fatal(format!("cannot make an HTTP client: {}", e.without_url())))?;
        let host = Url::parse(config.url.expose()).map(|url| host_of(&url)).unwrap_or_default();
        Ok(Self { client, config: config.clone(), host, settled: Mutex::default() })
    }

    /// Whether an earlier try of the same batch delivered or rejected this record.
    fn is_settled(&self, partition: &Partition, position: i64) -> bool {
        let settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        settled.get(partition).is_some_and(|positions| positions.contains_key(&position))
    }

    /// How many records of the batch are done. More than before means that the endpoint is not down.
    fn settled_count(&self, partition: &Partition) -> usize {
        let settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        settled.get(partition).map_or(0, HashMap::len)
    }

    /// Notes that a record is done: rejected with a reason, or delivered.
    fn settle(&self, partition: &Partition, position: i64, rejected: Option<String>) {
        let mut settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        settled.entry(partition.clone()).or_default().insert(position, rejected);
    }

    /// Sends the records of one key, in order, up to the first that cannot be sent now.
    async fn send_group(
        &self,
        partition: &Partition,
        group: Vec<&Record<'_>>,
        failed: &AtomicBool,
    ) -> Result<(), SinkError> {
        for record in group {
            let position = record.position;
            if failed.load(Ordering::Relaxed) {
                break; // a request of another key failed: the batch comes again anyway
            }
            if self.is_settled(partition, position) {
                continue;
            }
            let Some(payload) = record.change.payload else { continue };
            let sent = self.send(partition, record, payload).await;
            let rejected = sent.inspect_err(|_| failed.store(true, Ordering::Relaxed))?;
            self.settle(partition, position, rejected);
        }
        Ok(())
    }

    /// Sends one record; `Some` is why it can never be delivered.
    async fn send(
        &self,
        partition: &Partition,
        record: &Record<'_>,
        payload: &str,
    ) -> Result<Option<String>, SinkError> {
        let position = record.position;
        let mut request = self
            .client
            .request(self.config.method.clone(), self.config.url.expose())
            .header(CONTENT_TYPE, "application/json")
            .header("Idempotency-Key", idempotency::key(partition, record))
            .header("X-Pgcdc-Topic", &*partition.topic)
            .header("X-Pgcdc-Partition", partition.id)
            .header("X-Pgcdc-Offset", position);
        // A header cannot hold control characters; a record whose key has some is sent without this header.
        let key = record.change.key.as_ref().map(|key| key.text()).filter(|key| key.len() <= KEY_BYTES);
        if let Some(key) = key.and_then(|key| HeaderValue::from_str(key).ok()) {
            request = request.header("X-Pgcdc-Key", key);
        }
        let answer = request.body(payload.to_owned()).send().await.map_err(|e| {
            let timeout = if e.is_timeout() { " (time-out)" } else { "" };
            let cause = root_cause(&e.without_url());
            SinkError::transient(format!("the request to {} failed{timeout}: {cause}", self.host))
        })?;
        let status = answer.status();
        let retry_after = answer.headers().get(RETRY_AFTER).cloned();
        drain(answer).await;
        let answered = || format!("{} answered {status}", self.host);
        match self.config.statuses.verdict(status) {
            Verdict::Delivered => Ok(None),
            Verdict::Rejected => Ok(Some(answered())),
            Verdict::Wait => {
                let header = retry_after.as_ref().and_then(|value| value.to_str().ok());
                let wait = header.and_then(|text| retry_after::parse(text, SystemTime::now()));
                Err(SinkError::transient(answered()).with_hint(verdict::hint(status)).retry_after(wait))
            }
        }
    }
}

/// Host and port, without user, password, path and parameters.
fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Reads the answer's body, which is not used otherwise: only then can the connection be used again.
async fn drain(mut answer: Response) {
    let read = async {
        let mut left = DRAIN_BYTES;
        while let Ok(Some(chunk)) = answer.chunk().await {
            left = left.saturating_sub(chunk.len());
            if left == 0 {
                break;
            }
        }
    };
    // A long or slow body costs more than a new connection.
    let _ = tokio::time::timeout(DRAIN_TIME, read).await;
}

/// The innermost error says what happened ("connection refused"), the outer ones only where.
fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[async_trait]
impl Store for HttpConfig {
    async fn open(&self) -> Result<Arc<dyn Sink>, SinkError> {
        Ok(Arc::new(Http::open(self)?))
    }
}

#[async_trait]
impl Sink for Http {
    /// Nothing to ask: an endpoint need not answer anything but the method it is configured for.
    async fn check(&self) -> Result<(), SinkError> {
        Ok(())
    }

    async fn write(&self, batch: &Batch<'_>) -> Result<Outcome, SinkError> {
        let mut groups: Vec<Vec<&Record<'_>>> = Vec::new();
        let mut of_key: HashMap<&[u8], usize> = HashMap::new();
        for record in batch.records.iter().filter(|record| record.change.form != Form::Tombstone) {
            match record.key {
                None => groups.push(vec![record]),
                Some(key) => {
                    let at = *of_key.entry(key).or_insert(groups.len());
                    match groups.get_mut(at) {
                        Some(group) => group.push(record),
                        None => groups.push(vec![record]),
                    }
                }
            }
        }
        let settled_before = self.settled_count(batch.partition);
        let failed = AtomicBool::new(false);
        let sending: Vec<_> =
            groups.into_iter().map(|group| self.send_group(batch.partition, group, &failed)).collect();
        // After a failure, requests under way still get their answers; no new ones begin.
        let results: Vec<_> = stream::iter(sending).buffer_unordered(CONCURRENCY).collect().await;
        if let Some(error) = results.into_iter().find_map(Result::err) {
            return Err(error.progressed(self.settled_count(batch.partition) > settled_before));
        }
        let mut settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        let of_partition = settled.remove(batch.partition).unwrap_or_default();
        let rejected = of_partition
            .into_iter()
            .filter_map(|(position, reason)| Some(Rejected { position, reason: reason? }));
        Ok(Outcome::Durable { rejected: rejected.collect() })
    }

    async fn released(&self, partition: &Partition) {
        self.settled.lock().unwrap_or_else(PoisonError::into_inner).remove(partition);
    }
}
