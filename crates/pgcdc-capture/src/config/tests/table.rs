//! The table of properties against Debezium's own list (`testdata/debezium-properties.tsv`: name,
//! type, default, importance, from the validation endpoint of 3.7.0).

use std::collections::BTreeSet;

use pgcdc_config::{Check, Importance, Kind, Status};

use super::properties::{self, TABLE};

fn tsv() -> impl Iterator<Item = Vec<&'static str>> {
    include_str!("../testdata/debezium-properties.tsv").lines().map(|l| l.split('\t').collect())
}

#[test]
fn holds_every_property_of_debezium_with_its_type_default_and_importance() {
    for row in tsv() {
        let property = TABLE
            .all()
            .find(|p| p.name == row[0] && !p.beside)
            .unwrap_or_else(|| panic!("{} is missing", row[0]));
        let kind = match property.kind {
            Kind::String => "STRING",
            Kind::Int => "INT",
            Kind::Long => "LONG",
            Kind::Boolean => "BOOLEAN",
            Kind::Class => "CLASS",
            Kind::List => "LIST",
            Kind::Password => "PASSWORD",
        };
        let importance = match property.importance {
            Importance::High => "HIGH",
            Importance::Medium => "MEDIUM",
            Importance::Low => "LOW",
        };
        let ours = [property.name, kind, property.default.unwrap_or_default(), importance];
        assert_eq!(ours.as_slice(), row.as_slice());
    }
}

#[test]
fn adds_nothing_to_debezium_unmarked_and_names_nothing_twice() {
    let theirs: BTreeSet<_> = tsv().map(|row| row[0]).collect();
    assert_eq!(theirs.len(), 165);
    let mut names = BTreeSet::new();
    for property in TABLE.all() {
        assert!(names.insert(property.name), "{} stands twice", property.name);
        assert!(property.beside || theirs.contains(property.name), "{}", property.name);
        assert!(property.doc.ends_with('.') && property.doc.len() < 200, "{}", property.name);
    }
}

#[test]
fn defaults_are_valid_and_refused_words_are_words() {
    for property in TABLE.all() {
        if let (Check::OneOf(words), Some(default)) = (property.check, property.default) {
            assert!(words.iter().any(|w| w.eq_ignore_ascii_case(default)), "{}", property.name);
        }
        if let Check::OneOf(words) = property.check {
            for (word, ..) in property.refused_values {
                assert!(words.contains(word), "{} refuses {word}", property.name);
            }
        }
    }
}

/// The counts that the documentation gives; change both together.
#[test]
fn counts_of_debezium_s_properties_by_status() {
    let mut counts = [0; 4];
    for property in TABLE.all().filter(|p| !p.beside) {
        let at = match property.status {
            Status::Honoured => 0,
            Status::NotApplicable(_) => 1,
            Status::NotYet(_) => 2,
            Status::Refused(_) => 3,
        };
        counts[at] += 1;
    }
    assert_eq!(counts, [92, 56, 14, 3], "honoured, not applicable, not yet, refused");
}

/// CONFIGURATION.md is made from the table: `PGCDC_WRITE_REFERENCE=1 cargo test -p pgcdc-capture reference`.
#[test]
fn the_reference_page_is_fresh() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../CONFIGURATION.md");
    let made = properties::reference();
    let there = std::fs::read_to_string(page).unwrap_or_default();
    // The rest is the sinks' part, made by pgcdc-sinks.
    let (mut there, sinks) = there.split_at(there.find("\n# Sinks\n").unwrap_or(there.len()));
    if std::env::var_os("PGCDC_WRITE_REFERENCE").is_some() {
        std::fs::write(page, format!("{made}{sinks}")).unwrap();
        there = &made;
    }
    assert!(
        there == made,
        "CONFIGURATION.md is stale: PGCDC_WRITE_REFERENCE=1 cargo test -p pgcdc-capture reference"
    );
    for row in tsv() {
        assert!(made.contains(&format!("`{}`", row[0].replace('|', "\\|"))), "{} is not in it", row[0]);
    }
}
