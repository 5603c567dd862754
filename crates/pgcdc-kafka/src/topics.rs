//! Topics: is it there, how is it cut, make it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::admin::{
    AdminClient, AdminOptions, NewTopic, OwnedResourceSpecifier, ResourceSpecifier, TopicReplication,
};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::types::RDKafkaErrorCode;
use tokio::sync::Mutex;

use crate::{ClientProperties, Error, Logging, Result};

const LIMIT: Duration = Duration::from_secs(30);
/// How long a topic's id is waited for: meanwhile nobody polls for the consumer.
const ID_LIMIT: Duration = Duration::from_secs(10);
/// Topics that are made with one request: a controller takes 10,000 partitions at once.
const AT_ONCE: usize = 250;
/// How long a list of topics is believed: somebody may remove one.
const TRUSTED: Duration = Duration::from_secs(10);

/// How a topic is to be made when it is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSpec {
    /// Its name.
    pub name: String,
    /// Number of partitions; -1 lets the broker decide.
    pub partitions: i32,
    /// Number of replicas; -1 lets the broker decide.
    pub replication_factor: i32,
    /// Topic properties, such as `cleanup.policy`.
    pub config: BTreeMap<String, String>,
}

impl TopicSpec {
    /// A topic with the broker's defaults.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), partitions: -1, replication_factor: -1, config: BTreeMap::new() }
    }
}

/// What is known of an existing topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Description {
    /// Number of partitions.
    pub partitions: i32,
    /// Replicas of partition 0.
    pub replication_factor: i32,
}

/// Asks and tells the brokers about topics, all through one client.
pub struct Topics {
    admin: Arc<AdminClient<Logging>>,
    /// The names that were there, and when.
    listed: Mutex<Option<(Instant, HashSet<String>)>>,
}

impl fmt::Debug for Topics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topics").finish_non_exhaustive()
    }
}

impl Topics {
    /// Connects lazily.
    ///
    /// # Errors
    /// When librdkafka does not accept the properties.
    pub fn new(client: &ClientProperties) -> Result<Self> {
        let mut properties = client.connection();
        properties.set("allow.auto.create.topics", "false");
        let admin = properties
            .config()
            .create_with_context(Logging)
            .map_err(|e| Error::client("make an admin client", e))?;
        Ok(Self { admin: Arc::new(admin), listed: Mutex::default() })
    }

    /// Whether there is a topic of this name, as far as the user may see it. A list of all is asked for once and used
    /// for a while: at a start there are many questions.
    ///
    /// # Errors
    /// When no broker answers.
    pub async fn exists(&self, topic: &str) -> Result<bool> {
        let mut listed = self.listed.lock().await;
        if let Some((at, names)) = &*listed
            && at.elapsed() < TRUSTED
        {
            return Ok(names.contains(topic));
        }
        let admin = Arc::clone(&self.admin);
        let names: HashSet<String> = blocking(move || {
            let metadata = admin.inner().fetch_metadata(None, LIMIT);
            let metadata = metadata.map_err(|e| Error::client("read the list of topics", e))?;
            Ok(metadata.topics().iter().map(|topic| topic.name().to_owned()).collect())
        })
        .await?;
        let found = names.contains(topic);
        *listed = Some((Instant::now(), names));
        Ok(found)
    }

    /// What is known of a topic; `None` when there is none of that name. Never makes it.
    ///
    /// # Errors
    /// When no broker answers, or the topic may not be seen.
    pub async fn describe(&self, topic: &str) -> Result<Option<Description>> {
        let (admin, topic) = (Arc::clone(&self.admin), topic.to_owned());
        blocking(move || describe_by(admin.inner(), &topic)).await
    }

    /// A topic's id as 32 hexadecimal digits: one that was deleted and made again has another. `None` when there is no such
    /// topic, or the broker has no ids (before Kafka 2.8).
    ///
    /// # Errors
    /// When no broker answers.
    pub async fn id(&self, topic: &str) -> Result<Option<String>> {
        let (admin, topic) = (Arc::clone(&self.admin), topic.to_owned());
        blocking(move || {
            let id = crate::native::topic_id(admin.inner(), &topic, ID_LIMIT)
                .map_err(|code| Error::topic(format!("could not read the id of topic {topic:?}"), code))?;
            Ok(id.map(|id| format!("{id:032x}")))
        })
        .await
    }

    /// Makes those that are missing, many with one request, and says which they were.
    ///
    /// # Errors
    /// Says which topic, and what the broker objects to, with the property to change where that is known.
    pub async fn ensure_all(&self, specs: Vec<TopicSpec>) -> Result<Vec<String>> {
        let mut missing = Vec::new();
        for spec in specs {
            if !self.exists(&spec.name).await? {
                missing.push(spec);
            }
        }
        let mut made = Vec::new();
        for some in missing.chunks(AT_ONCE) {
            made.extend(self.create(some, false).await?);
        }
        Ok(made)
    }

