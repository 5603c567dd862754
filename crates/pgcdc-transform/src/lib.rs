//! Kafka Connect's single message transforms, native.
//!
//! Pure: no I/O, no clock. A record comes as JSON with its schema, as pgcdc's encoder writes it. It is read into Connect's
//! data model ([`data`], [`json`]), goes through a [`Chain`] made of the connector's properties, and is written by the
//! converter that the connector names.
//!
//! ```
//! use pgcdc_transform::Chain;
//!
//! let property = |key: &str, value: &str| (key.to_owned(), value.to_owned());
//! let properties = [
//!     property("transforms", "mask"),
//!     property("transforms.mask.type", "org.apache.kafka.connect.transforms.MaskField$Value"),
//!     property("transforms.mask.fields", "email"),
//! ];
//! let configured = Chain::configure(&properties).expect("valid properties");
//! assert!(!configured.chain.is_empty() && configured.unused.is_empty());
//! ```
//!
//! The transforms are compared with Kafka's and Debezium's own classes, byte for byte: `tests/referee` runs the Java
//! classes, `tests/golden` has their results, and `tests/replay.rs` compares ours with them.

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
