//! Which brokers there are, and who leads which partition.
//!
//! ```text a topic is added · a batch was refused · a connection is lost · a broker is silent · every five minutes
//! └──────────────────────────────────┬──────────────────────────────────────────────────────┘ Metadata, to any broker ▼
//! brokers ─▶ topic ids ─▶ partitions ─▶ leaders with epochs ─▶ batches are listed ``` A broker learns of a new leader from the
//! controller, so for a moment some brokers know it and others do not. The leader's epoch tells which answer is newer
//! (KIP-320); the topic's id tells whether epochs can be compared at all (KIP-516).
//!
//! How soon it asks again: after 2 ms, then twice as long each time up to 100 ms, then four times a second. A topic that brokers do
//! not know is given ten seconds, one without a leader thirty.

use std::time::Instant;

use super::super::broker::{Asked, Broker};
use super::super::command::Event;
use super::super::failure::{self, Outcome};
use super::super::partition::{NO_EPOCH, PartitionState, TopicState};
use super::super::protocol::{Answer, Metadata, PartitionMetadata, Request, TopicMetadata};
use super::super::state::Sender;
use super::super::timing::{ASK_AGAIN, GONE, UNKNOWN, growing};
use crate::{Code, Error};

/// Answers without a leader after which metadata is asked for four times a second only.
const PATIENT: u32 = 20;

impl Sender {
    /// Asks for metadata soon: a topic that was just made has a leader in a moment.
    pub(super) fn want_metadata(&mut self) {
        let wait = if self.metadata.tries < PATIENT { growing(self.metadata.tries) } else { ASK_AGAIN };
        self.metadata.wanted.get_or_insert_with(|| Instant::now() + wait);
    }

    /// Sends the request, if it is time.
    ///
    /// One request is on its way at a time. It goes to any broker that answers: each knows all, some a little later than
    /// others.
    pub(super) fn advance_metadata(&mut self, now: Instant) {
        if self.metadata.asked || self.metadata.wanted.is_none_or(|at| at > now) {
            return;
        }
        let names: Vec<String> = self.topics_to_ask_for().map(str::to_owned).collect();
        if self.ask_any(now, Asked::Metadata, |head, versions| {
            Request::metadata(head, versions, names.iter().map(String::as_str))
        }) {
            self.metadata.of_all = false;
            self.metadata.asked = true;
            self.metadata.wanted = None;
        }
    }

    /// The topics of which something is not known, or all.
    fn topics_to_ask_for(&self) -> impl Iterator<Item = &str> {
        let is_led = |at: &usize| self.partitions[*at].leader.is_some();
        let is_known =
            move |topic: &TopicState| !topic.partitions.is_empty() && topic.partitions.iter().all(is_led);
        let topics = self.topics.iter().filter(move |topic| self.metadata.of_all || !is_known(topic));
        topics.map(|topic| topic.name.as_str())
    }

    /// Takes in brokers and leaders.
    ///
    /// A topic that is not there is no error at once: whoever uses this producer may be about to create it.
    ///
    /// # Errors When the answer cannot be read, or a topic has failed for good: it was refused, or it was unknown for too long
    /// while records waited for it.
    pub(super) fn on_metadata(&mut self, answer: Answer<'_>) -> Result<(), Error> {
        let now = Instant::now();
        self.metadata.asked = false;
        self.metadata.at = now;
        self.metadata.tries += 1;
        let Metadata { brokers, topics } = answer.metadata().ok_or_else(failure::malformed)?;
        self.on_brokers(brokers, now);
        // Who is silent, and leads nothing any more that it is to take?
        let silent: Vec<i32> =
            self.brokers.iter().filter(|broker| broker.is_silent(now)).map(|broker| broker.id).collect();
        let led = |sender: &Self, id: i32| {
            sender.partitions.iter().filter(|partition| partition.leader == Some(id)).count()
        };
        let before: Vec<usize> = silent.iter().map(|id| led(self, *id)).collect();
        for topic in topics {
            let Some(&at) = self.by_name.get(&topic.name) else { continue };
            match failure::outcome(topic.error) {
                Outcome::Done => {
                    self.topics[at].unknown = None;
                    self.on_topic_id(at, &topic)?;
                    self.on_partitions(at, &topic);
                }
                Outcome::Again | Outcome::NotLeader => self.on_unknown_topic(at, &topic, now)?,
                Outcome::Failed(code) => return Err(self.undelivered(&topic.name, code)),
            }
        }
        for (id, before) in silent.into_iter().zip(before) {
            if led(self, id) < before {
                self.leave(id);
            }
        }
        (0..self.partitions.len()).for_each(|at| self.list(at));
        if self.metadata.wanted.is_none() {
            self.metadata.tries = 0;
        }
        Ok(())
    }

    /// Gives up the connection to a broker that owes an answer, since others do its work now: its batches are sent again, to them.
    pub(super) fn leave(&mut self, id: i32) {
        let link = self.brokers.iter().find(|broker| broker.id == id).and_then(|broker| broker.link.as_ref());
        if let Some(number) = link.map(|link| link.number) {
            let text = "it does not answer, and another broker has taken its place";
            self.on_lost(number, &std::io::Error::new(std::io::ErrorKind::TimedOut, text));
        }
    }

