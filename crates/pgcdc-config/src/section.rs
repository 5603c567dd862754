//! Reads a TOML table key by key, so that one answer has every mistake, including unknown keys.

use std::ops::RangeInclusive;
use std::time::Duration;

use toml::Value;

use crate::mistake::Mistake;
use crate::nearest::{Reach, nearest};
use crate::toml_file::TomlTable;

/// A table that is being read.
///
/// Each accessor notes its key as known. It answers `None` when the key is missing or has a wrong value; a mistake then goes
/// to the list, with file and line. [`Section::finish`] adds the keys that no accessor asked for.
///
/// ```
/// use pgcdc_config::{Section, TomlFile};
///
/// let file = TomlFile::parse("s.toml", "url = \"http://h\"\ntimout = \"5s\"")?;
/// let mut mistakes = Vec::new();
/// let mut section = Section::new("[[sink]] \"s\": ", file.root(), &mut mistakes);
/// assert_eq!(section.text("url").as_deref(), Some("http://h"));
/// assert_eq!(section.optional_duration("timeout"), None);
/// section.finish();
/// let text = "s.toml:2: [[sink]] \"s\": unknown key \"timout\"; did you mean \"timeout\"?";
/// assert_eq!(mistakes[0].to_string(), text);
/// # Ok::<(), pgcdc_config::ConfigError>(())
/// ```
#[derive(Debug)]
pub struct Section<'t, 'm> {
    /// What messages call the table.
    label: String,
    table: TomlTable<'t>,
    known: Vec<&'static str>,
    mistakes: &'m mut Vec<Mistake>,
}

impl<'t, 'm> Section<'t, 'm> {
    /// Reads `table`. Messages begin with `label`, such as `[kafka] `, and mistakes are added to `mistakes`.
    pub fn new(label: &str, table: TomlTable<'t>, mistakes: &'m mut Vec<Mistake>) -> Self {
        Self { label: label.to_owned(), table, known: Vec::new(), mistakes }
    }

    /// The keys that were asked for so far. A test of a table of documented keys compares them.
    #[must_use]
    pub fn known(&self) -> &[&'static str] {
        &self.known
    }

    /// Notes a mistake of this section as a whole.
    pub fn mistake(&mut self, what: &str) {
        self.mistake_at("", what);
    }

    /// Notes a mistake of a key, at the key's line; at the section's when the key is missing. `what` names the key.
    pub fn mistake_at(&mut self, key: &str, what: &str) {
        let (place, message) = (self.table.place_of(key), format!("{}{what}", self.label));
        self.mistakes.push(Mistake { place, key: key.to_owned(), message, remedy: None });
    }

