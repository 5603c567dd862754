//! Runs one transform on one record that is written as JSON.

use std::sync::Arc;

use crate::data::{Kind, Logical, Record, Schema, SchemaBuilder, Value};
use crate::json::{Json, JsonWriter, number_kind, tree_to_value};
use crate::{Chain, Fault};

/// Runs one transform on one record, both written as text, and returns the record that comes out as text.
///
/// The examples of [`transforms`](crate::transforms) are calls of this function. It also answers the question "what would
/// this configuration do?" without a database or a broker.
///
/// `options` has a line `name=value` for each option, `type` among them, without the prefix `transforms.<name>.`. A line
/// that begins with `predicates` keeps its name, so that a trial can define a predicate.
///
/// `record` is a JSON object with these parts, all of them optional:
///
/// | part | meaning |
/// |---|---|
/// | `topic` | the topic's name; default: an empty text |
/// | `partition`, `timestamp` | numbers; a timestamp is in milliseconds since 1970 |
/// | `key`, `value` | any JSON; a record without `value` is a tombstone |
/// | `event` | a change event in place of `value`: an object with `op`, `before`, `after`, … |
/// | `headers` | an object with a member for each header |
/// | `types` | for a field's name: its type (`"bytes"`, with the value in base64), or else its schema's name |
///
/// Schemas are derived from the JSON: whole numbers become `int32`, or `int64` where they need it, other numbers `double`,
/// and `null` an optional string. Every field is optional. The transform sees the clock at 1970-01-01.
///
/// The answer has the same parts, without `types`. It is `dropped` when the transform drops the record, `failed: …` with
/// the transform's error, and `refused: …` with the mistakes in the options.
///
/// ```
/// use pgcdc_transform::try_on;
///
/// let record = r#"{"topic":"users","value":{"id":7,"email":"ann@example.com"}}"#;
/// let mask = "type=org.apache.kafka.connect.transforms.MaskField$Value
///             fields=email";
/// assert_eq!(try_on(mask, record), r#"{"topic":"users","value":{"id":7,"email":""}}"#);
///
/// let mistake = "type=org.apache.kafka.connect.transforms.MaskField$Value";
/// let answer = try_on(mistake, record);
/// assert!(answer.starts_with("refused: transforms.t.fields: Missing required configuration"));
/// ```
#[must_use]
pub fn try_on(options: &str, record: &str) -> String {
    let mut chain = match Chain::configure(&properties(options)) {
        Ok(configured) => configured.chain,
        Err(problems) => {
            let lines = problems.iter().map(|problem| format!("{}: {}", problem.key, problem.message));
            return format!("refused: {}", lines.collect::<Vec<_>>().join("; "));
        }
    };
    let record = match read(record) {
        Ok(record) => record,
        Err(fault) => return format!("not a record: {fault}"),
    };
    match chain.apply(record, 0) {
        Ok(None) => "dropped".to_owned(),
        Ok(Some(record)) => written(&record).unwrap_or_else(|fault| format!("failed: {fault}")),
        Err(failed) => format!("failed: {}", failed.fault),
    }
}

/// The connector's properties: one transform with the name `t`.
fn properties(options: &str) -> Vec<(String, String)> {
    let mut found = vec![("transforms".to_owned(), "t".to_owned())];
    for line in options.lines() {
        let Some((key, value)) = line.trim().split_once('=') else { continue };
        let key = if key.starts_with("predicates") { key.to_owned() } else { format!("transforms.t.{key}") };
        found.push((key, value.to_owned()));
    }
    found
}

fn read(text: &str) -> Result<Record, Fault> {
    let json = Json::parse(text.as_bytes())?;
    let types = Types(json.get("types"));
    let number = |name: &str| match json.get(name) {
        Some(Json::Number(digits)) => digits.parse::<i64>().ok(),
        _ => None,
    };
    let (key_schema, key) = match json.get("key") {
        None | Some(Json::Null) => (None, Value::Null),
        Some(key) => typed(types.schema("key", key, false)?, key)?,
    };
    let (value_schema, value) = match (json.get("event"), json.get("value")) {
        (Some(event), _) => typed(types.envelope(event)?, event)?,
        (None, None | Some(Json::Null)) => (None, Value::Null),
        (None, Some(value)) => typed(types.schema("value", value, false)?, value)?,
    };
    let mut record = Record {
        topic: json.get("topic").and_then(Json::as_str).cloned().unwrap_or_else(|| "".into()),
        partition: number("partition").and_then(|partition| i32::try_from(partition).ok()),
        key_schema,
        key,
        value_schema,
        value,
        timestamp: number("timestamp"),
        headers: Vec::new(),
    };
    if let Some(Json::Object(headers)) = json.get("headers") {
        for (name, value) in headers {
            let (schema, value) = typed(types.schema(name, value, true)?, value)?;
            record.add_header(name, schema, value);
        }
    }
    Ok(record)
}

