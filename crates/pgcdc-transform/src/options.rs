//! A transform's options, checked in the words of Kafka's `ConfigDef` and Debezium's `Field`.
//!
//! The two check differently: Kafka trims texts and names the option without its prefix in some messages; Debezium keeps texts
//! as they are and speaks of *the value*. So there are two sets of methods here, and the ones of Debezium say so in their
//! names. A method returns a usable value even after a mistake where it can, so that one answer has all mistakes.

use crate::java::{Pattern, show_list};

/// A mistake in the configuration of a transform.
///
/// ```
/// use pgcdc_transform::Chain;
///
/// let property = |key: &str, value: &str| (key.to_owned(), value.to_owned());
/// let cast = "org.apache.kafka.connect.transforms.Cast$Value";
/// let problems = Chain::configure(&[property("transforms", "c"), property("transforms.c.type", cast)]).unwrap_err();
/// assert_eq!(problems[0].key, "transforms.c.spec");
/// assert!(problems[0].message.starts_with("Missing required configuration"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The property with the mistake.
    pub key: String,
    /// What is wrong, in Kafka's and Debezium's words.
    pub message: String,
}

/// The options of one transform or predicate: the properties below `transforms.<name>.` or `predicates.<name>.`.
#[derive(Debug)]
pub(crate) struct Options<'a> {
    /// `transforms.<name>.` or `predicates.<name>.`.
    prefix: String,
    /// All properties of the connector.
    properties: &'a [(String, String)],
    problems: Vec<Problem>,
    /// The full names of the options that were asked for, set or not.
    used: Vec<String>,
}

impl<'a> Options<'a> {
    pub(crate) fn new(prefix: String, properties: &'a [(String, String)]) -> Self {
        Self { prefix, properties, problems: Vec::new(), used: Vec::new() }
    }

