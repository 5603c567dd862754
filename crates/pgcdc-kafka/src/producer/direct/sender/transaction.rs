//! Transactions: the coordinator, the partitions that belong to the open one, and its end.
//!
//! ```text
//!  find the coordinator ─▶ take the id over ─▶ ┌─▶ add partitions ─▶ (batches) ─▶ all durable ─▶ end ─┐
//!                                              └──────────────────────────────────────────────────────┘
//! ```
//! A partition is added when its first batch of a transaction is there. What comes after the end was asked for waits until
//! the next transaction begins.
//!
//! Source: Kafka's documentation, "Protocol Guide", and KIP-98.

use std::time::{Duration, Instant};

use super::super::command::{Event, TAKE_OVER};
use super::super::failure::{self, CONCURRENT, Fate};
use super::super::protocol::{Answer, Request};
use super::super::state::{Asked, Broker, Part, Pending};
use super::{BACKOFF, SOON, Sender};
use crate::{Code, Error};

const NOT_COORDINATOR: i16 = 16;
/// A partition was not added, for another one could not be.
const NOT_ATTEMPTED: i16 = 55;
/// What the sender keeps for them.
pub(super) struct Transactional {
    id: String,
    /// The broker's limit for a transaction, and so for its end.
    timeout: Duration,
    /// Somebody wants the id.
    wanted: bool,
    coordinator: Option<i32>,
    coordinator_asked: bool,
    /// Nothing is asked before, for something could not be done; and how often in a row.
    not_before: Instant,
    tries: u32,
    /// Transactions are counted from one.
    number: u64,
    /// Partitions that wait to be added.
    joining: Vec<usize>,
    join_asked: bool,
    /// The open one has partitions, and so something to end.
    begun: bool,
    ending: Option<Ending>,
    /// Batches of the next one.
    later: Vec<(usize, Pending)>,
}

struct Ending {
    commit: bool,
    since: Instant,
    asked: bool,
}

impl Transactional {
    pub(super) fn new(id: String, timeout: Duration, now: Instant) -> Self {
        Self {
            id,
            timeout,
            wanted: false,
            coordinator: None,
            coordinator_asked: false,
            not_before: now,
            tries: 0,
            number: 1,
            joining: Vec::new(),
            join_asked: false,
            begun: false,
            ending: None,
            later: Vec::new(),
        }
    }

    /// Whether a partition may be sent to: it belongs to the transaction, or else is added soon.
    pub(super) fn admits(&mut self, at: usize, part: &mut Part) -> bool {
        if self.is_aborting() {
            return false;
        }
        let joined = part.joined == self.number;
        if !joined && !part.joining {
            part.joining = true;
            self.joining.push(at);
        }
        joined
    }

    fn is_aborting(&self) -> bool {
        self.ending.as_ref().is_some_and(|ending| !ending.commit)
    }

    /// Whether the coordinator has something to do, or will.
    pub(super) fn is_busy(&self) -> bool {
        self.ending.is_some() || !self.joining.is_empty()
    }

    /// How long nothing need be done.
    pub(super) fn patience(&self, now: Instant) -> Duration {
        if self.not_before > now { self.not_before - now } else { Duration::MAX }
    }

    /// What was asked for comes again in a moment: the broker is not ready, or not the coordinator.
    pub(super) fn again(&mut self, error: i16) {
        // 15: not available.
        if matches!(error, 15 | NOT_COORDINATOR) {
            self.coordinator = None;
        }
        // It may still write the end of the transaction before.
        let wait = (SOON * 2_u32.pow(self.tries.min(8))).min(BACKOFF);
        self.tries += 1;
        self.not_before = Instant::now() + if error == CONCURRENT { wait } else { BACKOFF };
    }

    /// The connection to a broker is gone.
    pub(super) fn lost(&mut self, broker: i32, now: Instant) {
        if self.coordinator == Some(broker) {
            self.coordinator = None;
            self.not_before = now + BACKOFF;
        }
    }

