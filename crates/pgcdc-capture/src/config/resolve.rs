//! A validated document to [`Settings`].

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use pgcdc_format::names::NameAdjustment;

use super::converters::{self, Format, HeaderFormat};
use super::document::Document;
use super::filter::{Choice, ColumnFilter, KeyColumns, MessageFilter, Patterns, TableFilter};
use super::mistake::ConfigError;
use super::reader::Reader;
use super::settings::*;
use super::transforms::{self, Chosen};
use super::validate::{self, Found};
use super::{earlier, exactly_once, shaping, topic_creation, value_types};

impl Settings {
    /// Reads a file, applies `--set`, resolves config providers with the process's environment,
    /// and checks everything.
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn load(path: &Path, overrides: &[(String, String)]) -> Result<Self, ConfigError> {
        let mut document = Document::read(path)?;
        document.apply(overrides);
        document.resolve_providers(&|name| std::env::var(name).ok())?;
        Self::from_document(&document)
    }

    /// Checks a document and resolves it.
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn from_document(document: &Document) -> Result<Self, ConfigError> {
        let (document, notes) = earlier::understood(document);
        let Found { mistakes, unknown, mut warnings } = validate::validate(&document);
        let mut reader = Reader { document: &document, mistakes, unknown, notes };
        let mut settings = resolve(&mut reader);
        let Reader { mut mistakes, unknown, notes, .. } = reader;
        if !mistakes.is_empty() {
            // A name that nobody knows is often why another is missing.
            mistakes.extend(unknown);
            document.sort(&mut mistakes);
            return Err(ConfigError::new(mistakes));
        }
        exactly_once::adjust(&settings, &document, &mut warnings);
        settings.warnings.splice(0..0, warnings);
        (settings.unknown, settings.notes) = (unknown, notes);
        Ok(settings)
    }

    /// Takes properties that nobody knows for mistakes.
    ///
    /// # Errors
    /// Names them all, each with its place and the nearest name.
    pub fn strict(self) -> Result<Self, ConfigError> {
        if self.unknown.is_empty() { Ok(self) } else { Err(ConfigError::new(self.unknown)) }
    }
}

