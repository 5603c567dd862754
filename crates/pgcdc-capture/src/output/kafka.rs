use std::collections::HashMap;
use std::time::Instant;

use pgcdc_event::{Record, TopicId};
use pgcdc_kafka::{ClientProperties, Headers, Place, Producer, Topic};

use super::Sent;
use super::held::{Held, Released};
use super::linger::{self, Linger, Look};
use super::making::Making;
use crate::config::Settings;
use crate::ledger::Sequence;
use crate::{Error, Result};

/// Records to Kafka: idempotent, acks=all, polled inline.
#[derive(Debug)]
pub(crate) struct KafkaOutput {
    producer: Producer,
    topics: Vec<Known>,
    ids: HashMap<String, TopicId>,
    making: Making,
    /// Topics that are there now, while records for them are still held back.
    made: HashMap<TopicId, Topic>,
    /// Records whose topics are being made.
    held: Held,
    /// With transactions nothing is held back here: a commit would miss it.
    transactional: bool,
    /// Records that librdkafka took, and that are durable.
    handed: u64,
    delivered: u64,
    context: Vec<(String, String)>,
    /// The constant headers, copied for each record that has no others.
    context_headers: Headers,
    handles: Vec<usize>,
    linger: Option<Linger>,
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
        let mut properties = client_properties(settings)?;
        for warning in properties.warnings() {
            tracing::warn!("{warning}");
        }
        let own = properties.get("linger.ms").is_none();
        let transactional = settings.exactly_once.is_some();
        let limit = if transactional { linger::TRANSACTIONAL_MS } else { linger::LIMIT_MS };
        properties.set_default("linger.ms", limit);
        let producer = Producer::new(&properties).map_err(kafka_error)?;
        let mut context_headers = Headers::with_capacity(context.len());
        for (name, value) in &context {
            context_headers.add(name, Some(value.as_bytes()));
        }
        Ok(Self {
            producer,
            topics: Vec::new(),
            ids: HashMap::new(),
            making: Making::new(properties, settings.topic.creation.clone()),
            made: HashMap::new(),
            held: Held::default(),
            transactional,
            handed: 0,
            delivered: 0,
            context,
            context_headers,
            handles: Vec::new(),
            linger: (own && !transactional).then(|| Linger::new(Instant::now())),
        })
    }

    /// The producer, for its transactions.
    pub(crate) fn producer(&self) -> &Producer {
        &self.producer
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
                let sent = self.produce(topic, record, sequence)?;
                self.handed += u64::from(sent == Sent::Queued);
                Ok(sent)
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

    #[inline]
    fn produce(&self, topic: &Topic, record: &Record<'_>, sequence: Sequence) -> Result<Sent> {
        let headers = match record.context_at {
            Some(_) if !record.has_headers() => Some(self.context_headers.clone()),
            None if !record.has_headers() => None,
            _ => Some(self.all_headers(record)),
        };
        let handle =
            usize::try_from(sequence.0).map_err(|_| Error::fatal("more transactions than can be counted"))?;
        let place = Place { partition: record.partition, timestamp_ms: record.timestamp_ms };
        match self.producer.send_to(topic, place, record.key, record.value, headers, handle) {
            Ok(pgcdc_kafka::Sent::Queued) => Ok(Sent::Queued),
            Ok(pgcdc_kafka::Sent::Full) => Ok(Sent::Full),
            Err(error) => Err(kafka_error(error)),
        }
    }

    /// Headers of a record that has its own, around the constant ones.
    fn all_headers(&self, record: &Record<'_>) -> Headers {
        let mut all = Headers::with_capacity(self.context.len() + 4);
        let context = |all: &mut Headers| {
            for (name, value) in &self.context {
                all.add(name, Some(value.as_bytes()));
            }
        };
        let mut count = 0;
        for (name, value) in record.headers() {
            if record.context_at == Some(count) {
                context(&mut all);
            }
            all.add(name, value);
            count += 1;
        }
        if record.context_at == Some(count) {
            context(&mut all);
        }
        all
    }

    pub(crate) fn poll(&mut self, delivered: &mut Vec<Sequence>) -> Result<()> {
        self.handles.clear();
        self.producer.poll(&mut self.handles).map_err(kafka_error)?;
        self.delivered += self.handles.len() as u64;
        delivered.extend(self.handles.iter().map(|&handle| Sequence(handle as u64)));
        self.advance()
    }

    /// Sends what waits for more, if it is time; called when there is nothing more for now, or no room for it (`full`).
    /// True when that took about a millisecond.
    pub(crate) fn send_now(&mut self, full: bool) -> bool {
        let Some(linger) = &mut self.linger else { return false };
        let (handed, delivered, bytes) = (self.handed, self.delivered, self.producer.queued_bytes());
        let due = linger.is_due(Look { handed, delivered, bytes, full }, Instant::now());
        if due {
            self.producer.send_now();
        }
        due
    }

    /// Takes in which topics are there now, and sends what waited for them.
    pub(crate) fn advance(&mut self) -> Result<()> {
        for name in self.making.poll()? {
            if let Some(id) = self.ids.get(&name) {
                // Not before: the producer asks for what it is told of, and a broker may make it in its own way then.
                self.made.insert(*id, self.producer.topic(&name).map_err(kafka_error)?);
            }
        }
        if self.made.is_empty() {
            return Ok(());
        }
        let mut gone = 0;
        let mut held = std::mem::take(&mut self.held);
        let all = held.release(|record, sequence| {
            let Some(topic) = self.made.get(&record.topic) else { return Ok(Released::Later) };
            Ok(match self.produce(topic, record, sequence)? {
                Sent::Queued => {
                    gone += 1;
                    Released::Gone
                }
                Sent::Full => Released::Full,
            })
        });
        self.held = held;
        self.handed += gone;
        if all? {
            for (id, topic) in self.made.drain() {
                self.topics[id.0 as usize].state = State::There(topic);
            }
        }
        Ok(())
    }
}

/// The producer's properties, checked.
pub(crate) fn client_properties(settings: &Settings) -> Result<ClientProperties> {
    if !settings.producer.contains_key("bootstrap.servers") {
        return Err(Error::configuration("bootstrap.servers is not set").with_hint(
            "give --bootstrap-servers HOST:PORT, or set bootstrap.servers (or producer.bootstrap.servers) in the file",
        ));
    }
    let mut properties = ClientProperties::parse(settings.producer.iter()).map_err(kafka_error)?;
    match &settings.exactly_once {
        Some(on) => {
            properties.set("transactional.id", &on.transactional_id);
            properties.set("transaction.timeout.ms", &on.timeout.as_millis().to_string());
        }
        // A producer that has one sends nothing outside of transactions.
        None => {
            properties.remove("transactional.id");
        }
    }
    Ok(properties)
}

/// Kafka's error as ours.
pub(crate) fn kafka_error(error: pgcdc_kafka::Error) -> Error {
    let text = error.to_string();
    let ours = if error.is_configuration() {
        Error::configuration(text)
    } else if error.code() == Some(rdkafka::types::RDKafkaErrorCode::MessageSizeTooLarge) {
        Error::fatal(text).with_hint(
            "raise producer.override.max.request.size here and max.message.bytes of the topic (message.max.bytes of the broker)",
        )
    } else if error.is_fenced() || !(error.is_transient() || error.is_fatal()) {
        Error::fatal(text)
    } else {
        // A broken producer is replaced by the restart that follows, from the last confirmed position.
        Error::transient(text)
    };
    ours.with_source(error)
}
