//! Records to Kafka, at least once.

use std::collections::HashMap;

use pgcdc_event::{Record, TopicId};
use pgcdc_kafka::{Producer, Statistics, Topic};

use super::error::kafka_error;
use super::held::{Held, Released};
use super::making::{Making, There};
use super::properties::client_properties;
use crate::config::Settings;
use crate::figures::Figures;
use crate::ledger::Sequence;
use crate::output::Sent;
use crate::{Error, Result};

/// Records to Kafka: idempotent, acks=all, polled inline.
#[derive(Debug)]
pub(crate) struct KafkaOutput {
    pub(super) producer: Producer,
    topics: Vec<Known>,
    ids: HashMap<String, TopicId>,
    making: Making,
    /// Topics that are there now, while records for them are still held back.
    made: HashMap<TopicId, Topic>,
    /// Records whose topics are being made.
    held: Held,
    /// With transactions no record is held back here: a commit would miss it.
    transactional: bool,
    handles: Vec<usize>,
}

#[derive(Debug)]
struct Known {
    name: String,
    state: State,
}

/// A topic is made when the first record goes to it, as Kafka Connect does: a table without rows has none.
#[derive(Debug)]
enum State {
    New,
    /// It is being looked for, and made if it is missing.
    Making,
    There(Topic),
}

impl KafkaOutput {
    /// Checks the properties and makes the producer; no broker needs to be there yet.
    pub(crate) fn new(settings: &Settings, context: Vec<(String, String)>) -> Result<Self> {
        let properties = client_properties(settings)?;
        for warning in properties.warnings() {
            tracing::warn!("{warning}");
        }
        let transactional = settings.exactly_once.is_some();
        let producer = Producer::new(&properties, &context).map_err(kafka_error)?;
        Ok(Self {
            producer,
            topics: Vec::new(),
            ids: HashMap::new(),
            making: Making::new(properties, settings.topic.creation.clone()),
            made: HashMap::new(),
            held: Held::default(),
            transactional,
            handles: Vec::new(),
        })
    }

    pub(crate) fn topic(&mut self, name: &str) -> TopicId {
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        let id = TopicId(u32::try_from(self.topics.len()).unwrap_or(u32::MAX));
        self.topics.push(Known { name: name.to_owned(), state: State::New });
        self.ids.insert(name.to_owned(), id);
        id
    }

    /// The name of a topic that was made known.
    pub(crate) fn name(&self, id: TopicId) -> Option<&str> {
        self.topics.get(id.0 as usize).map(|known| known.name.as_str())
    }

    #[inline]
    pub(crate) fn send(&mut self, record: &Record<'_>, sequence: Sequence) -> Result<Sent> {
        match self.topics.get(record.topic.0 as usize) {
            Some(Known { state: State::There(topic), .. }) => {
                send(&mut self.producer, topic, record, sequence)
            }
            _ => self.hold(record, sequence),
        }
    }

    /// A record whose topic is not known to be there.
    #[cold]
    fn hold(&mut self, record: &Record<'_>, sequence: Sequence) -> Result<Sent> {
        let Some(known) = self.topics.get_mut(record.topic.0 as usize) else {
            return Err(Error::fatal("a record for a topic that was never announced"));
        };
        if matches!(known.state, State::New) {
            known.state = State::Making;
            self.making.want(&known.name);
        }
        Ok(if self.transactional { Sent::Full } else { self.held.push(record, sequence) })
    }

    /// What the producer has done.
    pub(crate) fn figures(&self) -> Figures {
        let Statistics { handed, delivered, queued_bytes, requests, batches, bytes, retries } =
            self.producer.statistics();
        Figures { handed, delivered, queued_bytes, requests, batches, bytes, retries }
    }

    pub(crate) fn poll(&mut self, delivered: &mut Vec<Sequence>) -> Result<()> {
        self.handles.clear();
        self.producer.poll(&mut self.handles).map_err(kafka_error)?;
        delivered.extend(self.handles.iter().map(|&handle| Sequence(handle as u64)));
        self.advance()
    }

    /// Sends records that wait for more, if it is time. Called when there is nothing more for now, or no room for it (`full`).
    /// True when that took about a millisecond.
    pub(crate) fn send_now(&mut self, full: bool) -> Result<bool> {
        self.producer.send_now(full).map_err(kafka_error)
    }

    /// Notes which topics came to be there, and sends the records that waited for them.
    pub(crate) fn advance(&mut self) -> Result<()> {
        for There { name, most } in self.making.poll()? {
            if let Some(id) = self.ids.get(&name) {
                // The producer hears of a topic only now: it asks the brokers for each topic it knows, and a broker may
                // make a missing one by its own defaults.
                let topic = self.producer.topic(&name).map_err(kafka_error)?;
                self.producer.limit_batches(&topic, most);
                self.made.insert(*id, topic);
            }
        }
        if !self.made.values().any(|topic| self.producer.is_known(topic)) {
            return Ok(());
        }
        let all = self.held.release(|record, sequence| {
            let topic = self.made.get(&record.topic).filter(|topic| self.producer.is_known(topic));
            let Some(topic) = topic else { return Ok(Released::Later) };
            match send(&mut self.producer, topic, record, sequence)? {
                Sent::Queued => Ok(Released::Gone),
                Sent::Full => Ok(Released::Full),
            }
        });
        if all? {
            for (id, topic) in self.made.extract_if(|_, topic| self.producer.is_known(topic)) {
                self.topics[id.0 as usize].state = State::There(topic);
            }
        }
        Ok(())
    }
}

/// Hands a record to the producer, with its sequence as the handle.
#[inline]
fn send(producer: &mut Producer, topic: &Topic, record: &Record<'_>, sequence: Sequence) -> Result<Sent> {
    let handle =
        usize::try_from(sequence.0).map_err(|_| Error::fatal("more transactions than can be counted"))?;
    producer.send(topic, record, handle).map(Sent::from).map_err(kafka_error)
}

impl From<pgcdc_kafka::Sent> for Sent {
    #[inline]
    fn from(sent: pgcdc_kafka::Sent) -> Self {
        match sent {
            pgcdc_kafka::Sent::Queued => Self::Queued,
            pgcdc_kafka::Sent::Full => Self::Full,
        }
    }
}
