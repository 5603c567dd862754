//! What the user asked for: a Debezium registration read, checked and resolved.
//!
//! ```text
//! file + --set ─ parse ─▶ Document ─ earlier: old names ─▶ validate: against the table of properties
//!                                                           └▶ resolve ─▶ Settings
//! ```
//!
//! [`properties`] is the one table of all properties. Every mistake of a document is reported in
//! one [`ConfigError`], each with its place, its key and what to write instead. A property that is
//! understood but has no effect is a [`Warning`]. Nothing here connects to anything; it only reads
//! the files that it is handed.
//!
//! ```
//! use pgcdc_capture::config::{Document, Settings};
//! let document = Document::from_pairs(
//!     "example",
//!     [
//!         ("database.hostname", "db.example"),
//!         ("database.user", "app"),
//!         ("database.dbname", "shop"),
//!         ("topic.prefix", "shop"),
//!         ("plugin.name", "pgoutput"),
//!         ("table.include.list", r"public\.orders"),
//!     ],
//! );
//! let settings = Settings::from_document(&document)?;
//! assert_eq!((settings.slot.name.as_str(), settings.connection.hosts[0].port), ("debezium", 5432));
//!
//! // All mistakes come at once.
//! let empty = Document::from_pairs("example", [("snapshot.mode", "sometimes")]);
//! let error = Settings::from_document(&empty).unwrap_err().to_string();
//! assert!(error.contains("snapshot.mode") && error.contains("database.hostname"));
//! # Ok::<(), pgcdc_capture::config::ConfigError>(())
//! ```
//!
//! Where to look: a property's row is in `properties/`, its meaning in `resolve/` or in the file of
//! its subject (`filter`, `converters`, `topic`, `topic_creation`, `transforms`, `exactly_once`,
//! …). `connection/` reads `database.*`; `source_url/` and `conninfo` read a URL; `earlier` and
//! `earlier_transforms` know old names.

pub mod properties;

mod connection;
mod conninfo;
mod converters;
mod earlier;
mod earlier_transforms;
mod exactly_once;
mod filter;
mod identity;
mod java_classes;
mod java_regex;
mod passfile;
mod reselect;
mod resolve;
mod settings;
mod shaping;
mod source_url;
mod stream_params;
mod topic;
mod topic_creation;
mod transforms;
mod validate;
mod value_types;

#[cfg(test)]
mod tests;

pub use connection::{
    ChannelBinding, Chosen, Connection, Host, KeepAlive, Ssl, SslMode, SslNegotiation, TargetServer,
    TlsVersion, Verify,
};
pub use converters::{
    Auth, AvroFormat, CloudEvents, Format, HeaderFormat, Pem, Registry, SubjectNaming, Tls,
};
pub use filter::{ColumnFilter, KeyColumns, MessageFilter, PatternError, Patterns, TableFilter};
pub use pgcdc_config::{ConfigError, Document, Entry, Mistake, Place, Warning, parse_override};
pub use settings::{
    AddField, Converter, DeleteHandling, Errors, ExactlyOnce, FieldSection, Heartbeat, IdentityRule,
    MismatchStrategy, NamingStyle, OffsetStorage, Publication, PublicationMode, RegexNaming, Replacement,
    Reselect, Retry, SecretProperties, Settings, SkippedOperations, Slot, SnapshotMode, SnapshotParts,
    SnapshotSettings, TopicCreation, TopicGroup, TopicNaming, TopicSettings, TransactionBoundary, Transforms,
    Unwrap,
};
pub use shaping::ColumnShaping;
pub use source_url::{from_source, from_source_url};
