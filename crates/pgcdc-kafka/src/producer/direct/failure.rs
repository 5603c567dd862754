//! What a broker's error code means for a producer.
//!
//! Source: Kafka's documentation, "Protocol Guide", error codes.

use crate::{Code, Error};

/// What follows from an error code.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// The request succeeded.
    Done,
    /// Try the same request again, a little later.
    Again,
    /// Ask who leads the partition, then try the same request again.
    NotLeader,
    /// Trying again would not help.
    Failed(Code),
}

/// CONCURRENT_TRANSACTIONS: the coordinator still completes the transaction before.
pub(super) const CONCURRENT: i16 = 51;

pub(super) fn fate(error: i16) -> Fate {
    match error {
        // A batch that the broker had already: its first answer was lost.
        0 | 46 => Fate::Done,
        2 | 7 | 8 | 13..=15 | 19 | 20 | 41 | CONCURRENT | 89 => Fate::Again,
        3 | 5 | 6 | 9 | 16 | 56 | 72 | 74 | 75 | 100 => Fate::NotLeader,
        _ => Fate::Failed(code(error)),
    }
}

/// The code of a broker's error number, where somebody decides by it.
pub(super) fn code(error: i16) -> Code {
    match error {
        3 | 100 => Code::UnknownTopicOrPartition,
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
        48 => Code::InvalidTransactionalState,
        49 => Code::InvalidProducerIdMapping,
        50 => Code::InvalidTransactionTimeout,
        53 => Code::TransactionalIdAuthorizationFailed,
        59 => Code::UnknownProducerId,
        87 => Code::InvalidRecord,
        90 => Code::ProducerFenced,
        _ => Code::Unknown,
    }
}

/// A record for a topic cannot be delivered.
pub(super) fn undelivered(topic: &str, code: Code) -> Error {
    Error::refused(format!("deliver a record to topic {topic:?}"), code)
}

/// A broker refused a request other than one with records.
pub(super) fn refused(what: &str, code: Code) -> Error {
    Error::refused(what, code)
}

/// A malformed answer.
pub(super) fn malformed() -> Error {
    Error::other("a broker's answer could not be read: is it a Kafka broker of version 2.1 or later?", true)
}
