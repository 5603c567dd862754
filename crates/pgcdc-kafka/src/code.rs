//! Kafka's error codes, under names of our own, so that a caller who decides by a code need not know which client met it.
//!
//! Sources: Kafka's documentation, "Protocol Guide", error codes (zero and up, and -1); and librdkafka's `rdkafka.h` for
//! numbers below -1, which a client uses for errors that it found by itself.
//!
//! Codes travel as numbers. Those that pgcdc decides by have names; the names and texts are librdkafka's, so that an error
//! reads the same whichever client met it, and a test compares them all.

use std::fmt;

macro_rules! codes {
    ($($name:ident = $number:literal, $text:literal;)*) => {
        /// A Kafka error code that some part of pgcdc decides by, or the number of another one.
        ///
        /// ```
        /// use pgcdc_kafka::Code;
        /// assert_eq!(Code::from_number(10), Code::MessageSizeTooLarge);
        /// assert_eq!(Code::MessageSizeTooLarge.number(), 10);
        /// assert_eq!(Code::from_number(1234), Code::Other(1234));
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $(#[doc = concat!("Number ", stringify!($number), ": ", $text, ".")] $name,)*
            /// Any other code, by its number.
            Other(i16),
        }

        impl Code {
            /// The code with this number.
            #[must_use]
            pub const fn from_number(number: i16) -> Self {
                match number {
                    $($number => Self::$name,)*
                    other => Self::Other(other),
                }
            }

            /// The code's number in Kafka's protocol; below -1 where a client found the error, not a broker.
            #[must_use]
            pub const fn number(self) -> i16 {
                match self {
                    $(Self::$name => $number,)*
                    Self::Other(number) => number,
                }
            }

            /// What the code means, in the words that librdkafka has for it.
            const fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                    Self::Other(_) => "Unknown error",
                }
            }
        }
    };
}

codes! {
    BrokerTransportFailure = -195, "Local: Broker transport failure";
    Resolve = -193, "Local: Host resolution failure";
    MessageTimedOut = -192, "Local: Message timed out";
    UnknownPartition = -190, "Local: Unknown partition";
    UnknownTopic = -188, "Local: Unknown topic";
    AllBrokersDown = -187, "Local: All broker connections are down";
    OperationTimedOut = -185, "Local: Timed out";
    QueueFull = -184, "Local: Queue full";
    SSL = -181, "Local: SSL error";
    WaitingForCoordinator = -180, "Local: Waiting for coordinator";
    InProgress = -178, "Local: Operation in progress";
    State = -172, "Local: Erroneous state";
    Authentication = -169, "Local: Authentication failure";
    NoOffset = -168, "Local: No offset stored";
    UnsupportedFeature = -165, "Local: Required feature not supported by broker";
    Fatal = -150, "Local: Fatal error";
    PollExceeded = -147, "Local: Maximum application poll interval (max.poll.interval.ms) exceeded";
    Fenced = -144, "Local: This instance has been fenced by a newer instance";
    AssignmentLost = -142, "Local: Group partition assignment lost";
    Unknown = -1, "Unknown broker error";
    UnknownTopicOrPartition = 3, "Broker: Unknown topic or partition";
    LeaderNotAvailable = 5, "Broker: Leader not available";
    NotLeaderForPartition = 6, "Broker: Not leader for partition";
    RequestTimedOut = 7, "Broker: Request timed out";
    BrokerNotAvailable = 8, "Broker: Broker not available";
    ReplicaNotAvailable = 9, "Broker: Replica not available";
    MessageSizeTooLarge = 10, "Broker: Message size too large";
    NetworkException = 13, "Broker: Broker disconnected before response received";
    CoordinatorLoadInProgress = 14, "Broker: Coordinator load in progress";
    CoordinatorNotAvailable = 15, "Broker: Coordinator not available";
    NotCoordinator = 16, "Broker: Not coordinator";
    InvalidTopic = 17, "Broker: Invalid topic";
    NotEnoughReplicas = 19, "Broker: Not enough in-sync replicas";
    NotEnoughReplicasAfterAppend = 20, "Broker: Message(s) written to insufficient number of in-sync replicas";
    InvalidRequiredAcks = 21, "Broker: Invalid required acks value";
    IllegalGeneration = 22, "Broker: Specified group generation id is not valid";
    UnknownMemberId = 25, "Broker: Unknown member";
    RebalanceInProgress = 27, "Broker: Group rebalance in progress";
    TopicAuthorizationFailed = 29, "Broker: Topic authorization failed";
    GroupAuthorizationFailed = 30, "Broker: Group authorization failed";
    ClusterAuthorizationFailed = 31, "Broker: Cluster authorization failed";
    InvalidTimestamp = 32, "Broker: Invalid timestamp";
    UnsupportedVersion = 35, "Broker: API version not supported";
    TopicAlreadyExists = 36, "Broker: Topic already exists";
    InvalidPartitions = 37, "Broker: Invalid number of partitions";
    InvalidReplicationFactor = 38, "Broker: Invalid replication factor";
    InvalidConfig = 40, "Broker: Configuration is invalid";
    NotController = 41, "Broker: Not controller for cluster";
    PolicyViolation = 44, "Broker: Policy violation";
    OutOfOrderSequenceNumber = 45, "Broker: Broker received an out of order sequence number";
    InvalidProducerEpoch = 47, "Broker: Producer attempted an operation with an old epoch";
    InvalidTransactionalState = 48, "Broker: Producer attempted a transactional operation in an invalid state";
    InvalidProducerIdMapping = 49, "Broker: Producer attempted to use a producer id which is not currently assigned to its transactional id";
    InvalidTransactionTimeout = 50, "Broker: Transaction timeout is larger than the maximum value allowed by the broker's max.transaction.timeout.ms";
    ConcurrentTransactions = 51, "Broker: Producer attempted to update a transaction while another concurrent operation on the same transaction was ongoing";
    TransactionalIdAuthorizationFailed = 53, "Broker: Transactional Id authorization failed";
    KafkaStorageError = 56, "Broker: Disk error when trying to access log file on disk";
    SaslAuthenticationFailed = 58, "Broker: SASL Authentication failed";
    UnknownProducerId = 59, "Broker: Unknown Producer Id";
    FencedInstanceId = 82, "Broker: Static consumer fenced by other consumer with same group.instance.id";
    InvalidRecord = 87, "Broker: Broker failed to validate record";
    ThrottlingQuotaExceeded = 89, "Broker: Throttling quota has been exceeded";
    ProducerFenced = 90, "Broker: There is a newer producer with the same transactionalId which fences the current one";
    FencedMemberEpoch = 110, "Broker: The member epoch is fenced by the group coordinator";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?} ({})", self.text())
    }
}

impl From<rdkafka::types::RDKafkaErrorCode> for Code {
    fn from(code: rdkafka::types::RDKafkaErrorCode) -> Self {
        i16::try_from(code as i32).map_or(Self::Unknown, Self::from_number)
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::types::{RDKafkaErrorCode, RDKafkaRespErr};

    use super::Code;

    #[test]
    fn the_named_codes_are_librdkafkas_in_number_name_and_text() {
        let mut named = 0;
        for number in -200..200_i32 {
            let Ok(theirs) = RDKafkaRespErr::try_from(number).map(RDKafkaErrorCode::from) else { continue };
            let ours = Code::from(theirs);
            if matches!(ours, Code::Other(_)) {
                continue;
            }
            assert_eq!(i32::from(ours.number()), number);
            assert_eq!(ours.to_string(), theirs.to_string());
            named += 1;
        }
        assert_eq!(named, 64, "every named code has a number of its own");
    }
}
