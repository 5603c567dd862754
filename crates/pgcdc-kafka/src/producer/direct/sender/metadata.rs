//! Which brokers there are, and who leads which partition.

use std::time::Instant;

use super::super::broker::{Asked, Broker};
use super::super::command::Event;
use super::super::failure::{self, Outcome};
use super::super::partition::{PartitionState, TopicState};
use super::super::protocol::{Answer, Metadata, Request, TopicMetadata};
use super::super::state::Sender;
use super::super::timing::{AWAY, GONE, UNKNOWN, growing};
use crate::{Code, Error};

/// Answers without a leader after which metadata is asked for once a second only.
const PATIENT: u32 = 20;

impl Sender {
    /// Asks for metadata soon: a topic that was just made has a leader in a moment.
    pub(super) fn want_metadata(&mut self) {
        let wait = if self.metadata.tries < PATIENT { growing(self.metadata.tries) } else { AWAY };
        self.metadata.wanted.get_or_insert_with(|| Instant::now() + wait);
    }

    /// Sends the request, if it is time.
    pub(super) fn advance_metadata(&mut self, now: Instant) {
        if self.metadata.asked || self.metadata.wanted.is_none_or(|at| at > now) {
            return;
        }
        let client = self.options.client_id.clone();
        let names: Vec<String> = self.topics_to_ask_for().map(str::to_owned).collect();
        let ask = |correlation| Request::metadata(correlation, &client, names.iter().map(String::as_str));
        if self.ask_any(now, Asked::Metadata, ask) {
            self.metadata.of_all = false;
            self.metadata.asked = true;
            self.metadata.wanted = None;
        }
    }

    fn topics_to_ask_for(&self) -> impl Iterator<Item = &str> {
        let is_led = |at: &usize| self.partitions[*at].leader.is_some();
        let is_known =
            move |topic: &TopicState| !topic.partitions.is_empty() && topic.partitions.iter().all(is_led);
        let topics = self.topics.iter().filter(move |topic| self.metadata.of_all || !is_known(topic));
        topics.map(|topic| topic.name.as_str())
    }

    /// Takes in brokers and leaders.
    pub(super) fn on_metadata(&mut self, answer: Answer<'_>) -> Result<(), Error> {
        let now = Instant::now();
        self.metadata.asked = false;
        self.metadata.at = now;
        self.metadata.tries += 1;
        let Metadata { brokers, topics } = answer.metadata().ok_or_else(failure::malformed)?;
        self.on_brokers(brokers, now);
        for topic in topics {
            let Some(&at) = self.by_name.get(&topic.name) else { continue };
            match failure::outcome(topic.error) {
                Outcome::Done => {
                    self.topics[at].unknown = None;
                    self.on_partitions(at, &topic.leaders);
                }
                Outcome::Again | Outcome::NotLeader => self.on_unknown_topic(at, &topic, now)?,
                Outcome::Failed(code) => return Err(self.undelivered(&topic.name, code)),
            }
        }
        (0..self.partitions.len()).for_each(|at| self.list(at));
        if self.metadata.wanted.is_none() {
            self.metadata.tries = 0;
        }
        Ok(())
    }

    /// Takes in brokers, each with its id and address. A connection to an earlier address is closed.
    fn on_brokers(&mut self, brokers: Vec<(i32, String)>, now: Instant) {
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
    fn on_partitions(&mut self, at: usize, leaders: &[(i32, Option<i32>)]) {
        let known = self.topics[at].partitions.len();
        let count = leaders
            .iter()
            .filter_map(|(number, _)| usize::try_from(number.checked_add(1)?).ok())
            .max()
            .unwrap_or(0);
        // An answer that leaves some partitions out is asked for again: a key's partition depends on how many there are.
        if count == 0 || count > leaders.len() {
            self.want_metadata();
            return;
        }
        for number in known..count {
            self.topics[at].partitions.push(self.partitions.len());
            self.partitions.push(PartitionState::new(at, i32::try_from(number).unwrap_or(i32::MAX)));
        }
        let mut complete = true;
        for (number, leader) in leaders {
            let partition = usize::try_from(*number).ok();
            let partition = partition.and_then(|number| self.topics[at].partitions.get(number));
            if let Some(&partition) = partition {
                self.on_leader(partition, *leader);
                let partition = &self.partitions[partition];
                complete &= leader.is_some() || partition.queue.is_empty();
            }
        }
        if !complete {
            self.want_metadata();
        }
        if count > known {
            let _ = self.events.send(Event::Partitions { topic: at, count });
        }
    }

    /// Takes in who leads a partition now.
    fn on_leader(&mut self, at: usize, leader: Option<i32>) {
        let partition = &mut self.partitions[at];
        if partition.leader.is_some() && partition.leader != leader {
            partition.flow.on_leader_moved();
        }
        if let Some(listed) = partition.listed.filter(|listed| Some(*listed) != leader) {
            if let Some(broker) = self.brokers.iter_mut().find(|broker| broker.id == listed) {
                broker.ready.retain(|ready| *ready != at);
            }
            partition.listed = None;
        }
        partition.leader = leader;
    }
}
