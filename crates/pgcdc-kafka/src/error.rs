//! Errors of Kafka clients and brokers, with the three questions that callers ask: does waiting help, was another client
//! faster, is the client of any use still?
//!
//! ```text configuration ─▶ a person edits a file (exit code 2) denied ─▶ a person changes a right, a password, a certificate:
//! the hint says which transient ─▶ the caller waits and tries again fenced ─▶ another instance runs: the caller ends fatal ─▶
//! this client is of no use: the caller makes another one ``` Errors of librdkafka and of our own producer have the same codes
//! and the same words, so a log reads alike for both.

use std::fmt;

use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;

use crate::Code;

/// A failure of a Kafka client, a broker, or a request to one.
///
/// Callers decide by its methods, not by its text. The text never has a property's value, which may be a secret.
///
/// ```
/// use pgcdc_kafka::{ClientProperties, Error};
/// let error: Error = ClientProperties::parse([("linger.msx", "5")]).unwrap_err();
/// assert!(error.is_configuration() && !error.is_transient());
/// assert!(error.to_string().contains("did you mean \"linger.ms\"?"));
/// ```
pub struct Error(Box<Kind>);

/// What happened. Callers see it by the methods of [`Error`] only, so kinds may change.
#[derive(Debug)]
enum Kind {
    /// A mistake in what the user wrote.
    Configuration { message: String },
    /// A client's call, or a broker's answer to it, failed.
    Client { what: String, fenced: bool, fatal: bool, code: Option<Code>, source: Cause },
    /// A failure of one topic. `reason` is the code in librdkafka's words.
    Topic { what: String, code: Code, reason: String },
    /// A broker, or what a connection to it needs, says no. Waiting does not help.
    Denied { what: String, code: Option<Code>, hint: String },
    /// A failure without a code.
    Other { what: String, transient: bool },
}

/// Which client reported a failure.
#[derive(Debug)]
enum Cause {
    Librdkafka(KafkaError),
    Direct(Refusal),
}

/// An error code that a broker sent to our own producer, or that the producer found by itself.
#[derive(Debug)]
struct Refusal(Code);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message production error: {}", self.0)
    }
}

impl std::error::Error for Refusal {}

impl Error {
    /// A mistake in what the user wrote.
    #[must_use]
    pub fn configuration(message: impl Into<String>) -> Self {
        Self(Box::new(Kind::Configuration { message: message.into() }))
    }

    /// A failure that librdkafka reported while doing `what`.
    #[must_use]
    pub(crate) fn client(what: impl Into<String>, source: KafkaError) -> Self {
        if let KafkaError::ClientConfig(_, description, name, _) = &source {
            return Self::configuration(describe_rejection(name, description));
        }
        let code = source.rdkafka_error_code().map(Code::from);
        let reported_fatal = match &source {
            KafkaError::Transaction(error) => error.is_fatal(),
            KafkaError::MessageConsumptionFatal(_) => true,
            _ => false,
        };
        Self(Box::new(Kind::Client {
            what: what.into(),
            fenced: code.is_some_and(is_fenced),
            fatal: reported_fatal || code.is_some_and(is_fatal),
            code,
            source: Cause::Librdkafka(source),
        }))
    }

    /// A failure with a code that our own producer met while doing `what`.
    pub(crate) fn refused(what: impl Into<String>, code: Code) -> Self {
        Self(Box::new(Kind::Client {
            what: what.into(),
            fenced: is_fenced(code),
            fatal: is_fatal(code),
            code: Some(code),
            source: Cause::Direct(Refusal(code)),
        }))
    }

    /// A failure that librdkafka reported for one topic.
    pub(crate) fn topic(what: impl Into<String>, code: RDKafkaErrorCode) -> Self {
        let reason = code.to_string();
        Self(Box::new(Kind::Topic { what: what.into(), code: code.into(), reason }))
    }

