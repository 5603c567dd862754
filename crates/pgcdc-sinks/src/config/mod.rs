//! The configuration file: TOML, every mistake in one answer.
//!
//! Reading has three steps: the text becomes values with their lines ([`TomlFile`]), references to secrets are replaced
//! ([`Provided`]), and each table is read key by key ([`Section`]). A provided value is never shown, not even in a mistake
//! about it.

mod reference;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pgcdc_config::{ConfigError, Environment, Mistake, Provided, Section, TomlFile, TomlTable, did_you_mean};
use pgcdc_kafka::ClientProperties;

use crate::kinds::{self, KINDS};
use crate::order::NewHistory;
use crate::store::Store;
use crate::{Error, Result};

pub use reference::reference;

/// What a configuration file says, checked without touching the world.
///
/// ```
/// use pgcdc_sinks::Config;
///
/// let text = r#"
/// [kafka]
/// "bootstrap.servers" = "127.0.0.1:9092"
/// "group.id" = "shop"
///
/// [[sink]]
/// name = "api"
/// type = "http"
/// topics = ["shop.public.users"]
/// url = "http://127.0.0.1:5000/api"
/// "#;
/// let config = Config::parse(text, "sinks.toml")?;
/// assert_eq!((config.group_id.as_str(), config.sinks[0].batch_max), ("shop", 500));
///
/// let error = Config::parse(&text.replace("topics", "topisc"), "sinks.toml").expect_err("a mistake");
/// assert!(error.to_string().contains("sinks.toml:9: [[sink]] \"api\": unknown key \"topisc\""));
/// # Ok::<(), pgcdc_sinks::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Config {
    /// Properties of the Kafka clients.
    pub kafka: ClientProperties,
    /// First part of each sink's group id.
    pub group_id: String,
    /// The sinks, in the file's order.
    pub sinks: Vec<SinkConfig>,
}

/// One `[[sink]]`: what every sink has, and the store.
#[derive(Clone, Debug)]
pub struct SinkConfig {
    /// Its name: unique in the file, part of the group id and of dead letters.
    pub name: String,
    /// The topics it reads.
    pub topics: Vec<String>,
    /// How many records go to the store in one batch at most (`batch.max`; the default is the [`Kind`](crate::Kind)'s).
    pub batch_max: usize,
    /// Longest wait between two tries (`retry.max`, default 30 s). Each wait is drawn at random below its limit, so that many
    /// partitions that failed together do not come back together.
    pub retry_max: Duration,
    /// First wait, doubled after each failure (`retry.initial`, default 200 ms).
    pub retry_initial: Duration,
    /// How many records of a partition in a row may become dead letters; the next one ends the sink (`max_dead_letters`; not
    /// set: any number; 0: the first one, as `errors.tolerance=none` does in Kafka Connect).
    pub max_dead_letters: Option<u64>,
    /// `new_history`: what the sink does when the source's positions begin anew, `stop` (default) or `continue`.
    pub new_history: NewHistory,
    /// What `type` says, with the store's own keys.
    pub store: Arc<dyn Store>,
}

/// First wait between two tries, unless `retry.initial` says otherwise.
pub(crate) const RETRY_INITIAL: Duration = Duration::from_millis(200);
/// Longest wait between two tries, unless `retry.max` says otherwise.
pub(crate) const RETRY_MAX: Duration = Duration::from_secs(30);

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// All mistakes at once, each with file and key; [`Error::is_configuration`] is true.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .map_err(|e| Error::configuration(format!("cannot read {}: {e}", path.display())))?;
        Self::parse(&text, &path.display().to_string())
    }

    /// Checks a text; `file` is what mistakes call it. Config providers are looked up in the process's environment.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn parse(text: &str, file: &str) -> Result<Self> {
        Self::parse_with(text, file, &|name| std::env::var(name).ok())
    }

    fn parse_with(text: &str, file: &str, env: Environment<'_>) -> Result<Self> {
        let mut file = TomlFile::parse(file, text)?;
        let mut mistakes = Vec::new();
        let provided = Provided::resolve(&mut file, env, &mut mistakes);
        let config = parse(file.root(), &mut mistakes);
        match config {
            Some(config) if mistakes.is_empty() => Ok(config),
            _ => {
                for mistake in &mut mistakes {
                    mistake.message = provided.hide(&mistake.message);
                }
                Err(ConfigError::new(mistakes).into())
            }
        }
    }
}

fn parse(table: TomlTable<'_>, mistakes: &mut Vec<Mistake>) -> Option<Config> {
    let mut root = Section::new("", table, mistakes);
    let kafka = root.section("kafka");
    let sinks = root.sections("sink");
    if sinks.as_ref().is_some_and(Vec::is_empty) {
        root.mistake("there is no [[sink]]");
    }
    root.finish();
    let kafka = kafka.and_then(|table| parse_kafka(table, mistakes));
    let sinks = sinks.unwrap_or_default();
    let mut names = BTreeSet::new();
    for sink in &sinks {
        let Some(name) = sink.get("name").and_then(toml::Value::as_str) else { continue };
        if !names.insert(name) {
            let message = format!("two sinks have the name {name:?}: names must be unique");
            Section::new("", *sink, mistakes).mistake_at("name", &message);
        }
    }
    let sinks = sinks.into_iter().enumerate();
    let parsed = sinks.filter_map(|(at, table)| parse_sink(at, table, mistakes)).collect();
    let (kafka, group_id) = kafka?;
    Some(Config { kafka, group_id, sinks: parsed })
}

