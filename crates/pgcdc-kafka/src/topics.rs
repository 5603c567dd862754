//! Topics: whether one exists, how many partitions it has, and how it is created.
//!
//! | question | asked how | when the brokers do not answer | |---|---|---| | is a topic there, with how many partitions? |
//! metadata; the answer of all topics is used for ten seconds | an error after 30 s | | its id | `DescribeTopics` (KIP-516) |
//! an error after 10 s; `None` before Kafka 2.8 | | make it | `CreateTopics`, up to 250 topics a request | an error after 30 s
//! | | the largest batch that it takes | `DescribeConfigs` | nothing is known, which is no error: a batch that is too large is
//! split |
//!
//! A topic that somebody else makes at the same moment counts as made. A user without the right to create topics gets the
//! `kafka-acls` line that grants it. librdkafka's admin client asks; a wrong password or certificate is found before, since
//! librdkafka takes it for brokers that are away.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::admin::{
    AdminClient, AdminOptions, NewTopic, OwnedResourceSpecifier, ResourceSpecifier, TopicReplication,
};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::types::RDKafkaErrorCode;
use tokio::sync::{Mutex, OnceCell};

use crate::clock::now_ms;
use crate::producer::direct::failure::may_not_create;
use crate::producer::direct::probe::check;
use crate::{ClientProperties, Error, Logging, Result};

/// A token is replaced when it expires within so many milliseconds.
const TOKEN_MARGIN_MS: i64 = 60_000;
/// How long brokers may take to answer.
const LIMIT: Duration = Duration::from_secs(30);
/// How long brokers may take to tell a topic's id. Shorter than `LIMIT`, since a consumer's owner waits for it at a start.
const ID_LIMIT: Duration = Duration::from_secs(10);
/// Topics in one request: a controller takes 10,000 partitions at once.
const AT_ONCE: usize = 250;
/// How long a list of topics is used before it is asked for again.
const TRUSTED: Duration = Duration::from_secs(10);

/// How a missing topic is to be created.
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

/// The shape of an existing topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Description {
    /// Number of partitions.
    pub partitions: i32,
    /// Replicas of partition 0.
    pub replication_factor: i32,
}

/// Lists, describes and creates topics, all over one admin client.
pub struct Topics {
    /// librdkafka's client for topics; shared with the threads that wait for it.
    admin: Arc<AdminClient<Logging>>,
    /// The properties, for errors that name the user.
    client: ClientProperties,
    /// Set once the brokers let the client in, or are away.
    let_in: OnceCell<()>,
    /// Gets tokens for the client.
    logging: Logging,
    /// When the admin client's token expires, in milliseconds since 1970; zero before it has one. Only for OAUTHBEARER.
    token_expires: Mutex<i64>,
    /// The names of all topics, and when they were listed.
    listed: Mutex<Option<(Instant, HashSet<String>)>>,
}

impl fmt::Debug for Topics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topics").finish_non_exhaustive()
    }
}

impl Topics {
    /// Makes the admin client, which connects with the first question.
    ///
    /// # Errors
    /// When librdkafka does not accept the properties.
    pub fn new(client: &ClientProperties) -> Result<Self> {
        let mut properties = client.connection();
        properties.set("allow.auto.create.topics", "false");
        let logging = client.logging();
        let admin = properties
            .config()
            .create_with_context(logging.clone())
            .map_err(|e| Error::client("make an admin client", e))?;
        let (client, let_in) = (client.clone(), OnceCell::new());
        Ok(Self {
            admin: Arc::new(admin),
            client,
            let_in,
            logging,
            token_expires: Mutex::default(),
            listed: Mutex::default(),
        })
    }