    fn get(&mut self, key: &'static str) -> Option<&'t Value> {
        self.known.push(key);
        self.table.get(key)
    }

    fn required(&mut self, key: &'static str) -> Option<&'t Value> {
        let value = self.get(key);
        if value.is_none() {
            self.mistake_at(key, &format!("{key:?} is missing"));
        }
        value
    }

    fn wrong_type(&mut self, key: &str, wanted: &str, value: &Value) {
        self.mistake_at(key, &format!("{key:?} must be {wanted}, not {}", value.type_str()));
    }

    fn as_text(&mut self, key: &str, value: &Value) -> Option<String> {
        let text = value.as_str().map(str::to_owned);
        if text.is_none() {
            self.wrong_type(key, "a text", value);
        }
        text
    }

    /// A required text.
    pub fn text(&mut self, key: &'static str) -> Option<String> {
        let value = self.required(key)?;
        self.as_text(key, value)
    }

    /// An optional text.
    pub fn optional_text(&mut self, key: &'static str) -> Option<String> {
        let value = self.get(key)?;
        self.as_text(key, value)
    }

    /// A required list of texts.
    pub fn texts(&mut self, key: &'static str) -> Option<Vec<String>> {
        let value = self.required(key)?;
        let texts = value.as_array().and_then(|array| {
            array.iter().map(|element| element.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
        });
        if texts.is_none() {
            self.wrong_type(key, "a list of texts", value);
        }
        texts
    }

    /// An optional boolean, `false` when it is missing.
    pub fn flag(&mut self, key: &'static str) -> bool {
        self.optional_flag(key).unwrap_or(false)
    }

    /// An optional boolean.
    pub fn optional_flag(&mut self, key: &'static str) -> Option<bool> {
        let value = self.get(key)?;
        if value.as_bool().is_none() {
            self.wrong_type(key, "true or false", value);
        }
        value.as_bool()
    }

    /// An optional whole number within a range.
    pub fn optional_number(&mut self, key: &'static str, range: RangeInclusive<i64>) -> Option<i64> {
        let value = self.get(key)?;
        match value.as_integer() {
            Some(number) if range.contains(&number) => Some(number),
            Some(number) => {
                let (from, to) = (range.start(), range.end());
                self.mistake_at(key, &format!("{key:?} must be within {from} and {to}, not {number}"));
                None
            }
            None => {
                self.wrong_type(key, "a whole number", value);
                None
            }
        }
    }

    /// An optional list of whole numbers within a range. Numbers outside the range are mistakes, and still returned.
    pub fn numbers(&mut self, key: &'static str, range: RangeInclusive<i64>) -> Option<Vec<i64>> {
        let value = self.get(key)?;
        let numbers: Option<Vec<i64>> =
            value.as_array().and_then(|array| array.iter().map(Value::as_integer).collect());
        let Some(numbers) = numbers else {
            self.wrong_type(key, "a list of whole numbers", value);
            return None;
        };
        for wrong in numbers.iter().filter(|number| !range.contains(number)) {
            let (from, to) = (range.start(), range.end());
            self.mistake_at(key, &format!("{key:?} must have numbers within {from} and {to}, not {wrong}"));
        }
        Some(numbers)
    }

    /// A required duration such as `"10m"`.
    pub fn duration(&mut self, key: &'static str) -> Option<Duration> {
        if self.required(key).is_some() { self.optional_duration(key) } else { None }
    }

    /// An optional duration.
    pub fn optional_duration(&mut self, key: &'static str) -> Option<Duration> {
        let text = self.optional_text(key)?;
        let duration = parse_duration(&text);
        if duration.is_none() {
            self.mistake_at(key, &format!("{key:?} must be a duration such as \"500ms\", \"10s\", \"10m\", \"2h\" or \"1d\", not {text:?}"));
        }
        duration
    }

    /// An optional value of any type, for keys that take more than one type.
    pub fn raw(&mut self, key: &'static str) -> Option<&'t Value> {
        self.get(key)
    }

    /// A required table.
    pub fn section(&mut self, key: &'static str) -> Option<TomlTable<'t>> {
        match self.get(key) {
            Some(Value::Table(_)) => {}
            Some(other) => self.wrong_type(key, "a table", other),
            None => self.mistake(&format!("the table [{key}] is missing")),
        }
        self.table.inner(key)
    }

    /// A list of tables (`[[key]]`), empty when the key is missing.
    pub fn sections(&mut self, key: &'static str) -> Option<Vec<TomlTable<'t>>> {
        if self.get(key).is_none() {
            return Some(Vec::new());
        }
        let tables = self.table.list(key);
        if tables.is_none() {
            self.mistake_at(key, &format!("{key:?} must be a list of tables: write [[{key}]]"));
        }
        tables
    }

    /// Reads an optional table within this one with `read`; its unknown keys are mistakes too.
    pub fn inner<T>(&mut self, key: &'static str, read: impl FnOnce(&mut Section<'_, '_>) -> T) -> Option<T> {
        let value = self.get(key)?;
        let Some(table) = self.table.inner(key) else {
            self.wrong_type(key, "a table", value);
            return None;
        };
        let label = format!("{}{key}: ", self.label);
        let mut inner = Section::new(&label, table, self.mistakes);
        let result = read(&mut inner);
        inner.finish();
        Some(result)
    }

    /// Ends the reading: keys that no accessor asked for are mistakes, each with the nearest known key.
    pub fn finish(mut self) {
        let table = self.table;
        let unknown: Vec<&String> =
            table.entries().map(|(key, _)| key).filter(|key| !self.known.contains(&key.as_str())).collect();
        for key in unknown {
            let hint = did_you_mean(key, &self.known);
            self.mistake_at(key, &format!("unknown key {key:?}{hint}"));
        }
    }
}

/// The end of a message about an unknown name: `; did you mean "…"?`, or nothing when no known name is near.
///
/// ```
/// assert_eq!(pgcdc_config::did_you_mean("tpoic", &["topic", "url"]), "; did you mean \"topic\"?");
/// assert_eq!(pgcdc_config::did_you_mean("entirely", &["topic", "url"]), "");
/// ```
#[must_use]
pub fn did_you_mean(name: &str, known: &[&str]) -> String {
    let near = nearest(name, known.iter().copied(), Reach::Wide);
    near.map_or_else(String::new, |known| format!("; did you mean {known:?}?"))
}

/// Reads a duration such as `500ms`, `10s`, `10m`, `2h` or `1d`: a whole number above zero and its unit. `None` for any
/// other text.
///
/// ```
/// assert_eq!(pgcdc_config::parse_duration("10m").expect("a duration").as_secs(), 600);
/// assert_eq!(pgcdc_config::parse_duration("0s"), None);
/// ```
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..split].parse().ok().filter(|n| *n > 0)?;
    let milliseconds = match text[split..].trim() {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(milliseconds).map(Duration::from_millis)
}
