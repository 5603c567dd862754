use super::{Built, Outcome, Transform};
use crate::Fault;
use crate::data::{Record, Value};
use crate::expression::{Node, evaluate, parse};
use crate::java::Pattern;
use crate::options::Options;

/// `null.handling.mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nulls {
    Keep,
    Drop,
    Evaluate,
}

/// Debezium's `Filter` and `ContentBasedRouter`, with expressions in pgcdc's own language.
#[derive(Debug)]
struct Script {
    topics: Option<Pattern>,
    nulls: Nulls,
    node: Node,
    routes: bool,
}

pub(super) fn filter(options: &mut Options<'_>) -> Built {
    build(options, "condition", false)
}

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