    /// A refusal that only a person can mend: what and where, and what to do.
    pub(crate) fn denied(what: impl Into<String>, code: Option<Code>, hint: impl Into<String>) -> Self {
        Self(Box::new(Kind::Denied { what: what.into(), code, hint: hint.into() }))
    }

    /// A failure without a code. `transient` says whether waiting may help.
    pub(crate) fn other(what: impl Into<String>, transient: bool) -> Self {
        Self(Box::new(Kind::Other { what: what.into(), transient }))
    }

    /// Whether the configuration is at fault, so that only an edit of it helps.
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        matches!(*self.0, Kind::Configuration { .. })
    }

    /// Whether the same call may succeed later without anybody's help.
    ///
    /// Errors of a broker are judged by their code. A code that nobody has judged counts as permanent: a person who sees an
    /// error that would have passed loses less than one who waits for a retry that can never succeed.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match &*self.0 {
            Kind::Configuration { .. } | Kind::Denied { .. } => false,
            Kind::Client { fatal, fenced, code, .. } => !fatal && !fenced && code.is_none_or(is_transient),
            Kind::Topic { code, .. } => is_transient(*code),
            Kind::Other { transient, .. } => *transient,
        }
    }

    /// Whether another client with the same `transactional.id` or `group.instance.id` took this one's place.
    ///
    /// A producer is fenced by `PRODUCER_FENCED`, or by `INVALID_PRODUCER_EPOCH` from brokers before 2.7 (KIP-588).
    #[must_use]
    pub fn is_fenced(&self) -> bool {
        matches!(&*self.0, Kind::Client { fenced: true, .. })
    }

    /// Whether the client that reported this can not be used any more.
    ///
    /// Another client with the same properties may well work: capture makes one when the error is not fenced and not permanent.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        matches!(&*self.0, Kind::Client { fatal: true, .. })
    }

    /// What a person can do about the error, when that is known.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        match &*self.0 {
            Kind::Denied { hint, .. } => Some(hint),
            _ => self.code().and_then(hint_of),
        }
    }

    /// Kafka's error code, when there is one.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        match &*self.0 {
            Kind::Client { code, .. } | Kind::Denied { code, .. } => *code,
            Kind::Topic { code, .. } => Some(*code),
            Kind::Configuration { .. } | Kind::Other { .. } => None,
        }
    }
}

/// What a person can do about an error of this code.
fn hint_of(code: Code) -> Option<&'static str> {
    use Code as C;
    Some(match code {
        // Almost always the answer to a record without a key in a compacted topic.
        C::InvalidRecord => {
            "a compacted topic takes no record without a key, and a table without a primary key has none: give the table a \
             key (or message.key.columns), or set the topic's cleanup.policy to delete"
        }
        C::TopicAuthorizationFailed => {
            "let this user write to the topic, and create it if it is missing (kafka-acls)"
        }
        C::ClusterAuthorizationFailed => {
            "let this user create topics (kafka-acls), or make the topic beforehand"
        }
        C::GroupAuthorizationFailed => "let this user read with this group.id (kafka-acls)",
        C::PolicyViolation => {
            "the cluster's policy refuses it: make the topic beforehand, as the policy wants it"
        }
        C::InvalidReplicationFactor => "the cluster has fewer brokers than that: make the topic beforehand",
        C::SaslAuthenticationFailed | C::Authentication => {
            "are user and password right, and is sasl.mechanism?"
        }
        _ => return None,
    })
}

/// librdkafka's own words on a property, with the value left out when the property may be a secret.
fn describe_rejection(name: &str, description: &str) -> String {
    if crate::known::is_secret(name) {
        return format!("property {name:?} has a value that librdkafka does not accept");
    }
    let without =
        ["at build time", "in this build", "requires"].iter().any(|words| description.contains(words));
    if without && description.contains("build") {
        return format!(
            "property {name:?}: {description}; topics, offsets and sinks use librdkafka, which this binary has without it: build with --features kafka-tls"
        );
    }
    format!("property {name:?}: {description}")
}

