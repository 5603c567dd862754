use std::fmt;

use pgcdc_event::Secret;

use super::mistake::Mistake;

/// Where a property was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, `--set`, or a name such as `request`.
    pub source: String,
    /// The line in it, counted from 1, where it is known.
    pub line: Option<usize>,
}

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
    /// The value, with config providers resolved once [`Document::resolve_providers`] ran.
    pub value: Secret,
    /// Where it stands.
    pub place: Place,
    /// The value came from a config provider, so it is not quoted in errors.
    pub provided: bool,
}

/// A configuration as it was written: properties in order, each with its place.
#[derive(Clone, Debug)]
pub struct Document {
    /// Where it came from; the place of what is missing in it.
    pub source: String,
    /// The properties, each name once.
    pub entries: Vec<Entry>,
    /// What was odd about how it is written, to be logged at start.
    pub notes: Vec<Mistake>,
}

impl Document {
    /// An empty document.
    pub fn new(source: impl Into<String>) -> Self {
        Self { source: source.into(), entries: Vec::new(), notes: Vec::new() }
    }

    /// A document of pairs that stand in no file, such as the body of a REST request.
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

    /// Sets a property, in place of an earlier value.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<String>, place: Place) {
        self.put(Entry { key: key.into(), value: Secret::new(value), place, provided: false });
    }

    /// Sets a property as another document has it.
    pub(super) fn put(&mut self, entry: Entry) {
        match self.entries.iter_mut().find(|e| e.key == entry.key) {
            Some(earlier) => *earlier = entry,
            None => self.entries.push(entry),
        }
    }

    /// Puts mistakes into the order of the document: first what is about all of it, last what it lacks.
    pub(super) fn sort(&self, mistakes: &mut [Mistake]) {
        mistakes.sort_by_key(|mistake| {
            let at = self.entries.iter().position(|entry| entry.key == mistake.key);
            (!mistake.key.is_empty(), at.unwrap_or(usize::MAX))
        });
    }

    /// The entry called `key`.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|e| e.key == key)
    }
}
