//! What a registration of another time or place says, in the words of Debezium 3.7 in Connect: old
//! names and values of properties, names of Debezium Server, and output plug-ins that pgcdc does
//! not read. Each change is told to the user in a note.
//!
//! It is the first step after parsing: from here on the document has only names of today.

use pgcdc_config::{Document, Mistake};
use pgcdc_event::Secret;

use super::earlier_transforms;
use super::properties::earlier::{EarlierName, NAMES, WORDS};

/// The property of the output plug-in.
const PLUGIN: &str = "plugin.name";
/// The only plug-in that pgcdc reads.
const PGOUTPUT: &str = "pgoutput";

/// The prefixes that Debezium Server puts before the properties of its connector, its transforms
/// and its Kafka producer, each with the prefix that Connect has in its place.
const SERVER: &[(&str, &str)] = &[
    ("debezium.source.", ""),
    ("debezium.transforms.", "transforms."),
    ("debezium.predicates.", "predicates."),
    ("debezium.format.key.", "key.converter."),
    ("debezium.format.value.", "value.converter."),
    ("debezium.format.header.", "header.converter."),
    ("debezium.sink.kafka.producer.", "producer."),
];

/// The same document with the names of Debezium 3.7, and a note for each name that was an earlier one.
pub(super) fn understood(written: &Document) -> (Document, Vec<Mistake>) {
    let mut notes = written.notes.clone();
    let mut document = written.clone();
    server(&mut document, &mut notes);
    for earlier in NAMES {
        rename(&mut document, earlier, &mut notes);
    }
    words(&mut document, &mut notes);
    earlier_transforms::understood(&mut document, &mut notes);
    plugin(&mut document, &mut notes);
    written.sort(&mut notes);
    (document, notes)
}

/// Whether a property is set and not empty.
fn is_set(document: &Document, key: &str) -> bool {
    document.entry(key).is_some_and(|entry| !entry.value.expose().trim().is_empty())
}

/// Moves the value of an old name to the name of today, unless that is set, too.
fn rename(document: &mut Document, earlier: &EarlierName, notes: &mut Vec<Mistake>) {
    let EarlierName { name, until, today, values } = *earlier;
    let Some(at) = document.entries.iter().position(|entry| entry.key == name) else { return };
    let mut entry = document.entries.remove(at);
    let known = format!("this is what {today} was called up to Debezium {until}");
    if is_set(document, today) {
        let message = format!("{known}; it has no effect beside {today}");
        notes.push(entry.mistake(message, "remove it"));
        return;
    }
    let message = format!("{known}; it is read as {today}, while Debezium 3.7 ignores it");
    let value = entry.value.expose().trim();
    let changed = values.iter().find(|(old, _)| old.eq_ignore_ascii_case(value)).map(|&(_, new)| new);
    let remedy = match changed {
        Some(new) => format!("write {today}={new} in its place"),
        None => format!("rename it to {today}"),
    };
    notes.push(entry.mistake(message, remedy));
    if let Some(new) = changed {
        entry.value = Secret::new(new);
    }
    entry.key = today.to_owned();
    // An empty property of today's name gives way.
    document.entries.retain(|other| other.key != today);
    let at = at.min(document.entries.len());
    document.entries.insert(at, entry);
}

/// Replaces old values by those of today.
fn words(document: &mut Document, notes: &mut Vec<Mistake>) {
    for earlier in WORDS {
        let entry = document.entries.iter_mut().find(|entry| entry.key == earlier.property);
        let Some(entry) = entry.filter(|e| e.value.expose().trim().eq_ignore_ascii_case(earlier.word)) else {
            continue;
        };
        let today = earlier.today;
        let message = format!(
            "{} is a word of earlier Debezium; it is read as {today}, while Debezium 3.7 refuses it",
            earlier.word
        );
        notes.push(entry.mistake(message, format!("write {}={today}", earlier.property)));
        entry.value = Secret::new(today);
    }
}

/// Debezium's own default and all other plug-ins become pgoutput. A word that is not a plug-in at
/// all is left for validation.
fn plugin(document: &mut Document, notes: &mut Vec<Mistake>) {
    let remedy = "set plugin.name=pgoutput; a slot that was made for another plug-in must be made anew";
    let Some(entry) = document.entries.iter_mut().find(|entry| entry.key == PLUGIN) else {
        notes.push(Mistake {
            place: document.source.clone(),
            key: PLUGIN.to_owned(),
            message: "is not set, and Debezium's default is decoderbufs; pgcdc always reads pgoutput"
                .to_owned(),
            remedy: Some(remedy.to_owned()),
        });
        return;
    };
    let word = entry.value.expose().trim().to_ascii_lowercase();
    if word == "decoderbufs" || word.starts_with("wal2json") {
        let message =
            format!("{word} is not read; pgcdc always reads pgoutput, which every Postgres has built in");
        notes.push(entry.mistake(message, remedy));
        entry.value = Secret::new(PGOUTPUT);
    }
}

/// Takes the prefixes of Debezium Server away, if this is a file of Debezium Server.
fn server(document: &mut Document, notes: &mut Vec<Mistake>) {
    if !document.entries.iter().any(|entry| entry.key.starts_with("debezium.source.")) {
        return;
    }
    notes.push(Mistake {
        place: document.source.clone(),
        key: String::new(),
        message: "this is a configuration of Debezium Server; its debezium.source.*, debezium.transforms.*, debezium.format.* and debezium.sink.kafka.producer.* are read, and records go to Kafka".to_owned(),
        remedy: Some("a connector's registration has the same properties without debezium.source.".to_owned()),
    });
    let mut read = Document { entries: Vec::new(), notes: Vec::new(), source: document.source.clone() };
    for mut entry in std::mem::take(&mut document.entries) {
        if entry.key.starts_with("quarkus.") {
            notes.push(entry.mistake("it configures the server around Debezium", "remove it"));
            continue;
        }
        entry.key = of_server(&entry.key).unwrap_or(entry.key);
        read.entries.retain(|other| other.key != entry.key);
        read.entries.push(entry);
    }
    *document = read;
}

/// The name that a property of Debezium Server has in Connect; `None` for one that Connect does not
/// have.
fn of_server(key: &str) -> Option<String> {
    if let "debezium.transforms" | "debezium.predicates" = key {
        return key.strip_prefix("debezium.").map(str::to_owned);
    }
    SERVER.iter().find_map(|(before, after)| key.strip_prefix(before).map(|rest| format!("{after}{rest}")))
}
