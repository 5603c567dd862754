//! Kafka's `TimestampRouter`: puts the record's date into the topic's name.
//!
//! Class: `org.apache.kafka.connect.transforms.TimestampRouter`.
//!
//! | option | default | meaning |
//! |---|---|---|
//! | `topic.format` | `${topic}-${timestamp}` | the new name |
//! | `timestamp.format` | `yyyyMMdd` | a pattern of Java's `SimpleDateFormat`, in UTC |
//!
//! A record without a timestamp is an error. Debezium's records have none, so this transform must come behind one that
//! sets it, such as [`event_router`](super::event_router).
//!
//! ```
//! use pgcdc_transform::try_on;
//!
//! let router = "type=org.apache.kafka.connect.transforms.TimestampRouter
//!               timestamp.format=yyyy-MM";
//! let before = r#"{"topic":"orders","timestamp":1711846800123,"key":7}"#;
//! assert_eq!(try_on(router, before), r#"{"topic":"orders-2024-03","timestamp":1711846800123,"key":7}"#);
//! assert_eq!(try_on(router, r#"{"topic":"orders"}"#), "failed: Timestamp missing on record: of topic orders");
//! ```

use super::transform::{Built, Outcome, Transform};
use crate::Fault;
use crate::data::Record;
use crate::java::DateFormat;
use crate::options::Options;

/// The two patterns.
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
