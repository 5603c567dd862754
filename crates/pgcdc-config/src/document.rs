use std::fmt;

use pgcdc_event::Secret;

use crate::mistake::{ConfigError, Mistake};
use crate::providers::{Environment, Unresolved, substitute};

/// Where a property was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, `--set`, or a name such as `request`.
    pub source: String,
    /// The line in it, counted from 1, where it is known.
    pub line: Option<usize>,
}

/// `file:line`, or the file alone.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)?;
        self.line.map_or(Ok(()), |line| write!(f, ":{line}"))
    }
}

/// One property as it was written. Any value may hold a password, so `Debug` shows none.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The name.
    pub key: String,
    /// The value, with references to config providers replaced once [`Document::resolve_providers`] has run.
    pub value: Secret,
    /// Where it was written.
    pub place: Place,
    /// Whether the value came from a config provider. It may then be a secret, and errors do not quote it.
    pub provided: bool,
}

impl Entry {
    /// A mistake of this entry, at its place.
    #[must_use]
    pub fn mistake(&self, message: impl Into<String>, remedy: impl Into<String>) -> Mistake {
        Mistake {
            place: self.place.to_string(),
            key: self.key.clone(),
            message: message.into(),
            remedy: Some(remedy.into()),
        }
    }
}

/// A configuration of flat properties as it was written: in order, each with its place.
///
/// ```
/// use pgcdc_config::Document;
///
/// let text = "{\n  \"name\": \"shop\",\n  \"config\": {\n    \"database.password\": \"${env:PW}\"\n  }\n}";
/// let mut document = Document::parse_json("shop.json", text)?;
/// document.apply(&[("slot.name".into(), "shop".into())]);
/// document.resolve_providers(&|name| (name == "PW").then(|| "open sesame".into()))?;
///
/// let password = document.entry("database.password").expect("it is set");
/// assert_eq!(password.value.expose(), "open sesame");
/// assert_eq!(password.place.to_string(), "shop.json:4");
/// # Ok::<(), pgcdc_config::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Document {
    /// The file or request that it came from: the place of a mistake about the whole, such as a missing property.
    pub source: String,
    /// The properties, each name once.
    pub entries: Vec<Entry>,
    /// Oddities in how it is written, such as a name that stands twice, to be logged at start.
    pub notes: Vec<Mistake>,
}

impl Document {
    /// An empty document.
    pub fn new(source: impl Into<String>) -> Self {
        Self { source: source.into(), entries: Vec::new(), notes: Vec::new() }
    }

    /// A document of pairs that come from no file, such as the body of a REST request.
    pub fn from_pairs<K: Into<String>, V: Into<String>>(
        source: impl Into<String>,
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let mut document = Self::new(source);
        let place = Place { source: document.source.clone(), line: None };
        for (key, value) in pairs {
            document.set(key, value, place.clone());
        }
        document
    }

    /// Sets a property; an earlier value is replaced.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<String>, place: Place) {
        self.put(Entry { key: key.into(), value: Secret::new(value), place, provided: false });
    }

    /// Sets a property to an entry of another document.
    pub fn put(&mut self, entry: Entry) {
        match self.entries.iter_mut().find(|e| e.key == entry.key) {
            Some(earlier) => *earlier = entry,
            None => self.entries.push(entry),
        }
    }

    /// Applies `--set key=value`: later pairs win over earlier ones, and all of them over the file.
    pub fn apply(&mut self, overrides: &[(String, String)]) {
        for (key, value) in overrides {
            self.set(key, value, Place { source: "--set".into(), line: None });
        }
    }

    /// The entry called `key`.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|e| e.key == key)
    }

    /// Puts mistakes into the document's order: mistakes about the whole first, missing properties last.
    pub fn sort(&self, mistakes: &mut [Mistake]) {
        mistakes.sort_by_key(|mistake| {
            let at = self.entries.iter().position(|entry| entry.key == mistake.key);
            (!mistake.key.is_empty(), at.unwrap_or(usize::MAX))
        });
    }

    /// Replaces references to config providers (`${env:NAME}`, …) in all values; `env` answers for environment variables.
    ///
    /// # Errors
    /// Names every reference that cannot be resolved.
    pub fn resolve_providers(&mut self, env: Environment<'_>) -> Result<(), ConfigError> {
        let mut mistakes = Vec::new();
        for entry in self.entries.iter_mut().filter(|entry| !entry.provided) {
            match substitute(entry.value.expose(), env) {
                Ok(None) => {}
                Ok(Some(value)) => {
                    entry.value = Secret::new(value);
                    entry.provided = true;
                }
                Err(Unresolved { message, remedy }) => mistakes.push(entry.mistake(message, remedy)),
            }
        }
        if mistakes.is_empty() { Ok(()) } else { Err(ConfigError::new(mistakes)) }
    }
}
