//! References to config providers in a TOML file: `${env:NAME}`, `${file:/path:key}`, `${file:/path}` and `${dir:/path:file}`
//! may be in any text of it.

use crate::providers::{Environment, substitute, substitute_url};
use toml::{Table, Value};

/// The values that came from config providers. They may be secrets, so no mistake may show them.
///
/// ```
/// use pgcdc_config::Provided;
///
/// let mut table: toml::Table = "[kafka]\n\"sasl.password\" = \"${env:PW}\"".parse().expect("TOML");
/// let mut mistakes = Vec::new();
/// let provided = Provided::resolve(&mut table, &|_| Some("open sesame".into()), &mut mistakes);
/// assert_eq!(table["kafka"]["sasl.password"].as_str(), Some("open sesame"));
/// assert_eq!(provided.hide("\"open sesame\" is too short"), "\"****\" is too short");
/// ```
#[derive(Default)]
pub struct Provided(Vec<String>);

impl Provided {
    /// Replaces the references in every text of the table; a reference that cannot be resolved is a mistake. A value of the key
    /// `url` is escaped as [`substitute_url`] does.
    pub fn resolve(table: &mut Table, env: Environment<'_>, mistakes: &mut Vec<String>) -> Self {
        let mut this = Self::default();
        for (name, value) in table.iter_mut() {
            if let Value::Array(elements) = value {
                for (at, element) in elements.iter_mut().enumerate() {
                    let place = match element.get("name").and_then(Value::as_str) {
                        Some(sink) => format!("[[{name}]] {sink:?}: "),
                        None => format!("[[{name}]] number {}: ", at + 1),
                    };
                    this.inside(&place, element, env, mistakes);
                }
            } else {
                this.inside(&format!("[{name}] "), value, env, mistakes);
            }
        }
        this
    }

    /// Replaces the references in a value, which may be a table.
    fn inside(&mut self, place: &str, value: &mut Value, env: Environment<'_>, mistakes: &mut Vec<String>) {
        let Value::Table(table) = value else { return self.values(place, false, value, env, mistakes) };
        for (name, value) in table.iter_mut() {
            if value.is_table() {
                self.inside(&format!("{place}{name}: "), value, env, mistakes);
            } else {
                self.values(&format!("{place}{name:?}: "), name == "url", value, env, mistakes);
            }
        }
    }

    /// Replaces the references in a text or in all texts of a list.
    fn values(
        &mut self,
        place: &str,
        is_url: bool,
        value: &mut Value,
        env: Environment<'_>,
        mistakes: &mut Vec<String>,
    ) {
        match value {
            Value::String(text) => {
                let resolved = if is_url { substitute_url(text, env) } else { substitute(text, env) };
                match resolved {
                    Ok(None) => {}
                    Ok(Some(provided)) => {
                        text.clone_from(&provided);
                        self.0.push(provided);
                    }
                    Err(unresolved) => mistakes.push(format!("{place}{unresolved}")),
                }
            }
            Value::Array(elements) => {
                for element in elements {
                    self.values(place, is_url, element, env, mistakes);
                }
            }
            Value::Table(_) => self.inside(place, value, env, mistakes),
            _ => {}
        }
    }

    /// Replaces the provided values that a mistake quotes by `****`.
    #[must_use]
    pub fn hide(&self, mistake: &str) -> String {
        let mut shown = mistake.to_owned();
        for value in self.0.iter().filter(|value| !value.is_empty()) {
            shown = shown.replace(&format!("{value:?}"), "\"****\"");
            // A value of up to three letters is part of many words, so only its quoted form is hidden.
            if value.len() >= 4 {
                shown = shown.replace(value.as_str(), "****");
            }
        }
        shown
    }
}