fn resolve(reader: &mut Reader<'_>) -> Settings {
    let (key_format, value_format) =
        (converters::resolve(reader, "key"), converters::resolve(reader, "value"));
    let header_format = converters::headers(reader);
    let avro = key_format.avro().is_some() || value_format.avro().is_some();
    let topic_naming = naming(reader);
    let staged = key_format.is_staged()
        || value_format.is_staged()
        || header_format != HeaderFormat::Simple
        // A field that the naming adds to keys: the encoder does not have it in Avro.
        || (avro && matches!(topic_naming.style, NamingStyle::Regex(_)));
    let errors = Errors {
        tolerant: reader.text("errors.tolerance").is_some_and(|word| word.eq_ignore_ascii_case("all")),
        log_each: reader.boolean("errors.log.enable"),
    };
    let (chosen, warnings) = transforms::resolve(reader, staged);
    let mut types = value_types::resolve(reader);
    let (mut unwrap, mut transforms) = (None, None);
    match chosen {
        Chosen::None if staged => transforms = Some(Transforms::default()),
        Chosen::None => {}
        Chosen::Unwrap(options) => unwrap = Some(options),
        Chosen::Chain(properties) => {
            let properties = ClientProperties(properties.into_iter().collect());
            transforms = Some(Transforms { properties });
        }
    }
    let encoded =
        |format: &Format| if transforms.is_some() { Converter::TRANSFORMED } else { format.encoded() };
    let (key_converter, value_converter) = (encoded(&key_format), encoded(&value_format));
    (types.decimal_format, types.replace_null_with_default) =
        (value_converter.decimal_format, value_converter.replace_null_with_default);
    let prefix = reader.string("topic.prefix");
    let name = reader.text("name").map_or_else(|| prefix.clone(), str::to_owned);
    Settings {
        exactly_once: exactly_once::resolve(reader, &name),
        name,
        connection: super::connection::resolve(reader),
        slot: slot(reader),
        publication: Publication {
            name: reader.string("publication.name"),
            autocreate: reader.choice(
                "publication.autocreate.mode",
                &[
                    ("all_tables", PublicationMode::AllTables),
                    ("filtered", PublicationMode::Filtered),
                    ("disabled", PublicationMode::Disabled),
                    ("no_tables", PublicationMode::NoTables),
                ],
            ),
            via_partition_root: reader.boolean("publish.via.partition.root"),
        },
        identities: super::identity::resolve(reader),
        snapshot: snapshot(reader),
        tables: TableFilter {
            schemas: choice(reader, "schema.include.list", "schema.exclude.list"),
            tables: choice(reader, "table.include.list", "table.exclude.list"),
            signals: patterns(reader, "signal.data.collection").unwrap_or_default(),
        },
        columns: ColumnFilter(choice(reader, "column.include.list", "column.exclude.list")),
        shaping: shaping::resolve(reader),
        schema_names: reader.choice("schema.name.adjustment.mode", NameAdjustment::WORDS),
        field_names: reader.choice("field.name.adjustment.mode", NameAdjustment::WORDS),
        key_columns: key_columns(reader),
        messages: MessageFilter(choice(reader, "message.prefix.include.list", "message.prefix.exclude.list")),
        types,
        errors,
        reselect: super::reselect::resolve(reader),
        topic: TopicSettings {
            prefix,
            delimiter: reader.string("topic.delimiter"),
            naming: topic_naming,
            transaction: reader.string("topic.transaction"),
            creation: topic_creation::resolve(reader),
        },
        key_converter,
        value_converter,
        key_format,
        value_format,
        header_format,
        unwrap,
        transforms,
        heartbeat: Heartbeat {
            interval: Some(reader.millis("heartbeat.interval.ms")).filter(|d| !d.is_zero()),
            topic_prefix: reader.string("topic.heartbeat.prefix"),
            topic_name: reader.text("topic.heartbeat.name").map(str::to_owned),
            action_query: reader.text("heartbeat.action.query").map(str::to_owned),
        },
        producer: producer(reader),
        offsets: OffsetStorage {
            topic: reader
                .text("offsets.storage.topic")
                .or_else(|| reader.text("offset.storage.topic"))
                .map(str::to_owned),
            file: reader.path("offset.storage.file.filename"),
        },
        skipped: skipped(reader),
        skip_unchanged: reader.boolean("skip.messages.without.change"),
        tombstones_on_delete: reader.boolean("tombstones.on.delete"),
        transaction_metadata: reader.boolean("provide.transaction.metadata"),
        extended_headers: reader.boolean("extended.headers.enabled"),
        status_interval: reader.millis("status.update.interval.ms"),
        xmin_interval: Some(reader.millis("xmin.fetch.interval.ms")).filter(|d| !d.is_zero()),
        silence: reader.millis("internal.replication.silence.ms").max(Duration::from_millis(10)),
        most_tables: usize::try_from(reader.number("guardrail.collections.max"))
            .ok()
            .filter(|&most| most > 0)
            .map(|most| {
                (most, reader.string("guardrail.collections.limit.action").eq_ignore_ascii_case("fail"))
            }),
        retry: Retry {
            max_retries: u32::try_from(reader.number("errors.max.retries")).ok(),
            wait: reader.millis("retriable.restart.connector.wait.ms"),
        },
        warnings,
        unknown: Vec::new(),
        notes: Vec::new(),
    }
}

fn slot(reader: &mut Reader<'_>) -> Slot {
    Slot {
        name: reader.string("slot.name"),
        drop_on_stop: reader.boolean("slot.drop.on.stop"),
        failover: reader.boolean("slot.failover"),
        stream_params: super::stream_params::resolve(reader),
        manual: match reader.string("lsn.flush.mode").to_ascii_lowercase().as_str() {
            "" => !reader.boolean("flush.lsn.source"),
            mode => mode == "manual",
        },
        mismatch: mismatch_strategy(reader),
        check_position: reader.boolean("internal.log.position.check.enable"),
    }
}

