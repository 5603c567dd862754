//! `<topic>.dlq`: records that can never be written, unchanged, with headers that say why.

use std::collections::HashSet;
use std::fmt;

use async_trait::async_trait;
use pgcdc_kafka::consumer::{Message, Partition};
use pgcdc_kafka::topics::{TopicSpec, describe, ensure};
use pgcdc_kafka::{ClientProperties, Code, DeadLetter, DeadLetterSender};
use tokio::sync::Mutex;

use super::rejections::Rejections;
use crate::Error;

/// Writes dead letters with acks=all.
///
/// Key, value, time and headers are those of the record; the key decides the partition, as Java's
/// default partitioner would. Added headers: `__pgcdc.error.message`, `.topic`, `.partition`,
/// `.offset`, `.sink`, and the names under which Kafka Connect's own error handler writes the same:
/// `__connect.errors.topic`, `.partition`, `.offset`, `.connector.name`, `.exception.message`.
///
/// A topic that is made here keeps its records for good (`retention.ms=-1`). A time that the topic refuses, such as one in
/// the future, is left out: the letter then has the time at which it was written, and `__pgcdc.error.omitted` says so.
///
/// When these headers make a record too large for the broker, its letter has no value, or if need be neither key, value nor
/// headers of the record. `__pgcdc.error.omitted` says so; topic and offset say where the whole record is.
pub struct DeadLetters {
    /// The sink's name, for the headers.
    sink: String,
    /// How to reach Kafka, for making topics.
    client: ClientProperties,
    sender: DeadLetterSender,
    /// Topics that are known to exist.
    ensured: Mutex<HashSet<String>>,
}

impl fmt::Debug for DeadLetters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadLetters").field("sink", &self.sink).finish_non_exhaustive()
    }
}

impl DeadLetters {
    /// For one sink. Nothing is connected yet.
    #[must_use]
    pub fn new(sink: &str, client: &ClientProperties) -> Self {
        Self {
            sink: sink.to_owned(),
            client: client.connection(),
            sender: DeadLetterSender::new(client),
            ensured: Mutex::default(),
        }
    }

    /// After a failure, looks for the topic again and drops a broken producer: the topic may be gone.
    async fn forget(&self, topic: &str) {
        self.ensured.lock().await.remove(topic);
        self.sender.renew_if_broken();
    }

    /// Makes the topic with as many partitions as its source, if it is missing.
    async fn ensure(&self, source: &str, topic: &str) -> Result<(), Error> {
        let mut ensured = self.ensured.lock().await;
        if ensured.contains(topic) {
            return Ok(());
        }
        let mut spec = TopicSpec::new(topic);
        // A dead letter has its record's time: with the broker's retention an old one would be deleted at once.
        spec.config.insert("retention.ms".to_owned(), "-1".to_owned());
        if let Some(found) = describe(&self.client, source).await? {
            spec.partitions = found.partitions;
            spec.replication_factor = found.replication_factor;
        }
        ensure(&self.client, &spec).await?;
        ensured.insert(topic.to_owned());
        Ok(())
    }
}

#[async_trait]
impl Rejections for DeadLetters {
    async fn send(&self, partition: &Partition, message: &Message, reason: &str) -> Result<(), Error> {
        let topic = format!("{}.dlq", partition.topic);
        let sent = self.ensure_and_send(&topic, partition, message, reason).await;
        if sent.is_err() {
            self.forget(&topic).await;
        }
        sent
    }
}

impl DeadLetters {
    /// Writes a letter, a smaller one each time the broker refuses its size, and one without time where it refuses the time.
    async fn ensure_and_send(
        &self,
        topic: &str,
        partition: &Partition,
        message: &Message,
        reason: &str,
    ) -> Result<(), Error> {
        self.ensure(&partition.topic, topic).await?;
        let mut kept = Kept { content: Content::Everything, time: true };
        loop {
            let error = match self.try_send(topic, partition, message, reason, kept).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            kept = match (error.code(), kept.content.less()) {
                (Some(Code::MessageSizeTooLarge), Some(content)) => Kept { content, ..kept },
                (Some(Code::InvalidTimestamp), _) if kept.time => Kept { time: false, ..kept },
                _ => {
                    return Err(Error::because(
                        format!("sink {:?}: no dead letter for {partition} at {}", self.sink, message.offset),
                        error,
                    ));
                }
            };
        }
    }
}

/// What a dead letter keeps of its record.
#[derive(Clone, Copy, Debug)]
struct Kept {
    content: Content,
    /// Whether it has the record's time.
    time: bool,
}

impl Kept {
    /// What the header `__pgcdc.error.omitted` says.
    fn omitted(self) -> Option<&'static str> {
        match (self.content, self.time) {
            (Content::Everything, true) => None,
            (Content::Everything, false) => Some("timestamp"),
            (Content::KeyAndHeaders, true) => Some("value"),
            (Content::KeyAndHeaders, false) => Some("value and timestamp"),
            (Content::Nothing, true) => Some("key, value and headers"),
            (Content::Nothing, false) => Some("key, value, headers and timestamp"),
        }
    }
}

/// How much of the record is in its letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    Everything,
    /// All but the value: with our headers it is beyond the broker's limit.
    KeyAndHeaders,
    /// Nothing: key or headers are too large as well.
    Nothing,
}

impl Content {
    /// The next smaller letter.
    fn less(self) -> Option<Self> {
        match self {
            Self::Everything => Some(Self::KeyAndHeaders),
            Self::KeyAndHeaders => Some(Self::Nothing),
            Self::Nothing => None,
        }
    }
}

impl DeadLetters {
    /// Writes one letter with what is to be kept of the record.
    async fn try_send(
        &self,
        topic: &str,
        partition: &Partition,
        message: &Message,
        reason: &str,
        kept: Kept,
    ) -> Result<(), pgcdc_kafka::Error> {
        let mut letter = DeadLetter::new(topic)
            .key(message.key().filter(|_| kept.content != Content::Nothing))
            .value(message.value().filter(|_| kept.content == Content::Everything))
            .timestamp_ms(message.timestamp_ms.filter(|_| kept.time));
        if kept.content != Content::Nothing {
            for (name, value) in message.headers() {
                letter = letter.header(&name, value.as_deref());
            }
        }
        let (id, offset) = (partition.id.to_string(), message.offset.to_string());
        let added: [(&str, &str); 10] = [
            ("__pgcdc.error.message", reason),
            ("__pgcdc.error.topic", &partition.topic),
            ("__pgcdc.error.partition", &id),
            ("__pgcdc.error.offset", &offset),
            ("__pgcdc.error.sink", &self.sink),
            ("__connect.errors.topic", &partition.topic),
            ("__connect.errors.partition", &id),
            ("__connect.errors.offset", &offset),
            ("__connect.errors.connector.name", &self.sink),
            ("__connect.errors.exception.message", reason),
        ];
        for (name, value) in added {
            letter = letter.header(name, Some(value.as_bytes()));
        }
        if let Some(omitted) = kept.omitted() {
            letter = letter.header("__pgcdc.error.omitted", Some(omitted.as_bytes()));
        }
        self.sender.send(letter).await
    }
}
