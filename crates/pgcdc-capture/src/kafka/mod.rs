//! All that capture has to do with Kafka: records sent, topics made, exactly-once, offsets in a topic, and the check that
//! the brokers answer.
//!
//! The only folder of this crate that names `pgcdc-kafka`. Without the feature `kafka` its place is taken by
//! `without_kafka.rs`, which has the same names.

mod check;
mod error;
mod exactly_once;
mod held;
mod making;
mod offsets;
mod output;
mod properties;
mod topic_spec;
mod transaction;
mod transaction_pace;

pub(crate) use check::check;
pub(crate) use exactly_once::ExactlyOnceOutput;
pub(crate) use offsets::{OffsetTopic, OffsetTopicWriter};
pub(crate) use output::KafkaOutput;
pub(crate) use pgcdc_kafka::unknown_property;
