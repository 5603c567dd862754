//! The typed result: every property that the engine acts on, grouped by the part that reads it.
//!
//! Nothing behind this module asks for a property by its name. A field's doc names the property
//! that it comes from; `resolve/` fills them.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::path::PathBuf;
use std::time::Duration;

use pgcdc_config::{Mistake, Warning};
use pgcdc_event::Operation;
use pgcdc_format::names::NameAdjustment;
use pgcdc_format::types::TypeOptions;

use super::connection::Connection;
use super::converters::{Format, HeaderFormat};
use super::filter::{ColumnFilter, KeyColumns, MessageFilter, Patterns, TableFilter};
use super::shaping::ColumnShaping;

pub use super::converters::Converter;
pub use super::identity::IdentityRule;
pub use super::reselect::Reselect;
pub use super::topic::{Heartbeat, NamingStyle, RegexNaming, Replacement, TopicNaming, TopicSettings};
pub use super::topic_creation::{TopicCreation, TopicGroup};
pub use pgcdc_format::envelope::{AddField, DeleteHandling, FieldSection, Unwrap};

/// A connector's configuration, checked and resolved. It does not change while the connector runs.
/// `Debug` shows no secret.
///
/// ```
/// use pgcdc_capture::config::Settings;
/// let settings = Settings::from_source_url("postgres://app@db.example:5433/shop", &["orders".to_owned()])?;
/// assert_eq!(settings.connection.describe(), "db.example:5433/shop as app");
/// assert!(settings.tables.allows(&pgcdc_event::TableName::new("public", "orders")));
/// assert!(settings.exactly_once.is_none());
/// # Ok::<(), pgcdc_capture::config::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Settings {
    /// `name`; the topic prefix when it is not set. A part of the offset's key, and the label of
    /// the metrics.
    pub name: String,
    /// How to reach the database, for every session.
    pub connection: Connection,
    /// The replication slot: its name, its options, and what to do when it does not fit the offset.
    pub slot: Slot,
    /// The publication, and whether it may be made or altered.
    pub publication: Publication,
    /// `replica.identity.autoset.values`.
    pub identities: Vec<IdentityRule>,
    /// Whether and how a snapshot is taken.
    pub snapshot: SnapshotSettings,
    /// Which tables are captured: lists of schemas and tables.
    pub tables: TableFilter,
    /// Which columns are written.
    pub columns: ColumnFilter,
    /// `column.mask.…`, `column.truncate.…`, `…propagate.source.type`: what happens to single
    /// columns.
    pub shaping: ColumnShaping,
    /// `schema.name.adjustment.mode`.
    pub schema_names: NameAdjustment,
    /// `field.name.adjustment.mode`.
    pub field_names: NameAdjustment,
    /// `message.key.columns`.
    pub key_columns: KeyColumns,
    /// `message.prefix.include.list` and its opposite.
    pub messages: MessageFilter,
    /// How values are written: `decimal.handling.mode`, `time.precision.mode` and their like.
    pub types: TypeOptions,
    /// `errors.tolerance` and `errors.log.enable`.
    pub errors: Errors,
    /// `post.processors`.
    pub reselect: Vec<Reselect>,
    /// How topics are named and made.
    pub topic: TopicSettings,
    /// How the encoder writes keys.
    pub key_converter: Converter,
    /// How the encoder writes values.
    pub value_converter: Converter,
    /// How keys become bytes in the end.
    pub key_format: Format,
    /// How values become bytes in the end.
    pub value_format: Format,
    /// How headers become bytes.
    pub header_format: HeaderFormat,
    /// `ExtractNewRecordState`, if it is the only transform and the encoder can do it.
    pub unwrap: Option<Unwrap>,
    /// All other transforms, and converters that the encoder cannot do itself. Then the encoder
    /// writes the form that these read, and `stage/` does the rest.
    pub transforms: Option<Transforms>,
    /// Heartbeats.
    pub heartbeat: Heartbeat,
    /// Properties of the Kafka producer, by their Kafka names, with `bootstrap.servers`.
    pub producer: SecretProperties,
    /// Where offsets are kept.
    pub offsets: OffsetStorage,
    /// `exactly.once.support=required`; `None` for at-least-once.
    pub exactly_once: Option<ExactlyOnce>,
    /// `skipped.operations`.
    pub skipped: SkippedOperations,
    /// `skip.messages.without.change`.
    pub skip_unchanged: bool,
    /// `tombstones.on.delete`.
    pub tombstones_on_delete: bool,
    /// `provide.transaction.metadata`.
    pub transaction_metadata: bool,
    /// `extended.headers.enabled`.
    pub extended_headers: bool,
    /// `status.update.interval.ms`; see [`report_interval`](Self::report_interval) for what comes
    /// of it.
    pub status_interval: Duration,
    /// `xmin.fetch.interval.ms`; `None` for never.
    pub xmin_interval: Option<Duration>,
    /// `internal.replication.silence.ms`: how long the server may be quiet before it is asked for an answer.
    pub silence: Duration,
    /// `guardrail.collections.max`, and whether more tables are an error; `None` for no limit.
    pub most_tables: Option<(usize, bool)>,
    /// When and how often to start again after a failure that may pass.
    pub retry: Retry,
    /// Properties without an effect, to be logged at start.
    pub warnings: Vec<Warning>,
    /// Properties that nobody knows: logged at start, an error in `pgcdc check` and with `--strict`.
    pub unknown: Vec<Mistake>,
    /// Old names and words that were understood though Debezium 3.7 has others; logged at start.
    pub notes: Vec<Mistake>,
}

