//! The properties about snapshots.

use std::collections::BTreeMap;

use pgcdc_config::Reader;

use super::selection::patterns;
use crate::config::settings::{SnapshotMode, SnapshotParts, SnapshotSettings};

/// Reads `snapshot.*`.
pub(super) fn resolve(reader: &mut Reader<'_>) -> SnapshotSettings {
    let select_overrides = select_overrides(reader);
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

/// Reads the statement of each table in `snapshot.select.statement.overrides`.
fn select_overrides(reader: &mut Reader<'_>) -> BTreeMap<String, String> {
    const OVERRIDES: &str = "snapshot.select.statement.overrides";
    let mut select_overrides = BTreeMap::new();
    let prefix = format!("{OVERRIDES}.");
    let tables = reader.string(OVERRIDES);
    for table in tables.split(',').map(str::trim).filter(|t| !t.is_empty()) {
        match reader.text(&format!("{prefix}{table}")) {
            Some(statement) => {
                select_overrides.insert(table.to_owned(), statement.to_owned());
            }
            // Debezium warns as well, and reads the table like any other.
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
    select_overrides
}