fn typed(schema: Schema, json: &Json) -> Result<(Option<Schema>, Value), Fault> {
    let value = tree_to_value(&schema, json)?;
    Ok((Some(schema), value))
}

/// The part `types`: what the JSON alone does not say about a field.
struct Types<'a>(Option<&'a Json>);

impl Types<'_> {
    fn schema(&self, name: &str, json: &Json, optional: bool) -> Result<Schema, Fault> {
        let word = self.0.and_then(|types| types.get(name)).and_then(Json::as_str);
        let named = word.and_then(|word| Kind::from_word(word));
        let mut builder = match (named, json) {
            (Some(kind), _) => SchemaBuilder::new(kind),
            (None, Json::Bool(_)) => SchemaBuilder::new(Kind::Boolean),
            (None, Json::Null | Json::String(_)) => SchemaBuilder::new(Kind::String),
            (None, Json::Number(digits)) => SchemaBuilder::new(number_kind(digits)),
            (None, Json::Array(items)) => {
                SchemaBuilder::array(self.schema("", items.first().unwrap_or(&Json::Null), true)?)
            }
            (None, Json::Object(entries)) => {
                let mut builder = SchemaBuilder::new(Kind::Struct);
                for (name, value) in entries {
                    builder.add_field(Arc::clone(name), self.schema(name, value, true)?)?;
                }
                builder
            }
        };
        if let (Some(word), None) = (word, named) {
            builder = builder.named(word);
            if Logical::of(word).is_some() {
                builder = builder.version(1);
            }
        }
        Ok(builder.optional_if(optional).build())
    }

    /// A change event's schema. `before` and `after` have the same schema, even where one of them is null.
    fn envelope(&self, event: &Json) -> Result<Schema, Fault> {
        let row = ["after", "before"].into_iter().filter_map(|name| event.get(name));
        let row = row.max_by_key(|row| matches!(row, Json::Object(_))).unwrap_or(&Json::Null);
        let row = self.schema("row", row, true)?;
        let mut builder = SchemaBuilder::new(Kind::Struct).named("shop.public.items.Envelope");
        for name in ["before", "after"] {
            builder.add_field(name.into(), row.clone())?;
        }
        if let Json::Object(entries) = event {
            for (name, value) in entries.iter().filter(|(name, _)| !matches!(&**name, "before" | "after")) {
                builder.add_field(Arc::clone(name), self.schema(name, value, true)?)?;
            }
        }
        Ok(builder.build())
    }
}

/// Writes a record in the form that [`try_on`] reads.
fn written(record: &Record) -> Result<String, Fault> {
    let writer = JsonWriter::new(false);
    let mut out = Vec::new();
    let mut part = |name: &str, schema: Option<&Schema>, value: &Value| {
        if value.is_null() {
            return Ok(());
        }
        out.push(if out.is_empty() { b'{' } else { b',' });
        pgcdc_format::types::write_json_string(name.as_bytes(), &mut out);
        out.push(b':');
        writer.write(schema, value, &mut out).map(drop)
    };
    if !record.topic.is_empty() {
        part("topic", None, &Value::String(Arc::clone(&record.topic)))?;
    }
    part("partition", None, &record.partition.map_or(Value::Null, Value::Int32))?;
    part("timestamp", None, &record.timestamp.map_or(Value::Null, Value::Int64))?;
    part("key", record.key_schema.as_ref(), &record.key)?;
    let name = if crate::transforms::is_envelope(record) { "event" } else { "value" };
    part(name, record.value_schema.as_ref(), &record.value)?;
    if !record.headers.is_empty() {
        out.extend_from_slice(if out.is_empty() { b"{\"headers\":{" } else { b",\"headers\":{" });
        for (at, header) in record.headers.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            pgcdc_format::types::write_json_string(header.key.as_bytes(), &mut out);
            out.push(b':');
            match (&header.schema, &header.value) {
                (None, Value::Null) => out.extend_from_slice(b"null"),
                (schema, value) => drop(writer.write(schema.as_ref(), value, &mut out)?),
            }
        }
        out.push(b'}');
    }
    if out.is_empty() {
        out.push(b'{');
    }
    out.push(b'}');
    Ok(String::from_utf8_lossy(&out).into_owned())
}
