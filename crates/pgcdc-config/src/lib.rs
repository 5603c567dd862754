//! Reads configurations, for capture and sinks alike.
//!
//! - A [`Document`] holds flat properties as they were written in JSON, `.properties` or a Kubernetes resource, each with its
//!   [`Place`]. A [`PropertyTable`] says which properties there are. A [`Reader`] gives typed values and gathers every
//!   [`Mistake`], so that one [`ConfigError`] names all of them.
//! - A [`Section`] does the same for a table of a [`TomlFile`].
//! - [`substitute`] and [`substitute_url`] replace references to Kafka Connect's config providers: `${env:NAME}`,
//!   `${file:/path:key}`, `${file:/path}` and `${dir:/path:file}`. So a password need not be in the configuration, nor in
//!   the list of processes.
//! - [`nearest`] finds the known name that a mistyped name stands for.
//! - [`properties`] is the syntax of Java's `.properties` files.
//!
//! The crate has no table of its own: which properties and stores exist is decided by the crates that use it. It prints
//! nothing, and reads only the file that it is asked to read and the files that references name.
//!
//! ```
//! use pgcdc_config::{Document, Importance, Kind, PropertyTable, Reader, p};
//!
//! const TABLE: PropertyTable = PropertyTable {
//!     groups: &[("Slot", &[p("slot.name", Kind::String, "debezium", Importance::Medium, "The slot.")])],
//! };
//! let mut document = Document::parse_properties("shop.properties", "database.password=${env:PASSWORD}")?;
//! document.resolve_providers(&|name| (name == "PASSWORD").then(|| "open sesame".to_owned()))?;
//! let reader = Reader::new(&document, &TABLE);
//! assert_eq!(reader.secret("database.password").expect("it is set").expose(), "open sesame");
//! assert_eq!(reader.string("slot.name"), "debezium");
//! # Ok::<(), pgcdc_config::ConfigError>(())
//! ```

pub mod properties;

mod document;
mod json;
mod mistake;
mod nearest;
mod parse;
mod property;
mod provided;
mod providers;
mod reader;
mod section;
mod strimzi;
mod text;
mod toml_file;

pub use document::{Document, Entry, Place};
pub use mistake::{ConfigError, Mistake, Warning};
pub use nearest::{Reach, nearest};
pub use parse::parse_override;
pub use property::{Check, Importance, Kind, Property, PropertyTable, RefusedValue, Status, p};
pub use provided::Provided;
pub use providers::{Environment, Unresolved, substitute, substitute_url};
pub use reader::Reader;
pub use section::{Section, did_you_mean, parse_duration};
pub use text::decode;
pub use toml_file::{TomlFile, TomlTable};
