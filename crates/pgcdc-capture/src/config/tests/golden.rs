//! The configurations with which real Debezium was recorded (`/golden` of the design).

use serde_json::Value;

use super::*;

#[test]
fn every_recorded_configuration_is_honoured() {
    let golden: Value = serde_json::from_str(include_str!("../testdata/golden.json")).unwrap();
    let variants = golden["variants"].as_object().unwrap();
    let mut honoured = 0;
    for (name, config) in variants {
        let config = config.as_object().unwrap();
        let mut all = golden["common"].as_object().unwrap().clone();
        all.extend(config.clone());
        for key in ["database.dbname", "slot.name", "topic.prefix"] {
            all.insert(key.into(), "g".into());
        }
        let text = serde_json::to_string(&Value::Object(all)).unwrap();
        let result = Settings::from_document(&Document::parse_json(name, &text).unwrap());
        if let Err(error) = result {
            panic!("{name} is refused: {error}");
        }
        honoured += 1;
    }
    assert!(honoured > 200, "only {honoured} of {} are honoured", variants.len());
}