/// Codes that say that another client took this one's place.
fn is_fenced(code: Code) -> bool {
    use Code as C;
    matches!(
        code,
        C::Fenced | C::ProducerFenced | C::InvalidProducerEpoch | C::FencedInstanceId | C::FencedMemberEpoch
    )
}

/// Codes after which a client is of no use any more.
fn is_fatal(code: Code) -> bool {
    use Code as C;
    is_fenced(code)
        || matches!(
            code,
            C::Fatal
                | C::OutOfOrderSequenceNumber
                | C::UnknownProducerId
                | C::TransactionalIdAuthorizationFailed
                | C::InvalidTransactionTimeout
                | C::InvalidProducerIdMapping
        )
}

/// Codes that time alone may mend. All other codes count as permanent, so that a mistake is shown rather than retried for ever.
fn is_transient(code: Code) -> bool {
    use Code as C;
    matches!(
        code,
        C::BrokerTransportFailure
            | C::AllBrokersDown
            | C::OperationTimedOut
            | C::MessageTimedOut
            | C::QueueFull
            | C::Resolve
            | C::SSL
            | C::WaitingForCoordinator
            | C::InProgress
            | C::AssignmentLost
            // The group removed the member because it was silent; it joins again at the next poll.
            | C::PollExceeded
            | C::NoOffset
            | C::RequestTimedOut
            | C::BrokerNotAvailable
            | C::ReplicaNotAvailable
            | C::LeaderNotAvailable
            | C::NotLeaderForPartition
            | C::NetworkException
            | C::CoordinatorLoadInProgress
            | C::CoordinatorNotAvailable
            | C::NotCoordinator
            | C::NotEnoughReplicas
            | C::NotEnoughReplicasAfterAppend
            | C::RebalanceInProgress
            | C::IllegalGeneration
            | C::UnknownMemberId
            | C::NotController
            | C::KafkaStorageError
            | C::ConcurrentTransactions
            // The transaction was aborted; the next producer begins another.
            | C::InvalidTransactionalState
            | C::UnknownTopicOrPartition
            | C::UnknownTopic
            | C::UnknownPartition
            | C::ThrottlingQuotaExceeded
    )
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Kind::Configuration { message } => f.write_str(message),
            Kind::Client { what, .. } => write!(f, "could not {what}"),
            Kind::Topic { what, reason, .. } => write!(f, "{what}: {reason}"),
            Kind::Denied { what, .. } | Kind::Other { what, .. } => f.write_str(what),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &*self.0 {
            Kind::Client { source: Cause::Librdkafka(source), .. } => Some(source),
            Kind::Client { source: Cause::Direct(source), .. } => Some(source),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_classified() {
        let fenced = Error::client("send", KafkaError::MessageProduction(RDKafkaErrorCode::Fenced));
        assert!(fenced.is_fenced() && fenced.is_fatal() && !fenced.is_transient());
        let down = Error::client("send", KafkaError::MessageProduction(RDKafkaErrorCode::AllBrokersDown));
        assert!(down.is_transient() && !down.is_fatal());
        let silent = Error::client("read", KafkaError::MessageConsumption(RDKafkaErrorCode::PollExceeded));
        assert!(silent.is_transient() && !silent.is_fatal());
        let large =
            Error::client("send", KafkaError::MessageProduction(RDKafkaErrorCode::MessageSizeTooLarge));
        assert!(!large.is_transient() && !large.is_fatal());
        let keyless = Error::client("send", KafkaError::MessageProduction(RDKafkaErrorCode::InvalidRecord));
        // Our own producer's errors read as librdkafka's, and mean the same.
        let ours = Error::refused("send", Code::MessageSizeTooLarge);
        let reason = |error: &Error| std::error::Error::source(error).map(ToString::to_string);
        assert_eq!((ours.to_string(), reason(&ours)), (large.to_string(), reason(&large)));
        assert_eq!(ours.code(), large.code());
        assert!(keyless.hint().is_some_and(|hint| hint.contains("compacted") && hint.contains("key")));
    }
}
