//! Debezium's `PartitionRouting`: chooses the partition by a hash of columns that need not be the key.
//!
//! Class: `io.debezium.transforms.partitions.PartitionRouting`.
//!
//! | option | default | meaning |
//! |---|---|---|
//! | `partition.payload.fields` | required | paths of the event, between commas: `change.customer_id`, `source.table` |
//! | `partition.topic.num` | required | how many partitions the topic has; it is not asked of the broker |
//! | `partition.hash.function` | `java` | `java` for `hashCode()`, `murmur` for MurmurHash3 |
//!
//! A path begins with a field of the event. `change` stands for `after`, and for `before` in a delete. The hashes of all
//! fields are added up, so their order does not matter.
//!
//! A field that is missing or null adds nothing. When no field adds anything the partition stays open, and the producer
//! chooses it by the key. That also holds for truncates, logical messages, tombstones and records that are no change event.
//! A tombstone therefore may go to another partition than its row; Debezium does the same.
//!
//! ```
//! use pgcdc_transform::try_on;
//!
//! let routing = "type=io.debezium.transforms.partitions.PartitionRouting
//!                partition.payload.fields=change.customer
//!                partition.topic.num=8";
//! let insert = r#"{"event":{"op":"c","before":null,"after":{"id":7,"customer":42}}}"#;
//! assert!(try_on(routing, insert).starts_with(r#"{"partition":2,"#));
//!
//! let delete = r#"{"event":{"op":"d","before":{"id":7,"customer":42},"after":null}}"#;
//! assert!(try_on(routing, delete).starts_with(r#"{"partition":2,"#));
//! assert_eq!(try_on(routing, r#"{"key":{"id":7}}"#), r#"{"key":{"id":7}}"#);
//! ```

use super::transform::{Built, Outcome, Transform, is_envelope};
use crate::Fault;
use crate::data::{Kind, Record, Struct, Value};
use crate::java;
use crate::options::{Options, java_split};

/// The paths, each split into its steps, and the hash.
#[derive(Debug)]
struct PartitionRouting {
    fields: Vec<Vec<String>>,
    partitions: i32,
    hash: fn(&Value) -> i32,
}

pub(super) fn build(options: &mut Options<'_>) -> Built {
    let fields = options.debezium_list("partition.payload.fields", true);
    const COUNT: &str = "partition.topic.num";
    let number = options.debezium_required(COUNT);
    let partitions = number.and_then(|_| options.integer(COUNT));
    if let Some(0 | i32::MIN..0) = partitions {
        options.unfit(COUNT, number.unwrap_or_default(), "A positive, non-zero integer value is expected");
    }
    let word = options.text("partition.hash.function").unwrap_or_default();
    let hash = if word.eq_ignore_ascii_case("murmur") { java::murmur } else { java::hash_code };
    let path = |field: &String| java_split(field, '.').iter().map(|step| step.trim().to_owned()).collect();
    let fields = fields.iter().map(path).collect();
    Some(Box::new(PartitionRouting { fields, partitions: partitions?, hash }))
}

impl Transform for PartitionRouting {
    fn apply(&mut self, mut record: Record, _: i64) -> Outcome {
        let Some(envelope) = record.value.as_struct().filter(|_| is_envelope(&record)) else {
            return Ok(Some(record));
        };
        // Debezium's message also has the whole event, which does not belong in a log.
        let unprocessable = |fault: Fault| {
            Fault::debezium(format!("Unprocessable message of topic {}: {}", record.topic, fault.message))
        };
        let operation = match envelope.schema().field("op") {
            None => None,
            Some(_) => envelope.string("op").map_err(unprocessable)?,
        };
        if matches!(operation, Some("t" | "m")) {
            return Ok(Some(record));
        }
        let mut total = 0i32;
        let mut found = false;
        for path in &self.fields {
            let value = lookup(path, envelope, operation);
            if let Some(value) = value.filter(|value| !value.is_null()) {
                total = total.wrapping_add((self.hash)(value));
                found = true;
            }
        }
        if found {
            let hash = total & i32::MAX;
            record.partition = Some(if hash == i32::MAX { 0 } else { hash } % self.partitions);
        }
        Ok(Some(record))
    }
}

/// The value at a path; `None` where a field is missing or a struct is null.
fn lookup<'a>(path: &[String], envelope: &'a Struct, operation: Option<&str>) -> Option<&'a Value> {
    let (last, steps) = path.split_last()?;
    let mut current = envelope;
    for step in steps {
        let step = match step.as_str() {
            "change" if operation == Some("d") => "before",
            "change" => "after",
            other => other,
        };
        match current.typed(step, Kind::Struct) {
            Ok(Value::Struct(inner)) => current = inner,
            _ => return None,
        }
    }
    current.get(last).ok()
}
