//! Records to Kafka in transactions, each with the offset that tells how far its records reach.
//!
//! ```text
//!           records             end: offset record, and commit
//!  Output ───────────▶ producer ───────────────────────────────▶ committed ─▶ ledger
//!     └─ while that runs ─▶ the next transaction
//! ```
//! A record counts as delivered when its transaction is committed. While a commit runs, our own producer takes records of
//! the next transaction. librdkafka takes none: records that come then are held back (bounded), so that reading and
//! encoding go on.

use std::time::{Duration, Instant};

use pgcdc_event::Record;
use pgcdc_kafka::{Code, Topic};

use super::error::kafka_error;
use super::held::{Held, Released};
use super::output::KafkaOutput;
use super::transaction_pace::Pace;
use crate::config;
use crate::figures::Figures;
use crate::ledger::{Ledger, Sequence};
use crate::offsets::OffsetRecord;
use crate::output::Sent;
use crate::position::Reached;
use crate::{Error, Result};

/// Transactions of the server in one Kafka transaction, at most: its bookkeeping must stay small.
const MOST_RUNS: usize = Ledger::MOST_TRANSACTIONS / 2;

/// How long an end may take when we stop.
const ABORT_LIMIT: Duration = Duration::from_secs(5);

/// See the [module](self).
#[derive(Debug)]
pub(super) struct TransactionalOutput {
    pub(super) kafka: KafkaOutput,
    transactional_id: String,
    timeout: Duration,
    state: State,
    pace: Pace,
    /// Records of the open transaction.
    runs: Runs,
    /// Records of the transaction that is ending, and when its first record came.
    ending: Runs,
    ending_since: Instant,
    /// Where offsets go.
    offsets: Option<(String, Topic)>,
    /// Records that wait for the next transaction.
    held: Held,
    /// The position in the offset of the last transaction that is ending or committed.
    written: Reached,
    /// The same of the last committed transaction.
    committed: Reached,
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
    pub(super) async fn open(mut kafka: KafkaOutput, settings: &config::ExactlyOnce) -> Result<Self> {
        let id = settings.transactional_id.clone();
        let begun = kafka.producer.begin_transactions(settings.timeout).await.map_err(kafka_error);
        begun.map_err(|error| explain(&id, Duration::ZERO, settings.timeout, error))?;
        tracing::info!(
            transactional.id = id,
            "exactly once: transactions begin, an older instance is fenced"
        );
        Ok(Self {
            kafka,
            transactional_id: id,
            timeout: settings.timeout,
            state: State::Open,
            pace: Pace::new(settings.boundary, settings.timeout, Instant::now()),
            runs: Runs::default(),
            ending: Runs::default(),
            ending_since: Instant::now(),
            offsets: None,
            held: Held::default(),
            written: Reached::default(),
            committed: Reached::default(),
            handles: Vec::new(),
        })
    }

    /// Goes on from the committed offset, which says `reached`.
    pub(super) fn continue_from(&mut self, reached: Reached) {
        self.written = reached;
        self.committed = reached;
    }

    /// The position in the offset of the last transaction that is ending or committed.
    pub(super) fn written(&self) -> Reached {
        self.written
    }

    /// The position in the offset of the last committed transaction, from which the next start goes on.
    pub(super) fn committed(&self) -> Reached {
        self.committed
    }

    pub(super) fn send(&mut self, record: &Record<'_>, sequence: Sequence) -> Result<Sent> {
        if !self.takes() || !self.held.is_empty() {
            return Ok(self.held.push(record, sequence));
        }
        let sent = self.kafka.send(record, sequence).map_err(|error| self.refused(error))?;
        if sent == Sent::Queued {
            self.pace.record(Instant::now);
            self.runs.add(sequence, 1);
        }
        Ok(sent)
    }

    /// Whether records may go to the producer.
    #[inline]
    fn takes(&self) -> bool {
        match self.state {
            State::Open => true,
            State::Closing(_) => false,
            State::Ending => self.kafka.producer.runs_ahead(),
        }
    }

    /// What the producer has done.
    pub(super) fn figures(&self) -> Figures {
        self.kafka.figures()
    }

    /// Notes commits that are done, and sends records and an offset that wait. Ends no open transaction.
    pub(super) fn poll(&mut self, delivered: &mut Vec<Sequence>) -> Result<()> {
        if matches!(self.state, State::Ending) {
            let ended = self.kafka.producer.has_committed().map_err(|error| self.fail(kafka_error(error)))?;
            if !ended && !self.kafka.producer.runs_ahead() {
                return Ok(());
            }
            if ended {
                for (sequence, count) in self.ending.0.drain(..) {
                    delivered
                        .extend(std::iter::repeat_n(sequence, usize::try_from(count).unwrap_or(usize::MAX)));
                }
                self.state = State::Open;
                self.committed = self.written;
                if !self.kafka.producer.runs_ahead() {
                    self.pace.restart(Instant::now());
                }
                tracing::debug!(held = self.held.len(), "it is committed");
            }
        }
        self.handles.clear();
        self.kafka.producer.poll(&mut self.handles).map_err(|error| self.fail(kafka_error(error)))?;
        self.kafka.advance()?;
        self.release()?;
        self.close()
    }

