//! Schemas and values against the real `AvroData`: see `avro-referee`.

use pgcdc_format::avro::{AvroOptions, Converter};
use serde_json::Value;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Both texts around their first difference.
fn difference(ours: &str, theirs: &str) -> String {
    let same = ours.bytes().zip(theirs.bytes()).take_while(|(a, b)| a == b).count();
    let piece = |text: &str| text.chars().skip(same.saturating_sub(60)).take(300).collect::<String>();
    format!("  ours   {}\n  theirs {}", piece(ours), piece(theirs))
}

#[test]
fn schemas_and_values_are_avro_datas() {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden-avro/cases.jsonl");
    let mut compared = 0;
    let mut wrong = Vec::new();
    for line in std::fs::read_to_string(golden).unwrap().lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let name = case["name"].as_str().unwrap();
        let text: Value = serde_json::from_str(case["text"].as_str().unwrap()).unwrap();
        let options = AvroOptions {
            meta_data: case["props"]["connect.meta.data"] != "false",
            ..AvroOptions::default()
        };
        let schema = text["schema"].to_string();
        let ours = Converter::of_json(schema.as_bytes(), &options).and_then(|converter| {
            let mut bytes = Vec::new();
            converter.append(text["payload"].to_string().as_bytes(), &mut bytes)?;
            Ok((converter.avro().text().to_owned(), hex(&bytes)))
        });
        match (ours, case["error"].as_str()) {
            // What Connect's JSON converter refuses before Avro sees it.
            (_, Some(error)) if error.contains("Invalid null value for required") => continue,
            (Err(_), Some(_)) => {}
            (Ok((schema, bytes)), None) => {
                for (what, ours) in [("schema", schema), ("bytes", bytes)] {
                    let theirs = case[what].as_str().unwrap();
                    if ours != theirs {
                        wrong.push(format!("{name}: {what}\n{}", difference(&ours, theirs)));
                    }
                }
            }
            (ours, theirs) => wrong.push(format!("{name}: ours {ours:?}, theirs {theirs:?}")),
        }
        compared += 1;
    }
    assert!(wrong.is_empty(), "{} of {compared}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(compared > 100, "only {compared} cases");
}
