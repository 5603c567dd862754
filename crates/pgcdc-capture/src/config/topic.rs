//! How topics are named: of tables, heartbeats, logical messages and transactions. The rules are
//! those of Debezium's topic naming strategies.

use std::fmt::Write as _;
use std::time::Duration;

use pgcdc_event::TableName;
use pgcdc_transform::java::Pattern;

use super::topic_creation::TopicCreation;

/// How topics are named and made. Asked when a table is announced, never for a row.
#[derive(Clone, Debug)]
pub struct TopicSettings {
    /// `topic.prefix`: the first part of every name, and `source.name` in records.
    pub prefix: String,
    /// `topic.delimiter`: between the parts of a name; a dot by default.
    pub delimiter: String,
    /// `topic.naming.strategy`.
    pub naming: TopicNaming,
    /// `topic.transaction`: the last part of the name of the topic of transactions.
    pub transaction: String,
    /// `topic.creation.*`; `None` leaves it to the broker to make a topic, by its own defaults.
    pub creation: Option<TopicCreation>,
}

impl TopicSettings {
    /// The topic of a table's changes. Characters that Kafka does not allow are replaced.
    #[must_use]
    pub fn of(&self, table: &TableName) -> String {
        let origin = self.origin(table);
        match &self.naming.style {
            NamingStyle::Plain => sanitised(&origin),
            NamingStyle::Unicode => escaped(&origin),
            NamingStyle::Regex(regex) => {
                let origin = sanitised(&origin);
                Some(regex.topic.replace(&origin)).filter(|name| !name.is_empty()).unwrap_or(origin)
            }
        }
    }

    /// The field that a naming strategy adds to the keys of a table, and its value. It keeps keys
    /// of different tables apart when several tables share a topic.
    #[must_use]
    pub fn key_field(&self, table: &TableName) -> Option<(String, String)> {
        let NamingStyle::Regex(regex) = &self.naming.style else { return None };
        let field = regex.key_field.clone()?;
        let origin = self.origin(table);
        let value = regex.key_value.as_ref().map(|replacement| replacement.replace(&origin));
        Some((field, value.unwrap_or(origin)))
    }

    /// The name before anything is replaced.
    fn origin(&self, table: &TableName) -> String {
        let Self { prefix, delimiter, .. } = self;
        if self.naming.with_schema {
            format!("{prefix}{delimiter}{}{delimiter}{}", table.schema, table.table)
        } else {
            format!("{prefix}{delimiter}{}", table.table)
        }
    }

    /// The topic of logical decoding messages; `topic.delimiter` has no part in it.
    #[must_use]
    pub fn of_messages(&self) -> String {
        format!("{}.message", self.prefix)
    }

    /// The topic of the begin and end of transactions.
    #[must_use]
    pub fn of_transactions(&self) -> String {
        format!("{}{}{}", self.prefix, self.delimiter, self.transaction)
    }
}

/// The name with `_` in place of characters that Kafka does not allow, as Debezium replaces them.
fn sanitised(name: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    name.chars().map(|c| if allowed(c) { c } else { '_' }).collect()
}

/// The name in which each character that is not a letter, a digit, a dot or a hyphen is `_u` with
/// its number.
fn escaped(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for unit in name.encode_utf16() {
        match u8::try_from(unit) {
            Ok(byte) if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-') => out.push(byte.into()),
            _ => {
                // Debezium puts two zeros before it, or none.
                let zeros = if unit <= 0xff { "00" } else { "" };
                let _ = write!(out, "_u{zeros}{unit:x}");
            }
        }
    }
    out
}

/// `topic.naming.strategy`: one of Debezium's six classes, taken apart.
#[derive(Clone, Debug)]
pub struct TopicNaming {
    /// True for the `Schema…` strategies, `<prefix>.<schema>.<table>`. The `Default…` strategies
    /// leave the schema out.
    pub with_schema: bool,
    /// What is done to that name.
    pub style: NamingStyle,
}

impl Default for TopicNaming {
    fn default() -> Self {
        Self { with_schema: true, style: NamingStyle::Plain }
    }
}

/// What is done to a topic's name that was put together from the names of a table.
#[derive(Clone, Debug, Default)]
pub enum NamingStyle {
    /// Characters that Kafka does not allow become `_`.
    #[default]
    Plain,
    /// They become `_u` and the character's number: `SchemaUnicodeTopicNamingStrategy`.
    Unicode,
    /// The name is replaced by a regular expression: `SchemaRegexTopicNamingStrategy`.
    Regex(Box<RegexNaming>),
}

