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
//! A change is acknowledged to Postgres when the next one is asked for, so a program that dies in between gets it again. What a
//! change holds depends on its operation: [`after`](ChangeEvent::after) is there for inserts and updates,
//! [`before`](ChangeEvent::before) for deletes, and for updates with `REPLICA IDENTITY FULL`.
//!
//! Whoever holds a [`Capture`] can watch it, pause it and stop it:
//!
//! ```no_run
//! # async fn example(mut capture: pgcdc::Capture) -> Result<(), pgcdc::capture::Error> {
//! let mut status = capture.status();
//! tokio::spawn(async move {
//!     while let Some(state) = status.changed().await {
//!         eprintln!("{state}"); // "running", or since when and why it tries again
//!     }
//! });
//! capture.pause();
//! capture.resume();
//! capture.stop();
//! capture.finished().await // returns when all that was read is delivered and acknowledged
//! # }
//! ```
//!
//! A store of one's own takes what Kafka has: implement `sinks::Sink`, whose `write` gets batches of records, and give it to
//! `sinks::Runner`. `examples/own_sink.rs` is a whole program. In short:
//!
//! ```no_run
//! # #[cfg(feature = "sinks")]
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//! use pgcdc::sinks::{Batch, ClientProperties, Outcome, Plan, Runner, Sink, SinkError, async_trait};
//!
//! #[derive(Debug)]
//! struct Discard;
//!
//! #[async_trait]
//! impl Sink for Discard {
//!     async fn check(&self) -> Result<(), SinkError> {
//!         Ok(())
//!     }
//!     async fn write(&self, _: &Batch<'_>) -> Result<Outcome, SinkError> {
//!         Ok(Outcome::durable())
//!     }
//! }
//!
//! let kafka = ClientProperties::parse([("bootstrap.servers", "127.0.0.1:9092")])?;
//! let plan = Plan::new("discard", ["shop.public.users"]);
//! Runner::new(Arc::new(Discard), plan, kafka, "discard").run(Default::default()).await?;
//! # Ok(()) }
//! ```
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
