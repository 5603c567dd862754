//! The properties about where records go, and what happens when that fails.

use std::collections::BTreeMap;

use pgcdc_config::Reader;

use crate::config::settings::{Errors, OffsetStorage, Retry, SecretProperties, SkippedOperations};

/// Reads `producer.*` and `producer.override.*`; the latter win, as in Connect.
pub(super) fn producer(reader: &Reader<'_>) -> SecretProperties {
    let mut properties = BTreeMap::new();
    if let Some(servers) = reader.text("bootstrap.servers") {
        properties.insert("bootstrap.servers".to_owned(), servers.to_owned());
    }
    let general = reader.below("producer.").filter(|(key, _)| !key.starts_with("override."));
    for (key, entry) in general.chain(reader.below("producer.override.")) {
        properties.insert(key.to_owned(), entry.value.expose().to_owned());
    }
    SecretProperties(properties)
}

/// Reads `skipped.operations`.
pub(super) fn skipped(reader: &mut Reader<'_>) -> SkippedOperations {
    const KEY: &str = "skipped.operations";
    let list = reader.string(KEY);
    let words: Vec<String> = list.split(',').map(|w| w.trim().to_ascii_lowercase()).collect();
    let mut skipped = SkippedOperations::default();
    for word in &words {
        let wrong = match word.as_str() {
            "none" if words.len() > 1 => {
                "'none' cannot be specified with other skipped operation types".to_owned()
            }
            "c" | "u" | "d" | "t" => {
                skipped.create |= word == "c";
                skipped.update |= word == "u";
                skipped.delete |= word == "d";
                skipped.truncate |= word == "t";
                continue;
            }
            // Rows of a snapshot are not changes: the word is allowed, and skips nothing.
            "none" | "" | "r" => continue,
            _ => format!("Invalid operation \"{word}\""),
        };
        let message = format!("The '{KEY}' value is invalid: {wrong}");
        let remedy = "write c, u, d and t separated by commas, or none; the default is t";
        reader.mistake(KEY, message, remedy);
    }
    skipped
}

/// Reads `errors.tolerance` and `errors.log.enable`.
pub(super) fn errors(reader: &Reader<'_>) -> Errors {
    Errors {
        tolerant: reader.text("errors.tolerance").is_some_and(|word| word.eq_ignore_ascii_case("all")),
        log_each: reader.boolean("errors.log.enable"),
    }
}

/// Reads where offsets are kept.
pub(super) fn offsets(reader: &Reader<'_>) -> OffsetStorage {
    OffsetStorage {
        topic: reader
            .text("offsets.storage.topic")
            .or_else(|| reader.text("offset.storage.topic"))
            .map(str::to_owned),
        file: reader.path("offset.storage.file.filename"),
    }
}

/// Reads how often and after which pause a failed connector starts again.
pub(super) fn retry(reader: &Reader<'_>) -> Retry {
    Retry {
        max_retries: u32::try_from(reader.number("errors.max.retries")).ok(),
        wait: reader.millis("retriable.restart.connector.wait.ms"),
    }
}
