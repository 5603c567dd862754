//! `topic.creation.*`: how Connect makes topics that are missing. Source: Kafka documentation,
//! "Kafka Connect", and KIP-158.
//!
//! A topic is made as the first group in `topic.creation.groups` says whose `include` matches its
//! whole name and whose `exclude` does not, else as `topic.creation.default.*` says. When a group
//! sets no partitions or replication factor, those of the default hold; it takes no other setting
//! from the default.

use std::collections::BTreeMap;

use pgcdc_config::{Document, Entry, Reader, Warning};
use pgcdc_transform::java::Pattern;

/// The list of groups, in the order in which they are asked.
const GROUPS: &str = "topic.creation.groups";
/// Switches all of it off.
const ENABLE: &str = "topic.creation.enable";
/// What all of these properties begin with.
const PREFIX: &str = "topic.creation.";
/// The name of the group for all other topics.
const DEFAULT: &str = "default";

/// How topics are made, by their names. Read by `kafka/making.rs`.
#[derive(Clone, Debug)]
pub struct TopicCreation {
    /// `topic.creation.default.*`.
    pub default: TopicGroup,
    /// The groups, in the order in which they are asked.
    pub groups: Vec<TopicGroup>,
}

/// How the topics of a group are made.
#[derive(Clone, Debug)]
pub struct TopicGroup {
    /// Its name.
    pub name: String,
    /// `include`: regular expressions over whole topic names.
    pub include: Vec<Pattern>,
    /// `exclude`: the same, for topics that another group takes.
    pub exclude: Vec<Pattern>,
    /// `partitions`; -1 for the broker's default.
    pub partitions: i32,
    /// `replication.factor`; -1 for the broker's default.
    pub replication_factor: i32,
    /// The topic's other settings, such as `cleanup.policy`, by their Kafka names.
    pub config: BTreeMap<String, String>,
}

impl TopicCreation {
    /// The group that says how a topic is made.
    #[must_use]
    pub fn of(&self, topic: &str) -> &TopicGroup {
        self.groups.iter().find(|group| group.contains(topic)).unwrap_or(&self.default)
    }
}

impl TopicGroup {
    /// Whether the group has this topic.
    fn contains(&self, topic: &str) -> bool {
        let any = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.matches(topic));
        any(&self.include) && !any(&self.exclude)
    }
}

/// Reads the default and the groups. `None` when none of these properties is set, or all are
/// switched off.
pub(super) fn resolve(reader: &mut Reader<'_>) -> Option<TopicCreation> {
    let names = group_names(reader);
    let default_prefix = format!("{PREFIX}{DEFAULT}.");
    if names.is_empty() && reader.below(&default_prefix).next().is_none() {
        return None;
    }
    // The default needs no `include`: it has all topics that no group has.
    let default = group(reader, DEFAULT, (-1, -1));
    let inherited = (default.partitions, default.replication_factor);
    let groups = names.iter().map(|name| group(reader, name, inherited)).collect();
    reader.boolean(ENABLE).then_some(TopicCreation { default, groups })
}

/// The names in `topic.creation.groups`. `default` may be among them, and means nothing there.
fn group_names(reader: &mut Reader<'_>) -> Vec<String> {
    let list = reader.string(GROUPS);
    let names: Vec<String> = match list.trim() {
        "" => Vec::new(),
        list => list.split(',').map(|name| name.trim().to_owned()).collect(),
    };
    if names.iter().enumerate().any(|(at, name)| names[..at].contains(name)) {
        let message = format!("The '{GROUPS}' value is invalid: Duplicate alias provided.");
        reader.mistake(GROUPS, message, "name each group once");
    }
    names.into_iter().filter(|name| !name.is_empty() && name != DEFAULT).collect()
}

/// Reads one group; `inherited` are the default's partitions and replication factor.
fn group(reader: &mut Reader<'_>, name: &str, inherited: (i32, i32)) -> TopicGroup {
    let prefix = format!("{PREFIX}{name}.");
    let entries: Vec<_> = reader.below(&prefix).collect();
    let mut group = TopicGroup {
        name: name.to_owned(),
        include: Vec::new(),
        exclude: Vec::new(),
        partitions: inherited.0,
        replication_factor: inherited.1,
        config: BTreeMap::new(),
    };
    for (option, entry) in entries {
        match option {
            "partitions" => group.partitions = count(reader, entry),
            "replication.factor" => group.replication_factor = count(reader, entry),
            "include" => group.include = patterns(reader, entry),
            "exclude" => group.exclude = patterns(reader, entry),
            _ => {
                group.config.insert(option.to_owned(), entry.value.expose().trim().to_owned());
            }
        }
    }
    if name != DEFAULT && group.include.is_empty() && reader.raw(&format!("{prefix}include")).is_none() {
        let message = format!("{prefix}include is missing: the group has no topics");
        reader.note(GROUPS, message, format!("add {prefix}include with expressions of topic names"));
    }
    group
}

/// A number of partitions or replicas: -1 or more than 0.
fn count(reader: &mut Reader<'_>, entry: &Entry) -> i32 {
    let number = entry.value.expose().trim().parse::<i32>().ok().filter(|&n| n == -1 || n > 0);
    if number.is_none() {
        let message = format!("The '{}' value is invalid: Value must be -1 or larger than 0", entry.key);
        reader.mistake(&entry.key, message, "-1 leaves it to the broker");
    }
    number.unwrap_or(-1)
}

