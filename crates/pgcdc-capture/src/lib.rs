//! Postgres to Kafka: the slot, the publication, the snapshot, the stream, and the acknowledgement.
//!
//! This crate speaks pgoutput streaming replication to a logical slot and emits Debezium's records.
//! It knows nothing of what reads them: sinks live in `pgcdc-sinks`, and Kafka is the only thing
//! between. Formats are `pgcdc-format`'s.
//!
//! Path of the data: `connector` looks at slot and publication, takes the `snapshot` if one is
//! due, then runs the `stream`: replication message → decode → `lane`. The lane encodes records for
//! Kafka or standard output, or makes typed events for the program that embeds capture. Deliveries
//! come back to the [`ledger`], and the position that it confirms goes to the server. That position
//! is all that ever flows back. What a capture is doing at the moment is its [`status`].
//!
//! The feature `kafka` (default) brings the Kafka clients. Without it a program takes typed events
//! ([`CaptureBuilder::changes`]) or standard output.

// Offsets and positions know of exactly-once, which only Kafka has.
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
/// What a capture is doing, for anybody who watches it.
pub use pgcdc_lifecycle as status;
pub use pgcdc_lifecycle::{Failure, Retry, State, Status};
/// What a capture counts, and the registry that shows it. See [`Capture::metrics`] and [`Capture::registry`].
pub use pgcdc_metrics as metrics;
pub use sqlstate::SqlState;
