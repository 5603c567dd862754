//! Postgres change data capture without a JVM: capture rows to Kafka as Debezium does, and take
//! them from Kafka into Cassandra, Redis and HTTP.
//!
//! Embed it:
//!
//! ```no_run
//! # async fn example() -> Result<(), pgcdc::capture::Error> {
//! let mut changes = pgcdc::Capture::builder("postgres://postgres@localhost/shop", &["public.users"])?.changes()?;
//! while let Some(change) = changes.next().await {
//!     println!("{} {:?} {:?}", change.relation.name, change.operation, change.get("id"));
//! }
//! changes.finished().await
//! # }
//! ```
//!
//! or let it write Debezium's records to Kafka from a connector's registration:
//!
//! ```no_run
//! # async fn example() -> Result<(), pgcdc::capture::Error> {
//! let mut capture = pgcdc::Capture::from_file("connector.json".as_ref(), &[])?.to_kafka()?;
//! capture.finished().await
//! # }
//! ```
//!
//! A store of one's own takes what Kafka has: implement `sinks::Sink`, whose `write` gets batches of records, and give it to
//! `sinks::Runner`. `examples/own_sink.rs` is a whole program.
//!
//! This crate is a façade: [`capture`] is Postgres → Kafka, `sinks` Kafka → stores, [`event`] the
//! words of both. Its binary is the same two, on a command line.
//!
//! | feature | what it adds |
//! |---|---|
//! | `cli` (default) | the binary, with `kafka` and `sinks` |
//! | `kafka` | records to Kafka ([`CaptureBuilder::to_kafka`]), with librdkafka |
//! | `sinks` | the module `sinks`, with the clients of Cassandra and Redis |
//! | `kafka-tls` | TLS and SASL/SCRAM to Kafka |
//!
//! A program that takes changes as typed events sets `default-features = false`, and builds no client of Kafka or of a
//! store. `examples/changes.rs` and `examples/receipts.rs` are such programs.

pub use pgcdc_capture as capture;
pub use pgcdc_event as event;
#[cfg(feature = "sinks")]
pub use pgcdc_sinks as sinks;

pub use pgcdc_capture::{Capture, CaptureBuilder, Changes};
pub use pgcdc_event::{ChangeEvent, Datum, Lsn, Operation, Relation};

/// The README's examples compile.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
