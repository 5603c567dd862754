//! The answer to "is this configuration right?": every property's definition, its value and its errors.

use serde_json::{Value, json};

use super::classes::{connector, find};
use super::definition::{Definition, Section, definitions};
use crate::{Config, Finding};

/// Connect's own properties that take certain words: the name, the words as its error lists them, whether case counts.
const WORDS: &[(&str, &str, bool)] = &[
    ("config.action.reload", "none, restart", true),
    ("errors.tolerance", "none, all", true),
    ("exactly.once.support", "REQUESTED, REQUIRED", false),
    ("transaction.boundary", "INTERVAL, POLL, CONNECTOR", false),
];

const JSON: &str = "org.apache.kafka.connect.json.JsonConverter";

/// The properties of a configuration with their values and errors.
#[derive(Debug)]
pub(crate) struct Validation {
    /// The class as the configuration names it.
    class: String,
    groups: Vec<&'static str>,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    definition: Definition,
    value: Option<String>,
    errors: Vec<String>,
}

impl Validation {
    /// All errors, in the order of the properties.
    pub(crate) fn errors(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().flat_map(|entry| entry.errors.iter().map(String::as_str))
    }

    /// The body of the answer. `error_count` counts errors, as Connect does.
    pub(crate) fn to_json(&self) -> Value {
        let configs: Vec<Value> = self.entries.iter().map(Entry::to_json).collect();
        json!({
            "name": self.class,
            "error_count": self.errors().count(),
            "groups": self.groups,
            "configs": configs,
        })
    }
}

impl Entry {
    fn to_json(&self) -> Value {
        json!({
            "definition": self.definition.to_json(),
            "value": {
                "name": self.definition.name,
                "value": self.value,
                "recommended_values": self.definition.recommended,
                "errors": self.errors,
                "visible": self.definition.visible,
            },
        })
    }
}

/// Puts the findings of the engine, and Connect's own, beside the properties.
pub(crate) fn validate(config: &Config, findings: Vec<Finding>) -> Validation {
    let mut entries: Vec<Entry> = Vec::new();
    let sink = config.get("connector.class").and_then(super::sink_type).is_some();
    let wanted = |definition: &&Definition| match definition.section {
        Section::Connect => true,
        Section::Connector => !sink,
        Section::Json => false,
    };
    for definition in definitions().iter().filter(wanted) {
        entries.push(entry(definition.clone(), config));
    }
    let mut groups: Vec<&'static str> = Vec::new();
    for half in ["key.converter", "value.converter"] {
        if config.get(half).and_then(find).is_some_and(|(_, class)| class == JSON) {
            let json = definitions().iter().filter(|definition| definition.section == Section::Json);
            entries.extend(json.map(|definition| converter_entry(definition, half, config)));
        }
    }
    for entry in &entries {
        let own = entry.definition.section != Section::Json;
        if let Some(group) = entry.definition.group.filter(|group| own && !groups.contains(group)) {
            groups.push(group);
        }
    }
    if entries.iter().any(|entry| entry.definition.section == Section::Json) {
        groups.extend(["Serialization", "Schemas"]);
    }
    for finding in findings {
        place(&mut entries, finding, config);
    }
    Validation { class: config.get("connector.class").unwrap_or_default().to_owned(), groups, entries }
}

/// A property with its value, and the errors that Connect itself finds.
fn entry(mut definition: Definition, config: &Config) -> Entry {
    let given = config.get(&definition.name);
    if definition.section == Section::Connector {
        return Entry { definition, value: None, errors: Vec::new() };
    }
    // The worker's converter is the default of the connector's.
    match definition.name.as_str() {
        "key.converter" | "value.converter" => definition.default = Some(JSON.to_owned()),
        "header.converter" => {
            definition.default = Some("org.apache.kafka.connect.storage.SimpleHeaderConverter".to_owned());
        }
        "key.converter.plugin.version"
        | "value.converter.plugin.version"
        | "header.converter.plugin.version" => {
            definition.default = Some(super::CONNECT_VERSION.to_owned());
        }
        _ => {}
    }
    if definition.name.ends_with("plugin.version") && definition.recommended.is_empty() {
        definition.recommended = vec![super::CONNECT_VERSION];
    }
    let errors: Vec<String> = connects_own(&definition, given, config).into_iter().collect();
    let unparsed = !errors.is_empty() && matches!(definition.kind, "BOOLEAN" | "INT" | "LONG" | "CLASS");
    let value = given.map(str::to_owned).or_else(|| definition.default.clone());
    let value = value.filter(|_| !unparsed || definition.name == "tasks.max");
    Entry { definition, value, errors }
}

/// A property of the JSON converter, below `key.converter` or `value.converter`.
fn converter_entry(definition: &Definition, half: &str, config: &Config) -> Entry {
    let definition = definition.below(half);
    let kind = half.split('.').next().unwrap_or_default();
    let given = config.get(&definition.name).map(str::to_owned);
    let value = match given {
        None if definition.name.ends_with("converter.type") => Some(kind.to_owned()),
        given => given.or_else(|| definition.default.clone()),
    };
    Entry { definition, value, errors: Vec::new() }
}

