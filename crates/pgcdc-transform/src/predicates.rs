//! Kafka's predicates: each decides whether a transform sees a record.
//!
//! A predicate is defined once, by a name in the list `predicates`, and a transform refers to it by `predicate`. With
//! `negate=true` the transform sees the records that the predicate does *not* select. A record that a transform does not
//! see goes on unchanged.
//!
//! | class | option | selects |
//! |---|---|---|
//! | `TopicNameMatches` | `pattern` | records of topics whose whole name the Java regular expression matches |
//! | `HasHeaderKey` | `name` | records with a header of this name |
//! | `RecordIsTombstone` | | records without a value |
//!
//! The classes are in the package `org.apache.kafka.connect.transforms.predicates`, which may be left out.
//!
//! ```
//! use pgcdc_transform::try_on;
//!
//! // MaskField fails at tombstones, so they must not come to it.
//! let mask = "type=org.apache.kafka.connect.transforms.MaskField$Value
//!             fields=email
//!             predicate=isTombstone
//!             negate=true
//!             predicates=isTombstone
//!             predicates.isTombstone.type=RecordIsTombstone";
//! assert_eq!(try_on(mask, r#"{"value":{"email":"ann@example.com"}}"#), r#"{"value":{"email":""}}"#);
//! assert_eq!(try_on(mask, r#"{"key":{"id":7}}"#), r#"{"key":{"id":7}}"#);
//! ```

use crate::data::Record;
use crate::java::Pattern;
use crate::options::Options;

const PACKAGE: &str = "org.apache.kafka.connect.transforms.predicates.";

/// A configured predicate.
#[derive(Clone, Debug)]
pub(crate) enum Predicate {
    /// The pattern must match the whole name.
    TopicNameMatches(Box<Pattern>),
    /// The header's value does not matter.
    HasHeaderKey(String),
    RecordIsTombstone,
}

impl Predicate {
    /// Builds the predicate of a class from its options. The outer `None` is an unknown class; the inner one is a mistake,
    /// which is in the options then.
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

    /// Whether it selects a record.
    pub(crate) fn test(&self, record: &Record) -> bool {
        match self {
            Self::TopicNameMatches(pattern) => pattern.matches(&record.topic),
            Self::HasHeaderKey(name) => record.headers.iter().any(|header| *header.key == **name),
            Self::RecordIsTombstone => record.value.is_null(),
        }
    }
}