    /// Takes in which topic it is that has the name now. One that was deleted and made anew has another id: its leaders' epochs begin
    /// anew, and its leaders know nothing of this producer, even where they are the same brokers as before.
    ///
    /// # Errors
    /// When the new topic has fewer partitions: the caller has to choose partitions anew.
    fn on_topic_id(&mut self, at: usize, topic: &TopicMetadata) -> Result<(), Error> {
        let Some(id) = topic.id else { return Ok(()) };
        if self.topics[at].id.replace(id).is_none_or(|before| before == id) {
            return Ok(());
        }
        let name = &topic.name;
        tracing::warn!(
            topic = name,
            "a topic was made anew under the same name: records that it had are gone"
        );
        if topic.partitions.len() < self.topics[at].partitions.len() {
            return Err(self.undelivered(name, Code::UnknownPartition));
        }
        for partition in self.topics[at].partitions.clone() {
            let partition = &mut self.partitions[partition];
            partition.epoch = NO_EPOCH;
            partition.flow.on_stranger();
        }
        Ok(())
    }

    /// Takes in brokers, each with its id and address. A connection to an earlier address is closed.
    pub(super) fn on_brokers(&mut self, brokers: Vec<(i32, String)>, now: Instant) {
        for (id, address) in brokers {
            match self.brokers.iter_mut().find(|broker| broker.id == id) {
                None => self.brokers.push(Broker::new(id, address, now)),
                Some(broker) if broker.address != address => {
                    broker.address = address;
                    if let Some(number) = broker.link.as_ref().map(|link| link.number) {
                        self.on_lost(number, &std::io::Error::other("the broker has moved"));
                    }
                }
                Some(_) => {}
            }
        }
    }

    /// Waits for a topic that brokers do not know, or for which they name no leader, but not for long.
    fn on_unknown_topic(&mut self, at: usize, topic: &TopicMetadata, now: Instant) -> Result<(), Error> {
        let waits = |at: &usize| !self.partitions[*at].queue.is_empty();
        let partitions = &self.topics[at].partitions;
        if !partitions.is_empty() && !partitions.iter().any(waits) {
            // No record waits for it. The leader refuses the next record, and then metadata is asked for again.
            return Ok(());
        }
        let code = failure::code(topic.error);
        let gone = code == Code::UnknownTopicOrPartition;
        if gone && self.topics[at].unknown.is_none() && !partitions.is_empty() {
            tracing::warn!(topic = topic.name, "the brokers do not know a topic any more: was it deleted?");
        }
        let since = *self.topics[at].unknown.get_or_insert(now);
        if now.duration_since(since) > if gone { GONE } else { UNKNOWN } {
            return Err(self.undelivered(&topic.name, code));
        }
        for partition in self.topics[at].partitions.clone() {
            let partition = &mut self.partitions[partition];
            partition.flow.on_leader_moved();
            if partition.listed.is_none() {
                partition.leader = None;
            }
        }
        self.want_metadata();
        Ok(())
    }

    /// Takes in a topic's partitions with their leaders. There may be more partitions than before, never fewer.
    fn on_partitions(&mut self, at: usize, topic: &TopicMetadata) {
        let known = self.topics[at].partitions.len();
        let told = &topic.partitions;
        let behind = |partition: &PartitionMetadata| usize::try_from(partition.number.checked_add(1)?).ok();
        let count = told.iter().filter_map(behind).max().unwrap_or(0);
        // An answer that leaves some partitions out is asked for again: a key's partition depends on how many there are.
        if count == 0 || count > told.len() {
            self.want_metadata();
            return;
        }
        for number in known..count {
            self.topics[at].partitions.push(self.partitions.len());
            self.partitions.push(PartitionState::new(at, i32::try_from(number).unwrap_or(i32::MAX)));
        }
        let mut complete = true;
        for PartitionMetadata { number, leader, epoch } in told {
            let partition = usize::try_from(*number).ok();
            let partition = partition.and_then(|number| self.topics[at].partitions.get(number));
            if let Some(&partition) = partition {
                // Epochs can be compared among those of one topic only, so they count where topics have ids.
                self.on_leader(partition, *leader, topic.id.map_or(NO_EPOCH, |_| *epoch));
                let partition = &self.partitions[partition];
                complete &= partition.leader.is_some() || partition.queue.is_empty();
            }
        }
        if !complete {
            self.want_metadata();
        }
        if count > known {
            let _ = self.events.send(Event::Partitions { topic: at, count });
        }
    }

    /// Takes in who leads a partition now. What an older leader's time tells, from a broker that has not heard of the newer one, is
    /// left out (KIP-320). Returns whether it was taken in.
    pub(super) fn on_leader(&mut self, at: usize, leader: Option<i32>, epoch: i32) -> bool {
        let partition = &mut self.partitions[at];
        if epoch < partition.epoch && epoch != NO_EPOCH {
            return false;
        }
        partition.epoch = epoch;
        if partition.leader.is_some() && partition.leader != leader {
            partition.flow.on_leader_moved();
        }
        if let Some(listed) = partition.listed.filter(|listed| Some(*listed) != leader) {
            if let Some(broker) = self.brokers.iter_mut().find(|broker| broker.id == listed) {
                broker.ready.retain(|ready| *ready != at);
            }
            partition.listed = None;
        }
        if partition.leader != leader {
            let (topic, number) = (&self.topics[partition.topic].name, partition.number);
            tracing::debug!(topic, partition = number, leader, epoch, "a partition has another leader");
        }
        partition.leader = leader;
        true
    }
}
