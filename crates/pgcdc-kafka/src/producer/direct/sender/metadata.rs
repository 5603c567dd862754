//! Which brokers there are, and who leads what.

use std::time::Instant;

use super::super::command::Event;
use super::super::failure::{self, Fate};
use super::super::protocol::{Answer, Metadata};
use super::super::state::{Broker, Part, Topic};
use super::{BACKOFF, GONE, SOON, Sender, UNKNOWN};
use crate::{Code, Error};

impl Sender {
    pub(super) fn want_metadata(&mut self) {
        // A topic that was just made has a leader in a moment.
        let wait = (SOON * 2_u32.pow(self.metadata_tries.min(8))).min(BACKOFF);
        self.metadata_wanted.get_or_insert_with(|| Instant::now() + wait);
    }

    pub(super) fn topics_to_ask_for(&self) -> impl Iterator<Item = &str> {
        let is_led = |part: &usize| self.parts[*part].leader.is_some();
        let is_known = move |topic: &Topic| !topic.parts.is_empty() && topic.parts.iter().all(is_led);
        let topics = self.topics.iter().filter(move |topic| self.metadata_of_all || !is_known(topic));
        topics.map(|topic| topic.name.as_str())
    }

    /// Takes in what brokers know.
    pub(super) fn on_metadata(&mut self, answer: Answer<'_>) -> Result<(), Error> {
        let now = Instant::now();
        self.metadata_asked = false;
        self.metadata_at = now;
        self.metadata_tries += 1;
        let Metadata { brokers, topics } = answer.metadata().ok_or_else(failure::malformed)?;
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
        for topic in topics {
            let Some(&at) = self.by_name.get(&topic.name) else { continue };
            match failure::fate(topic.error) {
                Fate::Done => self.topics[at].unknown = None,
                Fate::Again | Fate::NotLeader => {
                    let waits = |part: &usize| !self.parts[*part].queue.is_empty();
                    let parts = &self.topics[at].parts;
                    if !parts.is_empty() && !parts.iter().any(waits) {
                        // Nobody needs it. A record that comes is refused by whoever led it, and then it is asked for.
                        continue;
                    }
                    let code = failure::code(topic.error);
                    let gone = code == Code::UnknownTopicOrPartition;
                    if gone && self.topics[at].unknown.is_none() && !self.topics[at].parts.is_empty() {
                        tracing::warn!(
                            topic = topic.name,
                            "the brokers do not know a topic any more: was it deleted?"
                        );
                    }
                    let since = *self.topics[at].unknown.get_or_insert(now);
                    if now.duration_since(since) > if gone { GONE } else { UNKNOWN } {
                        return Err(failure::undelivered(&topic.name, code));
                    }
                    for part in self.topics[at].parts.clone() {
                        let part = &mut self.parts[part];
                        part.again |= part.in_flight > 0;
                        if !part.listed {
                            part.leader = None;
                        }
                    }
                    self.want_metadata();
                    continue;
                }
                Fate::Failed(code) => return Err(failure::undelivered(&topic.name, code)),
            }
            self.partitions(at, &topic.leaders);
        }
        (0..self.parts.len()).for_each(|part| self.list(part));
        if self.metadata_wanted.is_none() {
            self.metadata_tries = 0;
        }
        Ok(())
    }

    /// Takes in a topic's partitions. What is not known is not sent to; there may be more than before, never fewer.
    fn partitions(&mut self, at: usize, leaders: &[(i32, Option<i32>)]) {
        let known = self.topics[at].parts.len();
        let count = leaders
            .iter()
            .filter_map(|(number, _)| usize::try_from(number.checked_add(1)?).ok())
            .max()
            .unwrap_or(0);
        // All of them, or the hash of a key would differ from what it is among all.
        if count == 0 || count > leaders.len() {
            self.want_metadata();
            return;
        }
        for number in known..count {
            self.topics[at].parts.push(self.parts.len());
            self.parts.push(Part::new(at, i32::try_from(number).unwrap_or(i32::MAX)));
        }
        let mut complete = true;
        for (number, leader) in leaders {
            let part = usize::try_from(*number).ok().and_then(|number| self.topics[at].parts.get(number));
            if let Some(&at_part) = part {
                let part = &mut self.parts[at_part];
                // What is on its way to the one before is answered first: what comes behind must not overtake it.
                part.again |= part.in_flight > 0 && part.leader.is_some() && part.leader != *leader;
                if part.listed && part.leader != *leader {
                    let old = self.brokers.iter_mut().find(|broker| Some(broker.id) == part.leader);
                    if let Some(old) = old {
                        old.ready.retain(|listed| *listed != at_part);
                    }
                    part.listed = false;
                }
                part.leader = *leader;
                complete &= leader.is_some() || part.queue.is_empty();
            }
        }
        if !complete {
            self.want_metadata();
        }
        if count > known {
            let _ = self.events.send(Event::Partitions { topic: at, count });
        }
    }
}
