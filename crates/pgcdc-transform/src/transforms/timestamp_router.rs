use super::{Built, Outcome, Transform};
use crate::Fault;
use crate::data::Record;
use crate::java::DateFormat;
use crate::options::Options;

/// Kafka's `TimestampRouter`: the topic's name gets the record's date.
#[derive(Debug)]
struct TimestampRouter {
    topic: String,
    timestamp: DateFormat,
}

pub(super) fn build(options: &mut Options<'_>) -> Built {
    let topic = options.text("topic.format").unwrap_or("${topic}-${timestamp}").to_owned();
    let pattern = options.text("timestamp.format").unwrap_or("yyyyMMdd");
    match DateFormat::compile(pattern) {
        Ok(timestamp) => Some(Box::new(TimestampRouter { topic, timestamp })),
        Err(reason) => {
            options.problem("timestamp.format", reason);
            None
        }
    }
}

impl Transform for TimestampRouter {
    fn apply(&mut self, mut record: Record, _: i64) -> Outcome {
        let Some(millis) = record.timestamp else {
            return Err(Fault::data(format!("Timestamp missing on record: of topic {}", record.topic)));
        };
        let named = self.topic.replace("${topic}", &record.topic);
        record.topic = named.replace("${timestamp}", &self.timestamp.format(millis)).into();
        Ok(Some(record))
    }
}
