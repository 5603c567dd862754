//! Records to Kafka in transactions, each with the offset that tells how far its records reach.
//!
//! ```text
//!           records                     end: offset record, then flush and commit on a helper
//!  Output ───────────▶ producer ────────────────────────────────────────▶ committed ─▶ ledger
//!     └─ while that runs ─▶ held back (bounded) ─▶ the next transaction
//! ```
//! A record counts as delivered when its transaction is committed. librdkafka takes no record while it commits: what
//! comes meanwhile is held back, so that reading and encoding go on.

use std::time::{Duration, Instant};

use pgcdc_event::Record;
use pgcdc_kafka::{Producer, Transactions};
use rdkafka::types::RDKafkaErrorCode as Code;

use super::Sent;
use super::held::{Held, Released};
use super::kafka::{KafkaOutput, kafka_error};
use super::transaction_pace::Pace;
use super::transaction_position::Reached;
use crate::config::ExactlyOnce;
use crate::ledger::{Ledger, Sequence};
use crate::{Error, Result};

/// Bookkeeping of one Kafka transaction is bounded: it ends after so many transactions of the server.
const MOST_RUNS: usize = Ledger::MOST_TRANSACTIONS / 2;

/// How long an abort may take when we stop.
const ABORT_LIMIT: Duration = Duration::from_secs(5);

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct TransactionalOutput {
    pub(crate) kafka: KafkaOutput,
    producer: Producer,
    transactions: Transactions,
    transactional_id: String,
    timeout: Duration,
    state: State,
    pace: Pace,
    /// Records of the transaction that is open or ending.
    runs: Runs,
    /// Records that wait for the next transaction.
    held: Held,
    /// What the last committed or ending transaction said.
    written: Reached,
    handles: Vec<usize>,
}

#[derive(Debug)]
enum State {
    /// Records go in.
    Open,
    /// The transaction ends once its offset is in.
    Closing(Option<OffsetRecord>),
    /// It is being committed.
    Ending,
}

/// Sequences of records, as (sequence, count): whole transactions of the server come one after the other.
#[derive(Debug, Default)]
struct Runs(Vec<(Sequence, u64)>);

impl TransactionalOutput {
    /// Fences whoever wrote with the same transactional id, and begins.
    pub(crate) async fn open(kafka: KafkaOutput, settings: &ExactlyOnce) -> Result<Self> {
        let producer = kafka.producer()?.clone();
        let id = settings.transactional_id.clone();
        let transactions = Transactions::open(producer.clone(), settings.timeout)
            .await
            .map_err(|error| explain(&id, Duration::ZERO, settings.timeout, error))?;
        tracing::info!(
            transactional.id = id,
            "exactly once: transactions begin, an older instance is fenced"
        );
        Ok(Self {
            kafka,
            producer,
            transactions,
            transactional_id: id,
            timeout: settings.timeout,
            state: State::Open,
            pace: Pace::new(settings.boundary, settings.timeout, Instant::now()),
            runs: Runs::default(),
            held: Held::default(),
            written: Reached::default(),
            handles: Vec::new(),
        })
    }

    /// What the committed offset says: what is not further is not written again.
    pub(crate) fn continue_from(&mut self, reached: Reached) {
        self.written = reached;
    }

    pub(crate) fn send(&mut self, record: &Record<'_>, sequence: Sequence) -> Result<Sent> {
        if !matches!(self.state, State::Open) || !self.held.is_empty() {
            return Ok(self.held.push(record, sequence));
        }
        let sent = self.kafka.send(record, sequence).map_err(|error| self.refused(error))?;
        if sent == Sent::Queued {
            self.pace.record(Instant::now);
            self.runs.add(sequence, 1);
        }
        Ok(sent)
    }

    /// Takes in what is committed, and moves on what waits. Ends no transaction that is open.
    pub(crate) fn poll(&mut self, delivered: &mut Vec<Sequence>) -> Result<()> {
        if matches!(self.state, State::Ending) {
            let ended = self.transactions.has_ended().map_err(|error| self.fail(error))?;
            if !ended {
                return Ok(());
            }
            for (sequence, count) in self.runs.0.drain(..) {
                delivered.extend(std::iter::repeat_n(sequence, usize::try_from(count).unwrap_or(usize::MAX)));
            }
            self.state = State::Open;
            self.pace.restart(Instant::now());
            tracing::debug!(held = self.held.len(), "it is committed");
        }
        self.handles.clear();
        self.producer.poll_transaction(&mut self.handles).map_err(|error| self.fail(error))?;
        self.kafka.advance()?;
        self.release()?;
        self.close()
    }

    /// Sends what was held back, as far as there is room.
    fn release(&mut self) -> Result<()> {
        if !matches!(self.state, State::Open) {
            return Ok(());
        }
        let mut held = std::mem::take(&mut self.held);
        let released = held.release(|record, sequence| match self.kafka.send(record, sequence) {
            Ok(Sent::Full) => Ok(Released::Full),
            Ok(Sent::Queued) => {
                self.pace.record(Instant::now);
                self.runs.add(sequence, 1);
                Ok(Released::Gone)
            }
            Err(error) => Err(self.refused(error)),
        });
        self.held = held;
        released.map(|_| ())
    }