fn mismatch_strategy(reader: &Reader<'_>) -> MismatchStrategy {
    const KEY: &str = "offset.mismatch.strategy";
    if reader.raw(KEY).is_none() && reader.boolean("slot.seek.to.known.offset.on.start") {
        return MismatchStrategy::TrustOffset;
    }
    let words = [
        ("no_validation", MismatchStrategy::NoValidation),
        ("trust_offset", MismatchStrategy::TrustOffset),
        ("trust_slot", MismatchStrategy::TrustSlot),
        ("trust_greater_lsn", MismatchStrategy::TrustGreaterLsn),
    ];
    reader.choice(KEY, &words)
}

fn snapshot(reader: &mut Reader<'_>) -> SnapshotSettings {
    const OVERRIDES: &str = "snapshot.select.statement.overrides";
    let mut select_overrides = BTreeMap::new();
    let prefix = format!("{OVERRIDES}.");
    let tables = reader.string(OVERRIDES);
    for table in tables.split(',').map(str::trim).filter(|t| !t.is_empty()) {
        match reader.text(&format!("{prefix}{table}")) {
            Some(statement) => {
                select_overrides.insert(table.to_owned(), statement.to_owned());
            }
            // Debezium warns, too, and reads the table as any other.
            None => reader.note(
                OVERRIDES,
                format!("{table} has no statement, so that it is read as a whole"),
                format!("add {prefix}{table}=SELECT …"),
            ),
        }
    }
    let orphans: Vec<_> = reader
        .below(&prefix)
        .filter(|(table, _)| !select_overrides.contains_key(*table))
        .map(|(table, entry)| (table.to_owned(), entry.key.clone()))
        .collect();
    for (table, key) in orphans {
        let remedy = format!("add {table} to {OVERRIDES}");
        let message = format!("{table} is not listed in {OVERRIDES}, so that the statement has no effect");
        reader.note(&key, message, remedy);
    }
    let part = |name: &str| reader.boolean(&format!("snapshot.mode.configuration.based.{name}"));
    let configured = SnapshotMode::Configured(SnapshotParts {
        data: part("snapshot.data"),
        stream: part("start.stream"),
        on_data_error: part("snapshot.on.data.error"),
    });
    let shared = reader.text("snapshot.locking.mode").is_some_and(|mode| mode.eq_ignore_ascii_case("shared"));
    SnapshotSettings {
        lock_timeout: shared.then(|| reader.millis("snapshot.lock.timeout.ms")),
        mode: reader.choice(
            "snapshot.mode",
            &[
                ("initial", SnapshotMode::Initial),
                ("always", SnapshotMode::Always),
                ("initial_only", SnapshotMode::InitialOnly),
                ("no_data", SnapshotMode::NoData),
                ("when_needed", SnapshotMode::WhenNeeded),
                ("configuration_based", configured),
            ],
        ),
        delay: reader.millis("snapshot.delay.ms"),
        streaming_delay: reader.millis("streaming.delay.ms"),
        include: patterns(reader, "snapshot.include.collection.list"),
        select_overrides,
        max_threads: usize::try_from(reader.number("snapshot.max.threads")).unwrap_or(1),
    }
}

/// A list of patterns; those that do not compile were reported by validation.
fn patterns(reader: &Reader<'_>, key: &str) -> Option<Patterns> {
    reader.text(key).and_then(|list| Patterns::compile(list).ok())
}

fn choice(reader: &Reader<'_>, include: &str, exclude: &str) -> Choice {
    match (patterns(reader, include), patterns(reader, exclude)) {
        (Some(only), _) => Choice::Only(only),
        (None, Some(except)) => Choice::Except(except),
        (None, None) => Choice::All,
    }
}

