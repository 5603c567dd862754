//! What a broker's error code means for a producer.
//!
//! Source: Kafka's documentation, "Protocol Guide", error codes.

use crate::{Code, Error};

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

/// The broker does not coordinate transactions yet.
pub(super) const COORDINATOR_NOT_AVAILABLE: i16 = 15;
/// Another broker coordinates the transactions of this id.
pub(super) const NOT_COORDINATOR: i16 = 16;
/// The coordinator still completes the transaction before.
pub(super) const CONCURRENT_TRANSACTIONS: i16 = 51;
/// A partition was not added to a transaction because another one of the request could not be.
pub(super) const OPERATION_NOT_ATTEMPTED: i16 = 55;

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