/// `slot.*`, and the properties about the slot's position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// `slot.name`.
    pub name: String,
    /// `slot.drop.on.stop`: whether a stop drops the slot, so that the next start begins anew.
    pub drop_on_stop: bool,
    /// `slot.failover`: whether a new slot is copied to standbys (PostgreSQL 17).
    pub failover: bool,
    /// `slot.stream.params`: options of START_REPLICATION, names and values.
    pub stream_params: Vec<(String, String)>,
    /// `lsn.flush.mode=manual`: somebody else moves the slot, and pgcdc goes on where its offset says.
    pub manual: bool,
    /// `offset.mismatch.strategy`, or what the older `slot.seek.to.known.offset.on.start` says.
    pub mismatch: MismatchStrategy,
    /// `internal.log.position.check.enable`: whether a slot that does not fit the stored offset
    /// stops the connector.
    pub check_position: bool,
}

/// `offset.mismatch.strategy`: what to do when the stored offset and the slot are at different
/// positions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MismatchStrategy {
    /// A slot beyond the offset stops the connector; else the stream goes on from the slot.
    #[default]
    NoValidation,
    /// As `NoValidation`, but the stream goes on from the offset when that is further than the slot.
    TrustOffset,
    /// The stream goes on from the slot, whatever the offset says.
    TrustSlot,
    /// The stream goes on from the greater of the two.
    TrustGreaterLsn,
}

/// `publication.*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// `publication.name`.
    pub name: String,
    /// `publication.autocreate.mode`.
    pub autocreate: PublicationMode,
    /// `publish.via.partition.root`.
    pub via_partition_root: bool,
}

/// `publication.autocreate.mode`: what a missing publication is made for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PublicationMode {
    /// `FOR ALL TABLES`.
    #[default]
    AllTables,
    /// For the tables that the filters allow. It is altered when these change.
    Filtered,
    /// It is never made: it must exist.
    Disabled,
    /// For no table at all: somebody adds them.
    NoTables,
}

/// `snapshot.*`.
#[derive(Clone, Debug)]
pub struct SnapshotSettings {
    /// `snapshot.mode`.
    pub mode: SnapshotMode,
    /// `snapshot.delay.ms`.
    pub delay: Duration,
    /// `streaming.delay.ms`, after a snapshot.
    pub streaming_delay: Duration,
    /// `snapshot.lock.timeout.ms`, if `snapshot.locking.mode` is `shared`. `None` waits for locks
    /// as long as it takes.
    pub lock_timeout: Option<Duration>,
    /// `snapshot.include.collection.list`; `None` for all captured tables.
    pub include: Option<Patterns>,
    /// `snapshot.select.statement.overrides`: statement by `schema.table`.
    pub select_overrides: BTreeMap<String, String>,
    /// `snapshot.max.threads`: how many connections read a large table.
    pub max_threads: usize,
}