    /// How large a batch each topic takes (`max.message.bytes`), as far as the brokers tell: the user may lack
    /// `DescribeConfigs`.
    pub async fn batch_limits(&self, names: &[String]) -> HashMap<String, usize> {
        let mut limits = HashMap::new();
        let options = AdminOptions::new().request_timeout(Some(LIMIT));
        for some in names.chunks(AT_ONCE) {
            let topics: Vec<_> = some.iter().map(|name| ResourceSpecifier::Topic(name)).collect();
            let described = match self.admin.describe_configs(&topics, &options).await {
                Ok(described) => described,
                Err(error) => {
                    tracing::debug!(%error, "the brokers do not tell how large batches may be");
                    return limits;
                }
            };
            for resource in described.into_iter().flatten() {
                let limit =
                    resource.get("max.message.bytes").and_then(|entry| entry.value.as_ref()?.parse().ok());
                if let (OwnedResourceSpecifier::Topic(name), Some(limit)) = (&resource.specifier, limit) {
                    limits.insert(name.clone(), limit);
                }
            }
        }
        limits
    }

    /// The names of those that were made; the others were there.
    async fn create(&self, specs: &[TopicSpec], validate_only: bool) -> Result<Vec<String>> {
        let topics: Vec<NewTopic<'_>> = specs
            .iter()
            .map(|spec| {
                let replication = TopicReplication::Fixed(spec.replication_factor);
                let topic = NewTopic::new(&spec.name, spec.partitions, replication);
                spec.config.iter().fold(topic, |topic, (name, value)| topic.set(name, value))
            })
            .collect();
        let options = AdminOptions::new()
            .operation_timeout(Some(LIMIT))
            .request_timeout(Some(LIMIT))
            .validate_only(validate_only);
        let results = self.admin.create_topics(&topics, &options).await.map_err(|error| {
            let names: Vec<&str> = specs.iter().take(3).map(|spec| spec.name.as_str()).collect();
            let more = specs.len().saturating_sub(names.len());
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            Error::client(format!("create topic {}{more}", names.join(", ")), error)
        })?;
        let mut made = Vec::new();
        for result in results {
            match result {
                Ok(name) => made.push(name),
                Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((name, code)) => {
                    let hint = specs.iter().find(|spec| spec.name == name).map(|spec| hint(code, spec));
                    let hint = hint.unwrap_or_default();
                    return Err(Error::topic(format!("could not create topic {name:?}{hint}"), code));
                }
            }
        }
        Ok(made)
    }
}

/// Makes the topic if it is missing, with a client of its own; one that is there is left as it is.
///
/// # Errors
/// As [`Topics::ensure_all`].
pub async fn ensure(client: &ClientProperties, spec: &TopicSpec) -> Result<()> {
    Topics::new(client)?.create(std::slice::from_ref(spec), false).await.map(|_| ())
}

/// Asks the brokers whether they would make the topic, and makes none.
///
/// # Errors
/// As [`Topics::ensure_all`].
pub async fn validate(client: &ClientProperties, spec: &TopicSpec) -> Result<()> {
    Topics::new(client)?.create(std::slice::from_ref(spec), true).await.map(|_| ())
}

fn hint(code: RDKafkaErrorCode, spec: &TopicSpec) -> String {
    match code {
        RDKafkaErrorCode::InvalidReplicationFactor => {
            format!(" (replication factor {}: are there that many brokers?)", spec.replication_factor)
        }
        RDKafkaErrorCode::InvalidPartitions => format!(" ({} partitions)", spec.partitions),
        RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::ClusterAuthorizationFailed => {
            " (the user may not create it: grant Create on the topic, or create it beforehand)".to_owned()
        }
        RDKafkaErrorCode::InvalidTopic => {
            " (a name has at most 249 of the characters a-z A-Z 0-9 . _ -)".to_owned()
        }
        RDKafkaErrorCode::InvalidConfig => format!(" (one of {:?})", spec.config.keys().collect::<Vec<_>>()),
        _ => String::new(),
    }
}

/// [`Topics::describe`] with a client of its own.
///
/// # Errors
/// As there.
pub async fn describe(client: &ClientProperties, topic: &str) -> Result<Option<Description>> {
    Topics::new(client)?.describe(topic).await
}

pub(crate) fn describe_with<C: rdkafka::consumer::ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
) -> Result<Option<Description>> {
    describe_by(consumer.client(), topic)
}

fn describe_by<C: rdkafka::ClientContext>(
    client: &rdkafka::client::Client<C>,
    topic: &str,
) -> Result<Option<Description>> {
    let what = || format!("read the metadata of topic {topic:?}");
    let metadata = client.fetch_metadata(Some(topic), LIMIT).map_err(|e| Error::client(what(), e))?;
    let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else { return Ok(None) };
    match found.error().map(RDKafkaErrorCode::from) {
        None => {}
        Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => return Ok(None),
        Some(code) => return Err(Error::topic(format!("could not {}", what()), code)),
    }
    let partitions = found.partitions();
    Ok((!partitions.is_empty()).then(|| Description {
        partitions: i32::try_from(partitions.len()).unwrap_or(i32::MAX),
        replication_factor: partitions
            .first()
            .map_or(0, |p| i32::try_from(p.replicas().len()).unwrap_or(i32::MAX)),
    }))
}

/// Runs librdkafka's blocking calls off the runtime's threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(Error::other(format!("a Kafka call was cut short: {error}"), true)),
    }
}
