//! Kafka's predicates: each decides whether a transform sees a record.

use crate::data::Record;
use crate::java::Pattern;
use crate::options::Options;

const PACKAGE: &str = "org.apache.kafka.connect.transforms.predicates.";

/// A configured predicate.
#[derive(Clone, Debug)]
pub(crate) enum Predicate {
    TopicNameMatches(Box<Pattern>),
    HasHeaderKey(String),
    RecordIsTombstone,
}

impl Predicate {
    /// Builds the predicate of a class; `None` for an unknown class. Mistakes are added to the options.
    pub(crate) fn build(class: &str, options: &mut Options<'_>) -> Option<Option<Self>> {
        Some(match class.strip_prefix(PACKAGE).unwrap_or(class) {
            "TopicNameMatches" => {
                let text = options.required("pattern");
                if text == Some("") {
                    options.invalid("pattern", "", "String must be non-empty");
                    return Some(None);
                }
                text.and_then(|_| options.regex("pattern"))
                    .map(|pattern| Self::TopicNameMatches(pattern.into()))
            }
            "HasHeaderKey" => {
                let name = options.required("name");
                if name == Some("") {
                    options.invalid("name", "", "String must be non-empty");
                }
                name.map(|name| Self::HasHeaderKey(name.to_owned()))
            }
            "RecordIsTombstone" => Some(Self::RecordIsTombstone),
            _ => return None,
        })
    }

    pub(crate) fn test(&self, record: &Record) -> bool {
        match self {
            Self::TopicNameMatches(pattern) => pattern.matches(&record.topic),
            Self::HasHeaderKey(name) => record.headers.iter().any(|header| *header.key == **name),
            Self::RecordIsTombstone => record.value.is_null(),
        }
    }
}
