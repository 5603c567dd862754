//! Kafka Connect's single message transforms, native.
//!
//! Pure: no I/O, no clock. A record comes as the schema-ful JSON that pgcdc's encoder writes, is read into Connect's
//! data model ([`data`], [`json`]), goes through a [`Chain`] that is configured as a connector's JSON configures it,
//! and is written by the converter that the connector names.
//!
//! What the transforms do is compared with Kafka's and Debezium's own classes, byte for byte:
//! `tests/referee` asks them, `tests/golden` has their answers, and `tests/replay.rs` holds ours against those.

mod cache;
mod chain;
pub mod cloud_events;
pub mod data;
mod expression;
mod fault;
pub mod java;
pub mod json;
pub mod literal;
mod options;
mod predicates;
mod transforms;

pub use chain::{Chain, Configured, Failed};
pub use fault::Fault;
pub use options::Problem;