fn key_columns(reader: &mut Reader<'_>) -> KeyColumns {
    const KEY: &str = "message.key.columns";
    KeyColumns::compile(&reader.string(KEY)).unwrap_or_else(|e| {
        let remedy = "write public.orders:id,region;public.items:sku";
        reader.mistake(KEY, format!("The '{KEY}' value is invalid: {e}"), remedy);
        KeyColumns::default()
    })
}

/// The naming strategy, by the name of its class: `Schema` or `Default`, and what comes of the name.
fn naming(reader: &mut Reader<'_>) -> TopicNaming {
    let class = reader.string("topic.naming.strategy");
    let class = class.rsplit('.').next().unwrap_or_default();
    let style = if class.contains("Regex") {
        regex_naming(reader).map_or(NamingStyle::Plain, |regex| NamingStyle::Regex(Box::new(regex)))
    } else if class.contains("Unicode") {
        NamingStyle::Unicode
    } else {
        NamingStyle::Plain
    };
    TopicNaming { with_schema: !class.starts_with("Default"), style }
}

fn regex_naming(reader: &mut Reader<'_>) -> Option<RegexNaming> {
    let topic = replacement(reader, "topic.regex", "topic.replacement", true);
    let key_value = replacement(reader, "topic.key.field.regex", "topic.key.field.replacement", false);
    let key_field =
        reader.boolean("topic.key.enforce.uniqueness").then(|| reader.string("topic.key.field.name"));
    Some(RegexNaming { topic: topic?, key_field, key_value })
}

/// An expression and what stands in its place.
fn replacement(reader: &mut Reader<'_>, regex: &str, with: &str, required: bool) -> Option<Replacement> {
    let Some(pattern) = reader.text(regex) else {
        if required {
            let message = format!("The '{regex}' value is invalid: A value is required");
            reader.mistake(
                regex,
                message,
                "topic.naming.strategy names topics by a regular expression: add it",
            );
        }
        return None;
    };
    let Some(text) = reader.text(with) else {
        let message = format!("The '{with}' value is invalid: {with} must be non-empty if {regex} is set.");
        reader.mistake(with, message, "write what takes the place of the whole name; $1 is the first group");
        return None;
    };
    match Replacement::compile(pattern, text) {
        Ok(found) => Some(found),
        Err(cause) => {
            let message =
                format!("The '{regex}' value is invalid: A regular expression is expected, but {cause}");
            reader.mistake(regex, message, format!("mend {regex}, or {with}"));
            None
        }
    }
}

fn producer(reader: &Reader<'_>) -> ClientProperties {
    let mut properties = BTreeMap::new();
    if let Some(servers) = reader.text("bootstrap.servers") {
        properties.insert("bootstrap.servers".to_owned(), servers.to_owned());
    }
    let general = reader.below("producer.").filter(|(key, _)| !key.starts_with("override."));
    for (key, entry) in general.chain(reader.below("producer.override.")) {
        properties.insert(key.to_owned(), entry.value.expose().to_owned());
    }
    ClientProperties(properties)
}

fn skipped(reader: &mut Reader<'_>) -> SkippedOperations {
    const KEY: &str = "skipped.operations";
    let list = reader.string(KEY);
    let words: Vec<String> = list.split(',').map(|w| w.trim().to_ascii_lowercase()).collect();
    let mut skipped = SkippedOperations::default();
    for word in &words {
        let wrong = match word.as_str() {
            "c" => {
                skipped.create = true;
                None
            }
            "u" => {
                skipped.update = true;
                None
            }
            "d" => {
                skipped.delete = true;
                None
            }
            "t" => {
                skipped.truncate = true;
                None
            }
            "none" if words.len() > 1 => {
                Some("'none' cannot be specified with other skipped operation types".to_owned())
            }
            // Reads are no changes: the word is allowed, and skips nothing.
            "none" | "" | "r" => None,
            _ => Some(format!("Invalid operation \"{word}\"")),
        };
        if let Some(wrong) = wrong {
            let message = format!("The '{KEY}' value is invalid: {wrong}");
            reader.mistake(
                KEY,
                message,
                "write c, u, d and t separated by commas, or none; the default is t",
            );
        }
    }
    skipped
}
