//! References to config providers in a TOML file: `${env:NAME}`, `${file:/path:key}`, `${file:/path}` and `${dir:/path:file}`
//! may be in any text of it.

use crate::mistake::Mistake;
use crate::providers::{Environment, substitute, substitute_url};
use crate::toml_file::{Lines, TomlFile, place};
use toml::Value;

/// The values that came from config providers. They may be secrets, so no mistake may show them.
///
/// ```
/// use pgcdc_config::{Provided, TomlFile};
///
/// let mut file = TomlFile::parse("s.toml", "[kafka]\n\"sasl.password\" = \"${env:PW}\"")?;
/// let mut mistakes = Vec::new();
/// let provided = Provided::resolve(&mut file, &|_| Some("open sesame".into()), &mut mistakes);
/// let kafka = file.root().inner("kafka").expect("a table");
/// assert_eq!(kafka.get("sasl.password").and_then(|value| value.as_str()), Some("open sesame"));
/// assert_eq!(provided.hide("\"open sesame\" is too short"), "\"****\" is too short");
/// # Ok::<(), pgcdc_config::ConfigError>(())
/// ```
#[derive(Default)]
pub struct Provided(Vec<String>);

/// Where a value stands.
struct Spot<'l> {
    file: &'l str,
    lines: Option<&'l Lines>,
    /// The key of the text, or of the list that it is in.
    key: String,
    /// What messages call the place.
    label: String,
}

impl<'l> Spot<'l> {
    /// A value of the table that stands here.
    fn inner(&self, key: &str, label: String) -> Self {
        let lines = self.lines.and_then(|lines| lines.keys.get(key));
        Self { file: self.file, lines, key: key.to_owned(), label }
    }

    fn mistake(&self, what: &str) -> Mistake {
        let message = format!("{}{what}", self.label);
        Mistake { place: place(self.file, self.lines), key: self.key.clone(), message, remedy: None }
    }
}

impl Provided {
    /// Replaces the references in every text of the file; a reference that cannot be resolved is a mistake. A value of the key
    /// `url` is escaped as [`substitute_url`] does.
    pub fn resolve(file: &mut TomlFile, env: Environment<'_>, mistakes: &mut Vec<Mistake>) -> Self {
        let mut this = Self::default();
        let TomlFile { name: file, table, lines } = file;
        for (name, value) in table.iter_mut() {
            let lines = lines.keys.get(name);
            let spot = |lines, label| Spot { file, lines, key: name.clone(), label };
            if let Value::Array(elements) = value {
                for (at, element) in elements.iter_mut().enumerate() {
                    let label = match element.get("name").and_then(Value::as_str) {
                        Some(sink) => format!("[[{name}]] {sink:?}: "),
                        None => format!("[[{name}]] number {}: ", at + 1),
                    };
                    let lines = lines.and_then(|lines| lines.items.get(at));
                    this.inside(&spot(lines, label), element, env, mistakes);
                }
            } else {
                this.inside(&spot(lines, format!("[{name}] ")), value, env, mistakes);
            }
        }
        this
    }

    /// Replaces the references in a value, which may be a table.
    fn inside(
        &mut self,
        spot: &Spot<'_>,
        value: &mut Value,
        env: Environment<'_>,
        mistakes: &mut Vec<Mistake>,
    ) {
        let Value::Table(table) = value else { return self.values(spot, false, value, env, mistakes) };
        for (name, value) in table.iter_mut() {
            if value.is_table() {
                self.inside(&spot.inner(name, format!("{}{name}: ", spot.label)), value, env, mistakes);
            } else {
                let spot = spot.inner(name, format!("{}{name:?}: ", spot.label));
                self.values(&spot, name == "url", value, env, mistakes);
            }
        }
    }

    /// Replaces the references in a text or in all texts of a list.
    fn values(
        &mut self,
        spot: &Spot<'_>,
        is_url: bool,
        value: &mut Value,
        env: Environment<'_>,
        mistakes: &mut Vec<Mistake>,
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
                    Err(unresolved) => mistakes.push(spot.mistake(&unresolved.to_string())),
                }
            }
            Value::Array(elements) => {
                for element in elements {
                    self.values(spot, is_url, element, env, mistakes);
                }
            }
            Value::Table(_) => self.inside(spot, value, env, mistakes),
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
