//! Postgres to Kafka: the slot, the publication, the snapshot, the stream, and the acknowledgement.
//!
//! This crate speaks pgoutput streaming replication to a logical slot and emits Debezium's records.
//! It knows nothing of the programs that read these records: the sinks live in `pgcdc-sinks`, and
//! Kafka is the only thing between the two. How bytes are decoded and encoded is the business of
//! `pgcdc-format`.
//!
//! # The way of a change
//!
//! 1. [`CaptureBuilder`] resolves the settings, starts a thread and gives back a [`Capture`], the
//!    handle.
//! 2. On that thread `connector` looks at slot, publication and stored offset, and decides: take a
//!    snapshot, stream, or stop with an error that names both ways out.
//! 3. `snapshot`, if one is due, reads the tables by `COPY` and sends each row as an event of its
//!    own.
//! 4. `stream` reads the replication session: message → decode → `lane`. The lane is chosen once.
//!    It either encodes records for Kafka or standard output, or makes typed events for the program
//!    that embeds capture.
//! 5. `outbox` numbers each record and gives it to the destination. Deliveries come back to the
//!    [`ledger`], and the position that the ledger confirms goes to the server.
//!
//! That position is all that ever flows back. What a capture is doing at the moment is its
//! [`status`].
//!
//! # The three ways to use it
//!
//! - [`CaptureBuilder::to_kafka`] writes Debezium's records to Kafka,
//! - [`CaptureBuilder::to_stdout`] writes them to standard output, one JSON line a record,
//! - [`CaptureBuilder::changes`] gives [typed changes](pgcdc_event::ChangeEvent) to this program.
//!
//! ```no_run
//! # async fn example() -> Result<(), pgcdc_capture::Error> {
//! use pgcdc_capture::Capture;
//!
//! // The same JSON that one would POST to Kafka Connect, with Debezium's names and defaults.
//! let mut capture = Capture::from_file("inventory-connector.json".as_ref(), &[])?.to_kafka()?;
//! capture.finished().await
//! # }
//! ```
//!
//! # Features
//!
//! `kafka` (default) brings the Kafka clients. Without it a program takes typed changes or standard
//! output, and [`CaptureBuilder::to_kafka`] answers with an error.

// `offsets` and `position` have parts for exactly-once, which only the Kafka output uses.
#![cfg_attr(not(feature = "kafka"), allow(dead_code))]

pub mod config;
mod connector;
#[cfg(feature = "kafka")]
mod kafka;
#[cfg(not(feature = "kafka"))]
#[path = "without_kafka.rs"]
mod kafka;
mod lane;
pub mod ledger;
mod offsets;
mod output;
mod postgres;
pub mod preflight;
pub mod slots;
mod snapshot;
mod stream;

mod capture;
mod clock;
mod context_headers;
mod destination;
mod error;
mod figures;
mod known_keys;
mod meters;
mod outbox;
mod position;
mod registry;
mod row_counts;
mod sqlstate;
mod stage;
mod tables;
mod tolerance;

pub use capture::{Acknowledger, Capture, CaptureBuilder, Changes, Receipt};
pub use error::{Error, Result};
pub use offsets::StoredOffsets;
pub use output::{Lines, StdoutFormat};
/// What a capture is doing, for anybody who watches it.
pub use pgcdc_lifecycle as status;
pub use pgcdc_lifecycle::{Failure, Retry, State, Status};
/// What a capture counts, and the registry that shows it. See [`Capture::metrics`] and [`Capture::registry`].
pub use pgcdc_metrics as metrics;
pub use sqlstate::SqlState;
