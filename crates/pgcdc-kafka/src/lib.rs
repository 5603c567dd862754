//! What both sides of pgcdc need of Kafka: the client's properties, its errors, topics, reading.
//!
//! The only crate that talks to librdkafka's configuration and admin surface. It knows no Debezium
//! and no Postgres: bytes are bytes here.
//!
//! In reading order: [`ClientProperties`] turns what a user wrote (Java's or librdkafka's names)
//! into a client's configuration; [`topics`] creates and describes topics; [`read_compacted`] reads
//! a small compacted topic as a map; [`Producer`] sends without blocking;
//! [`Transactions`] makes its records visible together; [`consumer`] is a group member that drains before it lets go;
//! [`Error`] says whether waiting helps.
//!
//! ```
//! use pgcdc_kafka::ClientProperties;
//! let client = ClientProperties::parse([("bootstrap.servers", "127.0.0.1:9092"), ("max.request.size", "2097152")])?;
//! assert_eq!(client.get("message.max.bytes"), Some("2097152"));
//! # Ok::<(), pgcdc_kafka::Error>(())
//! ```

mod client;
mod compacted;
pub mod consumer;
pub mod direct;
mod error;
mod java;
mod known;
mod native;
pub mod producer;
pub mod topics;
pub mod transaction;

pub use client::{ClientProperties, Logging, unknown as unknown_property};
pub use compacted::{CompactedWriter, read_compacted, read_compacted_settled};
pub use direct::{Direct, HeaderBytes};
pub use error::{Error, is_transient};
pub use native::{Headers, Topic};
pub use producer::{Place, Producer, Sent};
pub use transaction::Transactions;

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;
