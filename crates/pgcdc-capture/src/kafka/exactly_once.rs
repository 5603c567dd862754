//! Exactly-once: each Kafka transaction holds records and the position in the stream that they reach.
//!
//! [`TransactionalOutput`] knows Kafka's transactions and nothing of Postgres. Here is what decides when one ends, which
//! offset goes into it, and which changes are skipped since an earlier run has committed them.

use std::time::{Duration, Instant};

use pgcdc_event::{Lsn, Record, TopicId};

use super::output::KafkaOutput;
use super::transaction::TransactionalOutput;
use crate::Result;
use crate::clock::now_ns;
use crate::config;
use crate::figures::Figures;
use crate::ledger::Sequence;
use crate::offsets::{Offset, OffsetStore, Pauses};
use crate::output::Sent;
use crate::position::{Position, Reached};

/// Records to Kafka, exactly once. See the [module](self).
#[derive(Debug)]
pub(crate) struct ExactlyOnceOutput {
    output: TransactionalOutput,
    position: Position,
    /// Where offsets are stored, and what they say beside the position. `None` while a snapshot is taken.
    offsets: Option<(OffsetStore, Offset)>,
    /// When the last Kafka transaction was told to end.
    ended: Instant,
    /// How soon an offset may be written again.
    pauses: Pauses,
}

impl ExactlyOnceOutput {
    /// Fences an older instance with the same transactional id off, and begins the first Kafka transaction.
    pub(crate) async fn open(kafka: KafkaOutput, settings: &config::ExactlyOnce) -> Result<Self> {
        Ok(Self {
            output: TransactionalOutput::open(kafka, settings).await?,
            position: Position::default(),
            offsets: None,
            ended: Instant::now(),
            pauses: Pauses::new(Duration::from_millis(500)),
        })
    }

    /// Makes a topic known.
    pub(crate) fn topic(&mut self, name: &str) -> TopicId {
        self.output.kafka.topic(name)
    }

    /// The name of a topic that was made known.
    pub(crate) fn name(&self, id: TopicId) -> Option<&str> {
        self.output.kafka.name(id)
    }

    /// Hands a record over.
    #[inline]
    pub(crate) fn send(&mut self, record: &Record<'_>, sequence: Sequence) -> Result<Sent> {
        self.output.send(record, sequence)
    }

    /// Appends the sequences of records whose transaction was committed since the last call.
    /// What the producer has done.
    pub(crate) fn figures(&self) -> Figures {
        self.output.figures()
    }

    pub(crate) fn poll(&mut self, delivered: &mut Vec<Sequence>) -> Result<()> {
        self.output.poll(delivered)
    }

    /// The stream goes on from `offset`, which is committed in `store`. From now on an offset is part of each Kafka
    /// transaction, and changes that this one has are skipped when the server sends them again.
    pub(crate) fn stream_from(&mut self, store: &OffsetStore, offset: Offset, pauses: Pauses) {
        let reached = offset.reached_or_lsn();
        self.pauses = pauses;
        self.output.continue_from(reached);
        self.position = Position::new(reached);
        self.offsets = Some((store.clone(), offset));
    }

    /// The position of the last committed Kafka transaction: the server may be told no later one.
    pub(crate) fn committed(&self) -> Lsn {
        self.output.committed().end
    }

    /// A transaction of the server begins, whose commit record starts at `commit`.
    pub(crate) fn begin(&mut self, commit: Lsn) {
        self.position.begin(commit);
    }

    /// The transaction is complete; `end` is the position behind its commit record.
    pub(crate) fn commit(&mut self, end: Lsn) {
        self.position.commit(end);
    }

    /// The next change is a message outside of transactions, whose WAL record ends at `end`.
    pub(crate) fn outside(&mut self, end: Lsn) {
        self.position.outside(end);
    }

    /// The server has nothing more up to `end`.
    pub(crate) fn idle(&mut self, end: Lsn) {
        self.position.idle(end);
    }

    /// Whether the next change was committed by an earlier run.
    pub(crate) fn is_committed(&self) -> bool {
        !self.position.is_due()
    }

    /// The next change was handed over with all its records, or skipped.
    pub(crate) fn change(&mut self) {
        self.position.change();
    }

    /// Ends the open Kafka transaction if it is time to. `looked`: everything that the socket had was read. Must not be
    /// called between the records of one change.
    pub(crate) fn end_if_due(&mut self, looked: bool) -> Result<()> {
        let due = self.output.is_due(self.position.is_half_written(), looked) || (looked && self.has_idled());
        if due { self.end() } else { Ok(()) }
    }

    /// Ends the open Kafka transaction if it holds anything, or if the position has moved.
    pub(crate) fn end_now(&mut self) -> Result<()> {
        let ends = self.output.can_end() && (!self.output.is_settled() || self.is_behind());
        if ends { self.end() } else { Ok(()) }
    }

    /// Whether there is nothing that could be committed.
    pub(crate) fn is_settled(&self) -> bool {
        self.output.is_settled()
    }

    /// Ends the open Kafka transaction with this offset, where there is a topic for it.
    pub(crate) fn store(&mut self, offsets: &OffsetStore, offset: &Offset) -> Result<()> {
        let record = offsets.record(offset, now_ns() / 1000);
        self.output.end(record, offset.reached.unwrap_or_default())
    }

    /// Gives up what is not committed, so that readers need not wait for its timeout.
    pub(crate) async fn abort(self) {
        self.output.abort().await;
    }

    /// Whether the server has shown a later position than the last offset has.
    fn is_behind(&self) -> bool {
        self.offsets.is_some() && self.position.reached().end > self.output.written().end
    }

    /// Whether that is so although no record comes, and it is time to write the offset alone: without it nothing may be
    /// confirmed, and the slot of an idle database would hold WAL back.
    fn has_idled(&self) -> bool {
        self.is_behind() && self.output.is_settled() && self.ended.elapsed() >= self.pauses.idle
    }

    /// Ends the open Kafka transaction, with an offset if the position has moved.
    fn end(&mut self) -> Result<()> {
        self.ended = Instant::now();
        let reached = self.position.reached();
        let record = self.offsets.as_ref().filter(|_| self.output.written() != reached);
        let record = record.and_then(|(store, offset)| store.record(&at(offset, reached), now_ns() / 1000));
        self.output.end(record, reached)
    }
}

/// The offset at a later position.
fn at(offset: &Offset, reached: Reached) -> Offset {
    Offset { lsn: offset.lsn.max(reached.end), reached: Some(reached), ..offset.clone() }
}
