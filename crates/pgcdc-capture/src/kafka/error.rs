//! What an error of Kafka's means for a connector: who must act, and how.

use pgcdc_kafka::Code;

use crate::Error;

/// Kafka's error as ours.
pub(super) fn kafka_error(error: pgcdc_kafka::Error) -> Error {
    let text = error.to_string();
    let ours = if error.is_configuration() {
        Error::configuration(text)
    } else if error.code() == Some(Code::UnknownTopicOrPartition) {
        Error::transient(format!("{text}: the brokers do not know it any more")).with_hint(
            "was it deleted? The connector makes it again, as topic.creation.* says; records that it had are gone",
        )
    } else if error.code() == Some(Code::MessageSizeTooLarge) {
        Error::fatal(text).with_hint(
            "raise producer.override.max.request.size here and max.message.bytes of the topic (message.max.bytes of the broker)",
        )
    } else if error.is_fenced() || !(error.is_transient() || error.is_fatal()) {
        Error::fatal(text)
    } else {
        // A broken producer is replaced by the restart that follows, from the last confirmed position.
        Error::transient(text)
    };
    let ours = match error.hint() {
        Some(hint) if ours.hint().is_none() => ours.with_hint(hint),
        _ => ours,
    };
    ours.with_source(error).of_kafka()
}