    /// The answer to that will not come.
    pub(super) fn unanswered(&mut self, asked: Asked) {
        match asked {
            Asked::Coordinator => self.coordinator_asked = false,
            Asked::Join(parts) => {
                self.join_asked = false;
                self.joining.extend(parts);
            }
            // Asked twice it is ended once.
            Asked::End => {
                if let Some(ending) = &mut self.ending {
                    ending.asked = false;
                }
            }
            Asked::Identity | Asked::Metadata | Asked::Produce(_) => {}
        }
    }

    /// An end that does not come is an error.
    pub(super) fn look(&self, now: Instant) -> Result<(), Error> {
        match &self.ending {
            Some(ending) if now.duration_since(ending.since) > self.timeout => {
                let text = format!(
                    "a transaction was not committed within transaction.timeout.ms, {} s: raise it, or see why the brokers are slow",
                    self.timeout.as_secs_f64()
                );
                Err(Error::other(text, true))
            }
            _ => Ok(()),
        }
    }
}

impl Sender {
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
            // What is on its way is answered first: the broker would take it for another transaction's.
            for part in &mut self.parts {
                self.pending -= part.queue.len() - part.sent;
                part.queue.truncate(part.sent);
            }
        }
    }

    /// Keeps a batch that belongs to the next transaction; returns one that does not.
    pub(super) fn of_this_transaction(&mut self, part: usize, pending: Pending) -> Option<Pending> {
        match &mut self.transactional {
            Some(transactional) if transactional.ending.is_some() => {
                transactional.later.push((part, pending));
                None
            }
            _ => Some(pending),
        }
    }

    /// Asks the coordinator for what comes next.
    pub(super) fn advance_transaction(&mut self, now: Instant) {
        let Some(transactional) = &self.transactional else { return };
        if !transactional.wanted || transactional.not_before > now || transactional.coordinator_asked {
            return;
        }
        let client = self.options.client_id.clone();
        let id = transactional.id.clone();
        let coordinator = transactional.coordinator;
        let Some(at) = self.brokers.iter().position(|broker| Some(broker.id) == coordinator) else {
            let asked = self.ask_any(now, Asked::Coordinator, |correlation| {
                Request::find_coordinator(correlation, &client, &id)
            });
            self.coordinating(|transactional| transactional.coordinator_asked = asked);
            return;
        };
        match &self.brokers[at].link {
            None => return self.connect(at, now),
            Some(link) if !link.up => return,
            Some(_) => {}
        }
        let Some(identity) = self.identity else {
            if !std::mem::replace(&mut self.identity_asked, true) {
                let timeout = i32::try_from(transactional.timeout.as_millis()).unwrap_or(i32::MAX);
                self.ask(at, now, Asked::Identity, |correlation| {
                    Request::init_producer_id(correlation, &client, Some((&id, timeout)))
                });
            }
            return;
        };
        if !transactional.join_asked && !transactional.joining.is_empty() && !transactional.is_aborting() {
            return self.join(at, now, identity);
        }
        let Some(Ending { commit, asked: false, .. }) = transactional.ending else { return };
        let settled = match commit {
            true => self.pending == 0,
            false => self.parts.iter().all(|part| part.in_flight == 0) && !transactional.join_asked,
        };
        if !settled {
            return;
        }
        if !transactional.begun {
            self.next();
            return;
        }
        self.coordinating(|transactional| {
            if let Some(ending) = &mut transactional.ending {
                ending.asked = true;
            }
        });
        self.ask(at, now, Asked::End, |correlation| {
            Request::end(correlation, &client, &id, identity, commit)
        });
    }

    fn coordinating(&mut self, change: impl FnOnce(&mut Transactional)) {
        if let Some(transactional) = &mut self.transactional {
            change(transactional);
        }
    }

    /// Adds what waits to the transaction.
    fn join(&mut self, at: usize, now: Instant, identity: (i64, i16)) {
        let Some(transactional) = &mut self.transactional else { return };
        transactional.join_asked = true;
        transactional.begun = true;
        let mut parts = std::mem::take(&mut transactional.joining);
        let id = transactional.id.clone();
        let by_topic = self.by_topic(&mut parts).into_iter().map(|same| {
            let name = self.topics[self.parts[same[0]].topic].name.clone();
            (name, same.iter().map(|part| self.parts[*part].number).collect())
        });
        let by_topic: Vec<(String, Vec<i32>)> = by_topic.collect();
        let client = self.options.client_id.clone();
        self.ask(at, now, Asked::Join(parts), |correlation| {
            Request::add_partitions(correlation, &client, &id, identity, &by_topic)
        });
    }

    /// Takes in which broker coordinates.
    pub(super) fn on_coordinator(&mut self, answer: Answer<'_>) -> Result<(), Error> {
        self.coordinating(|transactional| transactional.coordinator_asked = false);
        let (error, id, address) = answer.find_coordinator().ok_or_else(failure::malformed)?;
        match failure::fate(error) {
            Fate::Done => {
                if !self.brokers.iter().any(|broker| broker.id == id) {
                    self.brokers.push(Broker::new(id, address, Instant::now()));
                }
                self.coordinating(|transactional| transactional.coordinator = Some(id));
            }
            Fate::Again | Fate::NotLeader => self.coordinating(|transactional| transactional.again(error)),
            Fate::Failed(code) => return Err(failure::refused(TAKE_OVER, code)),
        }
        Ok(())
    }

    /// Takes in which partitions belong to the transaction now.
    pub(super) fn on_join(&mut self, parts: Vec<usize>, answer: Answer<'_>) -> Result<(), Error> {
        let mut failed = None;
        let mut again = None;
        let number = self.transactional.as_ref().map_or(0, |transactional| transactional.number);
        let read = answer.add_partitions(|topic, partition, error| {
            let Some(at) = self.part_of(topic, partition) else { return };
            match failure::fate(error) {
                Fate::Done => self.parts[at].joined = number,
                Fate::Again if again.is_some() => {}
                Fate::Again | Fate::NotLeader => again = Some(error),
                Fate::Failed(_) if error == NOT_ATTEMPTED => {}
                Fate::Failed(code @ Code::TopicAuthorizationFailed) => {
                    failed.get_or_insert_with(|| failure::undelivered(topic, code));
                }
                Fate::Failed(code) => {
                    failed.get_or_insert_with(|| failure::refused("add a partition to a transaction", code));
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
                Some(error) => transactional.again(error),
                None => transactional.tries = 0,
            }
        });
        if again.is_some_and(|error| failure::fate(error) == Fate::NotLeader && error != NOT_COORDINATOR) {
            // One of the topics may be gone.
            self.metadata_of_all = true;
            self.want_metadata();
        }
        for at in parts {
            self.parts[at].joining = false;
            self.list(at);
        }
        Ok(())
    }

    /// Takes in whether the transaction has ended.
    pub(super) fn on_end(&mut self, answer: Answer<'_>) -> Result<(), Error> {
        self.coordinating(|transactional| transactional.unanswered(Asked::End));
        let error = answer.end().ok_or_else(failure::malformed)?;
        match failure::fate(error) {
            Fate::Done => self.next(),
            Fate::Again | Fate::NotLeader => self.coordinating(|transactional| transactional.again(error)),
            Fate::Failed(code) => return Err(failure::refused("commit a transaction", code)),
        }
        Ok(())
    }

    /// The next transaction begins, with what waits for it.
    fn next(&mut self) {
        let Some(transactional) = &mut self.transactional else { return };
        let _ = self.events.send(Event::Ended);
        if transactional.is_aborting() {
            // Nothing begins any more: the producer is about to go.
            transactional.wanted = false;
            return;
        }
        transactional.number += 1;
        transactional.begun = false;
        transactional.tries = 0;
        transactional.ending = None;
        let later = std::mem::take(&mut transactional.later);
        later.into_iter().for_each(|(part, pending)| self.queue(part, pending));
    }
}
