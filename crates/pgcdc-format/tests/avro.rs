//! Schemas and values against the real `AvroData`: see `avro-referee`.

use pgcdc_format::avro::{AvroOptions, Converter};
use serde_json::Value;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
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
                let theirs = case["schema"].as_str().unwrap();
                if schema != theirs {
                    let at = schema
                        .bytes()
                        .zip(theirs.bytes())
                        .take_while(|(a, b)| a == b)
                        .count()
                        .saturating_sub(60);
                    let piece = |text: &str| text.chars().skip(at).take(300).collect::<String>();
                    wrong.push(format!(
                        "{name}: schema\n  ours   {}\n  theirs {}",
                        piece(&schema),
                        piece(theirs)
                    ));
                }
                let theirs = case["bytes"].as_str().unwrap();
                if bytes != theirs {
                    let at = bytes
                        .bytes()
                        .zip(theirs.bytes())
                        .take_while(|(a, b)| a == b)
                        .count()
                        .saturating_sub(60);
                    let piece = |text: &str| text.chars().skip(at).take(200).collect::<String>();
                    wrong.push(format!(
                        "{name}: bytes\n  ours   {}\n  theirs {}",
                        piece(&bytes),
                        piece(theirs)
                    ));
                }
            }
            (ours, theirs) => wrong.push(format!("{name}: ours {ours:?}, theirs {theirs:?}")),
        }
        compared += 1;
    }
    assert!(wrong.is_empty(), "{} of {compared}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(compared > 100, "only {compared} cases");
}
