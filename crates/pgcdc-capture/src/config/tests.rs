//! Configuration in, settings or diagnosis out.

mod converters;
mod earlier;
mod exactly_once;
mod golden;
mod mistakes;
mod parsing;
mod registrations;
mod resolved;
mod selection;
mod table;

use super::*;

/// What every configuration must have.
const REQUIRED: &[(&str, &str)] = &[
    ("database.hostname", "db"),
    ("database.user", "u"),
    ("database.password", "hunter2"),
    ("database.dbname", "shop"),
    ("topic.prefix", "shop"),
];

fn document(pairs: &[(&str, &str)]) -> Document {
    let mut document = Document::from_pairs("request", REQUIRED.iter().copied());
    for (key, value) in pairs {
        document.set(*key, *value, Place { source: "c.json".into(), line: Some(7) });
    }
    document
}

pub(super) fn settings(pairs: &[(&str, &str)]) -> Settings {
    Settings::from_document(&document(pairs)).unwrap_or_else(|e| panic!("{pairs:?}: {e}"))
}

pub(super) fn error(pairs: &[(&str, &str)]) -> ConfigError {
    match Settings::from_document(&document(pairs)) {
        Ok(_) => panic!("{pairs:?} is accepted"),
        Err(e) => e,
    }
}