/// `topic.regex` and what belongs to it.
#[derive(Clone, Debug)]
pub struct RegexNaming {
    /// `topic.regex` and `topic.replacement`.
    pub topic: Replacement,
    /// `topic.key.field.name`, if `topic.key.enforce.uniqueness` is on.
    pub key_field: Option<String>,
    /// `topic.key.field.regex` and `topic.key.field.replacement`.
    pub key_value: Option<Replacement>,
}

/// The text that replaces a name which a Java regular expression matches as a whole.
#[derive(Clone, Debug)]
pub struct Replacement {
    /// The expression.
    pattern: Pattern,
    /// The replacement, with `$1` and its like for groups.
    with: String,
}

impl Replacement {
    /// Compiles a pattern, and checks that it has the groups that the replacement names.
    ///
    /// # Errors
    /// What is wrong with either.
    pub fn compile(pattern: &str, with: &str) -> Result<Self, String> {
        // With an empty alternative the pattern matches the empty text, so that each reference is
        // looked up.
        let trial = Pattern::compile(&format!("(?:{pattern})|"))?;
        trial.replace_first("", with).map_err(|fault| fault.to_string())?;
        Ok(Self { pattern: Pattern::compile(pattern)?, with: with.to_owned() })
    }

    /// The replaced text; the text itself when the pattern does not match it as a whole.
    fn replace(&self, text: &str) -> String {
        let replaced = self.pattern.matches(text).then(|| self.pattern.replace_first(text, &self.with));
        replaced.and_then(Result::ok).unwrap_or_else(|| text.to_owned())
    }
}

/// `heartbeat.*`, read by `stream/heartbeat.rs`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// `heartbeat.interval.ms`; `None` for no heartbeats.
    pub interval: Option<Duration>,
    /// `topic.heartbeat.prefix`.
    pub topic_prefix: String,
    /// `topic.heartbeat.name`: the whole name, in place of prefix and topic prefix.
    pub topic_name: Option<String>,
    /// `heartbeat.action.query`: statements to run with each heartbeat.
    pub action_query: Option<String>,
}

impl Heartbeat {
    /// The topic of heartbeats: `<heartbeat prefix>.<topic prefix>`, or the name that was given.
    #[must_use]
    pub fn topic(&self, topic: &TopicSettings) -> String {
        let usual = || format!("{}{}{}", self.topic_prefix, topic.delimiter, topic.prefix);
        self.topic_name.clone().unwrap_or_else(usual)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(with_schema: bool, style: NamingStyle) -> TopicSettings {
        TopicSettings {
            prefix: "a_b".to_owned(),
            delimiter: ".".to_owned(),
            naming: TopicNaming { with_schema, style },
            transaction: "transaction".to_owned(),
            creation: None,
        }
    }

    #[test]
    fn names_as_recorded() {
        let table = TableName::new("public", "Mix ed_\u{e9}\u{4e2d}");
        let name = |with_schema, style| settings(with_schema, style).of(&table);
        assert_eq!(name(true, NamingStyle::Plain), "a_b.public.Mix_ed___");
        assert_eq!(name(false, NamingStyle::Plain), "a_b.Mix_ed___");
        assert_eq!(name(true, NamingStyle::Unicode), "a_u005fb.public.Mix_u0020ed_u005f_u00e9_u4e2d");
        assert_eq!(settings(true, NamingStyle::Unicode).of_messages(), "a_b.message");
    }

    #[test]
    fn a_regex_joins_tables_and_tells_them_apart_in_the_key() {
        let regex = RegexNaming {
            topic: Replacement::compile("(.*)orders_(.*)", "$1orders").unwrap(),
            key_field: Some("from".to_owned()),
            key_value: Some(Replacement::compile("(.*)orders_(.*)", "$2").unwrap()),
        };
        let settings = settings(false, NamingStyle::Regex(Box::new(regex)));
        let orders = TableName::new("public", "orders_1");
        assert_eq!(settings.of(&orders), "a_b.orders");
        assert_eq!(settings.key_field(&orders), Some(("from".to_owned(), "1".to_owned())));
        let other = TableName::new("public", "x y");
        assert_eq!(settings.of(&other), "a_b.x_y");
        assert_eq!(settings.key_field(&other).map(|field| field.1), Some("a_b.x y".to_owned()));
    }

    #[test]
    fn a_group_that_is_not_there_is_refused() {
        assert!(Replacement::compile("(a)b", "$1").is_ok());
        assert!(Replacement::compile("(a)b", "$2").is_err());
        assert!(Replacement::compile("(a", "x").is_err());
    }
}