/// The error that Connect finds in one of its own properties.
fn connects_own(definition: &Definition, given: Option<&str>, config: &Config) -> Option<String> {
    let name = definition.name.as_str();
    let Some(value) = given else {
        let missing = definition.required && !config.contains(name);
        return missing
            .then(|| format!("Missing required configuration \"{name}\" which has no default value."));
    };
    let invalid = |what: String| Some(format!("Invalid value {value} for configuration {name}: {what}"));
    if name == "name" {
        let controls: Vec<String> =
            value.chars().filter(|c| c.is_control()).map(|c| u32::from(c).to_string()).collect();
        if value.trim().is_empty() {
            return invalid("String may not be empty".into());
        }
        if !controls.is_empty() {
            let chars = controls.join(", ");
            return invalid(format!(
                "String may not contain control sequences but had the following ASCII chars: {chars}"
            ));
        }
    }
    if name == "connector.class" && connector(value).is_none() {
        return invalid(format!("Class {value} could not be found."));
    }
    if let Some((_, words, exact)) = WORDS.iter().find(|(of, ..)| *of == name) {
        let is = |word: &str| if *exact { word == value } else { word.eq_ignore_ascii_case(value) };
        let case = if *exact { "" } else { " (case insensitive)" };
        if !words.split(", ").any(is) {
            return invalid(format!("String must be one of{case}: {words}"));
        }
    }
    match definition.kind {
        "BOOLEAN" if !["true", "false"].iter().any(|word| word.eq_ignore_ascii_case(value.trim())) => {
            invalid("Expected value to be either true or false".into())
        }
        "INT" if value.trim().parse::<i32>().is_err() => invalid("Not a number of type INT".into()),
        "LONG" if value.trim().parse::<i64>().is_err() => invalid("Not a number of type LONG".into()),
        "INT" if name == "tasks.max" && value.trim().parse::<i32>().is_ok_and(|count| count < 1) => {
            invalid("Value must be at least 1".into())
        }
        "CLASS" if name.ends_with("converter") && find(value.trim()).is_none() => {
            invalid(format!("Class {value} could not be found."))
        }
        _ => None,
    }
}

/// Adds a finding of the engine. One about a property that Connect has found wrong itself says the same in other words.
fn place(entries: &mut Vec<Entry>, finding: Finding, config: &Config) {
    let Finding { key, message } = finding;
    let at = entries.iter().position(|entry| entry.definition.name == key);
    let Some(at) = at else {
        let mut entry = Entry { definition: Definition::extra(&key), value: None, errors: vec![message] };
        entry.value = config.get(&key).map(str::to_owned).filter(|_| !key.ends_with("password"));
        entries.push(entry);
        return;
    };
    let Some(entry) = entries.get_mut(at) else { return };
    if entry.definition.section == Section::Connect && !entry.errors.is_empty() {
        return;
    }
    let mut again = repeated(&entry.definition, &message);
    if key == "topic.prefix" && config.contains(&key) && message.ends_with("A value is required") {
        again = Some(format!(
            "The '{key}' value is invalid:  has invalid format (only the underscore, hyphen, dot and alphanumeric characters are allowed)"
        ));
    }
    entry.errors.push(message);
    entry.errors.extend(again);
}

/// What Debezium says a second time. It checks the type of a property first, then what its own check of the property asks for,
/// which is the type again for most of them.
fn repeated(definition: &Definition, message: &str) -> Option<String> {
    use pgcdc_config::Check;

    let property = pgcdc_capture::config::properties::TABLE.find(&definition.name)?;
    let expected = message.split_once(" value is invalid: ")?.1;
    let of_type =
        ["An integer is expected", "A long value is expected", "Either 'true' or 'false' is expected"];
    let second = match property.check {
        _ if expected.starts_with("A comma-separated list of valid regular expressions") => expected,
        _ if !of_type.contains(&expected) => return None,
        Check::Positive => "A positive, non-zero integer value is expected",
        Check::NotNegative if expected.contains("long") => "A non-negative long value is expected",
        _ => expected,
    };
    Some(format!("The '{}' value is invalid: {second}", definition.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pairs: &[(&str, &str)], expect: &[&str]) {
        let mut config = Config::default();
        config.set("name", "x");
        config.set("connector.class", "Postgres");
        pairs.iter().for_each(|(key, value)| config.set(key, value));
        let validation = validate(&config, Vec::new());
        assert_eq!(validation.errors().collect::<Vec<_>>(), expect);
    }

    /// What a real worker answered.
    #[test]
    fn connects_own_properties_are_checked_in_its_words() {
        check(&[], &[]);
        check(&[("name", "")], &["Invalid value  for configuration name: String may not be empty"]);
        check(
            &[("name", "a\tb")],
            &[
                "Invalid value a\tb for configuration name: String may not contain control sequences but had the following ASCII chars: 9",
            ],
        );
        check(
            &[("tasks.max", "0")],
            &["Invalid value 0 for configuration tasks.max: Value must be at least 1"],
        );
        check(&[("tasks.max", "2")], &[]);
        check(
            &[("errors.tolerance", "foo")],
            &["Invalid value foo for configuration errors.tolerance: String must be one of: none, all"],
        );
        check(
            &[("transaction.boundary", "foo")],
            &[
                "Invalid value foo for configuration transaction.boundary: String must be one of (case insensitive): INTERVAL, POLL, CONNECTOR",
            ],
        );
        check(
            &[("errors.log.enable", "maybe")],
            &[
                "Invalid value maybe for configuration errors.log.enable: Expected value to be either true or false",
            ],
        );
        check(
            &[("errors.retry.timeout", "maybe")],
            &["Invalid value maybe for configuration errors.retry.timeout: Not a number of type LONG"],
        );
        check(
            &[("key.converter", "nope")],
            &["Invalid value nope for configuration key.converter: Class nope could not be found."],
        );
    }
}
