//! Transforms and their options that Debezium 1.x and 2.x, or Kafka before 4, knew under another
//! name; and one transform that changes no record and is left out.

use pgcdc_config::{Document, Entry, Mistake};
use pgcdc_event::Secret;

/// The transform that flattens records.
const UNWRAP: &str = "io.debezium.transforms.ExtractNewRecordState";
/// Its name up to Debezium 0.9.
const UNWRAP_OLD: &str = "io.debezium.transforms.UnwrapFromEnvelope";
/// A transform that only reports records to somebody else.
const LINEAGE: &str = "io.debezium.transforms.openlineage.OpenLineage";
/// The option that replaced `drop.tombstones` and `delete.handling.mode`.
const MODE: &str = "delete.tombstone.handling.mode";

/// Puts the options of today in place of old ones, transform by transform.
pub(super) fn understood(document: &mut Document, notes: &mut Vec<Mistake>) {
    let names: Vec<String> = document
        .entry("transforms")
        .map(|entry| entry.value.expose().split(',').map(|name| name.trim().to_owned()).collect())
        .unwrap_or_default();
    for name in names {
        let prefix = format!("transforms.{name}.");
        let Some(class) =
            document.entry(&format!("{prefix}type")).map(|e| e.value.expose().trim().to_owned())
        else {
            continue;
        };
        match class.as_str() {
            LINEAGE => without(document, &name, &prefix, notes),
            UNWRAP_OLD => {
                renamed_class(document, &prefix, notes);
                unwrap(document, &prefix, notes);
            }
            UNWRAP | "ExtractNewRecordState" => unwrap(document, &prefix, notes),
            "org.apache.kafka.connect.transforms.ReplaceField$Key"
            | "org.apache.kafka.connect.transforms.ReplaceField$Value" => {
                moved(document, &prefix, "blacklist", "exclude", "Kafka 3", notes);
                moved(document, &prefix, "whitelist", "include", "Kafka 3", notes);
            }
            "io.debezium.transforms.outbox.EventRouter" | "EventRouter" => {
                let (old, new) = ("debezium.op.invalid.behavior", "table.op.invalid.behavior");
                moved(document, &prefix, old, new, "Debezium 1.9", notes);
            }
            _ => {}
        }
    }
}

/// The entry of a property.
fn find<'d>(document: &'d mut Document, key: &str) -> Option<&'d mut Entry> {
    document.entries.iter_mut().find(|entry| entry.key == key)
}

/// Takes out a transform that only looks at records.
fn without(document: &mut Document, name: &str, prefix: &str, notes: &mut Vec<Mistake>) {
    if let Some(entry) = find(document, &format!("{prefix}type")) {
        let message = "lineage events are not sent; the records are the same";
        notes.push(entry.mistake(message, format!("remove {name} from transforms")));
    }
    document.entries.retain(|entry| !entry.key.starts_with(prefix));
    if let Some(entry) = find(document, "transforms") {
        let others: Vec<&str> =
            entry.value.expose().split(',').map(str::trim).filter(|other| *other != name).collect();
        entry.value = Secret::new(others.join(","));
    }
}

/// Gives the transform its class of today.
fn renamed_class(document: &mut Document, prefix: &str, notes: &mut Vec<Mistake>) {
    if let Some(entry) = find(document, &format!("{prefix}type")) {
        let message = format!("{UNWRAP_OLD} is called {UNWRAP} since Debezium 0.10; it is read as that");
        notes.push(entry.mistake(message, format!("write {UNWRAP}")));
        entry.value = Secret::new(UNWRAP);
    }
}

/// Renames an option whose values are still the same.
fn moved(document: &mut Document, prefix: &str, old: &str, new: &str, until: &str, notes: &mut Vec<Mistake>) {
    let (old, new) = (format!("{prefix}{old}"), format!("{prefix}{new}"));
    let there = document.entry(&new).is_some();
    let Some(at) = document.entries.iter().position(|entry| entry.key == old) else { return };
    let known = format!("this is what {new} was called up to {until}");
    if there {
        let entry = document.entries.remove(at);
        notes.push(entry.mistake(format!("{known}; it has no effect beside {new}"), "remove it"));
        return;
    }
    let entry = &mut document.entries[at];
    let message = format!("{known}; it is read as {new}, while the Connect of today ignores it");
    notes.push(entry.mistake(message, format!("rename it to {new}")));
    entry.key = new;
}

/// Replaces `drop.tombstones` with `delete.handling.mode`, `operation.header`, and
/// `add.source.fields`.
fn unwrap(document: &mut Document, prefix: &str, notes: &mut Vec<Mistake>) {
    let take = |document: &mut Document, option: &str| {
        let key = format!("{prefix}{option}");
        let at = document.entries.iter().position(|entry| entry.key == key)?;
        Some(document.entries.remove(at))
    };
    let word = |entry: &Option<Entry>, default: &str| {
        let word = entry.as_ref().map(|entry| entry.value.expose().trim().to_ascii_lowercase());
        word.filter(|word| !word.is_empty()).unwrap_or_else(|| default.to_owned())
    };
    let (drop, deletes) = (take(document, "drop.tombstones"), take(document, "delete.handling.mode"));
    // The defaults are those of Debezium 1 and 2.
    let drops = word(&drop, "true") != "false";
    let mode = match (word(&deletes, "drop").as_str(), drops) {
        ("rewrite", true) => "rewrite",
        ("rewrite", false) => "rewrite-with-tombstone",
        ("none", true) => "delete-to-tombstone",
        ("none" | "drop", false) => "tombstone",
        ("drop", true) => "drop",
        // Left for validation, which names the words.
        _ => "",
    };
    let mode = if mode.is_empty() { word(&deletes, "") } else { mode.to_owned() };
    together(document, prefix, MODE, &mode, [drop, deletes], notes);
    let header = take(document, "operation.header");
    if word(&header, "false") == "true" {
        together(document, prefix, "add.headers", "op", [header, None], notes);
    }
    let fields = take(document, "add.source.fields");
    let list: Vec<String> = word(&fields, "")
        .split(',')
        .map(str::trim)
        .filter(|field| !field.is_empty())
        .map(|field| format!("source.{field}:{field}"))
        .collect();
    if !list.is_empty() {
        together(document, prefix, "add.fields", &list.join(","), [fields, None], notes);
    }
}

/// Puts one option of today in place of up to two old ones, unless it is set itself.
fn together(
    document: &mut Document,
    prefix: &str,
    option: &str,
    value: &str,
    old: [Option<Entry>; 2],
    notes: &mut Vec<Mistake>,
) {
    let key = format!("{prefix}{option}");
    let there = document.entry(&key).is_some();
    // A value that came from a config provider is not quoted: it may be a secret.
    let quoted = if old.iter().flatten().any(|entry| entry.provided) { "…" } else { value };
    let mut place = None;
    for entry in old.into_iter().flatten() {
        let (message, remedy) = if there {
            (
                format!("Debezium 3 has {option} in its place; it has no effect beside that"),
                "remove it".into(),
            )
        } else {
            (
                format!(
                    "Debezium 3 has {option} in its place; it is read as {option}={quoted}, while Debezium 3.7 ignores it"
                ),
                format!("write {key}={quoted} in its place"),
            )
        };
        notes.push(entry.mistake(message, remedy));
        place.get_or_insert(entry.place);
    }
    if let Some(place) = place.filter(|_| !there) {
        document.set(key, value, place);
    }
}
