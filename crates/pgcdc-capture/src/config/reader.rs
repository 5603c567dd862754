//! Typed access to a document whose values were validated: what is unset has its default.

use std::path::PathBuf;
use std::time::Duration;

use pgcdc_event::Secret;

use super::document::{Document, Entry};
use super::mistake::Mistake;
use super::properties;

/// Reads properties and gathers mistakes.
pub(super) struct Reader<'d> {
    pub(super) document: &'d Document,
    pub(super) mistakes: Vec<Mistake>,
    /// Options that nobody knows.
    pub(super) unknown: Vec<Mistake>,
    /// What is to be said without being wrong.
    pub(super) notes: Vec<Mistake>,
}

impl<'d> Reader<'d> {
    /// The value as it is written, if it is set.
    pub(super) fn raw(&self, key: &str) -> Option<&'d str> {
        self.document.entry(key).map(|e| e.value.expose())
    }

    /// The value without blanks around it; nothing when it is empty and has no default.
    pub(super) fn text(&self, key: &str) -> Option<&'d str> {
        let set = self.raw(key).map(str::trim).filter(|v| !v.is_empty());
        set.or_else(|| properties::default_of(key))
    }

    /// As [`text`](Self::text), empty when there is none.
    pub(super) fn string(&self, key: &str) -> String {
        self.text(key).unwrap_or_default().to_owned()
    }

    pub(super) fn secret(&self, key: &str) -> Option<Secret> {
        self.raw(key).filter(|v| !v.is_empty()).map(Secret::new)
    }

    pub(super) fn path(&self, key: &str) -> Option<PathBuf> {
        self.text(key).map(PathBuf::from)
    }

    pub(super) fn boolean(&self, key: &str) -> bool {
        self.text(key).is_some_and(|v| v.eq_ignore_ascii_case("true"))
    }

    /// A number; what does not fit was refused before.
    pub(super) fn number(&self, key: &str) -> i64 {
        let default = || properties::default_of(key).and_then(|d| d.parse().ok()).unwrap_or(0);
        self.text(key).and_then(|v| v.parse().ok()).unwrap_or_else(default)
    }

    pub(super) fn millis(&self, key: &str) -> Duration {
        Duration::from_millis(u64::try_from(self.number(key)).unwrap_or(0))
    }

    /// The value that belongs to the word.
    pub(super) fn choice<T: Copy + Default>(&self, key: &str, words: &[(&str, T)]) -> T {
        let word = self.text(key).unwrap_or_default();
        let found = words.iter().find(|(w, _)| w.eq_ignore_ascii_case(word));
        found.map_or_else(T::default, |&(_, value)| value)
    }

    /// Entries whose keys start with `prefix`, with what follows it.
    pub(super) fn below<'p>(
        &self,
        prefix: &'p str,
    ) -> impl Iterator<Item = (&'d str, &'d Entry)> + use<'d, 'p> {
        self.document.entries.iter().filter_map(move |e| e.key.strip_prefix(prefix).map(|rest| (rest, e)))
    }

    /// Notes a mistake at the place of `key`; one for each key is enough.
    pub(super) fn mistake(&mut self, key: &str, message: impl Into<String>, remedy: impl Into<String>) {
        if self.mistakes.iter().any(|m| m.key == key) {
            return;
        }
        let mistake = self.at(key, message, remedy);
        self.mistakes.push(mistake);
    }

    /// Notes an option that nobody knows.
    pub(super) fn unknown(&mut self, key: &str, message: impl Into<String>, remedy: impl Into<String>) {
        let unknown = self.at(key, message, remedy);
        self.unknown.push(unknown);
    }

    /// Says something about a property that is no mistake.
    pub(super) fn note(&mut self, key: &str, message: impl Into<String>, remedy: impl Into<String>) {
        let note = self.at(key, message, remedy);
        self.notes.push(note);
    }

    fn at(&self, key: &str, message: impl Into<String>, remedy: impl Into<String>) -> Mistake {
        let place = self.document.entry(key).map_or(self.document.source.clone(), |e| e.place.to_string());
        Mistake { place, key: key.to_owned(), message: message.into(), remedy: Some(remedy.into()) }
    }
}
