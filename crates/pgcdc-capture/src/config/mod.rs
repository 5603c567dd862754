//! What the user asked for: a Debezium registration read, checked and resolved.
//!
//! ```text
//! file + --set ─ parse ─▶ Document ─ earlier (old names) ─▶ validate (against properties) ─▶ resolve ─▶ Settings
//! ```
//! [`properties`] is the one table of all properties. Every mistake of a document is reported in
//! one [`ConfigError`], each with its place, its key and what to write instead. Pure but for
//! reading the files that it is handed.

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
