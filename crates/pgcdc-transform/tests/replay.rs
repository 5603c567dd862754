//! Holds our transforms against the recorded answers of Kafka's and Debezium's own (`tests/referee`).

use std::path::Path;

use pgcdc_transform::data::Record;
use pgcdc_transform::json::{DecimalFormat, JsonReader, JsonWriter};
use pgcdc_transform::{Chain, Fault, literal};
use serde_json::Value;

#[test]
fn every_case_gives_the_recorded_answer() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).expect(name);
    let inputs: Value = serde_json::from_str(&read("inputs.json")).expect("JSON");
    let now = read("recorded_at").trim().parse::<i64>().expect("seconds") * 1000;
    let only = std::env::var("ONLY").unwrap_or_default();
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".jsonl") && name.contains(&only))
        .collect();
    names.sort();
    let (mut cases, mut answers, mut wrong) = (0, 0, Vec::new());
    for name in names {
        for line in read(&name).lines() {
            let case: Value = serde_json::from_str(line).expect("JSON");
            cases += 1;
            answers += case["answers"].as_array().map_or(1, Vec::len);
            for difference in differences(&case, &inputs, now) {
                wrong.push(format!("{name}: {}: {difference}", case["name"].as_str().unwrap_or_default()));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differences in {cases} cases:\n{}", wrong.len(), wrong.join("\n"));
    assert!(!only.is_empty() || (cases >= 200 && answers >= 1000), "{cases} cases, {answers} answers");
}

/// Where our answer is another one than the recorded one.
fn differences(case: &Value, inputs: &Value, now: i64) -> Vec<String> {
    let properties: Vec<(String, String)> = case["props"]
        .as_object()
        .expect("props")
        .iter()
        .map(|(key, value)| (key.clone(), value.as_str().expect("text").to_owned()))
        .collect();
    let configured = Chain::configure(&properties);
    if case.get("problems").is_some() || case.get("refused").is_some() {
        return refusal(case, configured);
    }
    let mut chain = match configured {
        Ok(configured) => configured.chain,
        // What Java finds wrong only when a record comes.
        Err(problems) if all_thrown(case) => {
            return if problems.is_empty() { vec!["no reason".into()] } else { Vec::new() };
        }
        Err(problems) => return vec![format!("refused: {problems:?}")],
    };
    let mut reader = JsonReader::default();
    let mut found = Vec::new();
    let records = case["records"].as_array().expect("records");
    for (name, expected) in records.iter().zip(case["answers"].as_array().expect("answers")) {
        let input = &inputs[name.as_str().expect("a name")];
        let record = record(&mut reader, input);
        match chain.apply(record, now) {
            Ok(None) if expected.get("dropped").is_some() => {}
            Ok(Some(record)) if expected.get("topic").is_some() => {
                found.extend(compare(case, &record, expected).map(|d| format!("{name}: {d}")));
            }
            Err(failed) if expected.get("thrown").is_some() => {
                if !same_fault(&failed.fault, &expected["thrown"]) {
                    found.push(format!("{name}: {:?} instead of {}", failed.fault, expected["thrown"]));
                }
            }
            other => {
                let shown: String = expected.to_string().chars().take(300).collect();
                let ours = other.map(|record| record.map(|record| record.topic));
                found.push(format!("{name}: {ours:?} instead of {shown}"));
            }
        }
    }
    found
}

fn all_thrown(case: &Value) -> bool {
    case["answers"].as_array().is_some_and(|answers| {
        answers.iter().any(|answer| answer.get("thrown").is_some())
            && answers.iter().all(|answer| answer.get("thrown").is_some() || answer.get("dropped").is_some())
    })
}

/// Both refuse; where the message is one of a property, it is ours too.
fn refusal(
    case: &Value,
    configured: Result<pgcdc_transform::Configured, Vec<pgcdc_transform::Problem>>,
) -> Vec<String> {
    let Err(problems) = configured else { return vec![format!("accepted, instead of {}", refused(case))] };
    let texts: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
    let mut found = Vec::new();
    let recorded: Vec<(&str, &str)> = case["problems"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|pair| (pair[0].as_str().unwrap_or_default(), pair[1].as_str().unwrap_or_default()))
        .collect();
    for (key, message) in &recorded {
        // Of what is missing Connect also says that null will not do.
        let said = recorded.iter().filter(|(other, _)| other == key);
        let ours = problems.iter().filter(|problem| problem.key == *key);
        let same = ours.clone().any(|problem| said.clone().any(|(_, message)| problem.message == *message));
        // What is wrong with a regular expression is said in other words.
        let regex =
            message.contains("Invalid regex") && ours.clone().any(|p| p.message.contains("Invalid regex"));
        if !same && !regex {
            found.push(format!("{problems:?} instead of {message}"));
        }
    }
    if let Some(message) = case["refused"][1].as_str() {
        let in_other_words = ["Unable to validate config.", "regular expressions", "InsertionSpec@"];
        if !in_other_words.iter().any(|part| message.contains(part)) && !texts.contains(&message) {
            found.push(format!("{texts:?} instead of {message}"));
        }
    }
    found
}

fn refused(case: &Value) -> &Value {
    case.get("problems").unwrap_or(&case["refused"])
}

/// The same class, and the same message up to where Java would show a whole row.
fn same_fault(ours: &Fault, recorded: &Value) -> bool {
    let class = recorded[0].as_str().unwrap_or_default();
    let message = recorded[1].as_str().unwrap_or_default();
    let shown = ["Struct{", "SourceRecord{", "'hello'", "class java.util.ArrayList cannot"]
        .iter()
        .filter_map(|row| message.find(row))
        .min();
    // Messages of the Java machine itself name its own modules and variables.
    if matches!(class, "NullPointerException" | "ClassCastException") || message.contains("com.fasterxml") {
        return ours.class == class;
    }
    ours.class == class
        && match shown {
            Some(end) => ours.message.starts_with(message[..end].trim_end()),
            None => ours.message == message,
        }
}

fn record(reader: &mut JsonReader, input: &Value) -> Record {
    let mut half = |json: &Value| {
        reader.read(json.as_str().map(str::as_bytes)).expect("what Debezium writes can be read")
    };
    let (key_schema, key) = half(&input["key"]);
    let (value_schema, value) = half(&input["value"]);
    let mut record = Record {
        topic: input["topic"].as_str().expect("a topic").into(),
        partition: input["partition"].as_i64().map(|partition| i32::try_from(partition).expect("small")),
        key_schema,
        key,
        value_schema,
        value,
        timestamp: input["timestamp"].as_i64(),
        headers: Vec::new(),
    };
    for header in input["headers"].as_array().into_iter().flatten() {
        let (schema, value) = half(&header[1]);
        record.add_header(&header[0].as_str().expect("a name").into(), schema, value);
    }
    record
}

fn compare(case: &Value, record: &Record, expected: &Value) -> impl Iterator<Item = String> + use<> {
    let writer = |schemas: bool| {
        let mut writer = JsonWriter::new(schemas);
        let option = |name: &str| case["converter"][name].as_str();
        if option("decimal.format") == Some("NUMERIC") {
            writer.decimal_format = DecimalFormat::Numeric;
        }
        writer.replace_null_with_default = option("replace.null.with.default") != Some("false");
        writer
    };
    let (full, plain) = (writer(true), writer(false));
    let mut found = Vec::new();
    let mut check = |what: &str, ours: String, theirs: &Value| {
        let same = match theirs {
            Value::Array(_) => {
                ours.starts_with("fault ") && ours.contains(theirs[1].as_str().unwrap_or_default())
            }
            Value::String(text) => ours == *text,
            Value::Null => ours == "-",
            other => other.as_i64().is_some_and(|number| number.to_string() == ours),
        };
        if !same {
            let theirs = theirs.as_str().map_or_else(|| theirs.to_string(), str::to_owned);
            let at = ours.bytes().zip(theirs.bytes()).take_while(|(a, b)| a == b).count();
            let near = |text: &str| {
                let from = (0..=at.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
                let from =
                    (0..=from.saturating_sub(60)).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
                text[from..].chars().take(160).collect::<String>()
            };
            found.push(format!("{what}: «{}» instead of «{}»", near(&ours), near(&theirs)));
        }
    };
    let written = |writer: &JsonWriter, schema: &Option<pgcdc_transform::data::Schema>, value| {
        let mut out = Vec::new();
        match writer.write(schema.as_ref(), value, &mut out) {
            Ok(true) => String::from_utf8(out).expect("UTF-8"),
            Ok(false) => "-".to_owned(),
            Err(fault) => format!("fault {}", fault.message),
        }
    };
    check("topic", record.topic.to_string(), &expected["topic"]);
    check("partition", record.partition.map_or("-".into(), |p| p.to_string()), &expected["partition"]);
    check("timestamp", record.timestamp.map_or("-".into(), |t| t.to_string()), &expected["timestamp"]);
    check("key", written(&full, &record.key_schema, &record.key), &expected["key"]);
    check("value", written(&full, &record.value_schema, &record.value), &expected["value"]);
    check("plain key", written(&plain, &record.key_schema, &record.key), &expected["plainKey"]);
    check("plain value", written(&plain, &record.value_schema, &record.value), &expected["plainValue"]);
    let headers = expected["headers"].as_array().expect("headers");
    check("headers", record.headers.len().to_string(), &Value::from(headers.len()));
    for (header, theirs) in record.headers.iter().zip(headers) {
        check("header", header.key.to_string(), &theirs[0]);
        check(&header.key, written(&full, &header.schema, &header.value), &theirs[1]);
        let text = if header.value.is_null() { "-".into() } else { literal::to_text(&header.value) };
        check(&header.key, text, &theirs[2]);
    }
    found.into_iter()
}