    /// Whether there is a topic of this name that the user may see. All topics are listed at once and the list is used for ten
    /// seconds, since a start asks for many.
    ///
    /// # Errors
    /// When no broker answers.
    pub async fn exists(&self, topic: &str) -> Result<bool> {
        self.check_access().await?;
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

    /// A topic's shape; `None` when there is no topic of that name. Never creates it.
    ///
    /// # Errors
    /// When no broker answers, or the topic may not be seen.
    pub async fn describe(&self, topic: &str) -> Result<Option<Description>> {
        self.check_access().await?;
        let (admin, topic) = (Arc::clone(&self.admin), topic.to_owned());
        blocking(move || describe_by(admin.inner(), &topic)).await
    }

    /// A topic's id as 32 hexadecimal digits. A topic that was deleted and created again has another id. `None` when there is no
    /// such topic, or the brokers have no ids (before Kafka 2.8).
    ///
    /// # Errors
    /// When no broker answers.
    pub async fn id(&self, topic: &str) -> Result<Option<String>> {
        self.check_access().await?;
        let (admin, topic) = (Arc::clone(&self.admin), topic.to_owned());
        blocking(move || {
            let id = crate::native::topic_id(admin.inner(), &topic, ID_LIMIT)
                .map_err(|code| Error::topic(format!("could not read the id of topic {topic:?}"), code))?;
            Ok(id.map(|id| format!("{id:032x}")))
        })
        .await
    }

    /// Creates the topics that are missing, and returns their names.
    ///
    /// # Errors
    /// Names the topic, the broker's objection, and the property to change where that is known.
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

    /// The largest batch that each topic takes, in bytes (`max.message.bytes`). Topics are left out whose configuration the
    /// brokers do not show, such as to a user without `DescribeConfigs`.
    pub async fn batch_limits(&self, names: &[String]) -> HashMap<String, usize> {
        let mut limits = HashMap::new();
        if let Err(error) = self.log_in().await {
            tracing::debug!(%error, "the brokers do not tell how large batches may be");
            return limits;
        }
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

    /// Tells a mistake of the security properties before librdkafka takes it for brokers that are away.
    async fn check_access(&self) -> Result<()> {
        self.let_in.get_or_try_init(|| check(&self.client)).await?;
        self.log_in().await
    }

    /// Gives the admin client a token where it needs one. librdkafka asks for tokens by an event, and nothing polls the events of
    /// an admin client, so it gets a new token here in time.
    async fn log_in(&self) -> Result<()> {
        if !self.logging.uses_tokens() {
            return Ok(());
        }
        let mut expires = self.token_expires.lock().await;
        if *expires > now_ms().saturating_add(TOKEN_MARGIN_MS) {
            return Ok(());
        }
        let (admin, logging) = (Arc::clone(&self.admin), self.logging.clone());
        *expires = blocking(move || {
            let failed = |error: String| Error::other(format!("could not log in to Kafka: {error}"), true);
            let token = logging.token().map_err(|error| failed(error.to_string()))?;
            crate::native::give_token(admin.inner(), &token).map_err(failed)?;
            Ok(token.lifetime_ms)
        })
        .await?;
        Ok(())
    }

    /// Creates topics, or only validates that. Returns the names of those that were not there before.
    async fn create(&self, specs: &[TopicSpec], validate_only: bool) -> Result<Vec<String>> {
        self.check_access().await?;
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
                Err((
                    name,
                    code @ (RDKafkaErrorCode::TopicAuthorizationFailed
                    | RDKafkaErrorCode::ClusterAuthorizationFailed),
                )) => {
                    return Err(may_not_create(&self.client, &name, code.into()));
                }
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

/// Creates a topic if it is missing, over a client of its own. An existing topic stays as it is.
///
/// # Errors
/// As [`Topics::ensure_all`].
pub async fn ensure(client: &ClientProperties, spec: &TopicSpec) -> Result<()> {
    Topics::new(client)?.create(std::slice::from_ref(spec), false).await.map(|_| ())
}

/// Asks the brokers whether they would create the topic, without creating it.
///
/// # Errors
/// As [`Topics::ensure_all`].
pub async fn validate(client: &ClientProperties, spec: &TopicSpec) -> Result<()> {
    Topics::new(client)?.create(std::slice::from_ref(spec), true).await.map(|_| ())
}

/// What a refusal to create a topic is likely to mean, in parentheses; empty where nothing is known.
fn hint(code: RDKafkaErrorCode, spec: &TopicSpec) -> String {
    match code {
        RDKafkaErrorCode::InvalidReplicationFactor => {
            format!(" (replication factor {}: are there that many brokers?)", spec.replication_factor)
        }
        RDKafkaErrorCode::InvalidPartitions => format!(" ({} partitions)", spec.partitions),
        RDKafkaErrorCode::InvalidTopic => {
            " (a name has at most 249 of the characters a-z A-Z 0-9 . _ -)".to_owned()
        }
        RDKafkaErrorCode::InvalidConfig => format!(" (one of {:?})", spec.config.keys().collect::<Vec<_>>()),
        _ => String::new(),
    }
}

/// As [`Topics::describe`], over a client of its own.
///
/// # Errors
/// As [`Topics::describe`].
pub async fn describe(client: &ClientProperties, topic: &str) -> Result<Option<Description>> {
    Topics::new(client)?.describe(topic).await
}

/// Asks the brokers for the cluster's id; `None` when none of them knows it.
///
/// # Errors
/// When librdkafka does not accept the properties, or no broker answers.
pub async fn cluster_id(client: &ClientProperties) -> Result<Option<String>> {
    crate::check_access(client).await?;
    let (properties, logging) = (client.connection(), client.logging());
    blocking(move || {
        let consumer: BaseConsumer<Logging> = properties
            .config()
            .create_with_context(logging)
            .map_err(|e| Error::client("make a client", e))?;
        // The id comes with the first metadata.
        consumer.fetch_metadata(None, LIMIT).map_err(|e| Error::client("read the metadata", e))?;
        Ok(consumer.client().fetch_cluster_id(LIMIT))
    })
    .await
}

/// As [`Topics::describe`], over a consumer.
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

/// Runs a blocking call of librdkafka's on a thread for blocking work.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(Error::other(format!("a Kafka call was cut short: {error}"), true)),
    }
}
