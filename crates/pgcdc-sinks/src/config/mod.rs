//! The configuration file: TOML, every mistake in one answer.

mod reference;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pgcdc_config::{Environment, Provided, Section, did_you_mean};
use pgcdc_kafka::ClientProperties;

use crate::kinds::{self, KINDS};
use crate::order::NewHistory;
use crate::store::Store;
use crate::{Error, Result};

pub use reference::reference;

/// What a configuration file says, checked without touching the world.
#[derive(Clone, Debug)]
pub struct Config {
    /// Properties of the Kafka clients.
    pub kafka: ClientProperties,
    /// First part of each sink's group id.
    pub group_id: String,
    /// The sinks, in the file's order.
    pub sinks: Vec<SinkConfig>,
}

/// One `[[sink]]`.
#[derive(Clone, Debug)]
pub struct SinkConfig {
    /// Its name: unique in the file, part of the group id and of dead letters.
    pub name: String,
    /// The topics it reads.
    pub topics: Vec<String>,
    /// How many records go to the store in one batch at most (`batch.max`; the default is the [`Kind`](crate::Kind)'s).
    pub batch_max: usize,
    /// Longest wait between two tries (`retry.max`, default 30 s).
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
        // The error's own Display quotes the line, which may hold a password.
        let mut table: toml::Table = text.parse().map_err(|e: toml::de::Error| {
            let line = e
                .span()
                .map_or(1, |span| 1 + text.bytes().take(span.start).filter(|byte| *byte == b'\n').count());
            Error::configuration(format!("{file}:{line}: not TOML: {}", e.message().replace('\n', ", ")))
        })?;
        let mut mistakes = Vec::new();
        let provided = Provided::resolve(&mut table, env, &mut mistakes);
        let config = parse(&table, &mut mistakes);
        match config {
            Some(config) if mistakes.is_empty() => Ok(config),
            _ => Err(Error::configuration(
                mistakes
                    .iter()
                    .map(|mistake| format!("{file}: {}", provided.hide(mistake)))
                    .collect::<Vec<_>>()
                    .join("\n"),
            )),
        }
    }
}

fn parse(table: &toml::Table, mistakes: &mut Vec<String>) -> Option<Config> {
    let mut root = Section::new("", table, mistakes);
    let kafka = root.section("kafka");
    let sinks = root.sections("sink");
    root.finish();
    let kafka = kafka.and_then(|table| parse_kafka(table, mistakes));
    let sinks = match sinks {
        Some(tables) if !tables.is_empty() => tables,
        Some(_) => {
            mistakes.push("there is no [[sink]]".to_owned());
            Vec::new()
        }
        None => Vec::new(),
    };
    let mut names = BTreeSet::new();
    for name in sinks.iter().filter_map(|table| table.get("name")?.as_str()) {
        if !names.insert(name) {
            mistakes.push(format!("two sinks have the name {name:?}: names must be unique"));
        }
    }
    let sinks = sinks.into_iter().enumerate();
    let parsed = sinks.filter_map(|(at, table)| parse_sink(at, table, mistakes)).collect();
    let (kafka, group_id) = kafka?;
    Some(Config { kafka, group_id, sinks: parsed })
}

fn parse_kafka(table: &toml::Table, mistakes: &mut Vec<String>) -> Option<(ClientProperties, String)> {
    let mut properties = Vec::new();
    for (name, value) in flatten("", table) {
        match value {
            toml::Value::String(text) => properties.push((name, text.clone())),
            toml::Value::Integer(number) => properties.push((name, number.to_string())),
            toml::Value::Boolean(flag) => properties.push((name, flag.to_string())),
            other => mistakes.push(format!(
                "[kafka] {name:?} must be a text, a number or a boolean, not {}",
                other.type_str()
            )),
        }
    }
    let value_of =
        |wanted: &str| properties.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
    for required in ["bootstrap.servers", "group.id"] {
        if value_of(required).is_none_or(|value| value.trim().is_empty()) {
            mistakes.push(format!("[kafka] {required:?} is missing"));
        }
    }
    let group_id = value_of("group.id");
    match ClientProperties::parse(properties) {
        Ok(client) => group_id.map(|group_id| (client, group_id)),
        Err(error) => {
            mistakes.extend(error.to_string().lines().map(|part| format!("[kafka] {part}")));
            None
        }
    }
}

/// `a.b = 1` is a table within a table to TOML; to Kafka it is a name.
fn flatten<'t>(prefix: &str, table: &'t toml::Table) -> Vec<(String, &'t toml::Value)> {
    let mut flat = Vec::new();
    for (name, value) in table {
        let name = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match value {
            toml::Value::Table(inner) => flat.extend(flatten(&name, inner)),
            value => flat.push((name, value)),
        }
    }
    flat
}

fn parse_sink(at: usize, table: &toml::Table, mistakes: &mut Vec<String>) -> Option<SinkConfig> {
    let place = match table.get("name").and_then(toml::Value::as_str) {
        Some(name) => format!("[[sink]] {name:?}: "),
        None => format!("[[sink]] number {}: ", at + 1),
    };
    let mut section = Section::new(&place, table, mistakes);
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
        section.mistake(&format!("unknown type {kind:?}{near}; known are {}", known.join(", ")));
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
        section.mistake("\"name\" must consist of the characters a-z A-Z 0-9 . _ -, since it becomes part of the group id");
    }
    Some(name)
}

fn parse_topics(section: &mut Section<'_, '_>) -> Option<Vec<String>> {
    let topics = section.texts("topics")?;
    if topics.is_empty() || topics.iter().any(String::is_empty) {
        section.mistake("\"topics\" must name at least one topic");
    }
    if let Some(name) = topics.iter().find(|topic| topic.starts_with('^')) {
        section.mistake(&format!(
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
            section.mistake(&format!("\"new_history\" must be \"stop\" or \"continue\", not {other:?}"));
            NewHistory::Stop
        }
    }
}