    /// The full name of an option.
    pub(crate) fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// An option as it was written.
    pub(crate) fn raw(&mut self, name: &str) -> Option<&'a str> {
        let key = self.key(name);
        let found = self.properties.iter().find(|(known, _)| *known == key);
        self.used.push(key);
        found.map(|(_, value)| value.as_str())
    }

    /// A text, without the white space around it.
    pub(crate) fn text(&mut self, name: &str) -> Option<&'a str> {
        self.raw(name).map(str::trim)
    }

    /// A required text.
    pub(crate) fn required(&mut self, name: &str) -> Option<&'a str> {
        let found = self.text(name);
        if found.is_none() {
            self.missing(name);
        }
        found
    }

    /// Kafka's message for a required option that is not set.
    pub(crate) fn missing(&mut self, name: &str) {
        let key = self.key(name);
        let message = format!("Missing required configuration \"{key}\" which has no default value.");
        self.problems.push(Problem { key, message });
    }

    /// A boolean; the words are in any case, as in both projects.
    pub(crate) fn boolean(&mut self, name: &str, default: bool) -> bool {
        match self.raw(name) {
            None => default,
            Some(word) if word.trim().eq_ignore_ascii_case("true") => true,
            Some(word) if word.trim().eq_ignore_ascii_case("false") => false,
            Some(word) => {
                self.unparsed(name, word, "Expected value to be either true or false");
                default
            }
        }
    }

    /// A number of 32 bits; `None` when it is not set, and after a mistake.
    pub(crate) fn integer(&mut self, name: &str) -> Option<i32> {
        let word = self.raw(name)?;
        let number = word.trim().parse().ok();
        if number.is_none() {
            self.unparsed(name, word, "Not a number of type INT");
        }
        number
    }

    /// The items of a comma-separated list; an empty text has none.
    pub(crate) fn list(&mut self, name: &str) -> Option<Vec<String>> {
        let text = self.text(name)?;
        Some(if text.is_empty() {
            Vec::new()
        } else {
            text.split(',').map(|item| item.trim().to_owned()).collect()
        })
    }

    /// A required list of items that all differ.
    pub(crate) fn distinct(&mut self, name: &str) -> Vec<String> {
        let Some(items) = self.list(name) else {
            self.missing(name);
            return Vec::new();
        };
        if items.is_empty() {
            self.problem(
                name,
                format!(
                    "Configuration '{name}' must not be empty. Valid values include: any non-empty value"
                ),
            );
        }
        self.check_distinct(name, &items);
        items
    }

    /// An optional list of items that all differ.
    pub(crate) fn distinct_or_none(&mut self, name: &str) -> Vec<String> {
        let items = self.list(name).unwrap_or_default();
        self.check_distinct(name, &items);
        items
    }

    /// Kafka's check of a list: no item twice, none empty.
    fn check_distinct(&mut self, name: &str, items: &[String]) {
        let twice = items.iter().enumerate().any(|(at, item)| items[..at].contains(item));
        if twice {
            self.problem(name, format!("Configuration '{name}' values must not be duplicated."));
        } else if items.iter().any(String::is_empty) {
            self.problem(name, format!("Configuration '{name}' values must not be empty."));
        }
    }

    /// One of these words, in their very case. Without a default the option is required.
    pub(crate) fn one_of(
        &mut self,
        name: &str,
        words: &[&str],
        default: Option<&'static str>,
    ) -> Option<&'a str> {
        let word = match self.text(name) {
            Some(word) => word,
            None => {
                if default.is_none() {
                    self.missing(name);
                }
                return default;
            }
        };
        if !words.contains(&word) {
            self.invalid(name, word, &format!("String must be one of: {}", words.join(", ")));
        }
        Some(word)
    }

    /// A word of one of Debezium's enumerations, in any case, with what it means here.
    pub(crate) fn word<T: Copy>(&mut self, name: &str, words: &[(&str, T)], default: T) -> T {
        let Some(word) = self.raw(name) else { return default };
        match words.iter().find(|(known, _)| known.eq_ignore_ascii_case(word.trim())) {
            Some((_, meaning)) => *meaning,
            None => {
                let list: Vec<&str> = words.iter().map(|(known, _)| *known).collect();
                self.unfit(name, word, &format!("Value must be one of {}", list.join(", ")));
                default
            }
        }
    }

    /// A regular expression of Kafka's.
    pub(crate) fn regex(&mut self, name: &str) -> Option<Pattern> {
        let text = self.required(name)?;
        match Pattern::compile(text) {
            Ok(pattern) => Some(pattern),
            Err(reason) => {
                self.invalid(name, text, &format!("Invalid regex: {reason}"));
                None
            }
        }
    }

    /// A regular expression of Debezium's.
    pub(crate) fn debezium_regex(&mut self, name: &str, text: &str) -> Option<Pattern> {
        match Pattern::compile(text) {
            Ok(pattern) => Some(pattern),
            Err(reason) => {
                self.unfit(name, text, &format!("A valid regular expressions is expected, but {reason}"));
                None
            }
        }
    }

    /// A value that Debezium requires.
    pub(crate) fn debezium_required(&mut self, name: &str) -> Option<&'a str> {
        let found = self.raw(name);
        if found.is_none_or(|text| text.trim().is_empty()) {
            self.unfit(name, found.unwrap_or("null"), "A value is required");
            return None;
        }
        found
    }

    /// A list of Debezium's, without empty items.
    pub(crate) fn debezium_list(&mut self, name: &str, spaces: bool) -> Vec<String> {
        let Some(text) = self.debezium_required(name) else { return Vec::new() };
        let items: Vec<String> = java_split(text, ',').iter().map(|item| item.trim().to_owned()).collect();
        if items.iter().any(String::is_empty) {
            self.unfit(name, text, "Empty string element(s) not permitted");
        } else if !spaces && items.iter().any(|item| item.contains(' ')) {
            self.unfit(name, text, "Element(s) containing space not permitted");
        }
        items
    }

    /// Kafka's message for a value that is not allowed; it names the option without its prefix.
    pub(crate) fn invalid(&mut self, name: &str, value: &str, reason: &str) {
        self.problem(name, format!("Invalid value {value} for configuration {name}: {reason}"));
    }

    /// Kafka's message for a value of the wrong type.
    pub(crate) fn unparsed(&mut self, name: &str, value: &str, reason: &str) {
        let key = self.key(name);
        self.problem(name, format!("Invalid value {value} for configuration {key}: {reason}"));
    }

    /// Kafka's message for a list that is not allowed.
    pub(crate) fn invalid_list(&mut self, name: &str, items: &[String], reason: &str) {
        self.invalid(name, &show_list(items), reason);
    }

    /// Debezium's message for a value that is not allowed.
    pub(crate) fn unfit(&mut self, name: &str, value: &str, reason: &str) {
        self.invalid(name, value, &format!("The '{name}' value is invalid: {reason}"));
    }

    /// Adds a mistake in one option.
    pub(crate) fn problem(&mut self, name: &str, message: impl Into<String>) {
        self.problems.push(Problem { key: self.key(name), message: message.into() });
    }

    /// Whether there is a mistake so far.
    pub(crate) const fn is_wrong(&self) -> bool {
        !self.problems.is_empty()
    }

    /// All mistakes, and the options that were never read.
    pub(crate) fn finish(self) -> (Vec<Problem>, Vec<String>) {
        let unknown = self.properties.iter().filter(|(key, _)| key.starts_with(&self.prefix));
        let unknown = unknown.filter(|(key, _)| !self.used.contains(key)).map(|(key, _)| key.clone());
        (self.problems, unknown.collect())
    }
}

/// Java's `split`: empty items at the end are dropped.
pub(crate) fn java_split(text: &str, separator: char) -> Vec<&str> {
    if text.is_empty() {
        return vec![""];
    }
    let mut parts: Vec<&str> = text.split(separator).collect();
    while parts.last() == Some(&"") {
        parts.pop();
    }
    parts
}
