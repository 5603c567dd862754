use std::collections::HashMap;

use pgcdc_event::{Record, TopicId};
use pgcdc_kafka::topics::{Ensured, TopicSpec, Topics};
use pgcdc_kafka::{ClientProperties, Headers, Place, Producer, Topic};

use super::Sent;
use crate::config::{Settings, TopicCreation};
use crate::ledger::Sequence;
use crate::{Error, Result};

/// Records to Kafka: idempotent, acks=all, polled inline.
#[derive(Debug)]
pub(crate) struct KafkaOutput {
    properties: ClientProperties,
    producer: Producer,
    creation: Option<TopicCreation>,
    admin: Option<Topics>,
    topics: Vec<Known>,
    /// Whether a topic is made when a record goes to it, rather than when its table is seen: transforms may send
    /// all of a table's records elsewhere.
    deferred: bool,
    ids: HashMap<String, TopicId>,
    context: Vec<(String, String)>,
    /// The constant headers, copied for each record that has no others.
    context_headers: Headers,
    handles: Vec<usize>,
}

#[derive(Debug)]
struct Known {
    name: String,
    /// The producer's handle, once the topic is there.
    topic: Option<Topic>,
}

impl KafkaOutput {
    /// Checks the properties and makes the producer; no broker needs to be there yet.
    pub(crate) fn new(settings: &Settings, context: Vec<(String, String)>) -> Result<Self> {
        let properties = client_properties(settings)?;
        for warning in properties.warnings() {
            tracing::warn!("{warning}");
        }
        let producer = Producer::new(&properties).map_err(kafka_error)?;
        let mut context_headers = Headers::with_capacity(context.len());
        for (name, value) in &context {
            context_headers.add(name, Some(value.as_bytes()));
        }
        Ok(Self {
            properties,
            producer,
            creation: settings.topic.creation.clone(),
            admin: None,
            topics: Vec::new(),
            deferred: settings.transforms.is_some(),
            ids: HashMap::new(),
            context,
            context_headers,
            handles: Vec::new(),
        })
    }

    /// The producer, for its transactions.
    pub(crate) fn producer(&self) -> &Producer {
        &self.producer
    }

    pub(crate) async fn topic(&mut self, name: &str) -> Result<TopicId> {
        if let Some(id) = self.ids.get(name) {
            return Ok(*id);
        }
        let id = TopicId(u32::try_from(self.topics.len()).unwrap_or(u32::MAX));
        self.topics.push(Known { name: name.to_owned(), topic: None });
        if !self.deferred {
            self.make(id).await?;
        }
        self.ids.insert(name.to_owned(), id);
        Ok(id)
    }

    /// The name of a topic that was made known.
    pub(crate) fn name(&self, id: TopicId) -> Option<&str> {
        self.topics.get(id.0 as usize).map(|known| known.name.as_str())
    }

    /// Sees to it that a topic is there before a record goes to it.
    pub(crate) async fn make(&mut self, id: TopicId) -> Result<()> {
        let at = id.0 as usize;
        if let Some(Known { name, topic: None }) = self.topics.get(at) {
            let name = name.clone();
            self.create_missing(&name).await?;
            // Not before: the producer asks for what it is told of, and a broker may make it in its own way then.
            self.topics[at].topic = Some(self.producer.topic(&name).map_err(kafka_error)?);
        }
        Ok(())
    }

    async fn create_missing(&mut self, name: &str) -> Result<()> {
        // One client for all of them: a thousand tables would make two thousand.
        if self.admin.is_none() {
            self.admin = Some(Topics::new(&self.properties).map_err(kafka_error)?);
        }
        if let Some(admin) = &self.admin
            && !admin.exists(name).await.map_err(kafka_error)?
        {
            let spec = topic_spec(self.creation.as_ref(), name);
            if admin.ensure(&spec).await.map_err(kafka_error)? == Ensured::Created {
                tracing::info!(topic = name, "created topic");
            }
        }
        Ok(())
    }

    #[inline]
    pub(crate) fn send(&mut self, record: &Record<'_>, sequence: Sequence) -> Result<Sent> {
        let Some(Known { topic: Some(topic), .. }) = self.topics.get(record.topic.0 as usize) else {
            return Err(Error::fatal("a record for a topic that was never announced"));
        };
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
        delivered.extend(self.handles.iter().map(|&handle| Sequence(handle as u64)));
        Ok(())
    }
}

/// How a missing topic is made: as `topic.creation.default.*` says, else by the broker's defaults.
pub(crate) fn topic_spec(creation: Option<&TopicCreation>, name: &str) -> TopicSpec {
    let mut spec = TopicSpec::new(name);
    if let Some(creation) = creation {
        spec.partitions = creation.partitions;
        spec.replication_factor = creation.replication_factor;
        spec.config.clone_from(&creation.config);
    }
    spec
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