/// Reads `[kafka]`: properties of Kafka's clients, and `group.id`.
fn parse_kafka(table: TomlTable<'_>, mistakes: &mut Vec<Mistake>) -> Option<(ClientProperties, String)> {
    let mut section = Section::new("[kafka] ", table, mistakes);
    let mut properties: Vec<(String, String)> = Vec::new();
    for (name, value) in flatten(table) {
        match value {
            toml::Value::String(text) => properties.push((name, text.clone())),
            toml::Value::Integer(number) => properties.push((name, number.to_string())),
            toml::Value::Boolean(flag) => properties.push((name, flag.to_string())),
            other => {
                let wrong = other.type_str();
                let message = format!("{name:?} must be a text, a number or a boolean, not {wrong}");
                section.mistake_at(&name, &message);
            }
        }
    }
    let value_of =
        |wanted: &str| properties.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
    for required in ["bootstrap.servers", "group.id"] {
        if value_of(required).is_none_or(|value| value.trim().is_empty()) {
            section.mistake_at(required, &format!("{required:?} is missing"));
        }
    }
    let group_id = value_of("group.id");
    match ClientProperties::parse(properties) {
        Ok(client) => group_id.map(|group_id| (client, group_id)),
        Err(error) => {
            for part in error.to_string().lines() {
                // The message quotes the property, and behind it perhaps another one that is meant.
                let names = flatten(table).into_iter().map(|(name, _)| name);
                let named = names.filter_map(|name| Some((part.find(&format!("{name:?}"))?, name))).min();
                section.mistake_at(named.as_ref().map_or("", |(_, name)| name), part);
            }
            None
        }
    }
}

/// The properties with their values: `a.b = 1` is a table within a table to TOML; to Kafka it is a name.
fn flatten(table: TomlTable<'_>) -> Vec<(String, &toml::Value)> {
    let mut flat = Vec::new();
    for (key, value) in table.entries() {
        match table.inner(key) {
            Some(inner) => {
                flat.extend(flatten(inner).into_iter().map(|(name, value)| (format!("{key}.{name}"), value)));
            }
            None => flat.push((key.clone(), value)),
        }
    }
    flat
}

/// Reads a `[[sink]]`, the one at this position of the list. Its store's own keys are read by the store's row of [`KINDS`].
fn parse_sink(at: usize, table: TomlTable<'_>, mistakes: &mut Vec<Mistake>) -> Option<SinkConfig> {
    let label = match table.get("name").and_then(toml::Value::as_str) {
        Some(name) => format!("[[sink]] {name:?}: "),
        None => format!("[[sink]] number {}: ", at + 1),
    };
    let mut section = Section::new(&label, table, mistakes);
    let name = parse_name(&mut section);
    let topics = parse_topics(&mut section);
    let batch_max = section.inner("batch", |batch| batch.optional_number("max", 1..=10_000));
    let retry =
        section.inner("retry", |retry| (retry.optional_duration("initial"), retry.optional_duration("max")));
    let max_dead_letters = section.optional_number("max_dead_letters", 0..=1_000_000_000);
    let (retry_initial, retry_max) = retry.unwrap_or((None, None));
    let new_history = parse_new_history(&mut section);
    let kind = section.text("type")?;
    let Some(kind) = kinds::kind(&kind) else {
        let known: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
        let near = did_you_mean(&kind, &known);
        section
            .mistake_at("type", &format!("unknown \"type\" {kind:?}{near}; known are {}", known.join(", ")));
        return None; // its other keys are those of an unknown type
    };
    let store = (kind.parse)(&mut section);
    section.finish();
    Some(SinkConfig {
        name: name?,
        topics: topics?,
        batch_max: batch_max.flatten().and_then(|n| usize::try_from(n).ok()).unwrap_or(kind.batch_max),
        retry_initial: retry_initial.unwrap_or(RETRY_INITIAL),
        retry_max: retry_max.unwrap_or(RETRY_MAX),
        max_dead_letters: max_dead_letters.and_then(|count| count.try_into().ok()),
        new_history,
        store: store?,
    })
}

fn parse_name(section: &mut Section<'_, '_>) -> Option<String> {
    let name = section.text("name")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty() || !name.chars().all(plain) {
        section.mistake_at("name", "\"name\" must consist of the characters a-z A-Z 0-9 . _ -, since it becomes part of the group id");
    }
    Some(name)
}

fn parse_topics(section: &mut Section<'_, '_>) -> Option<Vec<String>> {
    let topics = section.texts("topics")?;
    if topics.is_empty() || topics.iter().any(String::is_empty) {
        section.mistake_at("topics", "\"topics\" must name at least one topic");
    }
    if let Some(name) = topics.iter().find(|topic| topic.starts_with('^')) {
        section.mistake_at("topics", &format!(
            "\"topics\" takes names: {name:?} would be a regular expression, and one that also matches the sink's own dead letter topics"
        ));
    }
    Some(topics)
}

fn parse_new_history(section: &mut Section<'_, '_>) -> NewHistory {
    match section.optional_text("new_history").as_deref() {
        None | Some("stop") => NewHistory::Stop,
        Some("continue") => NewHistory::Continue,
        Some(other) => {
            section.mistake_at(
                "new_history",
                &format!("\"new_history\" must be \"stop\" or \"continue\", not {other:?}"),
            );
            NewHistory::Stop
        }
    }
}