    /// Sends the records that were held back, as far as there is room.
    fn release(&mut self) -> Result<()> {
        if !self.takes() {
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
        if let Some(offset) = offset
            && self.write(&offset.clone()).map_err(|error| self.fail(error))? == Sent::Full
        {
            return Ok(());
        }
        let now = Instant::now();
        self.kafka.producer.commit();
        self.state = State::Ending;
        self.ending_since = now - self.pace.age(now);
        std::mem::swap(&mut self.runs, &mut self.ending);
        if self.kafka.producer.runs_ahead() {
            self.pace.restart(now);
        }
        Ok(())
    }

    fn write(&mut self, OffsetRecord { topic, key, value }: &OffsetRecord) -> Result<Sent> {
        let producer = &mut self.kafka.producer;
        let target = match &mut self.offsets {
            Some((known, target)) if known == topic => target,
            offsets => {
                let target = producer.topic(topic).map_err(kafka_error)?;
                &mut offsets.insert((topic.clone(), target)).1
            }
        };
        if !producer.is_known(target) {
            return Ok(Sent::Full);
        }
        let sent = producer.send_beside(target, key.as_bytes(), Some(value.as_bytes()));
        sent.map(Sent::from).map_err(kafka_error)
    }

    /// Whether the open transaction may end here and now, because it is time to. `looked`: all that was there has
    /// been read. Must not be asked between the records of one change.
    pub(super) fn is_due(&mut self, inside: bool, looked: bool) -> bool {
        if !self.can_end() {
            return false;
        }
        let now = Instant::now();
        let many = self.runs.0.len() >= MOST_RUNS && !inside;
        many || if looked { self.pace.look(inside, now) } else { self.pace.is_due(inside, now) }
    }

    /// Whether a transaction is open, and everything that was handed over is in it.
    pub(super) fn can_end(&self) -> bool {
        matches!(self.state, State::Open) && self.held.is_empty()
    }

    /// Whether there is nothing that could be committed.
    pub(super) fn is_settled(&self) -> bool {
        self.can_end() && self.pace.is_empty()
    }

    /// Ends the open transaction, with an offset if there is a new one.
    pub(super) fn end(&mut self, offset: Option<OffsetRecord>, reached: Reached) -> Result<()> {
        let open_ms = self.pace.age(Instant::now()).as_millis();
        tracing::debug!(open_ms, runs = self.runs.0.len(), "a Kafka transaction ends");
        self.written = reached;
        self.state = State::Closing(offset);
        self.close()
    }

    /// Aborts the open transaction, so that readers need not wait for its timeout. A commit that runs cannot be called back:
    /// its end is waited for.
    pub(super) async fn abort(mut self) {
        let end = Instant::now() + ABORT_LIMIT;
        while matches!(self.state, State::Ending) && Instant::now() < end {
            match self.kafka.producer.has_committed() {
                Ok(false) => tokio::time::sleep(Duration::from_millis(1)).await,
                Ok(true) => {
                    self.state = State::Open;
                    if !self.kafka.producer.runs_ahead() {
                        return;
                    }
                }
                Err(_) => break,
            }
        }
        if !self.pace.is_empty() || matches!(self.state, State::Ending) {
            self.kafka.producer.abort(ABORT_LIMIT).await;
        }
    }

    fn fail(&self, error: Error) -> Error {
        let now = Instant::now();
        let age = match self.state {
            State::Ending => now.saturating_duration_since(self.ending_since),
            State::Open | State::Closing(_) => self.pace.age(now),
        };
        explain(&self.transactional_id, age, self.timeout, error)
    }

    /// The same for a record that was refused: the producer knows better why it takes none.
    fn refused(&mut self, error: Error) -> Error {
        if let Some(fatal) = self.kafka.producer.fatal_error() {
            return self.fail(kafka_error(fatal));
        }
        self.handles.clear();
        if let Err(why) = self.kafka.producer.poll(&mut self.handles) {
            return self.fail(kafka_error(why));
        }
        if of_kafka(&error).is_some_and(|source| source.code() == Some(Code::State)) {
            return Error::transient(
                "the transaction must be aborted; the connector goes on from the last one",
            )
            .with_source(error);
        }
        error
    }
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

/// What Kafka said, if the error is one of Kafka's.
fn of_kafka(error: &Error) -> Option<&pgcdc_kafka::Error> {
    std::error::Error::source(error)?.downcast_ref()
}

/// Says what Kafka's error means for a transaction of this `age`.
fn explain(id: &str, age: Duration, timeout: Duration, error: Error) -> Error {
    let Some(reason) = of_kafka(&error) else { return error };
    let text = reason.to_string();
    let ours = match reason.code() {
        // The broker says the same of a transaction that it gave up, say because this process was suspended.
        _ if reason.is_fenced() && age >= timeout => Error::transient(format!(
            "the broker gave a transaction up that was open for {} s, longer than transaction.timeout.ms: {text}",
            age.as_secs()
        )),
        _ if reason.is_fenced() => Error::fatal(format!(
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
        .with_hint(match reason.hint() {
            Some(grant) => format!("{grant}\nor set exactly.once.support=requested"),
            None => format!(
                "grant it: kafka-acls --add --producer --transactional-id {id} --topic … --allow-principal …; or set exactly.once.support=requested"
            ),
        }),
        Some(Code::UnsupportedVersion | Code::UnsupportedFeature) => {
            Error::configuration(format!("the brokers know no transactions: {text}"))
                .with_hint("exactly.once.support=required needs Kafka 0.11 or later; set requested for at-least-once")
        }
        Some(Code::CoordinatorNotAvailable | Code::NotCoordinator | Code::OperationTimedOut | Code::WaitingForCoordinator) => {
            Error::transient(format!("no transaction coordinator for {id:?}: {text}")).with_hint(
                "check that the brokers are up, and that there are as many as their transaction.state.log.replication.factor says",
            )
        }
        _ => return error,
    };
    ours.in_place_of(error)
}
