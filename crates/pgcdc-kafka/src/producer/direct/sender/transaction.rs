//! Transactions: finds the coordinator, adds partitions to the open transaction, and ends it.
//!
//! ```text
//!  find the coordinator ─▶ take the id over ─▶ ┌─▶ add partitions ─▶ (batches) ─▶ all durable ─▶ end ─┐
//!                                              └──────────────────────────────────────────────────────┘
//! ```
//! A partition is added when its first batch of a transaction is there. Batches that come after the caller asked for the end
//! wait until the next transaction begins.
//!
//! Source: Kafka's documentation, "Protocol Guide", and KIP-98.

use std::time::Instant;

use super::super::broker::{Asked, Broker};
use super::super::command::{Event, TAKE_OVER};
use super::super::failure::{self, NOT_COORDINATOR, OPERATION_NOT_ATTEMPTED, Outcome};
use super::super::partition::{Membership, Pending};
use super::super::protocol::{Answer, Request};
use super::super::state::Sender;
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
            Some(link) if !link.up => return,
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

    fn ask_for_coordinator(&mut self, now: Instant) {
        let client = self.options.client_id.clone();
        let Some(id) = self.transactional.as_ref().map(|transactional| transactional.id.clone()) else {
            return;
        };
        let asked = self.ask_any(now, Asked::Coordinator, |correlation| {
            Request::find_coordinator(correlation, &client, &id)
        });
        self.coordinating(|transactional| transactional.coordinator_asked = asked);
    }

    fn ask_for_identity(&mut self, at: usize, now: Instant) {
        let Some(transactional) = &self.transactional else { return };
        if std::mem::replace(&mut self.identity_asked, true) {
            return;
        }
        let (client, id) = (self.options.client_id.clone(), transactional.id.clone());
        let timeout = i32::try_from(transactional.timeout.as_millis()).unwrap_or(i32::MAX);
        self.ask(at, now, Asked::Identity, |correlation| {
            Request::init_producer_id(correlation, &client, Some((&id, timeout)))
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
        let (client, id) = (self.options.client_id.clone(), transactional.id.clone());
        self.ask(at, now, Asked::End, |correlation| {
            Request::end(correlation, &client, &id, identity, ending.commit)
        });
    }

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
        let client = self.options.client_id.clone();
        self.ask(at, now, Asked::Join(joining), |correlation| {
            Request::add_partitions(correlation, &client, &id, identity, &by_topic)
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
                self.coordinating(|transactional| transactional.coordinator = Some(id));
            }
            Outcome::Again | Outcome::NotLeader => {
                self.coordinating(|transactional| transactional.on_retry(error))
            }
            Outcome::Failed(code) => return Err(self.refused(TAKE_OVER, code)),
        }
        Ok(())
    }

    /// Takes in which partitions belong to the transaction now.
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
    pub(super) fn on_end(&mut self, answer: Answer<'_>) -> Result<(), Error> {
        self.coordinating(|transactional| transactional.on_unanswered(Asked::End));
        let error = answer.end().ok_or_else(failure::malformed)?;
        match failure::outcome(error) {
            Outcome::Done => self.begin_next(),
            Outcome::Again | Outcome::NotLeader => {
                self.coordinating(|transactional| transactional.on_retry(error))
            }
            Outcome::Failed(code) => return Err(self.refused("commit a transaction", code)),
        }
        Ok(())
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
        later.into_iter().for_each(|(at, pending)| self.queue(at, pending));
    }
}
