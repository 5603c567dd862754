//! Kafka Connect's single message transforms, native.
//!
//! Pure: no I/O, no clock. A record comes as JSON with its schema, as pgcdc's encoder writes it. It is read into Connect's
//! data model ([`data`], [`json`]), goes through a [`Chain`] made of the connector's properties, and is written by the
//! converter that the connector names.
//!
//! - [`transforms`] has a page for each transform: what it does, its options, and where a reader would be surprised.
//! - [`predicates`] has the conditions under which a transform sees a record.
//! - [`expression`] is the language of `Filter` and `ContentBasedRouter`.
//! - [`try_on`] runs a transform on a record that is written as JSON.
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
//! Made of properties, a chain takes one [`Record`](data::Record) after another:
//!
//! ```
//! use pgcdc_transform::Chain;
//! use pgcdc_transform::data::{Record, Value};
//!
//! let properties = [
//!     ("transforms", "rename"),
//!     ("transforms.rename.type", "org.apache.kafka.connect.transforms.RegexRouter"),
//!     ("transforms.rename.regex", r"shop\.public\.(.*)"),
//!     ("transforms.rename.replacement", "$1"),
//! ];
//! let properties = properties.map(|(key, value)| (key.to_owned(), value.to_owned()));
//! let mut chain = Chain::configure(&properties).expect("valid properties").chain;
//! let tombstone = Record {
//!     topic: "shop.public.items".into(),
//!     partition: None,
//!     key_schema: None,
//!     key: Value::Int64(7),
//!     value_schema: None,
//!     value: Value::Null,
//!     timestamp: None,
//!     headers: Vec::new(),
//! };
//! let now = 1_711_846_800_123; // milliseconds since 1970
//! let renamed = chain.apply(tombstone, now)?.expect("the router drops nothing");
//! assert_eq!(&*renamed.topic, "items");
//! # Ok::<(), pgcdc_transform::Failed>(())
//! ```
//!
//! The transforms are compared with Kafka's and Debezium's own classes, byte for byte: `tests/referee` runs the Java
//! classes, `tests/golden` has their results, and `tests/replay.rs` compares ours with them. Errors have the class and
//! the words of the Java exception ([`Fault`]), except that no error shows a row.

mod cache;
mod chain;
pub mod cloud_events;
pub mod data;
pub mod expression;
mod fault;
pub mod java;
pub mod json;
pub mod literal;
mod options;
pub mod predicates;
pub mod transforms;
mod trial;

pub use chain::{Chain, Configured, Failed};
pub use fault::Fault;
pub use options::Problem;
pub use trial::try_on;
