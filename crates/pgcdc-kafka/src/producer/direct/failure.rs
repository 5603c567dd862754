//! What a broker's error code means for a producer.
//!
//! Source: Kafka's documentation, "Protocol Guide", error codes.
//!
//! | codes | meaning | what follows | |---|---|---| | 0, 46 | done, or done before (`DUPLICATE_SEQUENCE_NUMBER`) | the batch is
//! durable | | 2, 7, 8, 13–15, 19, 20, 41, 51, 89 | a check sum, a time limit, too few replicas, a coordinator that is busy |
//! the same request again, after a pause | | 3, 5, 6, 9, 16, 56, 72, 74, 75, 100 | the topic, its leader or the coordinator is
//! elsewhere, or a disk failed | metadata, then the same request again | | all others | rights, sizes, numbers, epochs | an
//! error; by its [`Code`] the caller knows whether a new producer helps |

use super::options::bootstrap;
use crate::security::Security;
use crate::{ClientProperties, Code, Error};

/// What follows from an error code.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The request succeeded.
    Done,
    /// Try the same request again, a little later.
    Again,
    /// Ask who leads the partition, then try the same request again.
    NotLeader,
    /// Trying again would not help.
    Failed(Code),
}

/// The broker does not have the mechanism of a login.
pub(super) const UNSUPPORTED_SASL_MECHANISM: i16 = 33;
/// The broker takes no login on this port.
pub(super) const ILLEGAL_SASL_STATE: i16 = 34;
/// The broker refuses a login.
pub(super) const SASL_AUTHENTICATION_FAILED: i16 = 58;
/// The broker does not have this version of a request.
pub(super) const UNSUPPORTED_VERSION: i16 = 35;
/// The broker does not coordinate transactions yet.
pub(super) const COORDINATOR_NOT_AVAILABLE: i16 = 15;
/// Another broker coordinates the transactions of this id.
pub(super) const NOT_COORDINATOR: i16 = 16;
/// The coordinator still completes the transaction before.
pub(super) const CONCURRENT_TRANSACTIONS: i16 = 51;
/// A partition was not added to a transaction because another one of the request could not be.
pub(super) const OPERATION_NOT_ATTEMPTED: i16 = 55;

/// The transaction can only be aborted (KIP-890). The next producer does it when it takes over.
const TRANSACTION_ABORTABLE: i16 = 120;

/// What follows from a broker's error number.
pub(super) fn outcome(error: i16) -> Outcome {
    match error {
        // A batch that the broker had already: its first answer was lost.
        0 | 46 => Outcome::Done,
        2 | 7 | 8 | 13..=COORDINATOR_NOT_AVAILABLE | 19 | 20 | 41 | CONCURRENT_TRANSACTIONS | 89 => {
            Outcome::Again
        }
        3 | 5 | 6 | 9 | NOT_COORDINATOR | 56 | 72 | 74 | 75 | 100 => Outcome::NotLeader,
        _ => Outcome::Failed(code(error)),
    }
}

/// The code of a broker's error number; [`Code::Unknown`] where nobody decides by it.
pub(super) fn code(error: i16) -> Code {
    match error {
        3 | 100 | 103 => Code::UnknownTopicOrPartition,
        5 => Code::LeaderNotAvailable,
        6 => Code::NotLeaderForPartition,
        10 | 18 => Code::MessageSizeTooLarge,
        17 => Code::InvalidTopic,
        21 => Code::InvalidRequiredAcks,
        29 => Code::TopicAuthorizationFailed,
        31 => Code::ClusterAuthorizationFailed,
        32 => Code::InvalidTimestamp,
        35 => Code::UnsupportedVersion,
        44 => Code::PolicyViolation,
        45 => Code::OutOfOrderSequenceNumber,
        47 => Code::InvalidProducerEpoch,
        48 | TRANSACTION_ABORTABLE => Code::InvalidTransactionalState,
        49 => Code::InvalidProducerIdMapping,
        50 => Code::InvalidTransactionTimeout,
        53 => Code::TransactionalIdAuthorizationFailed,
        59 => Code::UnknownProducerId,
        87 => Code::InvalidRecord,
        90 => Code::ProducerFenced,
        _ => Code::Unknown,
    }
}

/// Logs that a broker refuses a client that was let in before, with what a person can do.
pub(super) fn warn_of_refusal(broker: &str, error: &Error) {
    let hint = error.hint().unwrap_or_default();
    tracing::warn!(broker, %error, hint, "the connection to a Kafka broker is refused, and was not before; it is tried again for five minutes");
}

/// A malformed answer.
pub(super) fn malformed() -> Error {
    Error::other("a broker's answer could not be read: is it a Kafka broker of version 2.1 or later?", true)
}

/// What a client may not do.
#[derive(Clone, Copy, Debug)]
pub(super) enum Resource<'a> {
    /// Create this topic, and write to it then.
    NewTopic(&'a str),
    /// Write to this topic.
    Topic(&'a str),
    /// Get a producer id, to write to this topic.
    Cluster(Option<&'a str>),
    /// Use this transactional id.
    TransactionalId(&'a str),
}

/// The error of a user who may not create a topic, with the command that grants all that capture needs of it.
pub(crate) fn may_not_create(properties: &ClientProperties, topic: &str, code: Code) -> Error {
    let security = match Security::new(properties) {
        Ok(security) => security,
        Err(error) => return error,
    };
    let servers = bootstrap(properties).join(",");
    unauthorized(Resource::NewTopic(topic), code, security.user(), &servers, "create a topic")
}

/// The error of a user who lacks a grant, with the command that gives it. `user` is `None` where the properties do not name one.
pub(super) fn unauthorized(
    resource: Resource<'_>,
    code: Code,
    user: Option<&str>,
    bootstrap: &str,
    what: &str,
) -> Error {
    let quoted = |text: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-:,".contains(c);
        if text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
    };
    let (denied, operations) = match resource {
        Resource::NewTopic(topic) => (
            format!("create topic {topic:?}"),
            format!(
                "--operation Create --operation Describe --operation Write --topic {}\nor create the topic beforehand",
                quoted(topic)
            ),
        ),
        Resource::Topic(topic) => (
            format!("write to topic {topic:?}"),
            format!("--operation Write --operation Describe --topic {}", quoted(topic)),
        ),
        Resource::Cluster(Some(topic)) => (
            "get a producer id".to_owned(),
            format!(
                "--operation Write --operation Describe --topic {} (and before Kafka 2.8 also --operation IdempotentWrite --cluster)",
                quoted(topic)
            ),
        ),
        Resource::Cluster(None) => {
            ("get a producer id".to_owned(), "--operation IdempotentWrite --cluster".to_owned())
        }
        Resource::TransactionalId(id) => (
            format!("use transactional id {id:?}"),
            format!("--operation Write --operation Describe --transactional-id {}", quoted(id)),
        ),
    };
    let who = user.map_or("this client".to_owned(), |user| format!("user {user:?}"));
    let user = user.map_or("NAME".to_owned(), quoted);
    Error::denied(
        format!("could not {what}: {who} may not {denied} ({code})"),
        Some(code),
        format!("kafka-acls --bootstrap-server {bootstrap} --add --allow-principal User:{user} {operations}"),
    )
}
