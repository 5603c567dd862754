//! What both sides of pgcdc need of Kafka: the client's properties, its errors, topics, reading.
//!
//! The only shipped crate that names librdkafka (`rdkafka`): its errors, types and calls end here. It knows no Debezium
//! and no Postgres: bytes are bytes here.
//!
//! In reading order: [`ClientProperties`] turns what a user wrote (Java's or librdkafka's names)
//! into a client's configuration; [`topics`] creates and describes topics; [`read_compacted`] reads
//! a small compacted topic as a map; [`Producer`] sends without blocking, in transactions or without;
//! [`DeadLetterSender`] sends one record and waits until it is durable; [`consumer`] is a group member that drains before it lets go;
//! [`Error`] says whether waiting helps, and has Kafka's [`Code`].
//!
//! ```
//! use pgcdc_kafka::ClientProperties;
//! let client = ClientProperties::parse([("bootstrap.servers", "127.0.0.1:9092"), ("max.request.size", "2097152")])?;
//! assert_eq!(client.get("message.max.bytes"), Some("2097152"));
//! # Ok::<(), pgcdc_kafka::Error>(())
//! ```

mod client;
mod code;
mod compacted;
pub mod consumer;
mod dead_letter;
mod error;
mod java;
mod known;
mod native;
pub mod producer;
pub mod topics;

pub(crate) use client::Logging;
pub use client::{ClientProperties, unknown as unknown_property};
pub use code::Code;
pub use compacted::{CompactedWriter, read_compacted, read_compacted_settled};
pub use dead_letter::{DeadLetter, DeadLetterSender};
pub use error::Error;
pub use producer::{Producer, Sent, Topic};

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;
