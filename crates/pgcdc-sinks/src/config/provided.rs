//! Config providers in the file: `${env:NAME}`, `${file:/path:key}`, `${file:/path}` and `${dir:/path:file}` in any text.

use pgcdc_config::{Environment, substitute, substitute_url};
use toml::{Table, Value};

/// Values that came from a provider. They may be secrets, so no mistake shows them.
#[derive(Default)]
pub(super) struct Provided(Vec<String>);

impl Provided {
    /// Puts in what the providers hold, in every text of the table; says which references lead nowhere.
    pub(super) fn resolve(table: &mut Table, env: Environment<'_>, mistakes: &mut Vec<String>) -> Self {
        let mut this = Self::default();
        for (name, value) in table.iter_mut() {
            match value {
                Value::Array(elements) => {
                    for (at, element) in elements.iter_mut().enumerate() {
                        let place = match element.get("name").and_then(Value::as_str) {
                            Some(sink) => format!("[[{name}]] {sink:?}: "),
                            None => format!("[[{name}]] number {}: ", at + 1),
                        };
                        this.inside(&place, element, env, mistakes);
                    }
                }
                value => this.inside(&format!("[{name}] "), value, env, mistakes),
            }
        }
        this
    }

    fn inside(&mut self, place: &str, value: &mut Value, env: Environment<'_>, mistakes: &mut Vec<String>) {
        match value {
            Value::Table(table) => {
                for (name, value) in table.iter_mut() {
                    match value {
                        Value::Table(_) => self.inside(&format!("{place}{name}: "), value, env, mistakes),
                        value => {
                            self.values(&format!("{place}{name:?}: "), name == "url", value, env, mistakes)
                        }
                    }
                }
            }
            value => self.values(place, false, value, env, mistakes),
        }
    }

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

    /// A mistake without the values that it quotes.
    pub(super) fn hide(&self, mistake: &str) -> String {
        let mut shown = mistake.to_owned();
        for value in self.0.iter().filter(|value| !value.is_empty()) {
            shown = shown.replace(&format!("{value:?}"), "\"****\"");
            // A short one is part of many words; mistakes quote what they show.
            if value.len() >= 4 {
                shown = shown.replace(value.as_str(), "****");
            }
        }
        shown
    }
}
