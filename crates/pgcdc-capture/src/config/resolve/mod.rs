//! Makes [`Settings`] of a validated document. Each file reads the properties of one subject, also
//! the rules that concern several of them.
//!
//! A value that is missing or wrong has been reported before, so every reader here goes on with the
//! default, and all mistakes come in one answer.

mod output;
mod records;
mod selection;
mod slot;
mod snapshot;
mod topics;

use std::path::Path;
use std::time::Duration;

use pgcdc_config::{ConfigError, Document, Reader};
use pgcdc_format::names::NameAdjustment;

use super::properties::TABLE;
use super::settings::{Heartbeat, Settings, TopicSettings};
use super::source_url::from_source_url;
use super::validate::{self, Found};
use super::{connection, earlier, exactly_once, identity, reselect, shaping, topic_creation};
use records::Records;

impl Settings {
    /// Reads a file, applies `--set`, resolves config providers with the process's environment, and
    /// checks everything.
    ///
    /// # Errors
    /// All mistakes at once.
    ///
    /// ```no_run
    /// use pgcdc_capture::config::Settings;
    /// let overrides = [("slot.name".to_owned(), "shop_copy".to_owned())];
    /// let settings = Settings::load("shop-connector.json".as_ref(), &overrides)?.strict()?;
    /// println!("{}", settings.connection.describe());
    /// # Ok::<(), pgcdc_capture::config::ConfigError>(())
    /// ```
    pub fn load(path: &Path, overrides: &[(String, String)]) -> Result<Self, ConfigError> {
        let mut document = Document::read(path)?;
        document.apply(overrides);
        document.resolve_providers(&|name| std::env::var(name).ok())?;
        Self::from_document(&document)
    }

    /// Checks a document and resolves it. What is worth a warning is in the settings: see
    /// [`warnings`](Self::warnings), [`unknown`](Self::unknown) and [`notes`](Self::notes).
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn from_document(document: &Document) -> Result<Self, ConfigError> {
        let (document, notes) = earlier::understood(document);
        let Found { mistakes, unknown, mut warnings } = validate::validate(&document);
        let mut reader = Reader::new(&document, &TABLE);
        (reader.mistakes, reader.unknown, reader.notes) = (mistakes, unknown, notes);
        let mut settings = resolve(&mut reader);
        let Reader { mut mistakes, unknown, notes, .. } = reader;
        if !mistakes.is_empty() {
            // A name that nobody knows is often the mistyped name of a property that is missing.
            mistakes.extend(unknown);
            document.sort(&mut mistakes);
            return Err(ConfigError::new(mistakes));
        }
        exactly_once::adjust(&settings, &document, &mut warnings);
        settings.warnings.splice(0..0, warnings);
        (settings.unknown, settings.notes) = (unknown, notes);
        Ok(settings)
    }

    /// Refuses properties that nobody knows, which are otherwise warnings.
    ///
    /// # Errors
    /// Names them all, each with its place and the nearest name.
    pub fn strict(self) -> Result<Self, ConfigError> {
        if self.unknown.is_empty() { Ok(self) } else { Err(ConfigError::new(self.unknown)) }
    }

    /// The settings for a URL and tables: see [`from_source_url`].
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn from_source_url(url: &str, tables: &[String]) -> Result<Self, ConfigError> {
        Self::from_document(&from_source_url(url, tables)?)
    }
}

/// Reads all properties.
fn resolve(reader: &mut Reader<'_>) -> Settings {
    let naming = topics::naming(reader);
    let records = Records::resolve(reader, &naming);
    let prefix = reader.string("topic.prefix");
    let name = reader.text("name").map_or_else(|| prefix.clone(), str::to_owned);
    Settings {
        exactly_once: exactly_once::resolve(reader, &name),
        name,
        connection: connection::resolve(reader),
        slot: slot::slot(reader),
        publication: slot::publication(reader),
        identities: identity::resolve(reader),
        snapshot: snapshot::resolve(reader),
        tables: selection::tables(reader),
        columns: selection::columns(reader),
        shaping: shaping::resolve(reader),
        schema_names: reader.choice("schema.name.adjustment.mode", NameAdjustment::WORDS),
        field_names: reader.choice("field.name.adjustment.mode", NameAdjustment::WORDS),
        key_columns: selection::key_columns(reader),
        messages: selection::messages(reader),
        types: records.types,
        errors: output::errors(reader),
        reselect: reselect::resolve(reader),
        topic: TopicSettings {
            prefix,
            delimiter: reader.string("topic.delimiter"),
            naming,
            transaction: reader.string("topic.transaction"),
            creation: topic_creation::resolve(reader),
        },
        key_converter: records.key_converter,
        value_converter: records.value_converter,
        key_format: records.key_format,
        value_format: records.value_format,
        header_format: records.header_format,
        unwrap: records.unwrap,
        transforms: records.transforms,
        heartbeat: heartbeat(reader),
        producer: output::producer(reader),
        offsets: output::offsets(reader),
        skipped: output::skipped(reader),
        skip_unchanged: reader.boolean("skip.messages.without.change"),
        tombstones_on_delete: reader.boolean("tombstones.on.delete"),
        transaction_metadata: reader.boolean("provide.transaction.metadata"),
        extended_headers: reader.boolean("extended.headers.enabled"),
        status_interval: reader.millis("status.update.interval.ms"),
        xmin_interval: Some(reader.millis("xmin.fetch.interval.ms")).filter(|d| !d.is_zero()),
        silence: reader.millis("internal.replication.silence.ms").max(Duration::from_millis(10)),
        most_tables: selection::most_tables(reader),
        retry: output::retry(reader),
        warnings: records.warnings,
        unknown: Vec::new(),
        notes: Vec::new(),
    }
}

/// Reads `heartbeat.*`.
fn heartbeat(reader: &Reader<'_>) -> Heartbeat {
    Heartbeat {
        interval: Some(reader.millis("heartbeat.interval.ms")).filter(|d| !d.is_zero()),
        topic_prefix: reader.string("topic.heartbeat.prefix"),
        topic_name: reader.text("topic.heartbeat.name").map(str::to_owned),
        action_query: reader.text("heartbeat.action.query").map(str::to_owned),
    }
}
