//! The properties about the names of topics.

use pgcdc_config::Reader;

use crate::config::settings::{NamingStyle, RegexNaming, Replacement, TopicNaming};

/// Reads the naming strategy, which is the name of a class: it begins with `Default` for names
/// without a schema, and contains `Regex` or `Unicode` for names that are changed.
pub(super) fn naming(reader: &mut Reader<'_>) -> TopicNaming {
    let class = reader.string("topic.naming.strategy");
    let class = class.rsplit('.').next().unwrap_or_default();
    let style = if class.contains("Regex") {
        regex_naming(reader).map_or(NamingStyle::Plain, |regex| NamingStyle::Regex(Box::new(regex)))
    } else if class.contains("Unicode") {
        NamingStyle::Unicode
    } else {
        NamingStyle::Plain
    };
    TopicNaming { with_schema: !class.starts_with("Default"), style }
}

/// Reads `topic.regex` and the properties beside it.
fn regex_naming(reader: &mut Reader<'_>) -> Option<RegexNaming> {
    let topic = replacement(reader, "topic.regex", "topic.replacement", true);
    let key_value = replacement(reader, "topic.key.field.regex", "topic.key.field.replacement", false);
    let key_field =
        reader.boolean("topic.key.enforce.uniqueness").then(|| reader.string("topic.key.field.name"));
    Some(RegexNaming { topic: topic?, key_field, key_value })
}

/// Reads a regular expression and its replacement; `None` when the first is not set, and after a
/// mistake.
fn replacement(reader: &mut Reader<'_>, regex: &str, with: &str, required: bool) -> Option<Replacement> {
    let Some(pattern) = reader.text(regex) else {
        if required {
            let message = format!("The '{regex}' value is invalid: A value is required");
            reader.mistake(
                regex,
                message,
                "topic.naming.strategy names topics by a regular expression: add it",
            );
        }
        return None;
    };
    let Some(text) = reader.text(with) else {
        let message = format!("The '{with}' value is invalid: {with} must be non-empty if {regex} is set.");
        reader.mistake(with, message, "write what takes the place of the whole name; $1 is the first group");
        return None;
    };
    match Replacement::compile(pattern, text) {
        Ok(found) => Some(found),
        Err(cause) => {
            let message =
                format!("The '{regex}' value is invalid: A regular expression is expected, but {cause}");
            reader.mistake(regex, message, format!("mend {regex}, or {with}"));
            None
        }
    }
}
