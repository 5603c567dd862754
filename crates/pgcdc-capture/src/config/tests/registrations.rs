//! Registrations of the Postgres connector as they stand in public repositories
//! (`tests/registrations` of this repository): each starts, or is refused for a reason that holds
//! for Debezium 3.7 too.
//!
//! `index.tsv` beside them says of each where it is from, of which generation of Debezium it is,
//! what the real Debezium 3.7 said of it (its validation endpoint with a database that answers;
//! converters that are not in plain Connect replaced by JSON; and the start itself where validation
//! sees too little), and what becomes of it here;
//! `PGCDC_WRITE_REGISTRATIONS=1 cargo test -p pgcdc-capture registrations` writes that last column
//! anew.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use super::*;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/registrations")
}

/// What becomes of a registration, in one line.
fn outcome(file: &Path) -> String {
    match Document::read(file).and_then(|document| Settings::from_document(&document)) {
        Ok(settings) => {
            let notes = settings.notes.iter().chain(&settings.unknown).map(|note| &note.key);
            let warned: BTreeSet<&String> =
                notes.chain(settings.warnings.iter().map(|warning| &warning.key)).collect();
            match warned.is_empty() {
                true => "starts".to_owned(),
                false => format!("starts, warns of {}", join(warned)),
            }
        }
        Err(error) => format!("refused: {}", join(error.mistakes().iter().map(|mistake| &mistake.key))),
    }
}

fn join<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    names.into_iter().map(String::as_str).collect::<Vec<_>>().join(" ")
}

#[test]
fn registrations_of_the_field_become_what_the_index_says() {
    let index = folder().join("index.tsv");
    let text = fs::read_to_string(&index).expect("the index is there");
    let mut lines = text.lines();
    let mut fresh = format!("{}\n", lines.next().expect("a head"));
    let mut listed = BTreeSet::new();
    let mut astray = Vec::new();
    for line in lines {
        let [file, source, generation, debezium, _] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("not five columns: {line}")
        };
        assert!(listed.insert(file.to_owned()), "{file} stands twice");
        let ours = outcome(&folder().join(file));
        // What Debezium brings along and pgcdc has not; the index says so.
        let missing = debezium == "starts, with a transform that pgcdc has not";
        if debezium.starts_with("starts") && !missing && ours.starts_with("refused") {
            astray.push(format!("{file}: {ours}"));
        }
        let _ = writeln!(fresh, "{file}\t{source}\t{generation}\t{debezium}\t{ours}");
    }
    if std::env::var_os("PGCDC_WRITE_REGISTRATIONS").is_some() {
        fs::write(&index, &fresh).unwrap();
    }
    assert!(astray.is_empty(), "Debezium 3.7 starts what we refuse: {astray:#?}");
    assert!(listed.len() >= 100, "only {} registrations", listed.len());
    let files =
        fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let files: BTreeSet<_> = files.filter(|name| name.ends_with(".json")).collect();
    assert_eq!(files, listed, "the index lists every file, and no other");
    let text = fs::read_to_string(&index).unwrap_or_default();
    assert_eq!(fresh, text, "PGCDC_WRITE_REGISTRATIONS=1 cargo test -p pgcdc-capture registrations");
}

/// Lines of JSON registrations, each with what becomes of it:
/// `PGCDC_PROBE=FILE cargo test -p pgcdc-capture probe`.
#[test]
fn probe() {
    let Some(file) = std::env::var_os("PGCDC_PROBE") else { return };
    let text = fs::read_to_string(&file).expect("a readable file");
    let mut out = String::new();
    for line in text.lines() {
        let outcome = Document::parse_json("line", line).and_then(|d| Settings::from_document(&d));
        let _ = match outcome {
            Ok(settings) => {
                writeln!(out, "ok\t{}", join(settings.unknown.iter().map(|unknown| &unknown.key)))
            }
            Err(error) => writeln!(out, "refused\t{}", error.to_string().replace('\n', " ¦ ")),
        };
    }
    fs::write(format!("{}.out", file.to_string_lossy()), out).expect("a writable place");
}