/// `snapshot.mode`: when a snapshot is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SnapshotMode {
    /// When there is no offset yet.
    #[default]
    Initial,
    /// At every start.
    Always,
    /// As `Initial`, then stop.
    InitialOnly,
    /// Never (`no_data`, `never`).
    NoData,
    /// When there is no offset, or changes are missing: then the snapshot makes up for them.
    WhenNeeded,
    /// As `snapshot.mode.configuration.based.*` says.
    Configured(SnapshotParts),
}

impl SnapshotMode {
    /// Whether a snapshot that reads rows may be taken.
    #[must_use]
    pub fn reads_rows(self) -> bool {
        match self {
            Self::NoData => false,
            Self::Configured(parts) => parts.data || parts.on_data_error,
            _ => true,
        }
    }
}

/// `snapshot.mode.configuration.based.*`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SnapshotParts {
    /// `snapshot.data`: a snapshot at every start.
    pub data: bool,
    /// `start.stream`: stream after it.
    pub stream: bool,
    /// `snapshot.on.data.error`: a snapshot when changes are missing.
    pub on_data_error: bool,
}

/// A chain of single message transforms. It is empty when only a converter needs the stage.
#[derive(Clone, Debug, Default)]
pub struct Transforms {
    /// `transforms`, `predicates`, and the properties below them; checked.
    pub properties: SecretProperties,
}

/// `errors.tolerance` and `errors.log.enable`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Errors {
    /// Records that cannot be written, transformed or converted are left out.
    pub tolerant: bool,
    /// Each record that is left out has a line in the log.
    pub log_each: bool,
}

impl Settings {
    /// How often the server is told how far we are: `status.update.interval.ms`, but at least twice
    /// a second and at most a hundred times. The offset is written as often.
    #[must_use]
    pub fn report_interval(&self) -> Duration {
        self.status_interval.clamp(Duration::from_millis(10), Duration::from_millis(500))
    }

    /// How values in keys are written: as elsewhere, except for what the key's converter decides.
    #[must_use]
    pub fn key_types(&self) -> TypeOptions {
        TypeOptions {
            decimal_format: self.key_converter.decimal_format,
            replace_null_with_default: self.key_converter.replace_null_with_default,
            ..self.types.clone()
        }
    }
}

/// Where offsets are kept. With neither of the two, records in Kafka have their offsets in the
/// topic `connect-offsets`, and other outputs in a file of our own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetStorage {
    /// `offsets.storage.topic`, else `offset.storage.topic`.
    pub topic: Option<String>,
    /// `offset.storage.file.filename`.
    pub file: Option<PathBuf>,
}

/// Delivery in Kafka transactions. Read by `kafka/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExactlyOnce {
    /// Connect's name for the task's producer: `${group.id}-${name}-0`.
    pub transactional_id: String,
    /// `transaction.boundary`.
    pub boundary: TransactionBoundary,
    /// `transaction.timeout.ms` of the producer.
    pub timeout: Duration,
}

/// `transaction.boundary`: when a Kafka transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionBoundary {
    /// When everything that was there has been read.
    Poll,
    /// As often as `transaction.boundary.interval.ms` says.
    Interval(Duration),
}

/// `errors.max.retries` and `retriable.restart.connector.wait.ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// `None` for no limit.
    pub max_retries: Option<u32>,
    /// The configured pause. The pauses begin at a tenth of it and grow to six times of it.
    pub wait: Duration,
}

/// `skipped.operations`: operations of which no record is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SkippedOperations {
    /// `c`.
    pub create: bool,
    /// `u`.
    pub update: bool,
    /// `d`.
    pub delete: bool,
    /// `t`, the default.
    pub truncate: bool,
}

impl SkippedOperations {
    /// Whether records of `operation` are left out. Snapshot rows and messages never are.
    #[must_use]
    pub fn contains(self, operation: Operation) -> bool {
        match operation {
            Operation::Create => self.create,
            Operation::Update => self.update,
            Operation::Delete => self.delete,
            Operation::Truncate => self.truncate,
            _ => false,
        }
    }
}

/// Properties by name, for a Kafka client or a transform. Any value may be a secret, so `Debug`
/// shows only the names.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SecretProperties(pub BTreeMap<String, String>);

impl Deref for SecretProperties {
    type Target = BTreeMap<String, String>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl fmt::Debug for SecretProperties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
