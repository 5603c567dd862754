//! Transactions: finds the coordinator, adds partitions to the open transaction, and ends it.
//!
//! ```text
//!  find the coordinator ─▶ take the id over ─▶ ┌─▶ add partitions ─▶ (batches) ─▶ all durable ─▶ end ─┐
//!                                              └──────────────────────────────────────────────────────┘
//! ```
//! A partition is added when its first batch of a transaction is there. Where the cluster has `transaction.version` 2 (Kafka 4.0 and
//! later), partitions need not be added: each joins by its first batch, and the end gives the epoch of the next transaction, so
//! that a late batch of the last one is refused (KIP-890). Batches that come after the caller asked for the end wait until the next
//! transaction begins.
//!
//! Source: Kafka's documentation, "Protocol Guide", KIP-98, and KIP-890.
//!
//! | | added by `AddPartitionsToTxn` | join by themselves (KIP-890) | |---|---|---| | brokers | all | 4.0 and later with
//! `transaction.version` 2 | | a partition's first batch | waits for the coordinator's answer | goes at once; its leader asks
//! the coordinator | | the end of the transaction before is still being written | `CONCURRENT_TRANSACTIONS` from the
//! coordinator | the same from the leader, for the batch | | epoch | stays for the producer's life | one more with each
//! transaction | | a batch of an old transaction that comes late | could join the next one | is refused, since its epoch is old
//! |

use std::time::{Duration, Instant};

use super::super::broker::{Asked, Broker};
use super::super::command::{Event, TAKE_OVER};
use super::super::failure::{self, NOT_COORDINATOR, OPERATION_NOT_ATTEMPTED, Outcome};
use super::super::partition::{Membership, Pending};
use super::super::protocol::{Answer, Request};
use super::super::state::Sender;
use super::super::timing::BACKOFF;
use super::super::transactional::{Ending, Transactional};
use crate::{Code, Error};

impl Sender {
    /// Begins to take the transactional id over.
    pub(super) fn take_over(&mut self) {
        if let Some(transactional) = &mut self.transactional {
            transactional.wanted = true;
        }
    }

    /// Begins to end the open transaction.
    pub(super) fn end_transaction(&mut self, commit: bool) {
        let Some(transactional) = &mut self.transactional else { return };
        transactional.ending = Some(Ending { commit, since: Instant::now(), asked: false });
        if !commit {
            // Batches that were not sent are dropped. Those in flight are answered first: after the end the broker would
            // count them to the next transaction.
            for partition in &mut self.partitions {
                self.pending -= partition.queue.len() - partition.sent;
                partition.queue.truncate(partition.sent);
            }
        }
    }

    /// Keeps a batch that belongs to the next transaction, and returns a batch of the open one.
    pub(super) fn of_this_transaction(&mut self, at: usize, pending: Pending) -> Option<Pending> {
        match &mut self.transactional {
            Some(transactional) if transactional.ending.is_some() => {
                transactional.later.push((at, pending));
                None
            }
            _ => Some(pending),
        }
    }

    /// Sends the coordinator the next request, if one is due.
    pub(super) fn advance_transaction(&mut self, now: Instant) {
        let Some(transactional) = &self.transactional else { return };
        if !transactional.wanted || transactional.not_before > now || transactional.coordinator_asked {
            return;
        }
        let coordinator = transactional.coordinator;
        let Some(at) = self.brokers.iter().position(|broker| Some(broker.id) == coordinator) else {
            return self.ask_for_coordinator(now);
        };
        match &self.brokers[at].link {
            None => return self.connect(at, now),
            Some(link) if !link.is_up() => return,
            Some(_) => {}
        }
        let Some(identity) = self.identity else { return self.ask_for_identity(at, now) };
        if !transactional.join_asked && !transactional.joining.is_empty() && !transactional.is_aborting() {
            return self.join(at, now, identity);
        }
        if let Some(ending @ Ending { asked: false, .. }) = transactional.ending {
            self.advance_end(at, now, identity, ending);
        }
    }

    /// Asks who coordinates while the coordinator owes an answer.
    pub(super) fn look_for_another_coordinator(&mut self, now: Instant) {
        let Some(transactional) = &self.transactional else { return };
        let is_silent =
            |broker: &Broker| Some(broker.id) == transactional.coordinator && broker.is_silent(now);
        if !transactional.coordinator_asked && self.brokers.iter().any(is_silent) {
            self.ask_for_coordinator(now);
        }
    }

