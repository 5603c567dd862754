//! Typed access to a document whose values were checked against the table: what is unset has its default.

use std::path::PathBuf;
use std::time::Duration;

use pgcdc_event::Secret;

use crate::document::{Document, Entry};
use crate::mistake::Mistake;
use crate::property::PropertyTable;

/// Reads typed values and gathers mistakes, so that one answer has all of them.
///
/// ```
/// use pgcdc_config::{Document, Importance, Kind, PropertyTable, Reader, p};
///
/// const TABLE: PropertyTable = PropertyTable {
///     groups: &[("Pace", &[p("poll.interval.ms", Kind::Long, "500", Importance::Low, "How often.")])],
/// };
/// let document = Document::parse_properties("app.properties", "name=shop")?;
/// let reader = Reader::new(&document, &TABLE);
/// assert_eq!(reader.string("name"), "shop");
/// assert_eq!(reader.millis("poll.interval.ms").as_millis(), 500);
/// # Ok::<(), pgcdc_config::ConfigError>(())
/// ```
#[derive(Debug)]
pub struct Reader<'d> {
    /// The document that is read.
    pub document: &'d Document,
    table: &'d PropertyTable,
    /// The mistakes so far.
    pub mistakes: Vec<Mistake>,
    /// Options that nothing reads: as in Connect they are no mistakes.
    pub unknown: Vec<Mistake>,
    /// Remarks about properties that are no mistakes.
    pub notes: Vec<Mistake>,
}

impl<'d> Reader<'d> {
    /// Reads `document`; `table` has the defaults.
    #[must_use]
    pub fn new(document: &'d Document, table: &'d PropertyTable) -> Self {
        Self { document, table, mistakes: Vec::new(), unknown: Vec::new(), notes: Vec::new() }
    }

    /// The value as it was written, if it is set.
    #[must_use]
    pub fn raw(&self, key: &str) -> Option<&'d str> {
        self.document.entry(key).map(|e| e.value.expose())
    }

    /// The value without blanks around it, or the default; `None` when it is empty and has no default.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&'d str> {
        let set = self.raw(key).map(str::trim).filter(|v| !v.is_empty());
        set.or_else(|| self.table.default_of(key))
    }

    /// As [`text`](Self::text), with an empty text for `None`.
    #[must_use]
    pub fn string(&self, key: &str) -> String {
        self.text(key).unwrap_or_default().to_owned()
    }

    /// The value with its blanks, hidden from logs; `None` when it is empty.
    #[must_use]
    pub fn secret(&self, key: &str) -> Option<Secret> {
        self.raw(key).filter(|v| !v.is_empty()).map(Secret::new)
    }

    /// The value as a path.
    #[must_use]
    pub fn path(&self, key: &str) -> Option<PathBuf> {
        self.text(key).map(PathBuf::from)
    }

    /// Whether the value is `true`, in any case.
    #[must_use]
    pub fn boolean(&self, key: &str) -> bool {
        self.text(key).is_some_and(|v| v.eq_ignore_ascii_case("true"))
    }

    /// The value as a number, the default for a text that is none: the check of the document has refused that already.
    #[must_use]
    pub fn number(&self, key: &str) -> i64 {
        let default = || self.table.default_of(key).and_then(|d| d.parse().ok()).unwrap_or(0);
        self.text(key).and_then(|v| v.parse().ok()).unwrap_or_else(default)
    }

    /// The value in milliseconds; zero for a negative number.
    #[must_use]
    pub fn millis(&self, key: &str) -> Duration {
        Duration::from_millis(u64::try_from(self.number(key)).unwrap_or(0))
    }

    /// The `T` beside the value in `words`, which are compared in any case; `T`'s default for any other word.
    #[must_use]
    pub fn choice<T: Copy + Default>(&self, key: &str, words: &[(&str, T)]) -> T {
        let word = self.text(key).unwrap_or_default();
        let found = words.iter().find(|(w, _)| w.eq_ignore_ascii_case(word));
        found.map_or_else(T::default, |&(_, value)| value)
    }

    /// Entries whose keys start with `prefix`, each with the rest of its key.
    pub fn below<'p>(&self, prefix: &'p str) -> impl Iterator<Item = (&'d str, &'d Entry)> + use<'d, 'p> {
        self.document.entries.iter().filter_map(move |e| e.key.strip_prefix(prefix).map(|rest| (rest, e)))
    }

    /// Adds a mistake at the place of `key`, unless that key has one already.
    pub fn mistake(&mut self, key: &str, message: impl Into<String>, remedy: impl Into<String>) {
        if self.mistakes.iter().any(|m| m.key == key) {
            return;
        }
        let mistake = self.at(key, message, remedy);
        self.mistakes.push(mistake);
    }

    /// Adds an option that nothing reads.
    pub fn unknown(&mut self, key: &str, message: impl Into<String>, remedy: impl Into<String>) {
        let unknown = self.at(key, message, remedy);
        self.unknown.push(unknown);
    }

    /// Adds a remark about a property that is no mistake.
    pub fn note(&mut self, key: &str, message: impl Into<String>, remedy: impl Into<String>) {
        let note = self.at(key, message, remedy);
        self.notes.push(note);
    }

    fn at(&self, key: &str, message: impl Into<String>, remedy: impl Into<String>) -> Mistake {
        let place = self.document.entry(key).map_or(self.document.source.clone(), |e| e.place.to_string());
        Mistake { place, key: key.to_owned(), message: message.into(), remedy: Some(remedy.into()) }
    }
}
