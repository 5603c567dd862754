//! The configurations with which real Debezium was recorded (`/golden` of the design).

use serde_json::{Map, Value};

use super::*;

/// Why a recording's configuration is refused, if it is: the key that must be named.
fn refused(config: &Map<String, Value>) -> Option<String> {
    let text = |key: &str| config.get(key).and_then(Value::as_str).unwrap_or_default();
    let found = config.keys().find(|key| {
        let value = text(key);
        key.as_str() == "replica.identity.autoset.values"
            || *key == "provide.transaction.metadata" && value == "true"
    });
    found.cloned()
}

#[test]
fn every_recorded_configuration_is_honoured_or_refused_by_name() {
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
        match (refused(config), result) {
            (None, Ok(_)) => honoured += 1,
            (Some(key), Err(e)) => {
                assert!(e.mistakes().iter().any(|m| m.key == key), "{name}: {key} is not in {e}");
            }
            (None, Err(e)) => panic!("{name} is refused: {e}"),
            (Some(key), Ok(_)) => panic!("{name} is accepted in spite of {key}"),
        }
    }
    assert!(honoured > 200, "only {honoured} of {} are honoured", variants.len());
}
