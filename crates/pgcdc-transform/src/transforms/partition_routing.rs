use super::{Built, Outcome, Transform, is_envelope};
use crate::Fault;
use crate::data::{Kind, Record, Struct, Value};
use crate::java;
use crate::options::{Options, java_split};

/// Debezium's `PartitionRouting`: chooses the partition by a hash of fields of the event.
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
