//! Debezium's `Filter` and `ContentBasedRouter`: an expression decides about each record.
//!
//! Classes: `io.debezium.transforms.Filter` and `io.debezium.transforms.ContentBasedRouter`. Kafka's own `Filter`, in
//! another package, has no expression: it drops each record that its predicate selects.
//!
//! | option | default | meaning |
//! |---|---|---|
//! | `language` | required | `pgcdc`, the language that [`expression`](crate::expression) describes |
//! | `condition` | required for `Filter` | true keeps the record, false drops it |
//! | `topic.expression` | required for the router | the topic's new name, or null to leave it |
//! | `topic.regex` | all | the topics whose records are looked at; all other records pass |
//! | `null.handling.mode` | `keep` | tombstones: `keep` passes them, `drop` drops them, `evaluate` asks the expression |
//!
//! Debezium runs Groovy or JavaScript here, which pgcdc cannot run. Many Groovy conditions are also expressions of
//! pgcdc's language; the error for `language=jsr223.groovy` says whether yours is.
//!
//! A record is an error when the expression fails, and when it gives anything but true or false (for `Filter`), or
//! anything but a text or null (for the router).
//!
//! ```
//! use pgcdc_transform::try_on;
//!
//! let filter = "type=io.debezium.transforms.Filter
//!               language=pgcdc
//!               condition=value.op == 'u' && value.after.city != 'Oslo'";
//! let update = r#"{"event":{"op":"u","before":null,"after":{"city":"Oslo"}}}"#;
//! assert_eq!(try_on(filter, update), "dropped");
//!
//! let router = "type=io.debezium.transforms.ContentBasedRouter
//!               language=pgcdc
//!               topic.expression=value.op == 'd' ? topic + '.deleted' : null";
//! let delete = r#"{"topic":"items","event":{"op":"d","before":{"id":7},"after":null}}"#;
//! assert!(try_on(router, delete).starts_with(r#"{"topic":"items.deleted","#));
//!
//! let groovy = "type=io.debezium.transforms.Filter
//!               language=jsr223.groovy
//!               condition=value.op == 'u'";
//! assert!(try_on(groovy, update).contains("transforms.t.condition can stay as it is"));
//! ```

use super::transform::{Built, Outcome, Transform};
use crate::Fault;
use crate::data::{Record, Value};
use crate::expression::{Node, evaluate, parse};
use crate::java::Pattern;
use crate::options::Options;

/// `null.handling.mode`: what is done with a tombstone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nulls {
    Keep,
    Drop,
    Evaluate,
}

/// A filter or a router.
#[derive(Debug)]
struct Script {
    topics: Option<Pattern>,
    nulls: Nulls,
    /// The expression, parsed once at the start.
    node: Node,
    /// Whether the result is a topic; else it says whether the record stays.
    routes: bool,
}

/// `Filter`.
pub(super) fn filter(options: &mut Options<'_>) -> Built {
    build(options, "condition", false)
}

/// `ContentBasedRouter`.
pub(super) fn router(options: &mut Options<'_>) -> Built {
    build(options, "topic.expression", true)
}

fn build(options: &mut Options<'_>, expression: &str, routes: bool) -> Built {
    let topics = options.raw("topic.regex").filter(|text| !text.is_empty());
    let topics = topics.map(|text| options.debezium_regex("topic.regex", text));
    const MODES: &[(&str, Nulls)] =
        &[("drop", Nulls::Drop), ("keep", Nulls::Keep), ("evaluate", Nulls::Evaluate)];
    let nulls = options.word("null.handling.mode", MODES, Nulls::Keep);
    let language = options.debezium_required("language");
    let text = options.debezium_required(expression);
    let (language, text) = (language?.trim(), text?);
    let parsed = parse(text);
    if !language.eq_ignore_ascii_case("pgcdc") {
        let engine =
            language.strip_prefix("jsr223.").or_else(|| language.strip_prefix("wasm.")).unwrap_or(language);
        let next = match parsed {
            Ok(_) => format!("{} can stay as it is", options.key(expression)),
            Err(_) => format!("{} is to be written in it", options.key(expression)),
        };
        let message = format!(
            "pgcdc runs no {engine}, which needs a Java machine; it has an expression language of its own: write {}=pgcdc, and {next}",
            options.key("language")
        );
        options.problem("language", message);
        return None;
    }
    match parsed {
        Ok(node) => Some(Box::new(Script { topics: topics.flatten(), nulls, node, routes })),
        Err(reason) => {
            options.problem(expression, format!("Failed to parse expression '{text}': {reason}"));
            None
        }
    }
}

impl Transform for Script {
    fn keeps_headers(&self) -> bool {
        !self.routes
    }

    fn apply(&mut self, mut record: Record, _: i64) -> Outcome {
        if self.topics.as_ref().is_some_and(|topics| !topics.matches(&record.topic)) {
            return Ok(Some(record));
        }
        if record.value.is_null() && self.nulls != Nulls::Evaluate {
            return Ok((self.nulls == Nulls::Keep).then_some(record));
        }
        match (evaluate(&self.node, &record)?, self.routes) {
            (Value::Boolean(kept), false) => Ok(kept.then_some(record)),
            (Value::Null, true) => Ok(Some(record)),
            (Value::String(topic), true) => {
                record.topic = topic;
                Ok(Some(record))
            }
            (other, routes) => {
                let wanted = if routes { "a text or null" } else { "true or false" };
                Err(Fault::debezium(format!("the expression gave {}, not {wanted}", other.class())))
            }
        }
    }
}