/// A comma-separated list of regular expressions over topic names.
fn patterns(reader: &mut Reader<'_>, entry: &Entry) -> Vec<Pattern> {
    let mut patterns = Vec::new();
    for text in entry.value.expose().split(',').map(str::trim).filter(|text| !text.is_empty()) {
        match Pattern::compile(text) {
            Ok(pattern) => patterns.push(pattern),
            Err(cause) => {
                let message = format!(
                    "The '{}' value is invalid: Syntax error in regular expression: {cause}",
                    entry.key
                );
                reader.mistake(&entry.key, message, "mend the expression; it must match whole topic names");
            }
        }
    }
    patterns
}

/// Warns of settings for groups that the list does not name, which Connect ignores.
pub(super) fn unnamed(document: &Document, warnings: &mut Vec<Warning>) {
    let list = document.entry(GROUPS).map_or("", |entry| entry.value.expose());
    let named = |rest: &str| {
        let of = |name: &str| rest.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
        of(DEFAULT) || list.split(',').map(str::trim).any(|name| !name.is_empty() && of(name))
    };
    for entry in &document.entries {
        let Some(rest) = entry.key.strip_prefix(PREFIX) else { continue };
        if rest.contains('.') && !named(rest) {
            warnings.push(Warning {
                place: entry.place.to_string(),
                key: entry.key.clone(),
                reason: format!("its group is not named in {GROUPS}"),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::settings::Settings;
    use super::super::tests::{error, settings};
    use super::*;

    fn creation(pairs: &[(&str, &str)]) -> TopicCreation {
        settings(pairs).topic.creation.expect("some are set")
    }

    /// As Connect 4.3.1 made the topics of four tables with the same properties.
    #[test]
    fn groups_are_asked_in_order_and_inherit_numbers_alone() {
        let default = [
            ("topic.creation.default.partitions", "2"),
            ("topic.creation.default.replication.factor", "1"),
            ("topic.creation.default.cleanup.policy", "compact"),
        ];
        let with = |more: &[(&'static str, &'static str)]| creation(&[&default, more].concat());
        let two = with(&[
            ("topic.creation.groups", "y, x"),
            ("topic.creation.x.include", ".*\\.ab,.*\\.bb"),
            ("topic.creation.x.partitions", "3"),
            ("topic.creation.y.include", " .*\\.(aa|ab|cc) "),
            ("topic.creation.y.exclude", ".*\\.cc"),
            ("topic.creation.y.retention.ms", "12345"),
        ]);
        let of = |topic: &str| {
            let group = two.of(topic);
            (group.name.as_str(), group.partitions, group.replication_factor, group.config.len())
        };
        assert_eq!(of("p.g.aa"), ("y", 2, 1, 1));
        assert_eq!(of("p.g.ab"), ("y", 2, 1, 1), "the first that matches");
        assert_eq!(of("p.g.bb"), ("x", 3, 1, 0), "no cleanup.policy of the default");
        assert_eq!(of("p.g.cc"), ("default", 2, 1, 1));
        assert_eq!(of("p.g.AA"), ("default", 2, 1, 1), "letters count");
        assert_eq!(of("p.g.aab"), ("default", 2, 1, 1), "whole names");
        let listed = with(&[("topic.creation.groups", "default,x"), ("topic.creation.x.include", "a")]);
        assert_eq!((listed.groups.len(), listed.of("a").name.as_str()), (1, "x"));
        let without_include = with(&[
            ("topic.creation.groups", "x"),
            ("topic.creation.x.exclude", "b"),
            ("topic.creation.x.partitions", "3"),
        ]);
        assert_eq!(without_include.of("a").name, "default");
        let brokers = with(&[
            ("topic.creation.groups", "x"),
            ("topic.creation.x.include", ".*"),
            ("topic.creation.x.partitions", "-1"),
        ]);
        assert_eq!((brokers.of("a").partitions, brokers.of("a").replication_factor), (-1, 1));
    }

    #[test]
    fn what_is_wrong_with_a_group_stands_at_its_property() {
        for (pairs, key) in [
            (
                &[("topic.creation.groups", "x"), ("topic.creation.x.include", "(")][..],
                "topic.creation.x.include",
            ),
            (
                &[("topic.creation.groups", "x"), ("topic.creation.x.partitions", "0")],
                "topic.creation.x.partitions",
            ),
            (
                &[("topic.creation.default.replication.factor", "x")],
                "topic.creation.default.replication.factor",
            ),
            (&[("topic.creation.groups", "x,y,x")], "topic.creation.groups"),
        ] {
            let error = error(pairs);
            let [mistake] = error.mistakes() else { panic!("{error}") };
            assert!(
                mistake.key == key && mistake.place == "c.json:7" && mistake.remedy.is_some(),
                "{mistake}"
            );
        }
    }

    #[test]
    fn groups_that_are_not_listed_are_named_and_have_no_effect() {
        let found: Settings = settings(&[("topic.creation.z.partitions", "7")]);
        assert!(found.topic.creation.is_none());
        assert_eq!(found.warnings[0].key, "topic.creation.z.partitions");
        let empty = settings(&[("topic.creation.groups", "x")]);
        assert!(
            empty.notes.iter().any(|note| note.to_string().contains("topic.creation.x.include is missing"))
        );
        assert!(
            settings(&[("topic.creation.groups", ""), ("topic.creation.enable", "false")])
                .topic
                .creation
                .is_none()
        );
        let off = [("topic.creation.default.partitions", "2"), ("topic.creation.enable", "false")];
        assert!(settings(&off).topic.creation.is_none());
    }
}
