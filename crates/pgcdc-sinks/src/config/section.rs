//! Reading a TOML table key by key, so that every mistake is found and unknown keys can be named.

use std::ops::RangeInclusive;
use std::time::Duration;

use toml::{Table, Value};

/// A table that is being read. Each accessor notes its key as known; [`Section::finish`] names the rest.
pub(crate) struct Section<'t, 'm> {
    place: String,
    table: &'t Table,
    known: Vec<&'static str>,
    mistakes: &'m mut Vec<String>,
}

impl<'t, 'm> Section<'t, 'm> {
    pub(crate) fn new(place: &str, table: &'t Table, mistakes: &'m mut Vec<String>) -> Self {
        Self { place: place.to_owned(), table, known: Vec::new(), mistakes }
    }

    pub(crate) fn mistake(&mut self, what: &str) {
        self.mistakes.push(format!("{}{what}", self.place));
    }

    fn get(&mut self, key: &'static str) -> Option<&'t Value> {
        self.known.push(key);
        self.table.get(key)
    }

    fn required(&mut self, key: &'static str) -> Option<&'t Value> {
        let value = self.get(key);
        if value.is_none() {
            self.mistake(&format!("{key:?} is missing"));
        }
        value
    }

    fn wrong_type(&mut self, key: &str, wanted: &str, value: &Value) {
        self.mistake(&format!("{key:?} must be {wanted}, not {}", value.type_str()));
    }

    fn as_text(&mut self, key: &str, value: &Value) -> Option<String> {
        let text = value.as_str().map(str::to_owned);
        if text.is_none() {
            self.wrong_type(key, "a text", value);
        }
        text
    }

    /// A text that has to be there.
    pub(crate) fn text(&mut self, key: &'static str) -> Option<String> {
        let value = self.required(key)?;
        self.as_text(key, value)
    }

    /// A text that may be there.
    pub(crate) fn optional_text(&mut self, key: &'static str) -> Option<String> {
        let value = self.get(key)?;
        self.as_text(key, value)
    }

    /// A list of texts that has to be there.
    pub(crate) fn texts(&mut self, key: &'static str) -> Option<Vec<String>> {
        let value = self.required(key)?;
        let texts = value.as_array().and_then(|array| {
            array.iter().map(|element| element.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
        });
        if texts.is_none() {
            self.wrong_type(key, "a list of texts", value);
        }
        texts
    }

    /// A boolean, `false` when it is not there.
    pub(crate) fn flag(&mut self, key: &'static str) -> bool {
        self.optional_flag(key).unwrap_or(false)
    }

    /// A boolean that may be there.
    pub(crate) fn optional_flag(&mut self, key: &'static str) -> Option<bool> {
        let value = self.get(key)?;
        if value.as_bool().is_none() {
            self.wrong_type(key, "true or false", value);
        }
        value.as_bool()
    }

    /// A whole number within a range.
    pub(crate) fn optional_number(&mut self, key: &'static str, range: RangeInclusive<i64>) -> Option<i64> {
        let value = self.get(key)?;
        match value.as_integer() {
            Some(number) if range.contains(&number) => Some(number),
            Some(number) => {
                self.mistake(&format!(
                    "{key:?} must be within {} and {}, not {number}",
                    range.start(),
                    range.end()
                ));
                None
            }
            None => {
                self.wrong_type(key, "a whole number", value);
                None
            }
        }
    }

    /// A list of whole numbers within a range, that may be there.
    pub(crate) fn numbers(&mut self, key: &'static str, range: RangeInclusive<i64>) -> Option<Vec<i64>> {
        let value = self.get(key)?;
        let numbers: Option<Vec<i64>> =
            value.as_array().and_then(|array| array.iter().map(Value::as_integer).collect());
        let Some(numbers) = numbers else {
            self.wrong_type(key, "a list of whole numbers", value);
            return None;
        };
        for wrong in numbers.iter().filter(|number| !range.contains(number)) {
            let (from, to) = (range.start(), range.end());
            self.mistake(&format!("{key:?} must have numbers within {from} and {to}, not {wrong}"));
        }
        Some(numbers)
    }

    /// A duration such as `"10m"`.
    pub(crate) fn duration(&mut self, key: &'static str) -> Option<Duration> {
        if self.required(key).is_some() { self.optional_duration(key) } else { None }
    }

    /// A duration that may be there.
    pub(crate) fn optional_duration(&mut self, key: &'static str) -> Option<Duration> {
        let text = self.optional_text(key)?;
        let duration = parse_duration(&text);
        if duration.is_none() {
            self.mistake(&format!("{key:?} must be a duration such as \"500ms\", \"10s\", \"10m\", \"2h\" or \"1d\", not {text:?}"));
        }
        duration
    }

    /// The raw value, for keys of more than one type.
    pub(crate) fn raw(&mut self, key: &'static str) -> Option<&'t Value> {
        self.get(key)
    }

    /// A table that has to be there.
    pub(crate) fn section(&mut self, key: &'static str) -> Option<&'t Table> {
        match self.get(key) {
            Some(Value::Table(table)) => Some(table),
            Some(other) => {
                self.wrong_type(key, "a table", other);
                None
            }
            None => {
                self.mistake(&format!("the table [{key}] is missing"));
                None
            }
        }
    }

    /// A list of tables that has to be there.
    pub(crate) fn sections(&mut self, key: &'static str) -> Option<Vec<&'t Table>> {
        let Some(value) = self.get(key) else { return Some(Vec::new()) };
        let tables =
            value.as_array().and_then(|array| array.iter().map(Value::as_table).collect::<Option<Vec<_>>>());
        if tables.is_none() {
            self.mistake(&format!("{key:?} must be a list of tables: write [[{key}]]"));
        }
        tables
    }

    /// Reads a table within this one, if it is there; its unknown keys are mistakes too.
    pub(crate) fn inner<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Section<'_, '_>) -> T,
    ) -> Option<T> {
        let value = self.get(key)?;
        let Value::Table(table) = value else {
            self.wrong_type(key, "a table", value);
            return None;
        };
        let place = format!("{}{key}: ", self.place);
        let mut inner = Section::new(&place, table, self.mistakes);
        let result = read(&mut inner);
        inner.finish();
        Some(result)
    }

    /// Names the keys that nobody asked for.
    pub(crate) fn finish(mut self) {
        let table = self.table;
        for key in table.keys().filter(|key| !self.known.contains(&key.as_str())).collect::<Vec<_>>() {
            let hint = did_you_mean(key, &self.known);
            self.mistake(&format!("unknown key {key:?}{hint}"));
        }
    }
}

/// `; did you mean "…"?`, or nothing when no known name is near.
pub(crate) fn did_you_mean(name: &str, known: &[&str]) -> String {
    let nearest = known.iter().map(|known| (strsim::damerau_levenshtein(name, known), known)).min();
    match nearest {
        Some((distance, known)) if distance <= (known.len() / 3).max(2) => {
            format!("; did you mean {known:?}?")
        }
        _ => String::new(),
    }
}

/// `500ms`, `10s`, `10m`, `2h`, `1d`: a whole number above zero and its unit.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
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
