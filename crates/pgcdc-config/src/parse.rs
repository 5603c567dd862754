//! Text to [`Document`]: JSON as a REST client posts it, Java's `.properties`, or a Kubernetes resource.

use std::fs;
use std::path::Path;

use crate::document::{Document, Place};
use crate::json::Json;
use crate::mistake::{ConfigError, Mistake};
use crate::text::decode;
use crate::{properties, strimzi};

/// Fields that Connect's REST interface has beside `config`; none of them configures anything.
const BESIDE_CONFIG: &[&str] = &["initial_state", "tasks", "type"];

impl Document {
    /// Reads a file of flat properties. Its form is JSON when its first character is `{` or its name ends in `.json`, else
    /// YAML when it is a Strimzi `KafkaConnector`, else `.properties`.
    ///
    /// # Errors
    /// When the file cannot be read, or is malformed.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let source = path.display().to_string();
        let bytes = fs::read(path).map_err(|e| {
            let remedy = match e.kind() {
                std::io::ErrorKind::NotFound => "give the path of a connector registration",
                std::io::ErrorKind::PermissionDenied => "let this user read it",
                _ => "give a readable file",
            };
            ConfigError::one(&source, "", format!("cannot be read: {e}"), Some(remedy.to_owned()))
        })?;
        let json_name = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("json"));
        let text = decode(bytes);
        if json_name || text.trim_start().starts_with('{') {
            Self::parse_json(&source, &text)
        } else if strimzi::is_resource(&text) {
            strimzi::parse(&source, &text)
        } else {
            Self::parse_properties(&source, &text)
        }
    }

    /// Parses `{"name": …, "config": {…}}`, a flat map, or a Strimzi `KafkaConnector`. Numbers and booleans become their
    /// text; a null counts as not set. When a name stands twice its last value counts, as in Connect.
    ///
    /// # Errors
    /// On a syntax error (with line and column) and on values that are lists or objects.
    pub fn parse_json(source: &str, text: &str) -> Result<Self, ConfigError> {
        let text = text.trim_start_matches('\u{feff}');
        let value: Json = serde_json::from_str(text).map_err(|e| {
            let place = format!("{source}:{}:{}", e.line(), e.column());
            let what = e.to_string();
            let what = what.split(" at line ").next().unwrap_or_default().to_owned();
            let remedy = "the file must be one JSON object of connector properties";
            ConfigError::one(place, "", format!("is not JSON: {what}"), Some(remedy.to_owned()))
        })?;
        let value = strimzi::registration(value);
        let Json::Object(outer) = value else {
            let remedy = Some("write {\"name\": …, \"config\": {…}} or the flat map of properties".into());
            return Err(ConfigError::one(source, "", "is not a JSON object", remedy));
        };
        let mut reading = Reading { source, text, document: Self::new(source), mistakes: Vec::new() };
        let (configs, mut outer): (Vec<_>, Vec<_>) = outer.into_iter().partition(|(key, _)| key == "config");
        if !configs.is_empty() {
            outer.retain(|(key, _)| !BESIDE_CONFIG.contains(&key.as_str()));
        }
        reading.all(outer);
        match configs.into_iter().next_back() {
            Some((_, Json::Object(config))) => reading.all(config),
            Some(_) => {
                let place = place_of(source, text, "config", 0).to_string();
                let remedy = Some("make it an object of properties".to_owned());
                return Err(ConfigError::one(place, "config", "is not an object", remedy));
            }
            None => {}
        }
        if reading.mistakes.is_empty() {
            Ok(reading.document)
        } else {
            Err(ConfigError::new(reading.mistakes))
        }
    }

    /// Parses Java's `.properties`.
    ///
    /// # Errors
    /// On a malformed `\uXXXX` escape.
    pub fn parse_properties(source: &str, text: &str) -> Result<Self, ConfigError> {
        let mut document = Self::new(source);
        let parsed = properties::parse(text).map_err(|e| {
            let remedy = Some("write \\u and four hexadecimal digits, or \\\\u".to_owned());
            ConfigError::one(format!("{source}:{}", e.line), e.key, e.message, remedy)
        })?;
        for (key, value, line) in parsed {
            let place = Place { source: source.to_owned(), line: Some(line) };
            document.set(key, value, place);
        }
        Ok(document)
    }
}

/// Splits the argument of `--set` at its first `=`.
///
/// # Errors
/// When there is no `=`, or nothing before it.
pub fn parse_override(argument: &str) -> Result<(String, String), ConfigError> {
    match argument.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.to_owned())),
        _ => Err(ConfigError::one(
            "--set",
            argument.split('=').next().unwrap_or_default(),
            "is not of the form key=value",
            Some("write --set snapshot.mode=no_data".into()),
        )),
    }
}

/// A document while it is read from JSON.
struct Reading<'t> {
    source: &'t str,
    text: &'t str,
    document: Document,
    mistakes: Vec<Mistake>,
}

impl Reading<'_> {
    /// Adds the pairs of one JSON object to the document.
    fn all(&mut self, pairs: Vec<(String, Json)>) {
        let before = self.document.entries.len();
        for (key, value) in pairs {
            let earlier = self.document.entries.iter().position(|entry| entry.key == key);
            let place = place_of(self.source, self.text, &key, usize::from(earlier.is_some()));
            match value {
                Json::Null => {}
                Json::Scalar(text) => {
                    if earlier.is_some_and(|at| at >= before) {
                        self.document.notes.push(Mistake {
                            place: place.to_string(),
                            key: key.clone(),
                            message: "stands twice; the last one counts".into(),
                            remedy: Some("remove the one that is not meant".into()),
                        });
                    }
                    self.document.set(key, text, place);
                }
                Json::Array | Json::Object(_) => self.mistakes.push(Mistake {
                    place: place.to_string(),
                    key,
                    message: "is a list or an object".into(),
                    remedy: Some("write one text; lists are separated by commas".into()),
                }),
            }
        }
    }
}

/// The line on which `"key"` is followed by a colon for the `nth` time, or for the last time before that.
fn place_of(source: &str, text: &str, key: &str, nth: usize) -> Place {
    let quoted = serde_json::to_string(key).unwrap_or_default();
    let found = text
        .match_indices(&quoted)
        .filter(|(at, _)| text[at + quoted.len()..].trim_start().starts_with(':'))
        .take(nth + 1);
    let line = found.last().map(|(at, _)| text[..at].matches('\n').count() + 1);
    Place { source: source.to_owned(), line }
}