    /// Puts the offset in, and hands the transaction to the helper.
    fn close(&mut self) -> Result<()> {
        let State::Closing(offset) = &self.state else { return Ok(()) };
        if let Some(OffsetRecord { topic, key, value }) = offset {
            let topic = self.producer.topic(topic).map_err(|error| self.fail(error))?;
            let sent = self.producer.send(&topic, Some(key.as_bytes()), Some(value.as_bytes()), None, 0);
            if sent.map_err(|error| self.fail(error))? == pgcdc_kafka::Sent::Full {
                return Ok(());
            }
        }
        self.transactions.end();
        self.state = State::Ending;
        Ok(())
    }

    /// Whether the open transaction may end here and now, because it is time to. `looked`: all that was there has
    /// been read. Must not be asked between the records of one change.
    pub(crate) fn is_due(&mut self, inside: bool, looked: bool) -> bool {
        if !self.can_end() {
            return false;
        }
        let now = Instant::now();
        let many = self.runs.0.len() >= MOST_RUNS && !inside;
        many || if looked { self.pace.look(inside, now) } else { self.pace.is_due(inside, now) }
    }

    /// Whether a transaction is open, and everything that was handed over is in it.
    pub(crate) fn can_end(&self) -> bool {
        matches!(self.state, State::Open) && self.held.is_empty()
    }

    /// Whether there is nothing that could be committed.
    pub(crate) fn is_settled(&self) -> bool {
        self.can_end() && self.pace.is_empty()
    }

    /// Whether the offset must be written again.
    pub(crate) fn has_moved(&self, reached: Reached) -> bool {
        self.written != reached
    }

    /// Ends the open transaction, with an offset if there is a new one.
    pub(crate) fn end(&mut self, offset: Option<OffsetRecord>, reached: Reached) -> Result<()> {
        let open_ms = self.pace.age(Instant::now()).as_millis();
        tracing::debug!(open_ms, runs = self.runs.0.len(), "a Kafka transaction ends");
        self.written = reached;
        self.state = State::Closing(offset);
        self.close()
    }

    /// Gives up what is not committed.
    pub(crate) async fn abort(self) {
        // What is being committed is beyond recall.
        if !matches!(self.state, State::Ending) && !self.pace.is_empty() {
            self.transactions.abort(ABORT_LIMIT).await;
        }
    }

    fn fail(&self, error: pgcdc_kafka::Error) -> Error {
        explain(&self.transactional_id, self.pace.age(Instant::now()), self.timeout, error)
    }

    /// The same for a record that was refused: the producer knows better why it takes none.
    fn refused(&mut self, error: Error) -> Error {
        if let Some(fatal) = self.producer.fatal_error() {
            return self.fail(fatal);
        }
        self.handles.clear();
        if let Err(why) = self.producer.poll_transaction(&mut self.handles) {
            return self.fail(why);
        }
        let source =
            std::error::Error::source(&error).and_then(|source| source.downcast_ref::<pgcdc_kafka::Error>());
        if source.is_some_and(|source| source.code() == Some(Code::State)) {
            return Error::transient(
                "the transaction must be aborted; the connector goes on from the last one",
            )
            .with_source(error);
        }
        error
    }
}

/// What goes into the offsets topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OffsetRecord {
    pub(crate) topic: String,
    pub(crate) key: String,
    pub(crate) value: String,
}

impl Runs {
    #[inline]
    fn add(&mut self, sequence: Sequence, count: u64) {
        match self.0.last_mut() {
            Some((last, of)) if *last == sequence => *of += count,
            _ => self.0.push((sequence, count)),
        }
    }
}

/// Kafka's error with what it means for a transaction of this `age`.
fn explain(id: &str, age: Duration, timeout: Duration, error: pgcdc_kafka::Error) -> Error {
    let text = error.to_string();
    let ours = match error.code() {
        // The broker says the same of a transaction that it gave up, say because this process was suspended.
        _ if error.is_fenced() && age >= timeout => Error::transient(format!(
            "the broker gave a transaction up that was open for {} s, longer than transaction.timeout.ms: {text}",
            age.as_secs()
        )),
        _ if error.is_fenced() => Error::fatal(format!(
            "another instance has taken over: it writes with the same transactional id {id:?}, and this one is fenced off ({text})"
        ))
        .with_hint(
            "run a connector once; two different connectors need different names (name, or group.id)",
        ),
        Some(Code::InvalidTransactionTimeout) => Error::configuration(format!(
            "the brokers refuse a transaction timeout of {} ms: {text}",
            timeout.as_millis()
        ))
        .with_hint(
            "lower producer.override.transaction.timeout.ms (or transaction.boundary.interval.ms, of which it is twice), or raise transaction.max.timeout.ms of the brokers",
        ),
        Some(Code::TransactionalIdAuthorizationFailed) => Error::configuration(format!(
            "the user may not write with the transactional id {id:?}: {text}"
        ))
        .with_hint(format!(
            "grant it: kafka-acls --add --producer --transactional-id {id} --topic … --allow-principal …; or set exactly.once.support=requested"
        )),
        Some(Code::UnsupportedVersion | Code::UnsupportedFeature) => {
            Error::configuration(format!("the brokers know no transactions: {text}"))
                .with_hint("exactly.once.support=required needs Kafka 0.11 or later; set requested for at-least-once")
        }
        Some(Code::CoordinatorNotAvailable | Code::NotCoordinator | Code::OperationTimedOut | Code::WaitingForCoordinator) => {
            Error::transient(format!("no transaction coordinator for {id:?}: {text}")).with_hint(
                "check that the brokers are up, and that there are as many as their transaction.state.log.replication.factor says",
            )
        }
        _ => return kafka_error(error),
    };
    ours.with_source(error)
}
