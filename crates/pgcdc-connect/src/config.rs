//! A connector's configuration as REST shows it: names and texts, in the order in which they were written.

use std::fmt;

use serde_json::{Map, Value};

use crate::Fault;

/// Ends of names whose values are secrets; Debezium masks the same ones in its log.
const SECRET_ENDS: &[&str] = &[
    "secret",
    "password",
    "sasl.jaas.config",
    "basic.auth.user.info",
    "credentials.json",
    "token",
    "connection.string",
];

/// What stands in place of a secret in an answer.
pub(crate) const MASK: &str = "********";

/// A connector's configuration. A value is a text or null; numbers and booleans became texts. `Debug` shows names only.
#[derive(Clone, Default, PartialEq)]
pub struct Config(Map<String, Value>);

impl Config {
    /// Takes a JSON object of texts, numbers, booleans and nulls.
    ///
    /// # Errors
    /// When a value is a list or an object.
    pub fn from_json(pairs: Map<String, Value>) -> Result<Self, Fault> {
        let mut config = Map::new();
        for (key, value) in pairs {
            let value = match value {
                Value::Null | Value::String(_) => value,
                Value::Bool(yes) => yes.to_string().into(),
                Value::Number(number) => number.to_string().into(),
                Value::Array(_) => return Err(Fault::not_a_text(&key, "Array", "START_ARRAY")),
                Value::Object(_) => return Err(Fault::not_a_text(&key, "Object", "START_OBJECT")),
            };
            config.insert(key, value);
        }
        Ok(Self(config))
    }

    /// The JSON object.
    #[must_use]
    pub fn to_json(&self) -> Value {
        Value::Object(self.0.clone())
    }

    /// The text of a property; `None` when it is not set, or null.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(Value::as_str)
    }

    /// Sets a property.
    pub fn set(&mut self, key: &str, value: &str) {
        self.0.insert(key.to_owned(), value.into());
    }

    /// Whether the property is there, be it null.
    #[must_use]
    pub fn contains(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// Names and texts of all properties that are not null.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
    }

    /// The first property whose value is null.
    #[must_use]
    pub fn null(&self) -> Option<&str> {
        self.0.iter().find(|(_, value)| value.is_null()).map(|(key, _)| key.as_str())
    }

    /// The configuration with a patch applied: a null takes a property away.
    #[must_use]
    pub fn patched(&self, patch: &Self) -> Self {
        let mut patched = self.0.clone();
        for (key, value) in &patch.0 {
            if value.is_null() {
                patched.shift_remove(key);
            } else {
                patched.insert(key.clone(), value.clone());
            }
        }
        Self(patched)
    }

    /// The configuration with `********` in place of literal secrets; references to config providers stay.
    #[must_use]
    pub fn masked(&self) -> Self {
        let mut masked = self.clone();
        for (key, value) in &mut masked.0 {
            if value.as_str().is_some_and(|text| is_secret(key) && !text.starts_with("${")) {
                *value = MASK.into();
            }
        }
        masked
    }

    /// Puts the former secrets in place of masks, so that a client may send back what it was shown.
    #[must_use]
    pub fn unmasked(mut self, former: &Self) -> Self {
        for (key, value) in &mut self.0 {
            if value.as_str() == Some(MASK)
                && let Some(secret) = former.0.get(key)
            {
                value.clone_from(secret);
            }
        }
        self
    }

    /// The configuration as a Java map prints itself, `{name=x, a=b}`, without secrets.
    pub(crate) fn java(&self) -> String {
        let pair = |(key, value): (&String, &Value)| {
            let text = if is_secret(key) { MASK } else { value.as_str().unwrap_or("null") };
            format!("{key}={text}")
        };
        let (name, others): (Vec<_>, Vec<_>) = self.0.iter().partition(|(key, _)| *key == "name");
        format!("{{{}}}", name.into_iter().chain(others).map(pair).collect::<Vec<_>>().join(", "))
    }
}

/// Whether the value of a property of this name is a secret.
fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    SECRET_ENDS.iter().any(|end| key.ends_with(end))
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config(value: &Value) -> Config {
        Config::from_json(value.as_object().expect("an object").clone()).expect("texts")
    }

    #[test]
    fn values_become_texts_and_secrets_stay_hidden() {
        let config = config(
            &json!({"a": 1, "b": true, "database.password": "open sesame", "x": "${env:X}", "n": null}),
        );
        assert_eq!(config.get("a").zip(config.get("b")), Some(("1", "true")));
        assert_eq!(config.null(), Some("n"));
        assert!(!format!("{config:?}{}{}", config.java(), config.masked().to_json()).contains("sesame"));
        assert_eq!(config.masked().unmasked(&config), config);
        assert!(Config::from_json(json!({"a": [1]}).as_object().expect("an object").clone()).is_err());
    }

    #[test]
    fn a_patch_sets_and_takes_away() {
        let patched = config(&json!({"a": "1", "b": "2"})).patched(&config(&json!({"a": null, "c": "3"})));
        assert_eq!(patched.to_json(), json!({"b": "2", "c": "3"}));
    }
}
