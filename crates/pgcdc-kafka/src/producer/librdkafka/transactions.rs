//! Kafka transactions of a [`Librdkafka`]: begun, ended on another thread, aborted.
//!
//! ```text
//!  open ─▶ (records) ─▶ end ──▶ has_ended ─▶ (records) ─▶ …
//!                        └ another thread flushes, commits and begins the next; no record may be sent meanwhile
//! ```
//! librdkafka's calls block, and rdkafka's `flush` polls in slices of 100 ms. So that thread waits for the last delivery itself,
//! in steps of a millisecond, before it commits.

use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, RDKafkaError};
use rdkafka::producer::Producer as _;
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use super::super::record::TAKE_OVER_LIMIT;
use super::client::Librdkafka;
use crate::topics::blocking;
use crate::{Error, Result};

/// How long one blocking call lasts before it is taken up again.
const SLICE: Duration = Duration::from_secs(5);

/// The transactions of one producer whose properties have a `transactional.id`.
#[derive(Debug)]
pub(crate) struct Transactions {
    /// The producer.
    producer: Librdkafka,
    /// How long a transaction may take to end before it counts as failed.
    limit: Duration,
    /// Where the thread that commits tells how it went; `None` when no commit is under way.
    ending: Option<oneshot::Receiver<Result<()>>>,
}

impl Transactions {
    /// Takes the transactional id over and begins the first transaction. A producer that had the id before is fenced, and its
    /// open transaction aborted. `limit` is the transaction's timeout.
    ///
    /// # Errors
    /// When no coordinator answers within a minute, or the brokers refuse the id or its timeout.
    pub(crate) async fn open(producer: Librdkafka, limit: Duration) -> Result<Self> {
        let same = producer.clone();
        blocking(move || {
            let end = Instant::now() + TAKE_OVER_LIMIT;
            resume(end, || same.client().init_transactions(SLICE))
                .and_then(|()| same.client().begin_transaction())
                .map_err(|error| failure(&same, "take the transactional id over", error))
        })
        .await?;
        Ok(Self { producer, limit, ending: None })
    }

    /// Begins to flush and commit the transaction and to begin the next, on another thread. Nothing may be sent until
    /// [`has_ended`](Self::has_ended) is true. Must be called within a tokio runtime.
    pub(crate) fn end(&mut self) {
        let (producer, limit) = (self.producer.clone(), self.limit);
        let (sender, receiver) = oneshot::channel();
        self.ending = Some(receiver);
        tokio::task::spawn_blocking(move || {
            // Nobody listens when the caller has given up.
            let _ = sender.send(end(&producer, Instant::now() + limit));
        });
    }

    /// Whether a transaction that was to [`end`](Self::end) is committed and the next one has begun. True once for each end.
    ///
    /// # Errors
    /// When it is not known to be committed: the producer is of no use then. Whether it was shows in what a reader of committed
    /// records finds after the next [`open`](Self::open).
    pub(crate) fn has_ended(&mut self) -> Result<bool> {
        let Some(ending) = &mut self.ending else { return Ok(false) };
        let ended = match ending.try_recv() {
            Err(TryRecvError::Empty) => return Ok(false),
            Ok(ended) => ended,
            Err(TryRecvError::Closed) => Err(Error::other("a commit was cut short", true)),
        };
        self.ending = None;
        ended.map(|()| true)
    }

    /// Aborts the transaction, so that readers need not wait for its timeout. Returns when that is done, or after `limit`.
    pub(crate) async fn abort(self, limit: Duration) {
        let aborted = blocking(move || {
            let end = Instant::now() + limit;
            while Instant::now() < end {
                // In short slices, since the reports of purged records must be taken in between.
                match self.producer.client().abort_transaction(Duration::from_millis(20)) {
                    Err(KafkaError::Transaction(error)) if error.is_retriable() => {}
                    other => {
                        return other
                            .map_err(|error| failure(&self.producer, "abort the transaction", error));
                    }
                }
                // These reports are failures, as is meant.
                let _ = self.producer.poll(&mut Vec::new());
            }
            Ok(())
        });
        if let Err(error) = aborted.await {
            tracing::debug!(%error, "a transaction was left to its timeout");
        }
    }
}

/// Flushes and commits the transaction and begins the next, on the other thread.
fn end(producer: &Librdkafka, until: Instant) -> Result<()> {
    let client = producer.client();
    let mut delivered = Vec::new();
    while producer.in_flight() > 0 {
        producer.send_now();
        producer.poll_transaction(&mut delivered)?;
        delivered.clear();
        if Instant::now() >= until {
            return Err(Error::other("records of a transaction were not delivered before its timeout", true));
        }
    }
    producer.poll_transaction(&mut delivered)?;
    resume(until, || client.commit_transaction(SLICE))
        .and_then(|()| client.begin_transaction())
        .map_err(|error| failure(producer, "commit a transaction", error))
}

/// Repeats a call that only took too long.
fn resume(until: Instant, mut call: impl FnMut() -> Result<(), KafkaError>) -> Result<(), KafkaError> {
    loop {
        match call() {
            Err(KafkaError::Transaction(error)) if may_resume(&error) && Instant::now() < until => {}
            other => return other,
        }
    }
}

/// Whether the same call can be made once more: librdkafka goes on where it stopped.
fn may_resume(error: &RDKafkaError) -> bool {
    error.is_retriable() && !error.is_fatal() && !error.txn_requires_abort()
}

/// The client's own reason for its end where it has one, since that says more than the call that met it.
fn failure(producer: &Librdkafka, what: &str, error: KafkaError) -> Error {
    producer.fatal_error().unwrap_or_else(|| {
        let reason = match &error {
            KafkaError::Transaction(error) => error.string(),
            other => other.to_string(),
        };
        Error::client(format!("{what}: {reason}"), error)
    })
}

impl Librdkafka {
    /// As [`poll`](Self::poll), for a producer with transactions: a failure tells the client's own reason.
    ///
    /// # Errors
    /// As [`poll`](Self::poll).
    pub(crate) fn poll_transaction(&self, delivered: &mut Vec<usize>) -> Result<()> {
        self.poll(delivered).map_err(|error| self.fatal_error().unwrap_or(error))
    }

    /// Why the client cannot be used any more, if so.
    #[must_use]
    pub(crate) fn fatal_error(&self) -> Option<Error> {
        let (code, reason) = self.client().client().fatal_error()?;
        Some(Error::client(format!("write to Kafka: {reason}"), KafkaError::Global(code)))
    }
}
