use super::{Built, Outcome, Transform};
use crate::Fault;
use crate::data::Record;
use crate::java::Pattern;
use crate::options::Options;

/// Kafka's `RegexRouter`: a topic that the expression matches as a whole is renamed.
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