    /// Asks any broker who coordinates.
    fn ask_for_coordinator(&mut self, now: Instant) {
        let Some(id) = self.transactional.as_ref().map(|transactional| transactional.id.clone()) else {
            return;
        };
        let asked = self.ask_any(now, Asked::Coordinator, |head, versions| {
            Request::find_coordinator(head, versions, &id)
        });
        self.coordinating(|transactional| transactional.coordinator_asked = asked);
    }

    /// Takes the id over: whoever had it before is fenced, and what it left open is aborted.
    fn ask_for_identity(&mut self, at: usize, now: Instant) {
        let Some(transactional) = &self.transactional else { return };
        if std::mem::replace(&mut self.identity_asked, true) {
            return;
        }
        let id = transactional.id.clone();
        let timeout = i32::try_from(transactional.timeout.as_millis()).unwrap_or(i32::MAX);
        self.ask(at, now, Asked::Identity, |head, versions| {
            Request::init_producer_id(head, versions, Some((&id, timeout)))
        });
    }

    /// Ends the transaction once its batches are durable, or, for an abort, answered.
    fn advance_end(&mut self, at: usize, now: Instant, identity: (i64, i16), ending: Ending) {
        let Some(transactional) = &mut self.transactional else { return };
        let settled = if ending.commit {
            self.pending == 0
        } else {
            self.partitions.iter().all(|partition| partition.flow.in_flight() == 0)
                && !transactional.join_asked
        };
        if !settled {
            return;
        }
        if !transactional.begun {
            self.begin_next();
            return;
        }
        transactional.ending = Some(Ending { asked: true, ..ending });
        let (id, implicit) = (transactional.id.clone(), transactional.implicit);
        self.ask(at, now, Asked::End, |head, versions| {
            Request::end(head, versions.end(implicit), &id, identity, ending.commit)
        });
    }

    /// Changes what is known of the transactions, when there are any.
    fn coordinating(&mut self, change: impl FnOnce(&mut Transactional)) {
        if let Some(transactional) = &mut self.transactional {
            change(transactional);
        }
    }

    /// Adds the partitions that wait for it to the transaction.
    fn join(&mut self, at: usize, now: Instant, identity: (i64, i16)) {
        let Some(transactional) = &mut self.transactional else { return };
        transactional.join_asked = true;
        transactional.begun = true;
        let mut joining = std::mem::take(&mut transactional.joining);
        let id = transactional.id.clone();
        let by_topic = self.by_topic(&mut joining).into_iter().map(|same| {
            let name = self.topics[self.partitions[same[0]].topic].name.clone();
            (name, same.iter().map(|at| self.partitions[*at].number).collect())
        });
        let by_topic: Vec<(String, Vec<i32>)> = by_topic.collect();
        self.ask(at, now, Asked::Join(joining), |head, versions| {
            Request::add_partitions(head, versions, &id, identity, &by_topic)
        });
    }

    /// Takes in which broker coordinates.
    pub(super) fn on_coordinator(&mut self, answer: Answer<'_>) -> Result<(), Error> {
        self.coordinating(|transactional| transactional.coordinator_asked = false);
        let (error, id, address) = answer.find_coordinator().ok_or_else(failure::malformed)?;
        match failure::outcome(error) {
            Outcome::Done => {
                if !self.brokers.iter().any(|broker| broker.id == id) {
                    self.brokers.push(Broker::new(id, address, Instant::now()));
                }
                let before = self
                    .transactional
                    .as_mut()
                    .and_then(|transactional| transactional.coordinator.replace(id));
                let silent = |broker: &&Broker| Some(broker.id) == before && broker.is_silent(Instant::now());
                let left =
                    self.brokers.iter().find(silent).map(|broker| broker.id).filter(|before| *before != id);
                if let Some(before) = left {
                    self.leave(before);
                }
            }
            Outcome::Again | Outcome::NotLeader => {
                self.coordinating(|transactional| transactional.on_retry(error))
            }
            Outcome::Failed(code) => return Err(self.refused(TAKE_OVER, code)),
        }
        Ok(())
    }

