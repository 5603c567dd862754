//! Kafka for both halves of pgcdc: client properties, errors, topics, producers and consumers.
//!
//! This is the only crate that names librdkafka (`rdkafka`): its errors, types and calls end here. It knows nothing of Debezium
//! or Postgres: keys and values are bytes.
//!
//! ```text
//!  capture ─▶ Producer ─┬▶ direct ─────┐                    ┌▶ consumer ─▶ sinks
//!                       └▶ librdkafka ─┴▶ brokers (topics) ─┤      │
//!                                              ▲            │      └ what a store refuses
//!  offsets ─▶ CompactedWriter ─────────────────┤            │               ▼
//!  offsets ◀─ read_compacted ◀─────────────────┘            └───── DeadLetterSender
//! ```
//!
//! In reading order:
//!
//! - [`ClientProperties`] turns what a user wrote, in Java's or librdkafka's names, into a client's configuration;
//! - [`topics`] creates and describes topics;
//! - [`Producer`] sends without blocking, in transactions or without;
//! - [`CompactedWriter`] and [`read_compacted`] write and read a small compacted topic as a map;
//! - [`consumer`] is a member of a group that finishes its records before it gives partitions back;
//! - [`DeadLetterSender`] sends one record and waits until it is durable;
//! - [`Error`] says whether waiting helps, and has Kafka's [`Code`].
//!
//! ```
//! use pgcdc_kafka::ClientProperties;
//! let client = ClientProperties::parse([("bootstrap.servers", "127.0.0.1:9092"), ("max.request.size", "2097152")])?;
//! assert_eq!(client.get("message.max.bytes"), Some("2097152"));
//! # Ok::<(), pgcdc_kafka::Error>(())
//! ```

mod client;
mod clock;
mod code;
mod compacted;
pub mod consumer;
mod dead_letter;
mod error;
mod java;
mod known;
mod let_in;
mod native;
pub mod producer;
mod security;
pub mod topics;

pub(crate) use client::Logging;
pub use client::{ClientProperties, unknown as unknown_property};
pub use code::Code;
pub use compacted::{CompactedWriter, read_compacted, read_compacted_settled};
pub use dead_letter::{DeadLetter, DeadLetterSender};
pub use error::Error;
pub use producer::direct::probe::check as check_access;
pub use producer::{Producer, Sent, Statistics, Topic};

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;
