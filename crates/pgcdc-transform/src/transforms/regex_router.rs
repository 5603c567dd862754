//! Kafka's `RegexRouter`: renames topics by a regular expression.
//!
//! Class: `org.apache.kafka.connect.transforms.RegexRouter`.
//!
//! | option | default | meaning |
//! |---|---|---|
//! | `regex` | required | a Java regular expression; it must match the topic's whole name |
//! | `replacement` | required | the new name, with `$1` or `${name}` for the groups of the expression |
//!
//! A topic that the expression does not match keeps its name. A group that the expression does not have is an error at
//! the first record. Tombstones are renamed like all other records. See [`Pattern`] for what is
//! different between Java's expressions and the expressions of this program.
//!
//! ```
//! use pgcdc_transform::try_on;
//!
//! let router = r"type=org.apache.kafka.connect.transforms.RegexRouter
//!                regex=[^.]+\.public\.(.*)
//!                replacement=tables.$1";
//! assert_eq!(try_on(router, r#"{"topic":"shop.public.items"}"#), r#"{"topic":"tables.items"}"#);
//! assert_eq!(try_on(router, r#"{"topic":"shop.audit.log"}"#), r#"{"topic":"shop.audit.log"}"#);
//! ```

use super::transform::{Built, Outcome, Transform};
use crate::Fault;
use crate::data::Record;
use crate::java::Pattern;
use crate::options::Options;

/// The expression and its replacement. The outbox router renames by it, too.
#[derive(Debug)]
pub(super) struct RegexRouter {
    regex: Pattern,
    replacement: String,
}

pub(super) fn build(options: &mut Options<'_>) -> Built {
    let regex = options.regex("regex");
    let replacement = options.required("replacement")?.to_owned();
    Some(Box::new(RegexRouter { regex: regex?, replacement }))
}

impl RegexRouter {
    pub(super) const fn new(regex: Pattern, replacement: String) -> Self {
        Self { regex, replacement }
    }

    pub(super) fn route(&self, mut record: Record) -> Result<Record, Fault> {
        if self.regex.matches(&record.topic) {
            record.topic = self.regex.replace_first(&record.topic, &self.replacement)?.into();
        }
        Ok(record)
    }
}

impl Transform for RegexRouter {
    fn apply(&mut self, record: Record, _: i64) -> Outcome {
        self.route(record).map(Some)
    }
}