    /// Takes in which partitions belong to the transaction now.
    ///
    /// # Errors When the user has no right to a topic or to the transactional id, or another producer has taken the id over.
    pub(super) fn on_join(&mut self, joining: Vec<usize>, answer: Answer<'_>) -> Result<(), Error> {
        let mut failed = None;
        let mut again = None;
        let number = self.transactional.as_ref().map_or(0, |transactional| transactional.number);
        let read = answer.add_partitions(|topic, partition, error| {
            let Some(at) = self.partition_of(topic, partition) else { return };
            match failure::outcome(error) {
                Outcome::Done => self.partitions[at].membership = Membership::Joined(number),
                Outcome::Again if again.is_some() => {}
                Outcome::Again | Outcome::NotLeader => again = Some(error),
                Outcome::Failed(_) if error == OPERATION_NOT_ATTEMPTED => {}
                Outcome::Failed(code @ Code::TopicAuthorizationFailed) => {
                    failed.get_or_insert_with(|| self.undelivered(topic, code));
                }
                Outcome::Failed(code) => {
                    failed.get_or_insert_with(|| self.refused("add a partition to a transaction", code));
                }
            }
        });
        if let Some(error) = failed {
            return Err(error);
        }
        read.ok_or_else(failure::malformed)?;
        self.coordinating(|transactional| {
            transactional.join_asked = false;
            match again {
                Some(error) => transactional.on_retry(error),
                None => transactional.on_success(),
            }
        });
        if again
            .is_some_and(|error| failure::outcome(error) == Outcome::NotLeader && error != NOT_COORDINATOR)
        {
            // One of the topics may be gone.
            self.metadata.of_all = true;
            self.want_metadata();
        }
        for at in joining {
            let membership = &mut self.partitions[at].membership;
            if *membership == Membership::Joining {
                // It was not added: `list` asks for it again.
                *membership = Membership::Outside;
            }
            self.list(at);
        }
        Ok(())
    }

    /// Takes in whether the transaction has ended.
    ///
    /// An answer that was lost is asked for again with the same epoch. A coordinator that has ended the transaction already
    /// says so, and under KIP-890 gives the next epoch once more.
    ///
    /// # Errors When the coordinator refuses: another producer has taken the id over, or the transaction was aborted since it
    /// took too long.
    pub(super) fn on_end(&mut self, answer: Answer<'_>) -> Result<(), Error> {
        self.coordinating(|transactional| transactional.on_unanswered(Asked::End));
        let (error, next) = answer.end().ok_or_else(failure::malformed)?;
        match failure::outcome(error) {
            Outcome::Done => {
                if let Some(identity) = next {
                    self.on_next_identity(identity);
                }
                self.begin_next();
            }
            Outcome::Again | Outcome::NotLeader => {
                self.coordinating(|transactional| transactional.on_retry(error))
            }
            Outcome::Failed(code) => return Err(self.refused("commit a transaction", code)),
        }
        Ok(())
    }

    /// Takes in the id and epoch of the next transaction, whose batches are numbered from zero in each partition (KIP-890). No batch
    /// has a number yet: those of the last transaction are durable, or dropped.
    fn on_next_identity(&mut self, identity: (i64, i16)) {
        self.identity = Some(identity);
        for partition in &mut self.partitions {
            partition.sequence = 0;
            partition.flow.on_stranger();
        }
    }

    /// Decides whether partitions join the next transaction by themselves, or are added to it: the cluster's brokers may have been
    /// updated meanwhile.
    pub(super) fn choose_how_to_join(&mut self) {
        let Some(transactional) = &mut self.transactional else { return };
        let coordinator = self.brokers.iter().find(|broker| Some(broker.id) == transactional.coordinator);
        let versions = coordinator.and_then(|broker| broker.link.as_ref()?.versions);
        // Without a connection to the coordinator nothing is known, and nothing changes.
        let Some(versions) = versions else { return };
        let implicit = versions.has_implicit_transactions();
        if transactional.implicit != implicit {
            transactional.implicit = implicit;
            let version = if implicit { 2 } else { 1 };
            tracing::info!(version, "the cluster's version of Kafka transactions (transaction.version)");
        }
    }

    /// Whether partitions join the open transaction by their first batch.
    pub(super) fn joins_by_itself(&self) -> bool {
        self.transactional.as_ref().is_some_and(|transactional| transactional.implicit)
    }

    /// How long to wait when a partition could not join the open transaction, since the end of the one before is still being written.
    pub(super) fn pause_of_a_transaction(&mut self) -> Duration {
        self.transactional.as_mut().map_or(BACKOFF, Transactional::pause_to_join)
    }

    /// Begins the next transaction, with the batches that wait for it. After an abort nothing begins any more: the producer
    /// is about to go.
    fn begin_next(&mut self) {
        let Some(transactional) = &mut self.transactional else { return };
        let _ = self.events.send(Event::Ended);
        if transactional.is_aborting() {
            transactional.wanted = false;
            return;
        }
        let later = transactional.begin_next();
        self.choose_how_to_join();
        later.into_iter().for_each(|(at, pending)| self.queue(at, pending));
    }
}
